// SPDX-License-Identifier: MIT
#include "isthmus/certify/unit_bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "isthmus/certify/rounding.h"
#include "isthmus/core/rng.h"

// Formulas against dense samples in long double. A bound must hold (no sign may be wrong) and,
// where the formula is exact, be attained (no term may be missing).

namespace isthmus {
namespace {

using Real = long double;

// Places in (0, 1), dense towards both ends.
const std::vector<Real>& places() {
  static const std::vector<Real> found = [] {
    std::vector<Real> made;
    for (int k = -160; k <= 160; ++k) {
      made.push_back(1.0L / (1.0L + std::exp(-static_cast<Real>(k) / 8.0L)));
    }
    return made;
  }();
  return found;
}

double random_size(Rng& rng) {
  constexpr std::array<double, 8> scales{0.0, 1.0, 1.0, 1.0, 0.05, 20.0, 1e-9, 1e7};
  return scales[rng.below(scales.size())] * rng.normal();
}

// So that what is attained is attained at one of the places.
bool ordinary(double value) {
  return value == 0.0 || (std::abs(value) > 1e-4 && std::abs(value) < 1e3);
}

Bounds random_bounds(Rng& rng) {
  const double x = random_size(rng);
  const double y = rng.below(4) == 0 ? x : random_size(rng);
  return {std::min(x, y), std::max(x, y)};
}

Real chord(double x0, double x1, Real s) {
  return (1.0L - s) * static_cast<Real>(x0) + s * static_cast<Real>(x1);
}

// The smallest and the largest (f(chord + q e) - chord of f) / q over places and e at its bounds (f
// increases), with the error of long double taken off.
struct Seen {
  Real low = std::numeric_limits<Real>::infinity();
  Real high = -std::numeric_limits<Real>::infinity();
  bool holds = true;  // of the bounds looked at
};

template <class Function>
Seen look(double z0, double z1, Bounds z, Bounds claimed, Function f) {
  Seen seen;
  const Real f0 = f(static_cast<Real>(z0));
  const Real f1 = f(static_cast<Real>(z1));
  for (const Real s : places()) {
    const Real q = s * (1.0L - s);
    const Real line = (1.0L - s) * f0 + s * f1;
    const Real low = f(chord(z0, z1, s) + q * static_cast<Real>(z.low)) - line;
    const Real high = f(chord(z0, z1, s) + q * static_cast<Real>(z.high)) - line;
    seen.low = std::min(seen.low, low / q);
    seen.high = std::max(seen.high, high / q);
    const Real slack =
        4e-19L * (std::abs(f0) + std::abs(f1) + std::abs(static_cast<Real>(z0)) +
                  std::abs(static_cast<Real>(z1)) +
                  q * (std::abs(static_cast<Real>(z.low)) + std::abs(static_cast<Real>(z.high))));
    seen.holds = seen.holds && low >= q * static_cast<Real>(claimed.low) - slack &&
                 high <= q * static_cast<Real>(claimed.high) + slack;
  }
  return seen;
}

Real exact_relu(Real z) {
  return std::max(z, 0.0L);
}
Real exact_sigmoid(Real z) {
  return 1.0L / (1.0L + std::exp(-z));
}
Real exact_tanh(Real z) {
  return std::tanh(z);
}

TEST(UnitBounds, ReluHoldsAndIsAttained) {
  Rng rng(1, 1);
  for (int k = 0; k < 10000; ++k) {
    const double z0 = random_size(rng);
    const double z1 = rng.below(10) == 0 ? z0 : random_size(rng);
    const Bounds z = random_bounds(rng);
    const Bounds bounds = bound_relu(z0, z1, z);
    const Seen seen = look(z0, z1, z, bounds, exact_relu);
    ASSERT_TRUE(seen.holds) << z0 << " " << z1 << " " << z.low << " " << z.high;
    if (!ordinary(z0) || !ordinary(z1) || !ordinary(z.low) || !ordinary(z.high) ||
        (z0 == 0.0 && z1 == 0.0)) {
      continue;
    }
    // Places are 1/8 apart on the logistic scale.
    const double near = 0.15 * (std::abs(z0) + std::abs(z1) + std::abs(z.low) + std::abs(z.high));
    ASSERT_GE(bounds.low, static_cast<double>(seen.low) - near - 1e-12) << z0 << " " << z1;
    ASSERT_LE(bounds.high, static_cast<double>(seen.high) + near + 1e-12) << z0 << " " << z1;
  }
}

TEST(UnitBounds, ReluOfKinksAtTheEnds) {
  EXPECT_EQ(bound_relu(0.0, 0.0, {-1.0, 2.0}).high, 2.0);
  EXPECT_EQ(bound_relu(1.0, 2.0, {-3.0, 4.0}).low, -3.0);
  EXPECT_EQ(bound_relu(1.0, 2.0, {-3.0, 4.0}).high, 4.0);
  EXPECT_EQ(bound_relu(-1.0, -1.0, {-3.0, 3.9}).high, 0.0);  // touches 0 for 4
  EXPECT_GT(bound_relu(-1.0, -1.0, {-3.0, 4.1}).high, 0.09);
  EXPECT_EQ(bound_relu(-1.0, -2.0, {-3.0, 4.0}).low, 0.0);
  EXPECT_NEAR(bound_relu(1.0, 1.0, {-9.0, -8.0}).high, -4.0, 1e-12);
  EXPECT_NEAR(bound_relu(-1.0, 1.0, {0.0, 0.0}).low, -2.0, 1e-12);
  EXPECT_NEAR(bound_relu(-1.0, 1.0, {0.0, 0.0}).high, -1.0, 1e-12);
}

using SmoothBound = Bounds (*)(double, double, Bounds, double);

Bounds bound_of_sigmoid(double z0, double z1, Bounds z, double radius) {
  return bound_sigmoid(z0, z1, sigmoid_of(z0), sigmoid_of(z1), z, radius);
}
Bounds bound_of_tanh(double z0, double z1, Bounds z, double radius) {
  return bound_tanh(z0, z1, tanh_of(z0), tanh_of(z1), z, radius);
}

struct Candidate {
  double left = 0.0;
  double right = 0.0;
  Bounds bounds;
};

Bounds bound_maximum(std::span<const Candidate> candidates) {
  LargestUnit<1> largest;
  for (const Candidate& one : candidates) {
    largest.raise(&one.left, &one.right);
  }
  for (const Candidate& one : candidates) {
    largest.add(&one.left, &one.right, &one.bounds.low, &one.bounds.high);
  }
  Bounds bounds;
  largest.bounds(&bounds.low, &bounds.high);
  return bounds;
}

void check_smooth(SmoothBound bound, Real (*f)(Real)) {
  Rng rng(2, 1);
  for (int k = 0; k < 10000; ++k) {
    constexpr std::array<double, 6> scales{1.0, 3.0, 0.1, 30.0, 1e-8, 0.0};
    const double z0 = scales[rng.below(scales.size())] * rng.normal();
    const double z1 =
        rng.below(10) == 0 ? z0 : z0 * static_cast<double>(rng.below(2)) + random_size(rng);
    const Bounds z = random_bounds(rng);
    const double radius = rng.below(3) == 0 ? rng.uniform() : 0.0;
    const Bounds bounds = bound(z0, z1, z, radius);
    ASSERT_TRUE(look(z0, z1, z, bounds, f).holds)
        << z0 << " " << z1 << " " << z.low << " " << z.high;
  }
  // Short chords: the second derivative and the slope are nearly constant.
  for (int k = 0; k < 4000; ++k) {
    const double z0 = 3.0 * rng.normal();
    const double z1 = z0 + 0.02 * rng.normal();
    const Bounds z =
        rng.below(3) == 0 ? Bounds{} : Bounds{-0.01 * rng.uniform(), 0.01 * rng.uniform()};
    const Bounds bounds = bound(z0, z1, z, 0.0);
    const Seen seen = look(z0, z1, z, bounds, f);
    ASSERT_TRUE(seen.holds);
    const double near = 0.1 * (0.5 * (z1 - z0) * (z1 - z0) + z.high - z.low) + 1e-12;
    ASSERT_GE(bounds.low, static_cast<double>(seen.low) - near);
    ASSERT_LE(bounds.high, static_cast<double>(seen.high) + near);
  }
}

TEST(UnitBounds, SigmoidHoldsAndIsNearlyAttained) {
  check_smooth(bound_of_sigmoid, exact_sigmoid);
}

TEST(UnitBounds, TanhHoldsAndIsNearlyAttained) {
  check_smooth(bound_of_tanh, exact_tanh);
}

TEST(UnitBounds, MaximumHoldsAndOfTwoIsAttained) {
  Rng rng(3, 1);
  for (int k = 0; k < 10000; ++k) {
    std::vector<Candidate> candidates(1 + rng.below(5));
    double scale = 0.0;
    for (Candidate& one : candidates) {
      one = {.left = random_size(rng), .right = random_size(rng), .bounds = random_bounds(rng)};
      if (rng.below(4) == 0) {
        one.left = candidates[0].left;
      }
      if (rng.below(4) == 0) {
        one.right = candidates[0].right;
      }
      scale += std::abs(one.left) + std::abs(one.right) + std::abs(one.bounds.low) +
               std::abs(one.bounds.high);
    }
    const Bounds bounds = bound_maximum(candidates);
    double left = candidates[0].left;
    double right = candidates[0].right;
    for (const Candidate& one : candidates) {
      left = std::max(left, one.left);
      right = std::max(right, one.right);
    }
    Seen seen;
    for (const Real s : places()) {
      const Real q = s * (1.0L - s);
      Real low = -std::numeric_limits<Real>::infinity();
      Real high = low;
      for (const Candidate& one : candidates) {
        const Real gap = chord(one.left, one.right, s) - chord(left, right, s);
        low = std::max(low, gap + q * static_cast<Real>(one.bounds.low));
        high = std::max(high, gap + q * static_cast<Real>(one.bounds.high));
      }
      const Real slack = 4e-19L * static_cast<Real>(scale);
      ASSERT_GE(low, q * static_cast<Real>(bounds.low) - slack);
      ASSERT_LE(high, q * static_cast<Real>(bounds.high) + slack);
      seen.low = std::min(seen.low, low / q);
      seen.high = std::max(seen.high, high / q);
    }
    const double near = 0.4 * scale + 1e-12;
    ASSERT_LE(bounds.high, static_cast<double>(seen.high) + near);
    if (candidates.size() <= 2 && std::ranges::all_of(candidates, [](const Candidate& one) {
          return ordinary(one.left) && ordinary(one.right) && ordinary(one.bounds.low) &&
                 ordinary(one.bounds.high);
        })) {
      ASSERT_GE(bounds.low, static_cast<double>(seen.low) - near);
    }
  }
}

TEST(UnitBounds, MaximumOfChosenLines) {
  // |1 - 2 s| lies 4 q below its chord in the middle and 2 q at its ends.
  const std::array<Candidate, 2> absolute{Candidate{1.0, -1.0, {}}, Candidate{-1.0, 1.0, {}}};
  EXPECT_NEAR(bound_maximum(absolute).low, -4.0, 1e-12);
  EXPECT_NEAR(bound_maximum(absolute).high, -2.0, 1e-12);
  // One that loses at both ends overtakes by 5 - (1 + 1)^2.
  const std::array<Candidate, 2> over{Candidate{1.0, 1.0, {}}, Candidate{0.0, 0.0, {5.0, 5.0}}};
  EXPECT_NEAR(bound_maximum(over).high, 1.0, 1e-12);
  EXPECT_NEAR(bound_maximum(over).low, 0.0, 1e-12);
}

// The assumption of rounding.h and the errors of functions.h, on points of all sizes.
TEST(UnitBounds, FunctionsAreAsAccurateAsAssumed) {
  const auto check = [](const char* name, double computed, Real exact) {
    const double rounded = std::abs(static_cast<double>(exact));
    const Real ulp =
        static_cast<Real>(std::nextafter(rounded, std::numeric_limits<double>::infinity())) -
        static_cast<Real>(rounded);
    EXPECT_LE(std::abs(static_cast<Real>(computed) - exact), 4.0L * ulp) << name;
  };
  Rng rng(4, 1);
  for (int k = 0; k < 5000; ++k) {
    const double size = std::exp(60.0 * rng.uniform() - 54.0);
    const double x = size * (rng.below(2) == 0 ? 1.0 : -1.0);
    const Real exact = static_cast<Real>(x);
    check("exp", std::exp(x), std::exp(exact));
    check("expm1", std::expm1(x), std::expm1(exact));
    check("log", std::log(size), std::log(static_cast<Real>(size)));
    check("log1p", std::log1p(size), std::log1p(static_cast<Real>(size)));
    if (size < 700.0) {
      check("exp_of_negative", exp_of_negative(-size), std::exp(-static_cast<Real>(size)));
    }
    const Real most = static_cast<Real>(function_error);
    EXPECT_LE(std::abs(static_cast<Real>(sigmoid_of(x)) - exact_sigmoid(exact)), most);
    EXPECT_LE(std::abs(static_cast<Real>(tanh_of(x)) - exact_tanh(exact)), most);
  }
}

TEST(UnitBounds, FunctionsOfExtremeNumbers) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(exp_of_negative(0.0), 1.0);
  EXPECT_EQ(exp_of_negative(-infinity), exp_of_negative(-700.0));
  EXPECT_LT(exp_of_negative(-700.0), 1e-303);
  EXPECT_EQ(sigmoid_of(0.0), 0.5);
  EXPECT_EQ(sigmoid_of(infinity), 1.0);
  EXPECT_EQ(tanh_of(0.0), 0.0);
  EXPECT_EQ(tanh_of(-infinity), -1.0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(sigmoid_of(nan)));
  EXPECT_TRUE(std::isnan(tanh_of(nan)));
  EXPECT_TRUE(std::isnan(relu_of(nan)));
}

// A chord over the top of the slope: a deviation counts with the slope there.
TEST(UnitBounds, TheSlopeBetweenTheEndsCounts) {
  EXPECT_GE(bound_of_sigmoid(-2.0, 2.0, {0.0, 1e-3}, 0.0).high -
                bound_of_sigmoid(-2.0, 2.0, {0.0, 0.0}, 0.0).high,
            0.25e-3 * (1.0 - 1e-9));
  EXPECT_GE(bound_of_tanh(-2.0, 2.0, {0.0, 1e-3}, 0.0).high -
                bound_of_tanh(-2.0, 2.0, {0.0, 0.0}, 0.0).high,
            1e-3 * (1.0 - 1e-9));
}

}  // namespace
}  // namespace isthmus
