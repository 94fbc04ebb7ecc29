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
#include "isthmus/objective/steep_direction.h"

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

  /// See find_steep_direction, which is asked at the first call.
  const std::optional<SteepDirection>& steep_direction();

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
  std::once_flag direction_found_;
  std::optional<SteepDirection> direction_;
};

/// That of a network's first layer, by the power method on at most 2,048 samples or 16,384 windows
/// of the training split, at even distances. None for networks that begin with another layer than a
/// linear one or a convolution (a Flatten in front aside). Deterministic.
std::optional<SteepDirection> find_steep_direction(const NetworkContext& context);

}  // namespace isthmus
