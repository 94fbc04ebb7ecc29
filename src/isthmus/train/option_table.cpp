// SPDX-License-Identifier: MIT
#include "isthmus/train/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

using T = TrainOptions;

// Reads the numbers of one kind, each given as its name and member.
template <class Kind, class... Members>
void read_numbers(const Json& json, Kind kind, OptimizerOptions& optimizer, Members... members) {
  const auto read = [&](auto member) { json.at(member.first).get_to(kind.*(member.second)); };
  (read(members), ...);
  optimizer = kind;
}

OptimizerOptions optimizer_from_json(const Json& json) {
  OptimizerOptions optimizer;
  const auto kind = json.at("kind").get<std::string>();
  const auto is = [](const char* key, auto member) { return std::pair(key, member); };
  if (kind == "sgd") {
    read_numbers(json,
                 Sgd{},
                 optimizer,
                 is("learning_rate", &Sgd::learning_rate),
                 is("momentum", &Sgd::momentum),
                 is("nesterov", &Sgd::nesterov));
  } else if (kind == "rms_prop") {
    read_numbers(json,
                 RmsProp{},
                 optimizer,
                 is("learning_rate", &RmsProp::learning_rate),
                 is("decay", &RmsProp::decay),
                 is("epsilon", &RmsProp::epsilon));
  } else if (kind == "adam") {
    read_numbers(json,
                 Adam{},
                 optimizer,
                 is("learning_rate", &Adam::learning_rate),
                 is("beta1", &Adam::beta1),
                 is("beta2", &Adam::beta2),
                 is("epsilon", &Adam::epsilon));
  } else if (kind == "polyak") {
    read_numbers(json,
                 Polyak{},
                 optimizer,
                 is("learning_rate", &Polyak::learning_rate),
                 is("cap", &Polyak::cap),
                 is("aim", &Polyak::aim),
                 is("steps", &Polyak::steps));
  } else {
    refuse_option("optimizer", "a kind sgd, rms_prop, adam or polyak", json.at("kind"));
  }
  return optimizer;
}

double learning_rate_of(const OptimizerOptions& optimizer) {
  return std::visit([](const auto& kind) { return kind.learning_rate; }, optimizer);
}

OptimizerOptions optimizer_of(const std::string& name, double rate) {
  if (name == "adam") {
    return Adam{.learning_rate = rate};
  }
  if (name == "rmsprop") {
    return RmsProp{.learning_rate = rate};
  }
  if (name == "sgd") {
    return Sgd{.learning_rate = rate};
  }
  if (name == "momentum") {
    return Sgd{.learning_rate = rate, .momentum = 0.9};
  }
  if (name == "polyak") {
    return Polyak{.learning_rate = rate};
  }
  throw UsageError(
      fmt::format("optimizer: expected adam, rmsprop, sgd, momentum or polyak, got '{}'", name));
}

// TENSOR:STRENGTH,...
std::vector<WeightDecay> weight_decay_of(std::string_view text, std::string_view range) {
  std::vector<WeightDecay> decays;
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const std::size_t colon = std::min(part.rfind(':'), part.size() - 1);
    WeightDecay decay;
    const char* last = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data() + colon + 1, last, decay.strength);
    if (colon == 0 || stop != last || error != std::errc{}) {
      refuse_option("weight-decay", range, Json(std::string(text)));
    }
    decay.tensor = part.substr(0, colon);
    decays.push_back(std::move(decay));
    begin = end + 1;
  }
  return decays;
}

std::string text_of(const std::vector<WeightDecay>& decays) {
  std::string text;
  for (const WeightDecay& decay : decays) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", decay.tensor, decay.strength);
  }
  return text;
}

// In config.json an object of all its numbers; behind a flag a name, which keeps the rate.
Option<T> optimizer_option(OptionText text) {
  Option<T> option{.key = "optimizer",
                   .text = text,
                   .type = "TEXT",
                   .range = "adam, rmsprop, sgd, momentum or polyak"};
  option.get = [](const T& t) { return to_json(t.optimizer); };
  option.set = [](T& t, const Json& json) {
    if (json.is_string()) {
      t.optimizer = optimizer_of(json.get<std::string>(), learning_rate_of(t.optimizer));
      return;
    }
    if (!json.is_object()) {
      throw UsageError(fmt::format("optimizer: expected a name or an object, got {}", json.dump()));
    }
    try {
      t.optimizer = optimizer_from_json(json);
    } catch (const Json::exception& error) {
      throw UsageError(
          fmt::format("optimizer: a field is missing or malformed ({})", error.what()));
    }
  };
  option.check = [](const T& t) { const Optimizer checked(t.optimizer, 0); };
  option.outside = {Json("lbfgs"), Json(1.5), Json{{"kind", "lbfgs"}}};
  return option;
}

}  // namespace

std::string text_of(const Schedule& schedule) {
  const std::string hold = schedule.hold > 0.0 ? fmt::format(" from step {}", schedule.hold) : "";
  switch (schedule.kind) {
    case Schedule::Kind::constant:
      break;
    case Schedule::Kind::cosine:
      return fmt::format("cosine:{}{}", schedule.every, hold);
    case Schedule::Kind::staircase:
      return fmt::format("staircase:{}:{}{}", schedule.every, schedule.factor, hold);
    case Schedule::Kind::exponential:
      return fmt::format("exponential:{}:{}{}", schedule.every, schedule.factor, hold);
  }
  return "constant";
}

