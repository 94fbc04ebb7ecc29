// SPDX-License-Identifier: MIT
#pragma once

#include <array>
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

/// Looks for the halves and factors of connect_dropout() between a and b (P each) whose largest
/// value at a node is least: tries that do not depend on each other, then the path of the best.
class DropoutSearch {
 public:
  /// Throws UsageError as connect_dropout() and perceptron_of(), or for no factor or draw. The
  /// objective and the ends must outlive it.
  DropoutSearch(const Objective& objective,
                Split split,
                Metric metric,
                std::span<const float> a,
                std::span<const float> b,
                const DropoutSearchOptions& options);

  std::size_t tries() const { return options_.draws * options_.factors.size(); }
  std::size_t draw_of(std::size_t i) const { return i / options_.factors.size(); }
  double factor_of(std::size_t i) const { return options_.factors[i % options_.factors.size()]; }
  /// The largest value at the inner deciding nodes of A and of B: a draw with one factor.
  std::array<double, 2> value(Evaluator& evaluator, std::size_t i) const;
  /// The path of the best draw, with the best factor of each end; `values` are those of all tries.
  DropoutJoin best(Evaluators& evaluators, std::span<const std::array<double, 2>> values) const;

 private:
  DropoutPath path(std::size_t draw, double factor_a, double factor_b) const;

  Perceptron network_;
  Split split_;
  Metric metric_;
  std::span<const float> a_;
  std::span<const float> b_;
  DropoutSearchOptions options_;
};

/// All of a search. Tries run in parallel; the result does not depend on the number of workers.
/// Throws UsageError as DropoutSearch, Interrupted when `stop` is raised.
DropoutJoin join_by_dropout(Evaluators& evaluators,
                            Split split,
                            Metric metric,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutSearchOptions& options,
                            const Stop* stop = nullptr);

}  // namespace isthmus
