// SPDX-License-Identifier: MIT
#include "isthmus/study/options.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

// Each pair and threshold is a row and two files of a run.
constexpr std::size_t max_pairs = 1'000'000;

Json to_json(const Schedule& schedule) {
  const std::string hold = schedule.hold > 0.0 ? fmt::format(" from step {}", schedule.hold) : "";
  switch (schedule.kind) {
    case Schedule::Kind::constant:
      return "constant";
    case Schedule::Kind::cosine:
      return fmt::format("cosine:{}{}", schedule.every, hold);
    case Schedule::Kind::staircase:
      return fmt::format("staircase:{}:{}{}", schedule.every, schedule.factor, hold);
    case Schedule::Kind::exponential:
      return fmt::format("exponential:{}:{}{}", schedule.every, schedule.factor, hold);
  }
  return nullptr;
}

// A run belongs to the numbers of its end points, not only to the names of their files.
Json to_json(const GivenEndPoint& point) {
  const auto bytes = std::as_bytes(std::span(point.theta));
  return {{"name", point.name},
          {"theta_sha256", sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
}

Json to_json(const TrainOptions& training) {
  Json json{{"optimizer", to_json(training.optimizer)},
            {"schedule", to_json(training.schedule)},
            {"batch_size", training.batch_size},
            {"check_every", training.check_every},
            {"skip_first_check", training.skip_first_check},
            {"loss_window", training.loss_window},
            {"max_steps", training.max_steps},
            {"clip_norm", training.clip_norm},
            {"comparison", training.comparison == Comparison::below ? "below" : "at_most"}};
  for (const WeightDecay& decay : training.weight_decay) {
    json["weight_decay"][decay.tensor] = decay.strength;
  }
  return json;
}

}  // namespace

void validate_threshold(double threshold, Metric metric) {
  if (!(threshold > 0.0) || !std::isfinite(threshold)) {
    throw UsageError(fmt::format("threshold: expected a finite number > 0, got {}", threshold));
  }
  if (metric == Metric::error_rate && threshold >= 1.0) {
    throw UsageError(fmt::format(
        "threshold: expected an error rate, a fraction below 1 (2 % is 0.02), got {}: it "
        "would hold everywhere",
        threshold));
  }
}

void StudyOptions::validate() const {
  if (thresholds.empty()) {
    throw UsageError("thresholds: expected at least one");
  }
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    validate_threshold(thresholds[i], string.grid.metric);
    if (i > 0 && thresholds[i] >= thresholds[i - 1]) {
      throw UsageError(
          fmt::format("thresholds: expected different ones, got {} twice", thresholds[i]));
    }
  }
  if (pairs == 0 || pairs > max_pairs) {
    throw UsageError(fmt::format("pairs: expected 1 to {}, got {}", max_pairs, pairs));
  }
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
  if (from && pairs != 1) {
    throw UsageError(fmt::format("pairs: two given end points are 1 pair, got {}", pairs));
  }
  GreedyOptions one = string;
  one.threshold = thresholds.front();
  one.validate();
  endpoints.validate();
  isthmus::validate(problem.penalty);
}

Json to_json(const StudyOptions& options) {
  Json json{{"task", options.problem.task},
            {"protocol", name_of(options.protocol)},
            {"thresholds", options.thresholds},
            {"pairs", options.pairs},
            {"seed", options.seed},
            {"metric", name_of(options.string.grid.metric)},
            {"split", name_of(options.string.grid.split)},
            {"alpha", options.string.alpha},
            {"tolerance", options.string.tolerance},
            {"points", options.string.grid.points},
            {"include_end", options.string.grid.include_end},
            {"check", name_of(options.string.check)},
            {"max_evaluations", options.string.max_evaluations},
            {"t_star", name_of(options.string.t_star)},
            {"always_insert", options.string.always_insert},
            {"max_rounds", options.string.max_rounds},
            {"max_beads", options.string.max_beads}};
  if (options.problem.penalty.any()) {
    json["penalty"] = text_of(options.problem.penalty);
  }
  if (options.problem.has_risk()) {
    json["risk"] = name_of(options.problem.risk);
  }
  // Limits that are off have no JSON number; null says so.
  json["max_total_steps"] =
      options.string.max_total_steps == std::numeric_limits<std::size_t>::max()
          ? Json(nullptr)
          : Json(options.string.max_total_steps);
  json["max_seconds"] =
      std::isfinite(options.string.max_seconds) ? Json(options.string.max_seconds) : Json(nullptr);
  json["other_split"] = name_of(options.other_split);
  json["endpoints"] = to_json(options.endpoints);
  json["beads"] = to_json(options.string.training);
  if (options.from) {
    json["from"] = to_json(*options.from);
    json["to"] = to_json(*options.to);
  }
  json["problem"] = to_json(options.problem);
  return json;
}

}  // namespace isthmus
