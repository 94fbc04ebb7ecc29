// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "isthmus/data/augment.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// A network, its data, and how training runs get their batches.
struct NetworkObjectiveOptions {
  Network network{};
  /// Both splits hold at least one sample, with as many numbers as the network's input, and with
  /// labels (for cross-entropy) or with as many targets as the network's outputs. May be shared.
  std::shared_ptr<const Dataset> data{};
  Loss loss = Loss::squared;
  /// Added to the training loss of every batch and to the metrics mean_absolute_error,
  /// mean_squared_error and cross_entropy. Not to error rates and perplexity.
  Penalty penalty{};
  /// Empty: every run trains on data->train. Else each run trains on a set of its own, drawn from
  /// the stream (seed, stream) by this function, which several threads may call at once (empirical
  /// risk; data->train then only serves metrics on the train split).
  std::function<Samples(std::uint64_t seed, std::uint64_t stream)> draw_training_set{};
  /// A permutation of the test samples: the order in which metrics visit them. Error rates are
  /// known to exceed a bound earlier if samples that are likely to be wrong come first. Empty: as
  /// they are stored. Sums, and with them the last bit of a metric, follow the order.
  std::vector<std::uint32_t> test_order{};
  /// Images of bytes that are cut, and distorted in training, before the network sees them: its
  /// input is then Augmentation::output_shape. Metrics use the central crop.
  std::optional<AugmentOptions> augment{};
  /// Sequences alone: training goes on from window to window with the network's state; else every
  /// window begins with zero. Evaluation always goes on.
  bool carry_state = true;
};

/// The Objective of a network. Bytes stay bytes: they become floats batch by batch, except for
/// full-batch training (batch size 0), which makes one float copy that all runs share. Metrics are
/// evaluated in blocks whose size depends on the network alone, so their bits are always the same.
/// If the train and the test split are equal (oracle risk), the training loss is the metric.
///
/// Sequences (Samples::streams > 0) are read in their order: a training run takes window after
/// window, with a state of zero at the beginning of each pass, and its batch size is that of a
/// window; so does every evaluation.
///
/// Error rates, cross-entropy and perplexity need labels, absolute and squared errors targets.
/// Throws UsageError that names what does not fit.
std::unique_ptr<Objective> make_network_objective(NetworkObjectiveOptions options);

}  // namespace isthmus
