// SPDX-License-Identifier: MIT
#include "isthmus/data/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <thread>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using Bytes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;
using Shape = std::vector<std::size_t>;

const Shape cifar_shape{3, 32, 32};

Bytes random_image(std::uint64_t seed, std::size_t size = 3072) {
  Rng rng(seed);
  Bytes image(size);
  std::generate(
      image.begin(), image.end(), [&] { return static_cast<std::uint8_t>(rng.below(256)); });
  return image;
}

Floats apply(const Augmentation& augmentation, const Distortion& distortion, const Bytes& image) {
  Floats out(augmentation.output_size(), std::numeric_limits<float>::quiet_NaN());
  augmentation.apply(distortion, image, out);
  return out;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The five operations one after the other, as cifar10_input.py names them, in double.
std::vector<double> reference(const Shape& shape,
                              std::size_t crop,
                              const Distortion& distortion,
                              const Bytes& image) {
  std::vector<double> result;
  for (std::size_t channel = 0; channel < shape[0]; ++channel) {
    std::vector<double> values;
    for (std::size_t y = 0; y < crop; ++y) {
      for (std::size_t x = 0; x < crop; ++x) {
        const std::size_t from = distortion.flip ? crop - 1 - x : x;
        const std::size_t row = channel * shape[1] + distortion.row + y;
        values.push_back(image[row * shape[2] + distortion.column + from] + distortion.brightness);
      }
    }
    const double mean = mean_of(values);
    for (const double value : values) {
      result.push_back((value - mean) * distortion.contrast + mean);
    }
  }
  const double mean = mean_of(result);
  double variance = 0.0;
  for (const double value : result) {
    variance += (value - mean) * (value - mean) / static_cast<double>(result.size());
  }
  const double least = 1.0 / std::sqrt(static_cast<double>(result.size()));
  for (double& value : result) {
    value = (value - mean) / std::max(std::sqrt(variance), least);
  }
  return result;
}

TEST(Augment, a_case_by_hand) {
  // The crop at (1, 0) of 3 x 3 pixels is 1 3 / 5 7: mean 4, variance 5.
  const Bytes image{9, 9, 9, 1, 3, 9, 5, 7, 9};
  const Augmentation augmentation(Shape{1, 3, 3}, {.crop = 2});
  const auto unit = static_cast<float>(1.0 / std::sqrt(5.0));
  EXPECT_EQ(augmentation.output_shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(apply(augmentation, {.row = 1}, image),
            (Floats{-3 * unit, -1 * unit, 1 * unit, 3 * unit}));
  EXPECT_EQ(apply(augmentation, {.row = 1, .flip = true}, image),
            (Floats{-1 * unit, -3 * unit, 3 * unit, 1 * unit}));
}

TEST(Augment, contrast_by_hand) {
  // Two channels with the means 2 and 6, each with the variance 1. At contrast 2 the variance of
  // all is 4 * 1 + 4 = 8.
  const Bytes image{1, 3, 1, 3, 5, 7, 5, 7};
  const Augmentation augmentation(Shape{2, 2, 2}, {.crop = 2});
  const Floats out = apply(augmentation, {.contrast = 2.0}, image);
  const double unit = 1.0 / std::sqrt(8.0);
  const std::array<double, 8> expected{-4, 0, -4, 0, 0, 4, 0, 4};
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_NEAR(out[i], expected[i] * unit, 1e-7) << i;
  }
  // Contrast 0 leaves the means of the channels: -2 and 2, deviation 2.
  EXPECT_EQ(apply(augmentation, {.contrast = 0.0}, image), (Floats{-1, -1, -1, -1, 1, 1, 1, 1}));
}

TEST(Augment, a_flat_image_is_zero_and_a_faint_one_is_not_blown_up) {
  const Augmentation augmentation(cifar_shape);
  for (const int value : {0, 1, 77, 255}) {
    const Bytes flat(3072, static_cast<std::uint8_t>(value));
    EXPECT_EQ(apply(augmentation, {.contrast = 1.7}, flat), Floats(1728, 0.0F)) << value;
  }
  // One value of 1728 above the others by 1: deviation 0.02405, just below 1 / sqrt(1728).
  Bytes faint(3072, 100);
  faint[0] = 101;
  const Floats out = apply(augmentation, {}, faint);
  EXPECT_NEAR(out[0], (1.0 - 1.0 / 1728) * std::sqrt(1728.0), 1e-5);
  EXPECT_NEAR(out[1], -1.0 / 1728 * std::sqrt(1728.0), 1e-6);
}

TEST(Augment, evaluation_takes_the_central_crop) {
  const Augmentation augmentation(cifar_shape);
  const Distortion central = augmentation.central();
  EXPECT_EQ(central.row, 4U);
  EXPECT_EQ(central.column, 4U);
  EXPECT_FALSE(central.flip);
  EXPECT_EQ(central.brightness, 0.0);
  EXPECT_EQ(central.contrast, 1.0);
  const Distortion odd = Augmentation(Shape{3, 31, 24}).central();
  EXPECT_EQ(odd.row, 3U);
  EXPECT_EQ(odd.column, 0U);
  const Floats out = apply(augmentation, central, random_image(5));
  double sum = 0.0;
  double squares = 0.0;
  for (const float value : out) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  EXPECT_NEAR(sum / 1728, 0.0, 1e-6);
  EXPECT_NEAR(squares / 1728, 1.0, 1e-6);
}

// Every image size, crop and distortion against the slow reference. Its brightness changes the
// values on the way, and not the result.
TEST(Augment, equals_the_five_operations_one_by_one) {
  Rng rng(2);
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    const Shape shape =
        trial < 100 ? cifar_shape : Shape{1 + rng.below(4), 1 + rng.below(40), 1 + rng.below(40)};
    const std::size_t crop = trial < 100 ? 24 : 1 + rng.below(std::min(shape[1], shape[2]));
    const Augmentation augmentation(shape, {.crop = crop});
    Bytes image = random_image(trial, shape[0] * shape[1] * shape[2]);
    if (trial % 3 == 0) {  // few values, so that the least deviation comes into play
      for (std::uint8_t& value : image) {
        value = static_cast<std::uint8_t>(250 + value / 250);
      }
    }
    const Distortion distortion = augmentation.draw(7, trial, trial);
    const Floats fast = apply(augmentation, distortion, image);
    const std::vector<double> slow = reference(shape, crop, distortion, image);
    ASSERT_EQ(fast.size(), slow.size());
    for (std::size_t i = 0; i < fast.size(); ++i) {
      ASSERT_NEAR(fast[i], slow[i], 2e-6 * (1.0 + std::abs(slow[i])))
          << "trial " << trial << ", value " << i;
    }
  }
}

