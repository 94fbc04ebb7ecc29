// SPDX-License-Identifier: MIT
#include "isthmus/objective/objective.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::array<std::pair<Metric, std::string_view>, 5> metric_names{{
    {Metric::mean_absolute_error, "mean_absolute_error"},
    {Metric::mean_squared_error, "mean_squared_error"},
    {Metric::cross_entropy, "cross_entropy"},
    {Metric::error_rate, "error_rate"},
    {Metric::perplexity, "perplexity"},
}};

}  // namespace

std::string_view name_of(Metric metric) {
  for (const auto& [value, name] : metric_names) {
    if (value == metric) {
      return name;
    }
  }
  return "?";
}

Metric metric_of(std::string_view name) {
  std::string known;
  for (const auto& [value, known_name] : metric_names) {
    if (known_name == name) {
      return value;
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", known_name);
  }
  throw UsageError(fmt::format("metric: expected one of {}; got '{}'", known, name));
}

Loss loss_of(Metric metric) {
  switch (metric) {
    case Metric::mean_absolute_error:
      return Loss::absolute;
    case Metric::mean_squared_error:
      return Loss::squared;
    case Metric::cross_entropy:
    case Metric::perplexity:
    case Metric::error_rate:
      break;
  }
  return Loss::cross_entropy;
}

}  // namespace isthmus
