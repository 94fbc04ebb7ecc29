// SPDX-License-Identifier: MIT
#include "isthmus/certify/lower_bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using Values = std::vector<double>;

// The mean over the samples of |output - target|^2, by the definition.
double loss_of(const BarrierBounds& bounds, std::span<const double> theta) {
  const auto [inputs, hidden, outputs, biases] = bounds.network;
  double sum = 0.0;
  for (std::size_t i = 0; i < bounds.samples(); ++i) {
    for (std::size_t k = 0; k < outputs; ++k) {
      double error = -bounds.targets[i * outputs + k];
      for (std::size_t j = 0; j < hidden; ++j) {
        double z = 0.0;
        for (std::size_t c = 0; c < inputs; ++c) {
          z += theta[j * inputs + c] * bounds.inputs[i * inputs + c];
        }
        error += theta[hidden * inputs + k * hidden + j] * std::max(0.0, z);
      }
      sum += error * error;
    }
  }
  return sum / static_cast<double>(bounds.samples());
}

// What is left of the targets, as a mean over the samples, after the projection on the columns
// (Gram-Schmidt): the least loss of a network with these hidden values.
double residual(Values targets, std::size_t outputs, std::vector<Values> columns) {
  const std::size_t samples = targets.size() / outputs;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    double length = 0.0;
    for (const double value : columns[c]) {
      length += value * value;
    }
    if (length < 1e-20) {
      continue;
    }
    for (std::size_t later = c + 1; later < columns.size(); ++later) {
      double product = 0.0;
      for (std::size_t i = 0; i < samples; ++i) {
        product += columns[c][i] * columns[later][i];
      }
      for (std::size_t i = 0; i < samples; ++i) {
        columns[later][i] -= product / length * columns[c][i];
      }
    }
    for (std::size_t k = 0; k < outputs; ++k) {
      double product = 0.0;
      for (std::size_t i = 0; i < samples; ++i) {
        product += columns[c][i] * targets[i * outputs + k];
      }
      for (std::size_t i = 0; i < samples; ++i) {
        targets[i * outputs + k] -= product / length * columns[c][i];
      }
    }
  }
  double sum = 0.0;
  for (const double value : targets) {
    sum += value * value;
  }
  return sum / static_cast<double>(samples);
}

Values hidden_values(const BarrierBounds& bounds, std::array<double, 2> w) {
  Values values;
  for (std::size_t i = 0; i < bounds.samples(); ++i) {
    values.push_back(std::max(0.0, w[0] * bounds.inputs[2 * i] + w[1] * bounds.inputs[2 * i + 1]));
  }
  return values;
}

double determinant(std::span<const double> m, std::size_t size) {
  if (size == 2) {
    return m[0] * m[3] - m[1] * m[2];
  }
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
         m[2] * (m[3] * m[7] - m[4] * m[6]);
}

// What changes sign along the path: det W1 for two units, det relu(W1 X) for three.
double separating_determinant(const BarrierBounds& bounds, std::span<const double> theta) {
  if (bounds.network.hidden == 2) {
    return determinant(theta, 2);
  }
  Values h;
  for (std::size_t j = 0; j < 3; ++j) {
    const Values row = hidden_values(bounds, {theta[2 * j], theta[2 * j + 1]});
    h.insert(h.end(), row.begin(), row.end());
  }
  return determinant(h, 3);
}

// No sample of the path exceeds the upper bound, and one comes near.
void expect_upper_bound(const BarrierBounds& bounds) {
  const std::size_t dimension = bounds.network.dimension();
  const std::span<const double> path = bounds.path;
  double largest = 0.0;
  for (std::size_t m = 0; m + 1 < bounds.path_points(); ++m) {
    for (int k = 0; k <= 20; ++k) {
      Values theta(dimension);
      for (std::size_t p = 0; p < dimension; ++p) {
        const double t = k / 20.0;
        theta[p] = (1.0 - t) * path[m * dimension + p] + t * path[(m + 1) * dimension + p];
      }
      largest = std::max(largest, loss_of(bounds, theta));
    }
  }
  EXPECT_LE(largest, bounds.upper * (1.0 + 1e-9));
  EXPECT_GE(largest, bounds.upper * (1.0 - 1e-2));
  EXPECT_GE(largest, bounds.lower);
}

