// SPDX-License-Identifier: MIT
#include "isthmus/objective/objective.h"

namespace isthmus {

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

Metric Objective::loss_metric() const {
  switch (loss()) {
    case Loss::absolute:
      return Metric::mean_absolute_error;
    case Loss::squared:
      return Metric::mean_squared_error;
    case Loss::cross_entropy:
      break;
  }
  return Metric::cross_entropy;
}

std::string Objective::metric_name(Metric metric) const {
  const std::vector<std::string> own = own_metrics();
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (metric == own_metric(i)) {
      return own[i];
    }
  }
  return std::string(name_of(metric));
}

Metric Objective::metric_named(std::string_view name) const {
  const std::vector<std::string> own = own_metrics();
  std::vector<std::string_view> known;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] == name) {
      return own_metric(i);
    }
    known.push_back(own[i]);
  }
  for (const Named<Metric>& metric : enum_names<Metric>.all) {
    if (supports(metric.value)) {
      if (metric.name == name) {
        return metric.value;
      }
      known.push_back(metric.name);
    }
  }
  refuse_name("metric", known, name);
}

}  // namespace isthmus
