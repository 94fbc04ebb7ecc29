// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/certify/exact.h"

namespace isthmus {

/// A regression by one hidden ReLU layer that is so small that the maximum along a segment costs
/// less than branch and bound.
struct ExactProblem {
  ReluNetwork network;
  Loss loss = Loss::squared;
  std::vector<double> inputs;   ///< (N, inputs)
  std::vector<double> targets;  ///< (N, outputs)
};

/// Nothing where branch and bound is cheaper (more than `exact_units` of samples times hidden
/// units), or another network, metric or data, or a penalty.
inline constexpr std::size_t exact_units = 16;
std::optional<ExactProblem> exact_problem(const Objective& objective, Split split, Metric metric);

/// The maximum along a segment as a proof of one interval; t is a place where it is attained. A
/// piece of a sample's loss counts as one pass of the sample. Nothing if a weight exceeds 1e30.
std::optional<SegmentProof> prove_exactly(const ExactProblem& problem,
                                          std::span<const float> a,
                                          std::span<const float> b,
                                          const CertifyOptions& options);

}  // namespace isthmus
