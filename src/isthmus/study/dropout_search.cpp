// SPDX-License-Identifier: MIT
#include "isthmus/study/dropout_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/path/segment.h"
#include "isthmus/study/theory_problem.h"

namespace isthmus {
namespace {

// What one draw gives: for each end the best factor, and the largest value of its inner nodes.
struct Draw {
  double factor[2] = {0.0, 0.0};
  double value[2] = {std::numeric_limits<double>::infinity(),
                     std::numeric_limits<double>::infinity()};

  double larger() const { return std::max(value[0], value[1]); }
};

}  // namespace

DropoutJoin join_by_dropout(Evaluators& evaluators,
                            Split split,
                            Metric metric,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutSearchOptions& options,
                            const Stop* stop) {
  const Perceptron network = perceptron_of(*evaluators.objective().network());
  if (options.factors.empty() || options.draws == 0) {
    throw UsageError("dropout path: expected at least one factor and one draw");
  }
  const std::size_t p = network.dimension();
  const auto join = [&](std::size_t draw, double factor_a, double factor_b) {
    return connect_dropout(
        network, a, b, random_halves(network, options.seed, draw), factor_a, factor_b);
  };
  join(0, options.factors.front(), options.factors.front());  // refuses before anything is computed
  std::vector<Draw> draws(options.draws);
  evaluators.workers().for_each(options.draws, [&](std::size_t i, std::size_t worker) {
    for (const double factor : options.factors) {
      if (stop != nullptr && stop->requested()) {
        throw Interrupted("stopped on request");
      }
      const DropoutPath path = join(i, factor, factor);
      for (const std::size_t end : {0, 1}) {
        // The inner deciding nodes: the first half of them are A's.
        const std::size_t count = path.deciding.size() / 2 - 1;
        double largest = 0.0;
        for (std::size_t k = 0; k < count; ++k) {
          const std::size_t node = path.deciding[1 + k + end * count];
          double value = 0.0;
          evaluators.of(worker).metrics(
              split, metric, std::span(path.points).subspan(node * p, p), {&value, 1});
          largest = worse(value, largest) ? value : largest;
        }
        if (worse(draws[i].value[end], largest)) {
          draws[i].value[end] = largest;
          draws[i].factor[end] = factor;
        }
      }
    }
  });
  const auto best = std::ranges::min_element(draws, {}, &Draw::larger);
  DropoutJoin found{
      .path =
          join(static_cast<std::size_t>(best - draws.begin()), best->factor[0], best->factor[1]),
      .factor_a = best->factor[0],
      .factor_b = best->factor[1],
      .values = {},
      .bound = 0.0};
  found.values.resize(found.path.points.size() / p);
  evaluators.workers().for_each(found.values.size(), [&](std::size_t k, std::size_t worker) {
    evaluators.of(worker).metrics(split,
                                  metric,
                                  std::span(found.path.points).subspan(k * p, p),
                                  std::span(found.values).subspan(k, 1));
  });
  found.bound = std::ranges::max(found.values);
  return found;
}

}  // namespace isthmus
