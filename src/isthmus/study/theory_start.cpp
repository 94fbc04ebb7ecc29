// SPDX-License-Identifier: MIT
#include "isthmus/study/theory_start.h"

#include "isthmus/core/error.h"
#include "isthmus/study/dropout_search.h"
#include "isthmus/study/theory_problem.h"

namespace isthmus {

void require_theory_start(const Network& network) {
  if (perceptron_of(network).widths.size() < 3) {
    throw UsageError("start: the theorems have a path for hidden layers, the network has none");
  }
}

TheoryStart theory_start(Evaluators& evaluators,
                         Split split,
                         std::span<const float> a,
                         std::span<const float> b,
                         std::uint64_t seed,
                         const Stop* stop) {
  const Objective& objective = evaluators.objective();
  require_theory_start(*objective.network());
  const bool shallow = perceptron_of(*objective.network()).widths.size() == 3;
  if (shallow && objective.loss() == Loss::squared) {
    const ReluPath path = connect_relu(relu_problem(objective, split, 0.0),
                                       std::vector<double>(a.begin(), a.end()),
                                       std::vector<double>(b.begin(), b.end()),
                                       {.choice = ReluChoice::maximum, .seed = seed});
    return {.theorem = "relu", .beads = {path.points.begin(), path.points.end()}};
  }
  DropoutJoin join =
      join_by_dropout(evaluators, split, objective.loss_metric(), a, b, {.seed = seed}, stop);
  return {.theorem = "dropout", .beads = std::move(join.path.points)};
}

}  // namespace isthmus
