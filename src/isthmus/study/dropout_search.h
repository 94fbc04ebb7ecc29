// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/theory/dropout_path.h"
#include "isthmus/train/train.h"

namespace isthmus {

struct DropoutSearchOptions {
  std::size_t draws = 20;                      ///< of random halves
  std::vector<double> factors{1.4, 1.7, 2.0};  ///< tried at each end
  std::uint64_t seed = 1;
};

/// The best path that was found.
struct DropoutJoin {
  DropoutPath path;
  double factor_a = 0.0;
  double factor_b = 0.0;
  std::vector<double> values;  ///< the metric at every node
  double bound = 0.0;          ///< the largest of them: the metric stays below it on the path
};

/// Joins a and b (P each) by connect_dropout() with the halves and factors whose largest value at a
/// node is least. Draws run in parallel; the result does not depend on the number of workers.
/// Throws UsageError as that and perceptron_of(), or for no factor, Interrupted when `stop` is
/// raised.
DropoutJoin join_by_dropout(Evaluators& evaluators,
                            Split split,
                            Metric metric,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutSearchOptions& options,
                            const Stop* stop = nullptr);

}  // namespace isthmus
