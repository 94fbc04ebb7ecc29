// SPDX-License-Identifier: MIT
#include "isthmus/study/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/net/symmetry/symmetry.h"
#include "isthmus/objective/penalty.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/study/option_table.h"
#include "isthmus/study/theory_start.h"
#include "isthmus/train/option_table.h"

namespace isthmus {
namespace {

// Each pair and threshold is a row and two files of a run.
constexpr std::size_t max_pairs = 1'000'000;

// A run belongs to the numbers of its end points, not only to the names of their files.
Json to_json(const GivenEndPoint& point) {
  const auto bytes = std::as_bytes(std::span(point.theta));
  return {{"name", point.name},
          {"theta_sha256", sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
}

Json to_json(const TrainOptions& training) {
  Json json;
  put_options(json, std::span(train_option_table()), training);
  for (const WeightDecay& decay : training.weight_decay) {
    json["weight_decay"][decay.tensor] = decay.strength;
  }
  return json;
}

TrainOptions training_from_json(const Json& json) {
  TrainOptions training;
  take_options(json, std::span(train_option_table()), training);
  if (json.contains("weight_decay")) {
    for (const auto& [tensor, strength] : json["weight_decay"].items()) {
      training.weight_decay.push_back({.tensor = tensor, .strength = strength.get<double>()});
    }
  }
  return training;
}

EndPointsOf endpoints_of_default(Protocol protocol) {
  return protocol == Protocol::strict ? EndPointsOf::pair : EndPointsOf::threshold;
}

void validate_thresholds(std::span<const double> thresholds, Metric metric) {
  if (thresholds.empty()) {
    throw UsageError("thresholds: expected at least one");
  }
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    validate_threshold(thresholds[i], metric);
    if (i > 0 && thresholds[i] >= thresholds[i - 1]) {
      throw UsageError(
          fmt::format("thresholds: expected different ones, got {} twice", thresholds[i]));
    }
  }
}

}  // namespace

void validate_threshold(double threshold, Metric metric) {
  if (!(threshold > 0.0) || !std::isfinite(threshold)) {
    throw UsageError(fmt::format("threshold: expected a finite number > 0, got {}", threshold));
  }
  if (threshold > static_cast<double>(std::numeric_limits<float>::max())) {
    throw UsageError(
        fmt::format("threshold: expected at most {:.3g}, the largest loss that a network in "
                    "float32 can have, got {}",
                    std::numeric_limits<float>::max(),
                    threshold));
  }
  if (metric == Metric::error_rate && threshold >= 1.0) {
    throw UsageError(fmt::format(
        "threshold: expected an error rate, a fraction below 1 (2 % is 0.02), got {}: it "
        "would hold everywhere",
        threshold));
  }
}

void StudyOptions::validate() const {
  validate_thresholds(thresholds, string.grid.metric);
  check_options(study_option_table(), *this);
  if (from.has_value() != to.has_value()) {
    throw UsageError("--from and --to: give both end points, or neither");
  }
  for (const std::optional<GivenEndPoint>& point : {from, to}) {
    const std::size_t expected = layout_of(problem.network).dimension();
    if (point && point->theta.size() != expected) {
      throw UsageError(fmt::format("{}: expected {} parameters, as the network has, got {}",
                                   point->name,
                                   expected,
                                   point->theta.size()));
    }
  }
  if (from && begins_at_random()) {
    throw UsageError(
        "--from-random: the end points are initialisations of the network; leave --from and --to "
        "out");
  }
  if (from && pairs != 1) {
    throw UsageError(fmt::format("pairs: two given end points are 1 pair, got {}", pairs));
  }
  if (align != EndAlignment::none &&
      std::ranges::none_of(symmetries_of(problem.network).dimensions, &HiddenDimension::any)) {
    throw UsageError(
        "align: the network has no hidden units that could change places; leave --align out");
  }
  if (start != StringStart::line &&
      (string.method != Method::greedy || protocol != Protocol::strict)) {
    throw UsageError(
        fmt::format("--start {}: expected --method greedy and --protocol strict", name_of(start)));
  }
  if (start == StringStart::theory) {
    require_theory_start(problem.network);
  }
  MethodOptions one = string;
  one.threshold = thresholds.front();
  one.validate();
  if (shorten && protocol == Protocol::paper) {
    throw UsageError(
        "--shorten: expected the strict protocol; strings under paper stay as its scripts leave "
        "them");
  }
  if (begins_at_random() && (repair.mode != RepairMode::none || align != EndAlignment::none)) {
    throw UsageError(
        fmt::format("--from-random: its end points move with the string: expected --{} none",
                    repair.mode != RepairMode::none ? "repair" : "align"));
  }
  ShortenOptions(one, shortening).validate();
  repair.validate();
  endpoints.validate();
  isthmus::validate(problem.penalty);
}

// clang-format off: one option a line
// NOLINTNEXTLINE(readability-function-size): a table
const OptionTable<StudyOptions>& study_option_table() {
  using S = StudyOptions;
  static const OptionTable<S> table{
      number_option<S>("pairs",
                       [](auto& s) -> auto& { return s.pairs; },
                       Range::between(1, max_pairs),
                       {.flag = "pairs",
                        .help = "Pairs of end points at each threshold",
                        .preset = "1",
                        .group = "Options"}),
      number_option<S>("seed",
                       [](auto& s) -> auto& { return s.seed; },
                       Range{},
                       {.flag = "seed",
                        .help = "Equal seeds give equal files",
                        .preset = "1",
                        .group = "Problem"}),
      text_option<S>(
          "penalty",
          [](const S& s) { return text_of(s.problem.penalty); },
          [](S& s, std::string_view text) { s.problem.penalty = penalty_of(text); },
          "none, l1:STRENGTH or l2:STRENGTH, and :weights behind it",
          {.flag = "penalty",
           .help = "A term on top of the training loss and of those metrics that are losses (not "
                   "of error_rate and perplexity): l1:STRENGTH (sum of magnitudes) or l2:STRENGTH "
                   "(sum of squares), of all parameters, or with :weights behind it of all but "
                   "biases (l2:0.0001:weights)",
           .preset = "none",
           .group = "Problem"}),
      name_option<S>("other_split",
                     [](auto& s) -> auto& { return s.other_split; },
                     {.flag = "other-split",
                      .help = "Where the other split is looked at along a path: grid, dangerous "
                              "(the worst point of each segment), none",
                      .preset = "the task's"}),
      name_option<S>("endpoints_of",
                     [](auto& s) -> auto& { return s.endpoints_of; },
                     {.flag = "endpoints-of",
                      .help = "What one training of an end point is for: pair: it is kept as it "
                              "passes each threshold; threshold: new ones for each",
                      .preset = "pair; paper: threshold",
                      .group = "Training"}),
      number_option<S>("endpoint_average",
                       [](auto& s) -> auto& { return s.endpoints.average; },
                       Range::between(0.0, 0.9999),
                       {.flag = "endpoint-average",
                        .help = "An end point is looked at, and taken, as a moving average of that "
                                "decay over the steps of its training; 0: as it is",
                        .preset = "0",
                        .group = "Training"}),
      flag_option<S>("shorten",
                     [](auto& s) -> auto& { return s.shorten; },
                     {.flag = "shorten",
                      .help = "Make every connected path shorter at its level (docs/strings.md)",
                      .preset = "false"}),
      name_option<S>("align",
                     [](auto& s) -> auto& { return s.align; },
                     {.flag = "align",
                      .help = "Join A to the copy of B whose units are moved (and scaled) to "
                              "where they are close to A's, of the same function: by weights or "
                              "by activations (docs/symmetry.md), none: to B as it is",
                      .preset = "none"}),
      name_option<S>("start",
                     [](auto& s) -> auto& { return s.start; },
                     {.flag = "start",
                      .help = "What greedy strings begin from: line; descent: beads that train "
                              "from the end points themselves to alpha * L0 (docs/strings.md); "
                              "theory: the path that a theorem constructs, for perceptrons of "
                              "hidden ReLU layers (docs/theory.md)",
                      .preset = "line"}),
  };
  return table;
}
// clang-format on

namespace {

// Options that came later than the first runs, or decide nothing, are left out at their defaults.
void erase_unused(Json& json, const StudyOptions& options) {
  if (options.align == EndAlignment::none) {
    json.erase("align");
  }
  if (options.start == StringStart::line) {
    json.erase("start");
  }
  if (options.string.training.average == 0.0 || !trains_beads_alone(options.string.method)) {
    json.erase("bead_average");
  }
  if (options.string.training.importance == 0.0 || !trains_beads_alone(options.string.method)) {
    json.erase("bead_importance");
  }
  if (options.string.training.damping == 0.0 || !trains_beads_alone(options.string.method)) {
    json.erase("bead_damping");
  }
  if (options.endpoints.average == 0.0) {
    json.erase("endpoint_average");
  }
  if (options.string.bead_bend == 0.0 || !grows_greedily(options.string.method)) {
    json.erase("bead_bend");
  }
  if (options.endpoints_of == endpoints_of_default(options.protocol)) {
    json.erase("endpoints_of");
  }
}

}  // namespace

Json to_json(const StudyOptions& options) {
  const auto& study = study_option_table();
  const auto& string = string_option_table();
  const auto limits = from_key(string, "max_rounds");
  const auto budgets = from_key(string, "max_total_steps");
  Json json{{"task", options.problem.task},
            {"protocol", name_of(options.protocol)},
            {"method", name_of(options.string.method)},
            {"thresholds", options.thresholds}};
  put_options(json, before_key(study, "penalty"), options);
  put_options(json, before_key(string, "max_rounds"), options.string);
  put_options(json, std::span(greedy_option_table()), options.string);
  for_each_terms(options.string, [&](const auto& table, const auto& terms, Method method) {
    if (method == options.string.method) {
      put_options(json, std::span(table), terms);
    }
  });
  put_options(json, std::span(repair_option_table()), options.repair);
  put_options(json, limits.first(limits.size() - budgets.size()), options.string);
  if (options.problem.penalty.any()) {
    json["penalty"] = text_of(options.problem.penalty);
  }
  if (options.problem.has_risk()) {
    json["risk"] = name_of(options.problem.risk);
  }
  put_options(json, budgets, options.string);
  put_options(json, from_key(study, "other_split"), options);
  erase_unused(json, options);
  if (options.shorten) {
    put_options(json, std::span(shorten_option_table()), options.shortening);
  }
  json["endpoints"] = to_json(options.endpoints);
  json["beads"] = to_json(options.string.training);
  for (const char* training : {"endpoints", "beads"}) {
    if (options.string.grid.metric == Metric::error_rate ||
        json[training]["looks"] == name_of(LookKind::full)) {
      json[training].erase("looks");  // it decides nothing
    }
  }
  if (options.from) {
    json["from"] = to_json(*options.from);
    json["to"] = to_json(*options.to);
  }
  json["problem"] = to_json(options.problem);
  return json;
}

StudyOptions options_from_json(const Json& json) {
  try {
    StudyOptions options;
    options.problem = problem_from_json(json.at("problem"));
    options.protocol = named<Protocol>(json.at("protocol").get<std::string>());
    options.endpoints_of = endpoints_of_default(options.protocol);
    options.thresholds = json.at("thresholds").get<std::vector<double>>();
    options.endpoints = training_from_json(json.at("endpoints"));
    options.string.training = training_from_json(json.at("beads"));
    take_options(json, std::span(study_option_table()), options);
    take_options(json, std::span(string_option_table()), options.string);
    take_options(json, std::span(greedy_option_table()), options.string);
    take_options(json, std::span(method_option_table()), options.string);
    for_each_terms(options.string, [&](const auto& table, auto& terms, Method) {
      take_options(json, std::span(table), terms);
    });
    take_options(json, std::span(shorten_option_table()), options.shortening);
    take_options(json, std::span(repair_option_table()), options.repair);
    return options;
  } catch (const Json::exception& error) {
    throw DataError(
        fmt::format("configuration: a field is missing or malformed ({})", error.what()));
  } catch (const UsageError& error) {
    throw DataError(fmt::format("configuration: {}", error.what()));
  }
}

}  // namespace isthmus