// The path joins a network of loss 0 and the same with its units exchanged, on both sides of the
// separating set.
void expect_path(const BarrierBounds& bounds) {
  const std::size_t dimension = bounds.network.dimension();
  ASSERT_GE(bounds.path_points(), 3u);
  const std::span<const double> path = bounds.path;
  const auto first = path.first(dimension);
  const auto last = path.last(dimension);
  Values exchanged(first.begin(), first.end());
  const auto [one, two] = bounds.exchanged;
  for (std::size_t c = 0; c < 2; ++c) {
    std::swap(exchanged[2 * one + c], exchanged[2 * two + c]);
  }
  for (std::size_t k = 0; k < bounds.network.outputs; ++k) {
    const std::size_t row = bounds.network.hidden * (2 + k);
    std::swap(exchanged[row + one], exchanged[row + two]);
  }
  EXPECT_EQ(Values(last.begin(), last.end()), exchanged);
  EXPECT_LT(loss_of(bounds, first), 1e-20);
  const double start = separating_determinant(bounds, first);
  EXPECT_GT(std::abs(start), 1e-3);
  EXPECT_EQ(separating_determinant(bounds, last), -start);
  expect_upper_bound(bounds);
}

TwoGaussiansOptions gaussians(double covariance, std::uint64_t seed, GaussianTarget target) {
  return {.covariance = covariance, .seed = seed, .target = target};
}

TEST(TwoGaussians, BoundsMeetWithinThreePercent) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const BarrierBounds bounds =
        two_gaussians_bounds(gaussians(0.05, seed, GaussianTarget::outputs));
    EXPECT_EQ(bounds.samples(), 400u);
    EXPECT_GT(bounds.lower, 0.15);
    EXPECT_GE(bounds.upper, bounds.lower);
    EXPECT_LE(bounds.upper, 1.03 * bounds.lower);
    expect_path(bounds);
  }
}

TEST(TwoGaussians, NoSampledDirectionIsBelowTheBound) {
  for (const GaussianTarget target :
       {GaussianTarget::outputs, GaussianTarget::difference, GaussianTarget::sum}) {
    for (const double covariance : {0.0025, 0.05, 1.0}) {
      SCOPED_TRACE(covariance);
      TwoGaussiansOptions options = gaussians(covariance, 5, target);
      options.samples = 80;
      options.sample = GaussianSample::independent;
      const BarrierBounds bounds = two_gaussians_bounds(options);
      double least = HUGE_VAL;
      for (int k = 0; k < 5000; ++k) {
        const double angle = 2.0 * std::numbers::pi * k / 5000.0;
        const std::array<double, 2> u{std::cos(angle), std::sin(angle)};
        const Interval enclosed = loss_on_singular_set({bounds.inputs, bounds.targets}, u);
        least = std::min(least, enclosed.high);
        EXPECT_LE(enclosed.width(), 1e-12);
        if (k % 100 == 0) {
          const double expected =
              residual(bounds.targets,
                       bounds.network.outputs,
                       {hidden_values(bounds, u), hidden_values(bounds, {-u[0], -u[1]})});
          EXPECT_NEAR(enclosed.low, expected, 1e-12);
        }
      }
      EXPECT_LE(bounds.lower, least);
      EXPECT_GE(bounds.lower, 0.99 * least);
      EXPECT_LE(bounds.lower, bounds.upper);
    }
  }
}

TEST(TwoGaussians, NetworksWithSingularWeightsAreAboveTheBound) {
  const BarrierBounds bounds = two_gaussians_bounds({});
  Rng rng(1, 2);
  for (int k = 0; k < 2000; ++k) {
    const std::array<double, 2> u{rng.normal(), rng.normal()};
    const double scale = rng.normal();
    const double best =
        residual(bounds.targets,
                 2,
                 {hidden_values(bounds, u), hidden_values(bounds, {scale * u[0], scale * u[1]})});
    EXPECT_GE(best, bounds.lower);
  }
}

