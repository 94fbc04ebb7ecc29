// SPDX-License-Identifier: MIT
#include "isthmus/study/dropout_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/path/segment.h"
#include "isthmus/study/theory_problem.h"

namespace isthmus {

DropoutSearch::DropoutSearch(const Objective& objective,
                             Split split,
                             Metric metric,
                             std::span<const float> a,
                             std::span<const float> b,
                             const DropoutSearchOptions& options)
    : network_(perceptron_of(*objective.network())),
      split_(split),
      metric_(metric),
      a_(a),
      b_(b),
      options_(options) {
  if (options.factors.empty() || options.draws == 0) {
    throw UsageError("dropout path: expected at least one factor and one draw");
  }
  path(0, options.factors.front(), options.factors.front());  // refuses what cannot be
}

DropoutPath DropoutSearch::path(std::size_t draw, double factor_a, double factor_b) const {
  return connect_dropout(
      network_, a_, b_, random_halves(network_, options_.seed, draw), factor_a, factor_b);
}

std::array<double, 2> DropoutSearch::value(Evaluator& evaluator, std::size_t i) const {
  const DropoutPath tried = path(draw_of(i), factor_of(i), factor_of(i));
  const std::size_t p = network_.dimension();
  const std::size_t inner = tried.deciding.size() / 2 - 1;  // of each end, those of A first
  std::array<double, 2> largest{};
  for (std::size_t k = 0; k < 2 * inner; ++k) {
    double found = 0.0;
    evaluator.metrics(split_,
                      metric_,
                      std::span(tried.points).subspan(tried.deciding[1 + k] * p, p),
                      {&found, 1});
    double& of_end = largest[k / inner];
    of_end = worse(found, of_end) ? found : of_end;
  }
  return largest;
}

DropoutJoin DropoutSearch::best(Evaluators& evaluators,
                                std::span<const std::array<double, 2>> values) const {
  // Of each draw the best factor of each end; of the draws the one whose worse end is best.
  std::size_t draw = 0;
  std::array<std::size_t, 2> chosen{};
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < options_.draws; ++i) {
    const std::size_t first = i * options_.factors.size();
    std::array<std::size_t, 2> of_draw{first, first};
    for (std::size_t k = first; k < first + options_.factors.size(); ++k) {
      for (std::size_t end = 0; end < 2; ++end) {
        of_draw[end] = worse(values[of_draw[end]][end], values[k][end]) ? k : of_draw[end];
      }
    }
    const double larger = std::max(values[of_draw[0]][0], values[of_draw[1]][1]);
    if (i == 0 || larger < least) {
      draw = i;
      chosen = of_draw;
      least = larger;
    }
  }
  DropoutJoin found{.path = path(draw, factor_of(chosen[0]), factor_of(chosen[1])),
                    .factor_a = factor_of(chosen[0]),
                    .factor_b = factor_of(chosen[1]),
                    .values = {},
                    .bound = 0.0};
  const std::size_t p = network_.dimension();
  found.values.resize(found.path.points.size() / p);
  evaluators.workers().for_each(found.values.size(), [&](std::size_t k, std::size_t worker) {
    evaluators.of(worker).metrics(split_,
                                  metric_,
                                  std::span(found.path.points).subspan(k * p, p),
                                  std::span(found.values).subspan(k, 1));
  });
  found.bound = std::ranges::max(found.values);
  return found;
}

DropoutJoin join_by_dropout(Evaluators& evaluators,
                            Split split,
                            Metric metric,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutSearchOptions& options,
                            const Stop* stop) {
  const DropoutSearch search(evaluators.objective(), split, metric, a, b, options);
  std::vector<std::array<double, 2>> values(search.tries());
  evaluators.workers().for_each(values.size(), [&](std::size_t i, std::size_t worker) {
    if (stop != nullptr && stop->requested()) {
      throw Interrupted("stopped on request");
    }
    values[i] = search.value(evaluators.of(worker), i);
  });
  return search.best(evaluators, values);
}

}  // namespace isthmus