TEST(Augment, a_flip_is_the_mirror_of_the_same_bits) {
  const Augmentation augmentation(cifar_shape);
  const Bytes image = random_image(3);
  Distortion distortion = augmentation.draw(1, 2, 3);
  distortion.flip = false;
  Floats straight = apply(augmentation, distortion, image);
  distortion.flip = true;
  const Floats flipped = apply(augmentation, distortion, image);
  for (auto row = straight.begin(); row != straight.end(); row += 24) {
    std::reverse(row, row + 24);
  }
  EXPECT_EQ(flipped, straight);
}

TEST(Augment, brightness_changes_no_bit) {
  const Augmentation augmentation(cifar_shape);
  const Bytes image = random_image(4);
  EXPECT_EQ(apply(augmentation, {.brightness = 50.0, .contrast = 0.3}, image),
            apply(augmentation, {.brightness = -7.0, .contrast = 0.3}, image));
}

TEST(Augment, a_draw_is_a_function_of_seed_step_and_sample) {
  const Augmentation augmentation(cifar_shape);
  const auto key = [&](std::uint64_t seed, std::uint64_t step, std::uint64_t sample) {
    const Distortion d = augmentation.draw(seed, step, sample);
    return std::tuple(d.row, d.column, d.flip, d.brightness, d.contrast);
  };
  EXPECT_EQ(key(1, 2, 3), key(1, 2, 3));
  EXPECT_NE(key(1, 2, 3), key(2, 2, 3));
  EXPECT_NE(key(1, 2, 3), key(1, 3, 3));
  EXPECT_NE(key(1, 2, 3), key(1, 2, 4));
  EXPECT_NE(key(1, 2, 3), key(1, 3, 2));
  // Golden values: whoever changes the draws changes every training run.
  const Distortion distortion = augmentation.draw(1, 2, 3);
  EXPECT_EQ(distortion.row, 7U);
  EXPECT_EQ(distortion.column, 4U);
  EXPECT_FALSE(distortion.flip);
  EXPECT_DOUBLE_EQ(distortion.brightness, -38.912966157407993);
  EXPECT_DOUBLE_EQ(distortion.contrast, 1.7276039980330009);
}

TEST(Augment, threads_and_order_change_no_bit) {
  const Augmentation augmentation(cifar_shape);
  constexpr std::size_t count = 64;
  const auto batch = [&](std::size_t threads) {
    Floats out(count * augmentation.output_size());
    std::vector<std::jthread> team;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      team.emplace_back([&, thread] {
        for (std::size_t i = count; i-- > 0;) {
          if (i % threads == thread) {
            augmentation.apply(
                augmentation.draw(9, 5, i),
                random_image(i),
                std::span(out).subspan(i * augmentation.output_size(), augmentation.output_size()));
          }
        }
      });
    }
    team.clear();
    return out;
  };
  EXPECT_EQ(batch(1), batch(3));
}

