// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// A path that a theorem constructs between two networks, as the first guess of a string.
struct TheoryStart {
  std::string theorem;       ///< "relu" (Theorem 2.4) or "dropout" (Kuditipudi et al. 2019)
  std::vector<float> beads;  ///< (M, P) row-major, from a to b
};

/// Throws UsageError where no theorem has a path: networks that are no perceptrons of ReLU layers
/// (perceptron_of()), or have more than two hidden layers.
void require_theory_start(const Network& network);

/// For one hidden layer and targets the path of Theorem 2.4 without a penalty; for labels, absolute
/// errors or two hidden layers connect_dropout() with the best of 20 draws. On the data of the
/// split. a, b (P). Throws as they do.
TheoryStart theory_start(Evaluators& evaluators,
                         Split split,
                         std::span<const float> a,
                         std::span<const float> b,
                         std::uint64_t seed,
                         const Stop* stop = nullptr);

}  // namespace isthmus