TEST(TwoGaussians, OtherCovariancesAndTargets) {
  for (const GaussianSample sample : {GaussianSample::symmetric, GaussianSample::independent}) {
    for (const GaussianTarget target :
         {GaussianTarget::outputs, GaussianTarget::difference, GaussianTarget::sum}) {
      for (const double covariance : {1e-3, 0.3, 4.0}) {
        TwoGaussiansOptions options = gaussians(covariance, 1, target);
        options.sample = sample;
        options.samples = 80;
        options.directions = 120;
        const BarrierBounds bounds = two_gaussians_bounds(options);
        SCOPED_TRACE(bounds.data);
        EXPECT_GE(bounds.lower, 0.0);
        EXPECT_LE(bounds.lower, bounds.upper);
        expect_path(bounds);
      }
    }
  }
}

TEST(PoorMinimum, EndsAreApartAndHaveTheLossesOfTheirMixture) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const BarrierBounds bounds = poor_minimum_bounds({.seed = seed});
    EXPECT_EQ(bounds.samples(), 1200u);
    const std::span<const double> path = bounds.path;
    const auto a = path.first(8);
    const auto b = path.last(8);
    EXPECT_EQ(Values(a.begin(), a.end()), (Values{1, 0, 0, 1, 1, 0, 0, 1}));
    EXPECT_NEAR(separating_determinant(bounds, b), -1.0, 1e-12);
    // E |Phi - Phi'|^2, of which A misses a third and B two.
    double between = 0.0;
    for (std::size_t i = 0; i < bounds.samples(); i += 3) {
      for (const std::size_t k : {0u, 1u}) {
        EXPECT_EQ(bounds.targets[2 * i + k], bounds.targets[2 * (i + 1) + k]);
        const double difference = bounds.targets[2 * i + k] - bounds.targets[2 * (i + 2) + k];
        between += difference * difference / 400.0;
      }
    }
    ASSERT_TRUE(bounds.ends);
    EXPECT_NEAR(bounds.ends->a.high, between / 3.0, 1e-12);
    EXPECT_NEAR(bounds.ends->b.high, 2.0 * between / 3.0, 1e-12);
    EXPECT_LT(bounds.ends->a.high, bounds.ends->b.low);
    EXPECT_LT(bounds.ends->b.high, bounds.lower);
    const double descended =
        residual(bounds.targets,
                 2,
                 {hidden_values(bounds, {b[0], b[1]}), hidden_values(bounds, {b[2], b[3]})});
    EXPECT_NEAR(bounds.ends->below_b.high, descended, 1e-12);
    EXPECT_LT(bounds.ends->below_b.high, bounds.ends->b.low) << "B is no local minimum";
    expect_upper_bound(bounds);
    EXPECT_LE(bounds.upper, 1.1 * bounds.lower);
  }
}

TEST(PoorMinimum, NoSampledDirectionIsBelowTheBound) {
  const BarrierBounds bounds = poor_minimum_bounds({.samples = 80, .seed = 4});
  double least = HUGE_VAL;
  for (int k = 0; k < 5000; ++k) {
    const double angle = 2.0 * std::numbers::pi * k / 5000.0;
    const std::array<double, 2> u{std::cos(angle), std::sin(angle)};
    least = std::min(
        least,
        residual(
            bounds.targets, 2, {hidden_values(bounds, u), hidden_values(bounds, {-u[0], -u[1]})}));
  }
  EXPECT_LE(bounds.lower, least);
  EXPECT_GE(bounds.lower, 0.99 * least);
}

TEST(TwoGaussians, EqualOptionsGiveEqualNumbers) {
  const BarrierBounds one = two_gaussians_bounds({});
  const BarrierBounds other = two_gaussians_bounds({});
  EXPECT_EQ(one.lower, other.lower);
  EXPECT_EQ(one.upper, other.upper);
  EXPECT_EQ(one.path, other.path);
}

