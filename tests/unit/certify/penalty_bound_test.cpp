// SPDX-License-Identifier: MIT
#include "isthmus/certify/penalty_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

constexpr std::size_t samples = 7;

// samples * kappa R at t from the definition, with 11 bits more than double.
long double reference(const Penalty& penalty,
                      std::span<const IndexRange> over,
                      std::span<const float> a,
                      std::span<const float> b,
                      double t) {
  long double sum = 0.0L;
  for (const IndexRange& range : over) {
    for (std::size_t i = range.offset; i < range.offset + range.size; ++i) {
      const long double x = (1.0L - static_cast<long double>(t)) * static_cast<long double>(a[i]) +
                            static_cast<long double>(t) * static_cast<long double>(b[i]);
      sum += penalty.kind == Penalty::Kind::l1 ? std::abs(x) : x * x;
    }
  }
  return static_cast<long double>(samples) * static_cast<long double>(penalty.strength) * sum;
}

// The formula of LossSums at s.
long double claimed_at(const LossSums& sums, long double s) {
  const auto wide = [](double x) { return static_cast<long double>(x); };
  return (1.0L - s) * wide(sums.left) + s * wide(sums.right) +
         s * (1.0L - s) * ((1.0L - s) * wide(sums.bend_left) + s * wide(sums.bend_right));
}

struct Ends {
  std::vector<float> a;
  std::vector<float> b;
};

Ends random_ends(Rng& rng, std::size_t count) {
  Ends ends;
  const double distance = rng.below(2) == 0 ? 1.0 : 1e-3;
  for (std::size_t i = 0; i < count; ++i) {
    const double a = rng.below(8) == 0 ? 0.0 : rng.normal();
    ends.a.push_back(static_cast<float>(a));
    ends.b.push_back(rng.below(8) == 0 ? 0.0F : static_cast<float>(a + distance * rng.normal()));
  }
  return ends;
}

TEST(PenaltyBound, HoldsAtEveryPlace) {
  Rng rng(11, 1);
  for (int k = 0; k < 3000; ++k) {
    const Penalty penalty{rng.below(2) == 0 ? Penalty::Kind::l1 : Penalty::Kind::l2,
                          std::exp(rng.normal()),
                          Penalty::Over::all};
    const Ends ends = random_ends(rng, 1 + rng.below(12));
    std::vector<IndexRange> over{{0, ends.a.size()}};
    if (ends.a.size() > 4) {  // weights, say, with a bias between
      over = {{0, 2}, {3, ends.a.size() - 3}};
    }
    const double width = std::ldexp(1.0, -static_cast<int>(rng.below(20)));
    const double t0 = width * static_cast<double>(rng.below(static_cast<std::size_t>(1.0 / width)));
    const PenaltyBound bound(penalty, over, ends.a, ends.b);
    const LossSums sums = bound.sums(t0, t0 + width, samples);
    const auto room = static_cast<long double>(sums.error + 1e-15 * sums.magnitude);
    EXPECT_LE(sums.error, 1e-12 * (1.0 + sums.magnitude) * (1.0 + penalty.strength));
    for (int i = 0; i <= 32; ++i) {
      const double s = i / 32.0;
      const long double value = reference(penalty, over, ends.a, ends.b, t0 + s * width);
      ASSERT_LE(value, claimed_at(sums, static_cast<long double>(s)) + room);
      ASSERT_LE(static_cast<double>(value), sums.bound(1));
      if (penalty.kind == Penalty::Kind::l2) {  // a parabola is its own bound
        ASSERT_GE(value, claimed_at(sums, static_cast<long double>(s)) - room);
      }
    }
    EXPECT_LE(sums.least_left(1), reference(penalty, over, ends.a, ends.b, t0));
    EXPECT_LE(sums.least_right(1), reference(penalty, over, ends.a, ends.b, t0 + width));
  }
}

TEST(PenaltyBound, KnowsSmallCases) {
  const std::vector<IndexRange> over{{0, 2}};
  const std::vector<float> a{-1.0F, 2.0F};
  const std::vector<float> b{3.0F, 2.0F};
  // |x| of the first is (1 + 2 s - ...) along -1 .. 3: ends 1 and 3, at least 2 q below the chord.
  const LossSums l1 =
      PenaltyBound({Penalty::Kind::l1, 0.5, Penalty::Over::all}, over, a, b).sums(0.0, 1.0, 10);
  EXPECT_EQ(l1.left, 15.0);
  EXPECT_EQ(l1.right, 25.0);
  EXPECT_EQ(l1.bend_left, -10.0);
  EXPECT_EQ(l1.bend_right, -10.0);
  const LossSums l2 =
      PenaltyBound({Penalty::Kind::l2, 0.5, Penalty::Over::all}, over, a, b).sums(0.0, 1.0, 10);
  EXPECT_EQ(l2.left, 25.0);
  EXPECT_EQ(l2.right, 65.0);
  EXPECT_EQ(l2.bend_left, -80.0);
  const LossSums none = PenaltyBound({}, {}, a, b).sums(0.0, 1.0, 10);
  EXPECT_EQ(none.magnitude + none.error, 0.0);
}

// Two million equal terms whose additions round the same way.
TEST(PenaltyBound, RoundingCountsEveryTerm) {
  const std::size_t count = std::size_t{1} << 21;
  const std::vector<IndexRange> over{{0, count}};
  Rng rng(12, 1);
  for (int k = 0; k < 6; ++k) {
    const std::vector<float> a(count, static_cast<float>(0.5 + 0.5 * rng.uniform()));
    const std::vector<float> b(count, 0.0F);
    const double t = std::ldexp(static_cast<double>(2 * rng.below(1U << 20) + 1), -22);
    for (const Penalty::Kind kind : {Penalty::Kind::l1, Penalty::Kind::l2}) {
      const Penalty penalty{kind, 1.0, Penalty::Over::all};
      const std::vector<IndexRange> one{{0, 1}};
      const long double value = reference(penalty, one, a, b, t) * static_cast<long double>(count);
      const LossSums sums = PenaltyBound(penalty, over, a, b).sums(t, 1.0, samples);
      EXPECT_LE(static_cast<long double>(sums.least_left(1)), value);
      EXPECT_GE(static_cast<long double>(sums.bound(1)), value);
    }
  }
}

TEST(PenaltyBound, OverflowIsNoFiniteBound) {
  const std::vector<float> a{3e38F, 1.0F};
  const std::vector<float> b{-3e38F, 1.0F};
  const std::vector<IndexRange> over{{0, 2}};
  const Penalty penalty{Penalty::Kind::l2, 1e300, Penalty::Over::all};
  const LossSums sums = PenaltyBound(penalty, over, a, b).sums(0.0, 1.0, samples);
  EXPECT_FALSE(std::isfinite(sums.magnitude));
  EXPECT_FALSE(std::isfinite(sums.bound(samples)));
}

}  // namespace
}  // namespace isthmus
