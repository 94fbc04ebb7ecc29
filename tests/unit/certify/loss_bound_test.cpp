// SPDX-License-Identifier: MIT
#include "isthmus/certify/loss_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

TEST(LossSums, TheLargestOfACubicOfAnyScale) {
  for (const double scale : {1e-280, 1e-200, 1.0, 1e200, 1e300}) {
    LossSums hill;
    hill.bend_left = scale;
    hill.bend_right = scale;
    EXPECT_GE(hill.bound(1), 0.25 * scale) << scale;
    EXPECT_LE(hill.bound(1), 0.2501 * scale) << scale;
    LossSums slope;
    slope.right = scale;
    slope.bend_left = 3.0 * scale;
    slope.bend_right = -scale;
    // s + s (1 - s) (3 - 4 s) is largest at s = 2 / 3 and 1: of 4 s - 7 s^2 + 4 s^3.
    double largest = 0.0;
    for (int k = 0; k <= 1000; ++k) {
      const double s = k / 1000.0;
      largest = std::max(largest, s + s * (1.0 - s) * (3.0 - 4.0 * s));
    }
    EXPECT_GE(slope.bound(1), largest * scale) << scale;
  }
}

// Two million terms that round the same way.
TEST(LossSums, RoundingCountsEveryAddition) {
  const std::size_t outputs = 65536;
  Rng rng(3, 1);
  for (int k = 0; k < 4; ++k) {
    const double value = 0.5 + 0.5 * rng.uniform();
    Lanes row{};
    row.at.fill(value);
    const Rows rows(outputs, row);
    const Rows zeros(outputs, Lanes{});
    const Deviation none{.low = zeros, .high = zeros, .radius = 0.0};
    const LossSums sums =
        loss_sums(Loss::absolute, rows, rows, none, {.count = 32, .label = -1, .targets = zeros});
    EXPECT_LE(sums.least_left(32), value);
    EXPECT_LE(sums.least_right(32), value);
    EXPECT_GE(sums.bound(32), value);
  }
}

// 3000 equal margins that move together: the log-sum-exp is straight, and no rounding may call it
// sagging.
TEST(LossSums, ManyClassesDoNotSagByRounding) {
  const std::size_t outputs = 3001;
  Rng rng(4, 1);
  for (int k = 0; k < 40; ++k) {
    const double from = 1000.0 + rng.uniform();
    const double change = 1e6 * (1.0 + rng.uniform());
    Rows left(outputs);
    Rows right(outputs);
    for (std::size_t j = 1; j < outputs; ++j) {
      left[j].at.fill(from);
      right[j].at.fill(from + change);
    }
    const Rows zeros(outputs, Lanes{});
    const LossSums sums = loss_sums(Loss::cross_entropy,
                                    left,
                                    right,
                                    {.low = zeros, .high = zeros, .radius = 0.0},
                                    {.count = 1, .label = 0, .targets = {}});
    EXPECT_GE(sums.bend_left + sums.bend_right, -1e-9 * change);
  }
}

// The formula of LossSums at s, with room for rounding.
double claimed_at(const LossSums& sums, double s) {
  return (1.0 - s) * sums.left + s * sums.right +
         s * (1.0 - s) * ((1.0 - s) * sums.bend_left + s * sums.bend_right) +
         (1.0 + 1e-14) * sums.error + 1e-14 * sums.magnitude;
}

struct Output {
  double x0 = 0.0;
  double x1 = 0.0;
  double low = 0.0;
  double high = 0.0;
};

LossSums sums_of(Loss loss, const std::vector<Output>& outputs, double target, double radius) {
  const std::size_t count = outputs.size();
  Rows left(count);
  Rows right(count);
  Rows targets(count);
  Deviation deviation{.low = Rows(count), .high = Rows(count), .radius = radius};
  for (std::size_t j = 0; j < count; ++j) {
    left[j].at.fill(outputs[j].x0);
    right[j].at.fill(outputs[j].x1);
    deviation.low[j].at.fill(outputs[j].low);
    deviation.high[j].at.fill(outputs[j].high);
    targets[j].at.fill(target);
  }
  return loss_sums(loss, left, right, deviation, {.count = 1, .label = 0, .targets = targets});
}

Output random_output(Rng& rng) {
  constexpr std::array<double, 5> scales{0.0, 0.1, 1.0, 5.0, 1e3};
  const auto number = [&] { return scales[rng.below(scales.size())] * rng.normal(); };
  Output made{.x0 = number(), .x1 = number(), .low = number(), .high = number()};
  if (rng.below(4) == 0) {
    made.high = made.low;
  }
  if (made.low > made.high) {
    std::swap(made.low, made.high);
  }
  return made;
}

double value_at(const Output& one, double s, double at, double off) {
  return (1.0 - s) * one.x0 + s * one.x1 + s * (1.0 - s) * ((1.0 - at) * one.low + at * one.high) +
         off;
}