TEST(TwoGaussians, AnInterpolatedSampleHasNoBarrier) {
  for (const std::size_t samples : {2U, 3U}) {
    TwoGaussiansOptions options;
    options.sample = GaussianSample::independent;
    options.samples = samples;
    const BarrierBounds bounds = two_gaussians_bounds(options);
    EXPECT_LE(bounds.lower, bounds.upper);
    double least = HUGE_VAL;
    for (int k = 0; k < 1000; ++k) {
      const double angle = 2.0 * std::numbers::pi * k / 1000.0;
      least = std::min(
          least,
          loss_on_singular_set({bounds.inputs, bounds.targets}, {std::cos(angle), std::sin(angle)})
              .high);
    }
    EXPECT_LE(bounds.lower, least);
  }
}

TEST(TwoGaussians, RefusesOptionsOutOfRange) {
  const auto refused = [](auto change) {
    TwoGaussiansOptions options;
    change(options);
    EXPECT_THROW(two_gaussians_bounds(options), UsageError);
  };
  for (const double covariance : {0.0, -1.0, std::nan(""), HUGE_VAL, 1e7}) {
    refused([&](TwoGaussiansOptions& o) { o.covariance = covariance; });
  }
  for (const std::size_t samples : {0U, 4U, 401U, 1000000U}) {
    refused([&](TwoGaussiansOptions& o) { o.samples = samples; });
  }
  refused([](TwoGaussiansOptions& o) { o.tolerance = 0.0; });
  refused([](TwoGaussiansOptions& o) { o.tolerance = std::nan(""); });
  refused([](TwoGaussiansOptions& o) { o.directions = 90; });
}

BarrierBounds permuted(const Points& points) {
  return permuted_points_bounds({.points = points});
}

// A triangle around the origin.
Points random_triangle(std::uint64_t seed) {
  Rng rng(seed, stream_name({0x747269U}));
  const double first = rng.uniform(0.0, 2.0 * std::numbers::pi);
  const double second = first + rng.uniform(0.3, 2.9);
  const double third = rng.uniform(first + std::numbers::pi + 0.1, second + std::numbers::pi - 0.1);
  Points points{};
  std::size_t k = 0;
  for (const double angle : {first, second, third}) {
    const double radius = rng.uniform(0.3, 2.0);
    points[k++] = {radius * std::cos(angle), radius * std::sin(angle)};
  }
  return points;
}

TEST(PermutedPoints, OfAnEquilateralTriangle) {
  const BarrierBounds bounds = permuted(equilateral_points());
  EXPECT_LE(bounds.lower, 1.0 / 6.0 + 1e-15);
  EXPECT_GE(bounds.lower, 1.0 / 6.0 - 1e-14);
  EXPECT_GE(bounds.upper, 1.0 / 6.0);
  EXPECT_LE(bounds.upper, 0.18);
  EXPECT_LE(bounds.upper, 1.001 / 6.0);
  expect_path(bounds);
}

TEST(PermutedPoints, TheOffsetDecidesHowNearThePathComes) {
  double before = HUGE_VAL;
  for (const double offset : {0x1p-2, 0x1p-4, 0x1p-8, 0x1p-12, 0x1p-16, 0x1p-20}) {
    const BarrierBounds bounds =
        permuted_points_bounds({.points = equilateral_points(), .offset = offset});
    EXPECT_LT(bounds.upper, before);
    // (1 + eta)^2 / (2 + eta^2) / 3 with eta = offset / cos 45 degrees
    const double eta = offset * std::numbers::sqrt2;
    EXPECT_NEAR(bounds.upper, (1 + eta) * (1 + eta) / (2 + eta * eta) / 3.0, 1e-4);
    before = bounds.upper;
  }
}

TEST(PermutedPoints, BothBoundsMeetForEveryTriangleAroundTheOrigin) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const BarrierBounds bounds = permuted(random_triangle(seed));
    EXPECT_GT(bounds.lower, 0.0);
    EXPECT_LE(bounds.lower, bounds.upper);
    EXPECT_LE(bounds.upper, 1.05 * bounds.lower);
    expect_path(bounds);
  }
}

