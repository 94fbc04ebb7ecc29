// SPDX-License-Identifier: MIT
#include "isthmus/certify/wrong_times.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// A place between two neighbouring numbers cannot be named.
TEST(WrongTimes, ACrowdHasRoomForItsMiddle) {
  const double next = std::nextafter(0.5, 1.0);
  const std::vector<Range> ranges{{0.25, next}, {0.5, 0.75}};
  const Crowd open = largest_crowd(ranges, true);
  EXPECT_EQ(open.count, 1U);
  EXPECT_LT(open.at.from, 0.5 * (open.at.from + open.at.to));
  EXPECT_LT(0.5 * (open.at.from + open.at.to), open.at.to);
  EXPECT_EQ(largest_crowd(ranges, false).count, 2U);
}

TEST(WrongTimes, ClosedRangesMeetWhereTheyTouchOpenOnesDoNot) {
  const std::vector<Range> ranges{{0.0, 0.5}, {0.5, 1.0}};
  EXPECT_EQ(largest_crowd(ranges, false).count, 2U);
  EXPECT_EQ(largest_crowd(ranges, true).count, 1U);
  const Crowd later = largest_crowd(std::vector<Range>{{0.0, 0.5}, {0.5, 1.0}, {0.5, 1.0}}, true);
  EXPECT_EQ(later.count, 2U);
  EXPECT_EQ(later.at.from, 0.5);
  EXPECT_EQ(later.at.to, 1.0);
  const std::vector<Range> busy = crowded(ranges, 1.0);
  ASSERT_EQ(busy.size(), 1U);
  EXPECT_EQ(busy[0].from, 0.5);
  EXPECT_EQ(busy[0].to, 0.5);
  EXPECT_TRUE(overlap(busy, {0.25, 0.5}));
  EXPECT_FALSE(overlap(busy, {0.25, 0.49}));
}

long double parabola(double m0, double m1, double c, long double s) {
  return (1.0L - s) * static_cast<long double>(m0) + s * static_cast<long double>(m1) +
         s * (1.0L - s) * static_cast<long double>(c);
}

bool covered(const std::vector<Range>& ranges, double s) {
  return std::ranges::any_of(ranges,
                             [&](const Range& range) { return range.from <= s && s <= range.to; });
}

double random_coefficient(Rng& rng) {
  constexpr std::array<double, 6> scales{1.0, 1.0, 1.0, 0.0, 1e-7, 1e5};
  return scales[rng.below(scales.size())] * rng.normal();
}

