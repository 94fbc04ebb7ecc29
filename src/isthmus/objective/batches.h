// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "isthmus/data/augment.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// Memory for some samples as floats. It grows to the largest block asked for and then stays.
class SampleBlock {
 public:
  /// Samples [first, first + count), in their order. Float inputs are not copied: the view points
  /// into `samples`, else into this block; it is valid until the next call.
  BatchView range(const Samples& samples, std::size_t first, std::size_t count);

  /// The samples of these indices, in this order, copied.
  BatchView gather(const Samples& samples, std::span<const std::uint32_t> indices);

  /// Samples [first, first + count) cut to the centre and whitened, copied.
  BatchView central(const Samples& samples,
                    const Augmentation& augmentation,
                    std::size_t first,
                    std::size_t count);
  /// The same of the samples of these indices, in this order.
  BatchView central(const Samples& samples,
                    const Augmentation& augmentation,
                    std::span<const std::uint32_t> indices);

  /// The samples of these indices, the one at place i distorted by augmentation.draw(seed, step,
  /// i).
  BatchView distorted(const Samples& samples,
                      const Augmentation& augmentation,
                      std::span<const std::uint32_t> indices,
                      std::uint64_t seed,
                      std::uint64_t step);

 private:
  void augment_one(const Samples& samples,
                   const Augmentation& augmentation,
                   const Distortion& distortion,
                   std::size_t index,
                   std::size_t place);
  // Inputs for `count` samples of `size` numbers each, and the targets and labels of some samples.
  BatchView take(const Samples& samples, std::span<const std::uint32_t> indices, std::size_t size);

  std::vector<float> inputs_;
  std::vector<float> targets_;
  std::vector<std::int32_t> labels_;
};

/// Keeps the orders of epochs apart from what else is drawn from a stream.
inline constexpr std::uint64_t order_purpose = 2;

/// Batches of `batch_size` in [1, samples->count] in epochs, each in a new order drawn from
/// Rng(seed, stream); the last, smaller batch of an epoch is dropped.
std::unique_ptr<BatchSource> make_epochs(std::shared_ptr<const Samples> samples,
                                         std::size_t batch_size,
                                         std::uint64_t seed,
                                         std::uint64_t stream);

/// The same with every image cut and distorted by `augmentation`, as (seed, step, place in the
/// batch) say. The samples are images of bytes of its input shape. A batch is made on a thread of
/// its own while its predecessor is in use, but for the first of an epoch.
std::unique_ptr<BatchSource> make_augmented_epochs(std::shared_ptr<const Samples> samples,
                                                   const Augmentation& augmentation,
                                                   std::size_t batch_size,
                                                   std::uint64_t seed,
                                                   std::uint64_t stream);

/// The windows of sequences in their order, again and again, with a state of `state_size` numbers a
/// stream that is zero at the beginning of every pass (of every window, unless `carry`).
std::unique_ptr<BatchSource> make_windows(std::shared_ptr<const Samples> samples,
                                          std::size_t state_size,
                                          bool carry);

/// The same batch at every step; `owner` keeps its memory.
std::unique_ptr<BatchSource> make_constant_batch(BatchView batch,
                                                 std::shared_ptr<const void> owner);

/// value = byte / 255, rounded as Samples::copy_input does.
void bytes_to_floats(std::span<const std::uint8_t> bytes, float* values);

}  // namespace isthmus