TEST(PermutedPoints, NoSampledNormalIsBelowTheBound) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Points x = random_triangle(seed);
    const BarrierBounds bounds = permuted(x);
    Rng rng(seed, 9);
    double least = HUGE_VAL;
    for (int k = 0; k < 100000; ++k) {
      const std::array<double, 3> n{rng.normal(), rng.normal(), rng.normal()};
      const bool positive = n[0] > 0 && n[1] > 0 && n[2] > 0;
      const bool negative = n[0] < 0 && n[1] < 0 && n[2] < 0;
      if (positive || negative) {
        continue;
      }
      const double u = n[0] * x[1][0] + n[1] * x[2][0] + n[2] * x[0][0];
      const double v = n[0] * x[1][1] + n[1] * x[2][1] + n[2] * x[0][1];
      least = std::min(least, (u * u + v * v) / (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) / 3.0);
    }
    EXPECT_LE(bounds.lower, least);
    EXPECT_GE(bounds.lower, 0.5 * least);
  }
}

// Networks with det relu(W1 X) = 0: a unit is dead, or two see the same, or a random one is moved
// to the zero of the determinant on a segment.
TEST(PermutedPoints, SingularNetworksAreAboveTheBound) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const BarrierBounds bounds = permuted(random_triangle(seed));
    Rng rng(seed, 10);
    int crossings = 0;
    for (int k = 0; k < 2000; ++k) {
      Values from(12);
      Values to(12);
      for (std::size_t p = 0; p < 6; ++p) {
        from[p] = rng.normal();
        to[p] = rng.normal();
      }
      const bool negative = separating_determinant(bounds, from) < 0.0;
      if (negative == (separating_determinant(bounds, to) < 0.0)) {
        continue;
      }
      for (int step = 0; step < 60; ++step) {
        Values middle(12);
        for (std::size_t p = 0; p < 6; ++p) {
          middle[p] = 0.5 * (from[p] + to[p]);
        }
        (negative == (separating_determinant(bounds, middle) < 0.0) ? from : to) = middle;
      }
      // On the set up to rounding, a normal of which is in the span of any two rows; drop each
      // unit.
      double least = HUGE_VAL;
      for (std::size_t unit = 0; unit < 3; ++unit) {
        std::vector<Values> columns;
        for (std::size_t j = 0; j < 3; ++j) {
          if (j != unit) {
            columns.push_back(hidden_values(bounds, {to[2 * j], to[2 * j + 1]}));
          }
        }
        least = std::min(least, residual(bounds.targets, 2, columns));
      }
      ++crossings;
      EXPECT_GE(least, bounds.lower * (1.0 - 1e-9));
    }
    EXPECT_GT(crossings, 50);
  }
}

TEST(PermutedPoints, ScalesWithThePointsAndNotWithTheirNames) {
  const Points points = random_triangle(7);
  const double lower = permuted(points).lower;
  Points scaled = points;
  for (auto& point : scaled) {
    point = {8.0 * point[0], 8.0 * point[1]};
  }
  EXPECT_NEAR(permuted(scaled).lower, 64.0 * lower, 1e-12 * lower);
  EXPECT_NEAR(permuted({points[1], points[2], points[0]}).lower, lower, 1e-14 * lower);
  EXPECT_NEAR(permuted({points[1], points[0], points[2]}).lower, lower, 1e-14 * lower);
}