TEST(LossSums, ErrorsOfTargetsHold) {
  Rng rng(5, 1);
  for (int k = 0; k < 20000; ++k) {
    const Output one = random_output(rng);
    const double target = rng.below(4) == 0 ? one.x0 : rng.normal();
    const double radius = rng.below(2) == 0 ? 0.0 : rng.uniform();
    const LossSums absolute = sums_of(Loss::absolute, {one}, target, radius);
    const LossSums squared = sums_of(Loss::squared, {one}, target, radius);
    ASSERT_LE(std::abs(std::abs(one.x0 - target) - absolute.left), 1e-12 * absolute.magnitude);
    for (int i = 0; i <= 40; ++i) {
      const double s = i / 40.0;
      double most = 0.0;  // without the radius
      for (const double at : {0.0, 1.0, 0.5}) {
        for (const double off : {-radius, 0.0, radius}) {
          const double error = std::abs(value_at(one, s, at, off) - target);
          ASSERT_LE(error, claimed_at(absolute, s));
          ASSERT_LE(error * error, claimed_at(squared, s));
          most = std::max(most, off == 0.0 ? error : 0.0);
        }
      }
      // The square's formula gives away q e^2 / 4 and what the larger of two chords does.
      if (one.low == one.high && radius == 0.0) {
        ASSERT_LE(
            claimed_at(squared, s),
            most * most + s * (1.0 - s) * 0.2501 * one.low * one.low + 1e-13 * squared.magnitude);
      }
    }
  }
}

TEST(LossSums, AbsoluteErrorsOfLinesAreBoundedByTheLeastSag) {
  // |1 - 2 s| lies at least 2 q below its chord.
  const LossSums sums = sums_of(Loss::absolute, {{1.0, -1.0, 0.0, 0.0}}, 0.0, 0.0);
  EXPECT_NEAR(sums.bend_left, -2.0, 1e-12);
  EXPECT_NEAR(sums.bend_right, -2.0, 1e-12);
  EXPECT_NEAR(sums_of(Loss::absolute, {{1.0, 2.0, -1.0, 3.0}}, 0.0, 0.0).bend_left, 3.0, 1e-12);
  EXPECT_NEAR(sums_of(Loss::absolute, {{-1.0, -2.0, -1.0, 3.0}}, 0.0, 0.0).bend_left, 1.0, 1e-12);
}

double cross_entropy_at(const std::vector<Output>& outputs, double s, double at, double off) {
  double top = 0.0;
  for (std::size_t j = 1; j < outputs.size(); ++j) {
    top = std::max(top, value_at(outputs[j], s, at, off));
  }
  double sum = std::exp(-top);
  for (std::size_t j = 1; j < outputs.size(); ++j) {
    sum += std::exp(value_at(outputs[j], s, at, off) - top);
  }
  return top + std::log(sum);
}

TEST(LossSums, CrossEntropyHolds) {
  Rng rng(6, 1);
  for (int k = 0; k < 20000; ++k) {
    std::vector<Output> outputs(2 + rng.below(4));
    for (std::size_t j = 1; j < outputs.size(); ++j) {
      outputs[j] = random_output(rng);
    }
    const double radius = rng.below(2) == 0 ? 0.0 : rng.uniform();
    const LossSums sums = sums_of(Loss::cross_entropy, outputs, 0.0, radius);
    for (int i = 0; i <= 20; ++i) {
      const double s = i / 20.0;
      for (const double off : {-radius, radius}) {
        ASSERT_LE(cross_entropy_at(outputs, s, 1.0, off), claimed_at(sums, s)) << k << " " << s;
      }
    }
  }
}

// Short moves: the sag is half the variance, and the lift the slope.
TEST(LossSums, CrossEntropyIsNearlyAttained) {
  Rng rng(7, 1);
  for (int k = 0; k < 2000; ++k) {
    std::vector<Output> outputs(2 + rng.below(4));
    double size = 0.0;
    for (std::size_t j = 1; j < outputs.size(); ++j) {
      outputs[j].x0 = rng.normal();
      outputs[j].x1 = outputs[j].x0 + 0.05 * rng.normal();
      outputs[j].low = -1e-3;
      outputs[j].high = 1e-3 * rng.uniform();
      size = std::max({size, std::abs(outputs[j].x1 - outputs[j].x0)});
    }
    const LossSums sums = sums_of(Loss::cross_entropy, outputs, 0.0, 0.0);
    const double exact = cross_entropy_at(outputs, 0.5, 1.0, 0.0);
    ASSERT_LE(claimed_at(sums, 0.5), exact + 0.25 * (0.5 * size * size * size + 1e-5) + 1e-9);
  }
}

TEST(LossSums, TheBoundIsTheLargestOfTheCubic) {
  Rng rng(8, 1);
  for (int k = 0; k < 20000; ++k) {
    LossSums sums;
    sums.left = rng.uniform();
    sums.right = rng.below(3) == 0 ? sums.left : rng.uniform();
    const double bend = rng.below(3) == 0 ? 0.01 : 10.0;
    sums.bend_left = bend * rng.normal();
    sums.bend_right = rng.below(3) == 0 ? sums.bend_left : bend * rng.normal();
    double largest = 0.0;
    for (int i = 0; i <= 400; ++i) {
      largest = std::max(largest, claimed_at(sums, i / 400.0));
    }
    ASSERT_GE(sums.bound(1), largest - 1e-14);
    ASSERT_LE(sums.bound(1), largest + 1e-4 * bend);
    sums.error = 0.5;
    ASSERT_GE(sums.bound(1), largest + 0.5 - 1e-14);
    ASSERT_LE(sums.least_left(1), sums.left - 0.5);
    ASSERT_LE(sums.least_right(1), sums.right - 0.5);
  }
}

}  // namespace
}  // namespace isthmus
