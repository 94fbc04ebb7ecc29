// SPDX-License-Identifier: MIT
#include "isthmus/data/augment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// Keeps the sum of squares of a crop's channel, at most 256^2 * 255^2, within 32 bits.
constexpr std::size_t largest_crop = 256;
constexpr std::size_t most_channels = 16;
// Sets these draws apart from those of others who name streams by a seed and a step.
constexpr std::uint64_t purpose = 0x6175676d656e7400;  // "augment"

// A rectangle of one channel of an image.
struct Window {
  const std::uint8_t* start;
  std::size_t stride;
  std::size_t side;

  const std::uint8_t* row(std::size_t y) const { return start + y * stride; }
};

struct Moments {
  double mean;
  double variance;  // of the population
};

Moments moments_of(const Window& window) {
  std::uint32_t sum = 0;
  std::uint32_t squares = 0;
  for (std::size_t y = 0; y < window.side; ++y) {
    const std::uint8_t* row = window.row(y);
    for (std::size_t x = 0; x < window.side; ++x) {
      const std::uint32_t value = row[x];
      sum += value;
      squares += value * value;
    }
  }
  const std::uint64_t count = window.side * window.side;
  const std::uint64_t spread = count * squares - std::uint64_t{sum} * sum;  // exact, never negative
  const auto n = static_cast<double>(count);
  return {sum / n, static_cast<double>(spread) / (n * n)};
}

// value -> (value - centre) * scale + offset
struct Affine {
  float centre;
  float scale;
  float offset;

  float operator()(std::uint8_t value) const {
    return (static_cast<float>(value) - centre) * scale + offset;
  }
};

void map_window(const Window& window, const Affine& affine, bool flip, float* out) {
  const std::size_t side = window.side;
  for (std::size_t y = 0; y < side; ++y) {
    const std::uint8_t* row = window.row(y);
    float* target = out + y * side;
    if (flip) {
      for (std::size_t x = 0; x < side; ++x) {
        target[side - 1 - x] = affine(row[x]);
      }
    } else {
      for (std::size_t x = 0; x < side; ++x) {
        target[x] = affine(row[x]);
      }
    }
  }
}

void validate(std::span<const std::size_t> shape, const AugmentOptions& options) {
  if (shape.size() != 3 || shape[0] == 0 || shape[0] > most_channels) {
    throw UsageError(fmt::format(
        "augmentation: expected images of shape (channels, height, width) with 1 to {} channels, "
        "got ({})",
        most_channels,
        fmt::join(shape, ", ")));
  }
  const std::size_t most = std::min({shape[1], shape[2], largest_crop});
  if (options.crop == 0 || options.crop > most) {
    throw UsageError(fmt::format(
        "augmentation: expected a crop of 1 to {} pixels a side from images of shape ({}), got {}",
        most,
        fmt::join(shape, ", "),
        options.crop));
  }
  if (!(options.brightness >= 0.0 && std::isfinite(options.brightness))) {
    throw UsageError(
        fmt::format("augmentation: expected brightness >= 0, got {}", options.brightness));
  }
  if (!(options.contrast_least >= 0.0 && options.contrast_most >= options.contrast_least &&
        std::isfinite(options.contrast_most))) {
    throw UsageError(
        fmt::format("augmentation: expected 0 <= contrast_least <= contrast_most, got {} and {}",
                    options.contrast_least,
                    options.contrast_most));
  }
}

}  // namespace

Augmentation::Augmentation(std::span<const std::size_t> input_shape, const AugmentOptions& options)
    : crop_(options.crop), options_(options) {
  validate(input_shape, options);
  channels_ = input_shape[0];
  height_ = input_shape[1];
  width_ = input_shape[2];
}

Distortion Augmentation::draw(std::uint64_t seed, std::uint64_t step, std::uint64_t sample) const {
  Rng rng(seed, stream_name({purpose, step, sample}));
  Distortion distortion;
  distortion.row = rng.below(height_ - crop_ + 1);
  distortion.column = rng.below(width_ - crop_ + 1);
  distortion.flip = options_.flip && rng.below(2) == 1;
  distortion.brightness = rng.uniform(-options_.brightness, options_.brightness);
  distortion.contrast = rng.uniform(options_.contrast_least, options_.contrast_most);
  return distortion;
}

Distortion Augmentation::central() const {
  return {.row = (height_ - crop_) / 2, .column = (width_ - crop_) / 2};
}

void Augmentation::check(const Distortion& distortion,
                         std::span<const std::uint8_t> image,
                         std::span<float> out) const {
  if (image.size() != input_size() || out.size() != output_size()) {
    throw UsageError(
        fmt::format("augmentation: expected an image of ({}, {}, {}) bytes and room for ({}, {}, "
                    "{}) values, got {} and {}",
                    channels_,
                    height_,
                    width_,
                    channels_,
                    crop_,
                    crop_,
                    image.size(),
                    out.size()));
  }
  if (distortion.row > height_ - crop_ || distortion.column > width_ - crop_) {
    throw UsageError(
        fmt::format("augmentation: expected a crop of {} pixels a side within images of {} x {}, "
                    "got one that begins at row {}, column {}",
                    crop_,
                    height_,
                    width_,
                    distortion.row,
                    distortion.column));
  }
  if (!(distortion.contrast >= 0.0 && std::isfinite(distortion.contrast))) {
    throw UsageError(
        fmt::format("augmentation: expected contrast >= 0, got {}", distortion.contrast));
  }
}

void Augmentation::apply(const Distortion& distortion,
                         std::span<const std::uint8_t> image,
                         std::span<float> out) const {
  check(distortion, image, out);
  const auto window = [&](std::size_t channel) {
    const std::size_t row = channel * height_ + distortion.row;
    return Window{image.data() + row * width_ + distortion.column, width_, crop_};
  };
  // Contrast keeps the mean m_c of a channel and multiplies its variance v_c by contrast^2, so the
  // moments of the distorted crop follow from those of the bytes:
  //     mean = avg m_c,    variance = contrast^2 avg v_c + avg (m_c - mean)^2.
  std::array<double, most_channels> means{};
  double mean = 0.0;
  double within = 0.0;
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    const Moments moments = moments_of(window(channel));
    means[channel] = moments.mean;
    mean += moments.mean / static_cast<double>(channels_);
    within += moments.variance / static_cast<double>(channels_);
  }
  double between = 0.0;
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    const double difference = means[channel] - mean;
    between += difference * difference / static_cast<double>(channels_);
  }
  const double contrast = distortion.contrast;
  const double deviation = std::max(std::sqrt(contrast * contrast * within + between),
                                    1.0 / std::sqrt(static_cast<double>(output_size())));
  const double scale = contrast / deviation;
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    // The offset also takes back what rounding the centre to float has cost.
    const auto centre = static_cast<float>(means[channel]);
    const double offset = (means[channel] - mean) / deviation +
                          (static_cast<double>(centre) - means[channel]) * scale;
    map_window(window(channel),
               {centre, static_cast<float>(scale), static_cast<float>(offset)},
               distortion.flip,
               out.data() + channel * crop_ * crop_);
  }
}

}  // namespace isthmus
