// SPDX-License-Identifier: MIT
#include "isthmus/report/scale.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

std::vector<std::string> labels(ScaleKind kind, Range range, std::size_t at_most) {
  std::vector<std::string> labels;
  for (const Tick& tick : Scale(kind, range, 0, 100).ticks(at_most)) {
    labels.push_back(tick.label);
  }
  return labels;
}

using Labels = std::vector<std::string>;

TEST(Scale, LinearTicksAreRound) {
  EXPECT_EQ(labels(ScaleKind::linear, {0, 1}, 6),
            (Labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(labels(ScaleKind::linear, {0.97, 1.09}, 5), (Labels{"1.00", "1.05"}));
  EXPECT_EQ(labels(ScaleKind::linear, {-12, 61}, 5), (Labels{"0", "20", "40", "60"}));
  EXPECT_EQ(labels(ScaleKind::linear, {9990, 10010}, 3), (Labels{"9990", "10000", "10010"}));
}

TEST(Scale, LogTicksAreRound) {
  EXPECT_EQ(labels(ScaleKind::log, {0.0009, 0.13}, 10),
            (Labels{"0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"}));
  EXPECT_EQ(labels(ScaleKind::log, {1e-6, 1e3}, 10),
            (Labels{"1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000"}));
  EXPECT_EQ(labels(ScaleKind::log, {2.9, 4.2}, 4), (Labels{"3.0", "3.5", "4.0"}));
}

TEST(Scale, TicksStayWithinRangeAndNumber) {
  std::mt19937 generator(11);
  std::uniform_real_distribution<double> exponent(-8, 8);
  for (int trial = 0; trial < 2000; ++trial) {
    const double low = std::pow(10, exponent(generator));
    const double high = low * (1 + std::pow(10, exponent(generator)));
    const std::size_t at_most = 2 + trial % 10;
    for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
      const Scale scale(kind, {low, high}, 300, 20);
      const std::vector<Tick> ticks = scale.ticks(at_most);
      EXPECT_LE(ticks.size(), at_most);
      double last = -INFINITY;
      for (const Tick& tick : ticks) {
        EXPECT_GE(tick.value, low * (1 - 1e-8));
        EXPECT_LE(tick.value, high * (1 + 1e-8));
        EXPECT_GT(tick.value, last);
        EXPECT_NEAR(std::stod(tick.label), tick.value, 1e-9 * std::abs(tick.value));
        last = tick.value;
      }
    }
  }
}

TEST(Scale, MapsEndsToEnds) {
  const Scale linear(ScaleKind::linear, {1, 3}, 300, 100);
  EXPECT_DOUBLE_EQ(linear.at(1), 300);
  EXPECT_DOUBLE_EQ(linear.at(2), 200);
  EXPECT_DOUBLE_EQ(linear.at(3), 100);
  const Scale log(ScaleKind::log, {0.01, 1}, 0, 100);
  EXPECT_NEAR(log.at(0.1), 50, 1e-9);
}

TEST(Scale, RefusesWhatItCannotDraw) {
  EXPECT_THROW(Scale(ScaleKind::linear, {1, 1}, 0, 1), UsageError);
  EXPECT_THROW(Scale(ScaleKind::linear, {0, NAN}, 0, 1), UsageError);
  EXPECT_THROW(Scale(ScaleKind::log, {0, 1}, 0, 1), UsageError);
}

TEST(Scale, RangesHoldTheirValues) {
  for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
    const bool log = kind == ScaleKind::log;
    for (const std::vector<double>& values : {std::vector<double>{},
                                              {NAN},
                                              {5},
                                              {5, 5},
                                              {0.001, NAN, 0.1},
                                              {log ? 1e-9 : 0.0},
                                              {3, 3 * (1 + 1e-15)}}) {
      const Range range = range_of(kind, values);
      EXPECT_NO_THROW(Scale(kind, range, 0, 1));
      for (const double value : values) {
        EXPECT_FALSE(value < range.low || value > range.high);
      }
    }
  }
  EXPECT_GT(range_of(ScaleKind::log, {-1, 0, 2, 8}).low, 1);
}

}  // namespace
}  // namespace isthmus