TEST(WrongTimes, CoversHoldEveryNonnegativePlace) {
  Rng rng(1, 1);
  std::size_t wide = 0;
  std::size_t looked = 0;
  for (int k = 0; k < 40000; ++k) {
    double m0 = random_coefficient(rng);
    double m1 = rng.below(8) == 0 ? m0 : random_coefficient(rng);
    double c = random_coefficient(rng);
    const bool touches = rng.below(8) == 0;
    if (touches) {  // a double root inside, nearly
      const double root = rng.uniform();
      c = rng.normal();
      m0 = -c * root * root;
      m1 = -c * (1.0 - root) * (1.0 - root);
    }
    if (rng.below(16) == 0) {  // multiples of the smallest number
      m0 = std::round(4.0 * rng.normal()) * std::numeric_limits<double>::denorm_min();
      m1 = std::round(4.0 * rng.normal()) * std::numeric_limits<double>::denorm_min();
      c = std::round(20.0 * rng.normal()) * std::numeric_limits<double>::denorm_min();
    }
    const std::vector<Range> cover = cover_of_nonnegative(m0, m1, c);
    const long double size = static_cast<long double>(std::abs(m0) + std::abs(m1) + std::abs(c));
    for (int i = 0; i <= 100; ++i) {
      const double s = i / 100.0;
      const long double value = parabola(m0, m1, c, static_cast<long double>(s));
      if (value > 1e-18L * size || (i % 100 == 0 && value >= 0.0L)) {
        ASSERT_TRUE(covered(cover, s)) << m0 << " " << m1 << " " << c << " " << s;
      } else if (value < -1e-6L * size && size > 1e-200L && !touches) {
        ++looked;
        wide += covered(cover, s) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(looked, 100000U);
  EXPECT_LE(wide, looked / 1000);
}

TEST(WrongTimes, CoversOfChosenParabolas) {
  EXPECT_TRUE(cover_of_nonnegative(-1.0, -1.0, 3.9).empty());
  EXPECT_EQ(cover_of_nonnegative(-1.0, -1.0, 4.1).size(), 1U);
  EXPECT_EQ(cover_of_nonnegative(1.0, 1.0, -3.9).size(), 1U);
  EXPECT_EQ(cover_of_nonnegative(1.0, 1.0, -4.1).size(), 2U);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(covered(cover_of_nonnegative(bad, -1.0, 0.0), 0.5));
    EXPECT_TRUE(covered(cover_of_nonnegative(-1.0, bad, 0.0), 0.5));
    EXPECT_TRUE(covered(cover_of_nonnegative(-1.0, -1.0, bad), 0.5));
  }
  for (const double huge : {1e155, 1e300}) {
    EXPECT_TRUE(covered(cover_of_nonnegative(-huge, -huge, 4.1 * huge), 0.5));
    EXPECT_TRUE(cover_of_nonnegative(-huge, -huge, -huge).empty());
  }
}

TEST(WrongTimes, PossibleHoldsAllAndCertainOnlyWrongTimes) {
  Rng rng(2, 1);
  for (int k = 0; k < 5000; ++k) {
    const std::size_t outputs = 2 + rng.below(3);
    Rows left(outputs);
    Rows right(outputs);
    Deviation deviation{.low = Rows(outputs), .high = Rows(outputs), .radius = 0.0};
    deviation.radius = rng.below(2) == 0 ? 0.0 : 0.2 * rng.uniform();
    for (std::size_t j = 1; j < outputs; ++j) {
      left[j][3] = rng.normal();
      right[j][3] = rng.normal();
      const double center = 3.0 * rng.normal();
      const double spread = rng.uniform();
      deviation.low[j][3] = center - spread;
      deviation.high[j][3] = center + spread;
    }
    const double t0 = 0.125 * static_cast<double>(rng.below(8));
    const double t1 = t0 + 0.125;
    const WrongTimes times = wrong_times(left, right, deviation, 0, 3, t0, t1);
    for (int i = 0; i <= 200; ++i) {
      const double s = i / 200.0;
      const double t = t0 + s * 0.125;
      long double most = -1e9L;
      long double least = -1e9L;
      for (std::size_t j = 1; j < outputs; ++j) {
        most = std::max(most,
                        parabola(left[j][3], right[j][3], deviation.high[j][3], s) +
                            static_cast<long double>(deviation.radius));
        least = std::max(least,
                         parabola(left[j][3], right[j][3], deviation.low[j][3], s) -
                             static_cast<long double>(deviation.radius));
      }
      ASSERT_TRUE(most < 1e-12L || covered(times.possible, t)) << k << " " << s;
      ASSERT_TRUE(most > -1e-6L || !covered(times.possible, t)) << k << " " << s;
      const bool certain = std::ranges::any_of(
          times.certain, [&](const Range& range) { return range.from < t && t < range.to; });
      ASSERT_TRUE(!certain || least > -1e-12L) << k << " " << s;
      ASSERT_TRUE(certain || least < 1e-6L || i == 0 || i == 200) << k << " " << s;
    }
  }
}

TEST(WrongTimes, RangesArePutTogether) {
  std::vector<Range> ranges{{0.5, 0.6}, {0.0, 0.25}, {0.25, 0.3}, {0.1, 0.2}};
  join(ranges);
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].to, 0.3);
  EXPECT_EQ(ranges[1].from, 0.5);
  const std::vector<Range> rest = complement(ranges, 0.0, 1.0);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].from, 0.3);
  EXPECT_EQ(rest[0].to, 0.5);
  EXPECT_EQ(rest[1].from, 0.6);
  EXPECT_EQ(rest[1].to, 1.0);
}

}  // namespace
}  // namespace isthmus