Schedule schedule_of(std::string_view text) {
  constexpr std::string_view from_step = " from step ";
  Schedule schedule;
  bool good = true;
  const auto number = [&good](std::string_view field) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    good = good && error == std::errc{} && end == field.data() + field.size();
    return value;
  };
  std::string_view rest = text;
  if (const std::size_t hold = text.find(from_step); hold != std::string_view::npos) {
    schedule.hold = number(text.substr(hold + from_step.size()));
    rest = text.substr(0, hold);
  }
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t end = std::min(rest.find(':', begin), rest.size());
    fields.push_back(rest.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::optional<Schedule::Kind> kind = find_named<Schedule::Kind>(fields[0]);
  schedule.kind = kind.value_or(Schedule::Kind::constant);
  const std::size_t expected = schedule.kind == Schedule::Kind::constant ? 1
                               : schedule.kind == Schedule::Kind::cosine ? 2
                                                                         : 3;
  good = good && kind && fields.size() == expected;
  schedule.every = good && expected > 1 ? number(fields[1]) : 1.0;
  schedule.factor = good && expected > 2 ? number(fields[2]) : 1.0;
  if (!good || !(schedule.every > 0.0) || !(schedule.factor > 0.0)) {
    throw UsageError(fmt::format(
        "schedule: expected constant, staircase:EVERY:FACTOR, exponential:EVERY:FACTOR or "
        "cosine:EVERY with numbers > 0, got '{}'",
        text));
  }
  return schedule;
}

// clang-format off: one option a line
// NOLINTNEXTLINE(readability-function-size): a table
const OptionTable<TrainOptions>& train_option_table() {
  static const OptionTable<TrainOptions> table{
      optimizer_option({.flag = "optimizer",
                        .help = "adam, rmsprop, sgd, momentum (sgd, 0.9) or polyak (300 steps of "
                                "Polyak's, then adam; training losses of full batches alone)",
                        .preset = "the task's (docs/defaults.md)",
                        .group = "Training"}),
      text_option<T>(
          "schedule",
          [](const T& t) { return text_of(t.schedule); },
          [](T& t, std::string_view text) { t.schedule = schedule_of(text); },
          "constant, staircase:EVERY:FACTOR, exponential:EVERY:FACTOR or cosine:EVERY",
          {.flag = "schedule",
           .help = "Factor on the learning rate: constant, staircase:EVERY:FACTOR, "
                   "exponential:EVERY:FACTOR or cosine:EVERY (EVERY in steps)",
           .preset = "constant; ptb and cifar10 under paper: staircase",
           .group = "Training"}),
      number_option<T>("batch_size",
                       [](auto& t) -> auto& { return t.batch_size; },
                       Range{},
                       {.flag = "batch-size",
                        .help = "Samples a step; 0: all",
                        .unit = "samples",
                        .preset = "the task's",
                        .group = "Training"}),
      number_option<T>("check_every",
                       [](auto& t) -> auto& { return t.check_every; },
                       Range::at_least(1),
                       {.flag = "check-every",
                        .help = "Steps between two looks at the full-split metric",
                        .unit = "steps",
                        .preset = "the task's",
                        .group = "Training"}),
      name_option<T>("looks",
                     [](auto& t) -> auto& { return t.looks; },
                     {.flag = "looks",
                      .help = "How a loss is looked at while batches train: full, on all samples; "
                              "estimated, so only where batches and a part of the samples promise "
                              "that the target is reached (docs/checks.md)",
                      .preset = "strict: estimated for images; else full",
                      .group = "Training"}),
      flag_option<T>("skip_first_check",
                     [](auto& t) -> auto& { return t.skip_first_check; },
                     {.flag = "",
                      .help = "Whether the starting point itself is not looked at",
                      .preset = "false; paper: true",
                      .group = "Training"}),
      number_option<T>(
          "loss_window",
          [](auto& t) -> auto& { return t.loss_window; },
          Range{},
          {.flag = "",
           .help = "If > 0, the mean training loss of that many steps may reach the target too",
           .unit = "steps",
           .preset = "0; end points of quadratic and cubic under paper: 5",
           .group = "Training"}),
      number_option<T>("max_steps",
                       [](auto& t) -> auto& { return t.max_steps; },
                       Range::at_least(1),
                       {.flag = "max-steps",
                        .help = "Budget of one bead",
                        .unit = "gradient steps",
                        .preset = "the task's",
                        .group = "String"}),
      number_option<T>("clip_norm",
                       [](auto& t) -> auto& { return t.clip_norm; },
                       Range{},
                       {.flag = "clip-norm",
                        .help = "Largest norm of a gradient; 0: no clipping",
                        .preset = "0; texts 0.25",
                        .group = "Training"}),
      name_option<T>("comparison",
                     [](auto& t) -> auto& { return t.comparison; },
                     {.flag = "",
                      .help = "Whether a value reaches its target at it, or below it alone",
                      .preset = "at_most; paper: below",
                      .group = "Training"}),
  };
  return table;
}

const OptionTable<TrainOptions>& train_flag_table() {
  static constexpr std::string_view decays = "TENSOR:STRENGTH,..., e.g. 9.weight:0.004";
  static const OptionTable<TrainOptions> table{
      number_option<T>("learning_rate",
                       [](auto& t) -> auto& {
                         return std::visit(
                             [](auto& kind) -> auto& { return kind.learning_rate; }, t.optimizer);
                       },
                       Range::positive(),
                       {.flag = "learning-rate",
                        .help = "Of beads (and of end points, unless given apart)",
                        .preset = "the task's",
                        .group = "Training"}),
      text_option<T>(
          "weight_decay",
          [](const T& t) { return text_of(t.weight_decay); },
          [](T& t, std::string_view text) { t.weight_decay = weight_decay_of(text, decays); },
          decays,
          {.flag = "weight-decay",
           .help = "Adds STRENGTH / 2 times the sum of a tensor's squares to what is minimised",
           .preset = "none; end points of mnist and cifar10 under paper: the scripts'",
           .group = "Training"}),
  };
  return table;
}
// clang-format on

}  // namespace isthmus
