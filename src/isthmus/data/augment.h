// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// How training images are distorted; the defaults are those of TensorFlow's CIFAR-10 tutorial
/// (cifar10_input.py, 2016), on which the published scripts stand.
struct AugmentOptions {
  std::size_t crop = 24;        ///< side of the square cut out, at most the image's sides
  bool flip = true;             ///< left to right, every other time
  double brightness = 63.0;     ///< shift uniform in [-brightness, brightness), pixels in 0..255
  double contrast_least = 0.2;  ///< factor uniform in [contrast_least, contrast_most)
  double contrast_most = 1.8;
};

/// What one image goes through. In this order: the crop of which (row, column) is the upper left
/// corner; the flip; every value plus `brightness`; every channel stretched about its mean by
/// `contrast`, x -> (x - mean) contrast + mean; whitening.
struct Distortion {
  std::size_t row = 0;
  std::size_t column = 0;
  bool flip = false;
  double brightness = 0.0;
  double contrast = 1.0;
};

/// Cuts, distorts and whitens images of bytes. Whitening takes the mean and the (population)
/// standard deviation over all N = C crop^2 values of the distorted crop:
///     x -> (x - mean) / max(deviation, 1 / sqrt(N)).
///
/// Every image is a pure function of its bytes and its Distortion, which is a pure function of
/// (seed, step, sample): threads and order change no bit. Nothing is allocated per image. The sums
/// are integers and the rest is one affine map a channel, so equal bits come from every machine.
/// Immutable, so it may be shared by threads.
///
/// The brightness is drawn for the record, and changes nothing: no value is clipped on the way, and
/// whitening takes away what is added to all of them.
class Augmentation {
 public:
  /// For images of shape (C, H, W). Throws UsageError unless 1 <= C <= 16, the crop has at least 1
  /// and at most 256 pixels a side and fits into the image, `brightness` >= 0 and 0 <=
  /// contrast_least <= contrast_most, all of them finite.
  explicit Augmentation(std::span<const std::size_t> input_shape,
                        const AugmentOptions& options = {});

  /// (C, crop, crop)
  std::vector<std::size_t> output_shape() const { return {channels_, crop_, crop_}; }
  std::size_t input_size() const { return channels_ * height_ * width_; }
  std::size_t output_size() const { return channels_ * crop_ * crop_; }

  /// The distortion of one sample of one training step. `sample` is its number in the step; two of
  /// the same image in one batch then differ.
  Distortion draw(std::uint64_t seed, std::uint64_t step, std::uint64_t sample) const;
  /// The distortion of evaluation: the central crop, the rest left as it is. Where the margins
  /// cannot be equal, the left and the upper one are smaller by one pixel.
  Distortion central() const;

  /// Applies a distortion. `image` is (C, H, W), row by row; `out` is (C, crop, crop). Throws
  /// UsageError for other sizes, a crop that is not in the image, or a contrast that is negative or
  /// not finite.
  void apply(const Distortion& distortion,
             std::span<const std::uint8_t> image,
             std::span<float> out) const;

 private:
  void check(const Distortion& distortion,
             std::span<const std::uint8_t> image,
             std::span<float> out) const;

  std::size_t channels_ = 0;
  std::size_t height_ = 0;
  std::size_t width_ = 0;
  std::size_t crop_;
  AugmentOptions options_;
};

}  // namespace isthmus
