// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "isthmus/objective/objective.h"

namespace isthmus {

/// Batches of samples that are drawn, with replacement, by what their last known gradient is worth
/// (importance sampling: Katharopoulos & Fleuret 2018). Of a sample with loss l under the
/// cross-entropy, 1 - exp(-l) is within a factor of root 2 of the norm of the derivative by its
/// logits; that is its score, from the last batch that it was in. Before that it is the root of the
/// score of `expected` (samples), about what its loss will be, or 1 where that is empty. A batch
/// takes a sample i with probability p_i = (1 - importance) / N + importance * score_i / (sum of
/// scores), one from each of `batch_size` equal parts of [0, 1), and gives it the weight 1 / (N
/// p_i), at most 1 / (1 - importance): the mean of weighted losses, and its gradient, are unbiased.
/// Probabilities follow the scores every 32 steps.
///
/// samples: stand alone, with labels. importance in (0, 1). batch_size in [1, samples->count].
/// Drawn from Rng(seed, stream).
std::unique_ptr<BatchSource> make_importance_batches(std::shared_ptr<const Samples> samples,
                                                     std::size_t batch_size,
                                                     double importance,
                                                     std::span<const float> expected,
                                                     std::uint64_t seed,
                                                     std::uint64_t stream);

}  // namespace isthmus
