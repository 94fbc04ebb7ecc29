// SPDX-License-Identifier: MIT
#include "isthmus/study/point_values.h"

#include <algorithm>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/study/value_ledger.h"

namespace isthmus {
std::vector<double> values_at(Evaluators& evaluators,
                              const PointSet& points,
                              std::span<const PointValue> values,
                              const std::filesystem::path& unfinished,
                              const std::string& key,
                              const Stop* stop,
                              const std::function<void(std::size_t)>& progress) {
  ValueLedger ledger(points.count, values.size(), unfinished, key, progress);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < points.count; ++i) {
    if (!ledger.known(i) && points.wanted(i) > 0) {
      open.push_back(i);
    }
  }
  const std::size_t dimension = evaluators.objective().dimension();
  std::vector<std::vector<float>> thetas(evaluators.workers().size());
  try {
    evaluators.workers().for_each(open.size(), [&](std::size_t k, std::size_t worker) {
      if (stop && stop->requested()) {
        throw Interrupted("stopped on request: repeat the command to go on");
      }
      std::vector<float>& theta = thetas[worker];
      theta.resize(dimension);
      points.at(open[k], theta);
      std::vector<double> found(values.size(), std::numeric_limits<double>::quiet_NaN());
      for (std::size_t v = 0; v < points.wanted(open[k]); ++v) {
        evaluators.of(worker).metrics(values[v].split, values[v].metric, theta, {&found[v], 1});
      }
      ledger.keep(open[k], found);
    });
  } catch (const Interrupted&) {
    ledger.write();
    throw;
  }
  ledger.write();
  return ledger.values();
}

Metric companion_of(const Objective& objective, Metric metric) {
  const Metric other = metric == Metric::cross_entropy ? Metric::error_rate : Metric::cross_entropy;
  const bool classes = metric == Metric::cross_entropy || loss_of(metric) == Loss::cross_entropy;
  return classes && objective.supports(other) ? other : metric;
}

}  // namespace isthmus