// Chi-square against the uniform distribution, 3.3 standard deviations above its mean at most (the
// draws are fixed, so this never changes by itself).
template <typename Counts>
void expect_uniform(const Counts& counts, std::size_t cells, double total) {
  ASSERT_EQ(counts.size(), cells);
  const double expected = total / static_cast<double>(cells);
  double chi = 0.0;
  for (const auto& [cell, count] : counts) {
    chi += (count - expected) * (count - expected) / expected;
  }
  const double freedom = static_cast<double>(cells) - 1.0;
  EXPECT_LT(chi, freedom + 3.3 * std::sqrt(2.0 * freedom));
}

TEST(Augment, draws_are_uniform_and_independent) {
  const Augmentation augmentation(cifar_shape);
  constexpr int total = 81000;
  std::map<std::tuple<std::size_t, std::size_t, bool>, double> places;
  std::map<int, double> brightness;
  std::map<int, double> contrast;
  for (int i = 0; i < total; ++i) {
    // Neighbours in all three words, as training draws them.
    const Distortion d = augmentation.draw(static_cast<std::uint64_t>(i / 30000),
                                           static_cast<std::uint64_t>(i / 128),
                                           static_cast<std::uint64_t>(i % 128));
    ASSERT_GE(d.brightness, -63.0);
    ASSERT_LT(d.brightness, 63.0);
    ASSERT_GE(d.contrast, 0.2);
    ASSERT_LT(d.contrast, 1.8);
    ++places[{d.row, d.column, d.flip}];
    ++brightness[static_cast<int>(std::floor(d.brightness / 6.3))];
    ++contrast[static_cast<int>((d.contrast - 0.2) / 0.1)];
  }
  expect_uniform(places, std::size_t{9} * 9 * 2, total);  // rows 0..8, columns 0..8
  expect_uniform(brightness, 20, total);
  expect_uniform(contrast, 16, total);
}

TEST(Augment, options_are_kept_to) {
  const Augmentation still(
      cifar_shape,
      {.crop = 32, .flip = false, .brightness = 0.0, .contrast_least = 1.0, .contrast_most = 1.0});
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Distortion d = still.draw(1, 1, i);
    EXPECT_EQ(d.row + d.column, 0U);
    EXPECT_FALSE(d.flip);
    EXPECT_EQ(d.brightness, 0.0);
    EXPECT_EQ(d.contrast, 1.0);
  }
}

// The largest sums there can be: nothing overflows.
TEST(Augment, the_largest_crop) {
  const Shape shape{1, 256, 300};
  const Augmentation augmentation(shape, {.crop = 256});
  Bytes image(std::size_t{256} * 300, 255);
  image[0] = 0;
  const std::vector<double> slow = reference(shape, 256, {}, image);
  const Floats fast = apply(augmentation, {}, image);
  EXPECT_NEAR(fast[0], slow[0], 1e-6 * std::abs(slow[0]));
  EXPECT_NEAR(fast[1], slow[1], 1e-6);
}

TEST(Augment, wrong_arguments) {
  expect_error<UsageError>([] { Augmentation(Shape{32, 32}); }, {"(32, 32)"});
  expect_error<UsageError>([] { Augmentation(Shape{0, 32, 32}); }, {"1 to 16 channels"});
  expect_error<UsageError>([] { Augmentation(Shape{17, 32, 32}); }, {"(17, 32, 32)"});
  expect_error<UsageError>([] { Augmentation(Shape{3, 32, 23}); }, {"1 to 23 pixels", "got 24"});
  expect_error<UsageError>([] { Augmentation(Shape{3, 900, 900}, {.crop = 257}); }, {"1 to 256"});
  expect_error<UsageError>([] { Augmentation(cifar_shape, {.crop = 0}); }, {"got 0"});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double wrong : {-1.0, nan, infinity}) {
    expect_error<UsageError>([&] { Augmentation(cifar_shape, {.brightness = wrong}); },
                             {"brightness >= 0"});
    expect_error<UsageError>([&] { Augmentation(cifar_shape, {.contrast_least = wrong}); },
                             {"contrast_least"});
    expect_error<UsageError>([&] { Augmentation(cifar_shape, {.contrast_most = wrong}); },
                             {"contrast_most"});
  }
  const Augmentation augmentation(cifar_shape);
  const Bytes image(3072);
  Floats out(1728);
  expect_error<UsageError>([&] { augmentation.apply({}, std::span(image).first(3071), out); },
                           {"(3, 32, 32) bytes", "got 3071 and 1728"});
  expect_error<UsageError>([&] { augmentation.apply({}, image, std::span(out).first(1727)); },
                           {"and 1727"});
  expect_error<UsageError>([&] { augmentation.apply({.row = 9}, image, out); },
                           {"row 9, column 0"});
  expect_error<UsageError>([&] { augmentation.apply({.column = 9}, image, out); }, {"column 9"});
  for (const double wrong : {-1.0, nan, infinity}) {
    expect_error<UsageError>([&] { augmentation.apply({.contrast = wrong}, image, out); },
                             {"contrast >= 0"});
  }
}

}  // namespace
}  // namespace isthmus
