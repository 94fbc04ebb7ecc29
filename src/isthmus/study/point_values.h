// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// What is computed at a point, and where.
struct PointValue {
  Split split = Split::test;
  Metric metric = Metric::mean_absolute_error;
};

/// Points of the parameter space that are looked at one by one.
struct PointSet {
  std::size_t count = 0;
  std::function<void(std::size_t point, std::span<float> theta)> at;  ///< theta (P)
  /// What is wanted of a point: the first so many of the values, 0 to all.
  std::function<std::size_t(std::size_t point)> wanted;
};

/// Full-split values at all points: (count, values), NaN where none is wanted. Points are looked at
/// in parallel; the result does not depend on the number of workers. Every few seconds, at the end,
/// and when `stop` is raised (Interrupted), what is there is kept in the file `unfinished` together
/// with `key`; a call with the same file and key goes on from it. Whoever has written what the
/// values are for removes it. `progress` is told of points that are done, one call at a time.
std::vector<double> values_at(Evaluators& evaluators,
                              const PointSet& points,
                              std::span<const PointValue> values,
                              const std::filesystem::path& unfinished,
                              const std::string& key,
                              const Stop* stop,
                              const std::function<void(std::size_t done)>& progress = {});

/// The other metric that a reader wants to see beside one: error rates for cross-entropy where
/// there are labels, and cross-entropy for error rates and perplexity. Equal to `metric` if there
/// is none.
Metric companion_of(const Objective& objective, Metric metric);

}  // namespace isthmus
