// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact_proof.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

constexpr double largest_number = 1e30;  // that maximum_on_segment takes

bool fits(float x) {
  return std::abs(static_cast<double>(x)) <= largest_number;
}

// Dense, ReLU, dense, with biases in both or in none.
std::optional<ReluNetwork> relu_network(const Network& network) {
  if (network.input.size() != 1 || network.layers.size() != 3) {
    return std::nullopt;
  }
  const auto* const first = std::get_if<Linear>(&network.layers[0]);
  const auto* const unit = std::get_if<Activation>(&network.layers[1]);
  const auto* const second = std::get_if<Linear>(&network.layers[2]);
  if (!first || !unit || !second || unit->kind != Activation::Kind::relu ||
      first->bias != second->bias) {
    return std::nullopt;
  }
  return ReluNetwork{.inputs = network.input[0],
                     .hidden = first->out_features,
                     .outputs = second->out_features,
                     .biases = first->bias};
}

}  // namespace

std::optional<ExactProblem> exact_problem(const Objective& objective, Split split, Metric metric) {
  const Samples& data = *objective.data(split);
  const std::optional<ReluNetwork> network = relu_network(*objective.network());
  if (!network || loss_of(metric) == Loss::cross_entropy || objective.penalty().any() ||
      data.count * network->hidden > exact_units || network->dimension() != objective.dimension() ||
      data.values.size() != data.count * network->inputs ||
      !std::ranges::all_of(data.values, fits) || !std::ranges::all_of(data.targets, fits)) {
    return std::nullopt;
  }
  return ExactProblem{.network = *network,
                      .loss = loss_of(metric),
                      .inputs = {data.values.begin(), data.values.end()},
                      .targets = {data.targets.begin(), data.targets.end()}};
}

std::optional<SegmentProof> prove_exactly(const ExactProblem& problem,
                                          std::span<const float> a,
                                          std::span<const float> b,
                                          const CertifyOptions& options) {
  if (!std::ranges::all_of(a, fits) || !std::ranges::all_of(b, fits)) {
    return std::nullopt;
  }
  const LossMaximum maximum = maximum_on_segment(problem.network,
                                                 {problem.inputs, problem.targets},
                                                 problem.loss,
                                                 std::vector<double>(a.begin(), a.end()),
                                                 std::vector<double>(b.begin(), b.end()));
  SegmentProof proof;
  proof.bound = maximum.upper;
  proof.largest_seen = maximum.lower;
  proof.t = maximum.t;
  proof.intervals = {{0.0, 1.0, maximum.upper}};
  proof.samples = maximum.pieces;
  proof.evaluations = static_cast<double>(maximum.pieces * problem.network.outputs) /
                      static_cast<double>(problem.targets.size());
  // As loss proofs have it: in an exact zero there is no gap.
  const double target =
      options.gap ? maximum.lower + *options.gap * maximum.lower + 1e-12 : options.threshold;
  proof.outcome = maximum.lower > options.threshold ? SegmentProof::Outcome::violated
                  : maximum.upper <= target         ? SegmentProof::Outcome::proven
                                                    : SegmentProof::Outcome::undecided;
  return proof;
}

}  // namespace isthmus
