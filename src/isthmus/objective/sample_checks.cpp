// SPDX-License-Identifier: MIT
#include "isthmus/objective/sample_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

void validate_augmentation(const Samples& samples,
                           std::string_view where,
                           const NetworkObjectiveOptions& options) {
  const Augmentation augmentation(samples.input_shape, *options.augment);
  if (samples.bytes.empty() || augmentation.output_shape() != options.network.input) {
    throw UsageError(fmt::format(
        "{}: expected images of bytes that are cut to the network's input ({}), got {} cut to ({})",
        where,
        fmt::join(options.network.input, ", "),
        samples.bytes.empty() ? "floats" : "bytes",
        fmt::join(augmentation.output_shape(), ", ")));
  }
}

void validate_labels(const Samples& samples,
                     std::string_view where,
                     const NetworkObjectiveOptions& options) {
  const std::size_t outputs = output_size(options.network);
  const bool needs_labels = options.loss == Loss::cross_entropy;
  if (samples.labels.size() != (needs_labels || !samples.labels.empty() ? samples.count : 0)) {
    throw UsageError(fmt::format(
        "{}: expected a label for each of {} samples, got {}{}",
        where,
        samples.count,
        samples.labels.size(),
        needs_labels ? " (for real targets, choose the loss absolute or squared)" : ""));
  }
  for (const std::int32_t label : samples.labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= outputs) {
      throw UsageError(fmt::format(
          "{}: expected labels in [0, {}) (the network's outputs), got {}", where, outputs, label));
    }
  }
  if (!needs_labels && samples.targets.size() != samples.count * outputs) {
    throw UsageError(
        fmt::format("{}: the loss {} needs {} targets for each sample (the network's outputs), "
                    "got {}",
                    where,
                    name_of(options.loss),
                    outputs,
                    samples.outputs()));
  }
}

}  // namespace

void validate_samples(const Samples& samples,
                      std::string_view where,
                      const NetworkObjectiveOptions& options) {
  if (samples.count == 0) {
    throw UsageError(fmt::format("{}: expected at least one sample, got none", where));
  }
  if (is_recurrent(options.network) != (samples.streams > 0) ||
      (samples.streams > 0 &&
       (samples.window == 0 || samples.count % (samples.streams * samples.window) != 0))) {
    throw UsageError(fmt::format("{}: expected {}, got {} samples in {} streams of windows of {}",
                                 where,
                                 is_recurrent(options.network)
                                     ? "whole windows of sequences for a recurrent network"
                                     : "independent samples for a network without a state",
                                 samples.count,
                                 samples.streams,
                                 samples.window));
  }
  if (options.augment) {
    validate_augmentation(samples, where, options);
  }
  const std::size_t inputs = options.augment ? samples.features() : size_of(options.network.input);
  if (samples.features() != inputs ||
      samples.values.size() + samples.bytes.size() != samples.count * inputs) {
    throw UsageError(
        fmt::format("{}: expected {} numbers in each sample (the network's input), got {}",
                    where,
                    inputs,
                    (samples.values.size() + samples.bytes.size()) / samples.count));
  }
  validate_labels(samples, where, options);
}

void validate_order(std::span<const std::uint32_t> order, std::size_t count) {
  std::vector<bool> seen(count, false);
  for (const std::uint32_t index : order) {
    if (index < count) {
      seen[index] = true;
    }
  }
  if (order.size() != count || !std::ranges::all_of(seen, [](bool is_seen) { return is_seen; })) {
    throw UsageError(fmt::format(
        "test_order: expected every index of the {} test samples once, got another list of {}",
        count,
        order.size()));
  }
}

}  // namespace isthmus
