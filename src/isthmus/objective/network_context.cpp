// SPDX-License-Identifier: MIT
#include "isthmus/objective/network_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/objective/sample_checks.h"

namespace isthmus {
namespace {

// Samples in one engine call of an evaluation. Narrow networks take a split of floats whole: their
// scratch is small, and every call costs a set-up. Wide ones run best on blocks that fit the cache.
constexpr std::size_t narrow = 64;
constexpr std::size_t narrow_block = 16384;
constexpr std::size_t wide_block = 128;
std::size_t block_for(const Network& network) {
  const bool is_narrow = std::ranges::all_of(
      shapes(network), [](const Shape& shape) { return size_of(shape) <= narrow; });
  return is_narrow ? narrow_block : wide_block;
}

bool same_content(const Samples& a, const Samples& b) {
  return a.count == b.count && a.input_shape == b.input_shape && a.values == b.values &&
         a.bytes == b.bytes && a.byte_values == b.byte_values && a.labels == b.labels &&
         a.targets == b.targets;
}

template <typename Value>
std::vector<Value> permuted(const std::vector<Value>& values,
                            std::span<const std::uint32_t> order,
                            std::size_t width) {
  std::vector<Value> result;
  result.reserve(values.size());
  if (!values.empty()) {
    for (const std::uint32_t index : order) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(index * width);
      result.insert(result.end(), row, row + static_cast<std::ptrdiff_t>(width));
    }
  }
  return result;
}

Samples permuted(const Samples& samples, std::span<const std::uint32_t> order) {
  return {.count = samples.count,
          .input_shape = samples.input_shape,
          .values = permuted(samples.values, order, samples.features()),
          .bytes = permuted(samples.bytes, order, samples.features()),
          .byte_values = samples.byte_values,
          .labels = permuted(samples.labels, order, 1),
          .targets = permuted(samples.targets, order, samples.outputs())};
}

}  // namespace

NetworkContext::NetworkContext(NetworkObjectiveOptions given)
    : options(std::move(given)),
      layout(layout_of(options.network)),
      penalty(options.penalty, layout) {
  if (!options.data) {
    throw UsageError("data: expected a data set, got none");
  }
  const Dataset& data = *options.data;
  validate_samples(data.train, fmt::format("data set {}, train", data.name), options);
  validate_samples(data.test, fmt::format("data set {}, test", data.name), options);
  // Aliases: the splits live as long as the data set.
  train = std::shared_ptr<const Samples>(options.data, &data.train);
  test = std::shared_ptr<const Samples>(options.data, &data.test);
  splits_are_equal = same_content(data.train, data.test);
  if (!options.test_order.empty()) {
    validate_order(options.test_order, data.test.count);
    test = std::make_shared<const Samples>(permuted(data.test, options.test_order));
  }
  block = train->streams > 0 ? train->streams * train->window : block_for(options.network);
  if (options.augment) {
    augmentation.emplace(data.train.input_shape, *options.augment);
  }
}

BatchView NetworkContext::view(SampleBlock& into,
                               const Samples& samples,
                               std::size_t first,
                               std::size_t count) const {
  return augmentation ? into.central(samples, *augmentation, first, count)
                      : into.range(samples, first, count);
}

BatchView NetworkContext::view(SampleBlock& into,
                               const Samples& samples,
                               std::span<const std::uint32_t> indices) const {
  return augmentation ? into.central(samples, *augmentation, indices)
                      : into.gather(samples, indices);
}

BatchView NetworkContext::full_batch() {
  std::call_once(full_batch_made_, [this] { full_ = view(full_block_, *train, 0, train->count); });
  return full_;
}

const std::optional<SteepDirection>& NetworkContext::steep_direction() {
  std::call_once(direction_found_, [this] { direction_ = find_steep_direction(*this); });
  return direction_;
}

}  // namespace isthmus
