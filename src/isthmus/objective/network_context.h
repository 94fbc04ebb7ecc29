// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "isthmus/objective/batches.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {

/// What a network objective and its evaluators share. Safe to share between threads.
class NetworkContext {
 public:
  /// Throws UsageError that names what does not fit.
  explicit NetworkContext(NetworkObjectiveOptions given);

  /// Some samples of a split as the network sees them in evaluation.
  BatchView view(SampleBlock& into,
                 const Samples& samples,
                 std::size_t first,
                 std::size_t count) const;
  /// Likewise the samples of these indices.
  BatchView view(SampleBlock& into,
                 const Samples& samples,
                 std::span<const std::uint32_t> indices) const;

  const Samples& split(Split which) const { return which == Split::train ? *train : *test; }

  /// The whole train split as one batch of floats, made when first asked for.
  BatchView full_batch();

  const NetworkObjectiveOptions options;
  const Layout layout;
  const PenaltyTerm penalty;
  std::shared_ptr<const Samples> train;
  std::shared_ptr<const Samples> test;  ///< in the order of evaluation
  std::optional<Augmentation> augmentation;
  bool splits_are_equal = false;
  std::size_t block = 0;  ///< samples in one engine call of an evaluation

 private:
  std::once_flag full_batch_made_;
  SampleBlock full_block_;
  BatchView full_;
};

}  // namespace isthmus
