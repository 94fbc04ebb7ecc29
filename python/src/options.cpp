// SPDX-License-Identifier: MIT
#include "options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/train/option_table.h"

namespace isthmus::python {
namespace {

// A loss of fewer samples is looked at whole, as screens and estimates do then (docs/checks.md).
constexpr std::size_t worth_screening = 1024;
constexpr std::size_t worth_estimating = 2048;

// "max_rounds" for the flag "max-rounds"; the key where an option has no flag.
template <class S>
std::string keyword_of(const Option<S>& option) {
  std::string keyword(option.text.flag.empty() ? option.key : option.text.flag);
  std::ranges::replace(keyword, '-', '_');
  return keyword;
}

// Calls use(table, values) for each table that a string is told by; metric and split first.
template <class Use>
void for_each_table(ConnectOptions& options, const Use& use) {
  MethodOptions& string = options.string;
  use(string_option_table(), static_cast<StringOptions&>(string));
  use(method_option_table(), string);
  use(greedy_option_table(), static_cast<GreedyOptions&>(string));
  for_each_terms(string, [&](const auto& table, auto& terms, Method) { use(table, terms); });
  use(train_option_table(), string.training);
  use(repair_option_table(), options.repair);
  use(shorten_option_table(), options.shortening);
}

bool is_special(const std::string& keyword) {
  return keyword == "metric" || keyword == "threshold" || keyword == "seed" ||
         keyword == "shorten" || keyword == "learning_rate";
}

[[noreturn]] void refuse_keyword(const std::string& given, const std::set<std::string>& known) {
  std::vector<std::string> alike;
  for (const std::string& name : known) {
    if (name.find(given) != std::string::npos || given.find(name) != std::string::npos ||
        name.substr(0, 4) == given.substr(0, 4)) {
      alike.push_back(name);
    }
  }
  throw UsageError(fmt::format("{}: no such option; {} {}",
                               given,
                               alike.empty() ? "there are" : "did you mean",
                               alike.empty() ? fmt::format("{}", fmt::join(known, ", "))
                                             : fmt::format("{}", fmt::join(alike, ", "))));
}

double number_of(const Json& given, const char* key, double least, const char* range) {
  const Json& value = given[key];
  if (!value.is_number() || !(value.get<double>() > least)) {
    refuse_option(key, range, value);
  }
  return value.get<double>();
}

void take_special(const Objective& objective, const Json& given, ConnectOptions& options) {
  MethodOptions& string = options.string;
  if (given.contains("metric")) {
    string.grid.metric = objective.metric_named(given["metric"].get<std::string>());
  }
  if (given.contains("threshold")) {
    if (!given["threshold"].is_number()) {
      refuse_option("threshold", "a finite number > 0", given["threshold"]);
    }
    string.threshold = given["threshold"].get<double>();
  }
  if (given.contains("seed")) {
    if (!given["seed"].is_number_unsigned()) {
      refuse_option("seed", "a whole number >= 0", given["seed"]);
    }
    string.seed = given["seed"].get<std::uint64_t>();
  }
  if (given.contains("shorten")) {
    if (!given["shorten"].is_boolean()) {
      refuse_option("shorten", "true or false", given["shorten"]);
    }
    options.shorten = given["shorten"].get<bool>();
  }
  if (given.contains("learning_rate")) {
    const double rate = number_of(given, "learning_rate", 0.0, "a number > 0");
    std::visit([rate](auto& kind) { kind.learning_rate = rate; }, string.training.optimizer);
  }
}

// Where a keyword was not given: what the strict protocol has for tasks of this kind.
void set_dependent(const Objective& objective, const Json& given, ConnectOptions& options) {
  MethodOptions& string = options.string;
  const bool rates = string.grid.metric == Metric::error_rate;
  const bool told = tells_samples(objective, string.grid.metric);
  const std::size_t looked_at = objective.samples(string.grid.split);
  if (!given.contains("check") && told && (rates || looked_at > worth_screening)) {
    string.check = CheckKind::screened;
  }
  if (!given.contains("repair") && repairs_by_default(string.method)) {
    options.repair.mode = RepairMode::restarts;
  }
  if (!given.contains("stagnation") && options.repair.mode == RepairMode::restarts) {
    string.stagnation = stagnation_with_repair;
  }
  if (!given.contains("batch_size")) {
    const std::size_t samples = objective.samples(Split::train);
    string.training.batch_size = samples > 256 ? 128 : 0;
  }
  if (!given.contains("check_every") && string.training.batch_size > 0) {
    string.training.check_every = 20;
  }
  if (!given.contains("looks") && told && !rates && looked_at > worth_estimating) {
    string.training.looks = LookKind::estimated;
  }
  string.training.metric = string.grid.metric;
  string.training.split = string.grid.split;
  string.restart_dead = true;
  if (rates && string.threshold >= 1.0) {
    throw UsageError(
        fmt::format("threshold: expected an error rate, a fraction below 1 (2 % is 0.02), got {}",
                    string.threshold));
  }
}

template <class S>
void refuse_given(const Json& given, const OptionTable<S>& table, const std::string& why) {
  for (const Option<S>& option : table) {
    if (given.contains(keyword_of(option))) {
      throw UsageError(fmt::format("{}: {}", keyword_of(option), why));
    }
  }
}

// As the command does: an option without effect is a mistake.
void refuse_idle(const Json& given, const MethodOptions& string, const RepairOptions& repair) {
  for_each_terms(string, [&](const auto& table, const auto&, Method method) {
    if (method != string.method) {
      refuse_given(
          given,
          table,
          fmt::format(
              "an option of method={}, not of {}", name_of(method), name_of(string.method)));
    }
  });
  if (string.method != Method::greedy && string.method != Method::constrained) {
    refuse_given(given,
                 greedy_option_table(),
                 fmt::format("an option of method=greedy and constrained, not of {}",
                             name_of(string.method)));
  }
  if (given.contains("repair_tries") && repair.mode == RepairMode::none) {
    throw UsageError("repair_tries: an option of repair=restarts, not of none");
  }
  for (const char* of_beads : {"bead_average", "bead_importance", "bead_damping"}) {
    if (given.contains(of_beads) && !trains_beads_alone(string.method)) {
      throw UsageError(
          fmt::format("{}: an option of methods that train each bead by itself, not of method={}",
                      of_beads,
                      name_of(string.method)));
    }
  }
  if (given.contains("max_evaluations") && string.check != CheckKind::certified) {
    throw UsageError(fmt::format("max_evaluations: the budget of a proof, and the check is {}",
                                 name_of(string.check)));
  }
}

}  // namespace

ConnectOptions connect_options(const Objective& objective, const Json& given) {
  ConnectOptions options;
  MethodOptions& string = options.string;
  string.grid.metric = objective.loss_metric();
  string.grid.points = 21;
  string.alpha = 0.95;
  string.training.optimizer = Adam{.learning_rate = 0.001};
  string.training.max_steps = 5000;
  string.seed = 1;
  std::set<std::string> known{"metric", "threshold", "seed", "shorten", "learning_rate"};
  for_each_table(options, [&]<class S>(const OptionTable<S>& table, S& values) {
    for (const Option<S>& option : table) {
      const std::string keyword = keyword_of(option);
      known.insert(keyword);
      if (!is_special(keyword) && given.contains(keyword)) {
        option.set(values, given[keyword]);
      }
    }
  });
  for (const auto& [key, value] : given.items()) {
    if (!known.contains(key)) {
      refuse_keyword(key, known);
    }
  }
  take_special(objective, given, options);
  set_dependent(objective, given, options);
  refuse_idle(given, string, options.repair);
  string.validate();
  options.repair.validate();
  ShortenOptions(string, options.shortening).validate();
  return options;
}

void refuse_shortening(const Json& given) {
  refuse_given(given, shorten_option_table(), "an option of shorten=True, which is not given");
}

Json connect_keywords() {
  ConnectOptions options;
  Json list = Json::array();
  for_each_table(options, [&]<class S>(const OptionTable<S>& table, S&) {
    for (const Option<S>& option : table) {
      list.push_back({{"keyword", keyword_of(option)},
                      {"type", option.type},
                      {"range", option.range},
                      {"unit", option.text.unit},
                      {"help", option.text.help}});
    }
  });
  return list;
}

}  // namespace isthmus::python