// An exchange of all three units in a circle keeps the sign of the determinant, and costs nothing.
TEST(PermutedPoints, ACycleOfTheUnitsHasNoBarrier) {
  const BarrierBounds bounds = permuted(equilateral_points());
  Values path;
  constexpr int steps = 2000;
  for (int k = 0; k <= steps; ++k) {
    const double turn = 2.0 * std::numbers::pi / 3.0 * k / steps;
    std::array<double, 3> circulant{};
    for (std::size_t j = 0; j < 3; ++j) {
      const double angle = turn + 2.0 * std::numbers::pi / 3.0 * static_cast<double>(j);
      path.insert(path.end(), {std::cos(angle), std::sin(angle)});
      circulant[j] = std::max(0.0, std::cos(angle));
    }
    // H is the circulant of relu cos: W2 = Y H^-1, by the adjugate.
    const auto [a, b, c] = circulant;
    const double h[9] = {
        a, c, b, b, a, c, c, b, a};  // h[unit][point] = relu cos(angle_j - angle_i)
    const double d = determinant(h, 3);
    EXPECT_GE(d, 0.25 - 1e-12);
    for (std::size_t o = 0; o < 2; ++o) {
      for (std::size_t j = 0; j < 3; ++j) {
        Values replaced(h, h + 9);  // Cramer: row j of H by the targets
        for (std::size_t i = 0; i < 3; ++i) {
          replaced[3 * j + i] = bounds.targets[2 * i + o];
        }
        path.push_back(determinant(replaced, 3) / d);
      }
    }
  }
  const LossMaximum found =
      maximum_on_path(bounds.network, {bounds.inputs, bounds.targets}, Loss::squared, path);
  EXPECT_LT(found.upper, 1e-10);
}

TEST(PermutedPoints, SaysWhenNothingIsProven) {
  for (const Points& points : {Points{{{1.0, 0.0}, {2.0, 1.0}, {1.0, 1.0}}},
                               Points{{{1.0, 0.0}, {-1.0, 0.0}, {0.0, 1.0}}},
                               Points{{{0.0, 0.0}, {1.0, 0.0}, {0.0, 1.0}}}}) {
    const BarrierBounds bounds = permuted(points);
    EXPECT_EQ(bounds.lower, 0.0);
    EXPECT_NE(bounds.lower_rests_on.find("origin"), std::string::npos);
    EXPECT_EQ(bounds.path_points(), 0u);
    EXPECT_NEAR(bounds.upper, loss_of(bounds, Values(12)), 1e-14);
  }
}

TEST(PermutedPoints, RefusesWhatIsNoTriangle) {
  EXPECT_THROW(permuted({{{0, 0}, {1, 1}, {2, 2}}}), UsageError);
  EXPECT_THROW(permuted({{{1, 0}, {1, 0}, {0, 1}}}), UsageError);
  EXPECT_THROW(permuted({{{std::nan(""), 0}, {1, 0}, {0, 1}}}), UsageError);
  EXPECT_THROW(permuted({{{HUGE_VAL, 0}, {1, 0}, {0, 1}}}), UsageError);
  EXPECT_THROW(permuted_points_bounds({.points = equilateral_points(), .offset = 0.0}), UsageError);
  EXPECT_THROW(permuted_points_bounds({.points = equilateral_points(), .offset = 0.5}), UsageError);
}

TEST(PointsFile, IsReadStrictly) {
  const testing::TemporaryFolder folder;
  const auto points = read_points(folder.write("good", "1 0\n-0.5 1e0\r\n -5e-1\t-1\n"));
  EXPECT_EQ(points[1], (std::array<double, 2>{-0.5, 1.0}));
  EXPECT_EQ(points[2], (std::array<double, 2>{-0.5, -1.0}));
  EXPECT_EQ(read_points(folder.write("uncut", "1 0\n0 1\n-1 -1"))[2][0], -1.0);
  for (const char* text : {"",
                           "1 0\n0 1\n",
                           "1 0\n0 1\n-1 -1\n0 0\n",
                           "1 0\n0 1 2\n-1 -1\n",
                           "1 0\n0\n-1 -1\n",
                           "1,0\n0,1\n-1,-1\n",
                           "1 0\n\n-1 -1\n",
                           "1 0\n0 nan\n-1 -1\n",
                           "1 0\n0 inf\n-1 -1\n",
                           "1 0\n0 1e999\n-1 -1\n",
                           "1 0\n0 x\n-1 -1\n",
                           "0 0\n1 1\n2 2\n"}) {
    SCOPED_TRACE(text);
    EXPECT_THROW(read_points(folder.write("bad", text)), DataError);
  }
  EXPECT_THROW(read_points(folder / "missing"), MissingInput);
}

}  // namespace
}  // namespace isthmus
