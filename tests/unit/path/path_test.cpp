// SPDX-License-Identifier: MIT
#include "isthmus/path/path.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

Layout two_layers() {
  Layout layout;
  layout.add("0.weight", {2, 2}, Role::weight);
  layout.add("0.bias", {2}, Role::bias);
  layout.add("1.weight", {1, 2}, Role::weight);
  layout.add("1.bias", {1}, Role::bias);
  return layout;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(a, b, [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

TEST(Interpolate, GivesTheEndsBitForBit) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> a{-0.0f, 1.0f, infinity, nan, tiny, 0.1f};
  const std::vector<float> b{2.0f, -0.0f, 1.0f, 3.0f, -infinity, nan};
  std::vector<float> theta(a.size());
  interpolate(a, b, 0.0, theta);
  EXPECT_TRUE(same_bits(theta, a));
  interpolate(a, b, 1.0, theta);
  EXPECT_TRUE(same_bits(theta, b));
}

TEST(Interpolate, RoundsOnceFromDouble) {
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    const auto a = static_cast<float>(rng.normal());
    const auto b = static_cast<float>(rng.normal());
    const double t = rng.uniform();
    float theta = 0.0f;
    interpolate({&a, 1}, {&b, 1}, t, {&theta, 1});
    const double exact = (1.0 - t) * static_cast<double>(a) + t * static_cast<double>(b);
    EXPECT_EQ(theta, static_cast<float>(exact));
  }
}

TEST(Interpolate, StaysWhereBothEndsAreEqual) {
  Rng rng(2);
  std::vector<float> a(64);
  for (float& x : a) {
    x = static_cast<float>(std::exp(20.0 * rng.normal()));
  }
  std::vector<float> theta(a.size());
  for (int k = 0; k <= 100; ++k) {
    interpolate(a, a, k / 100.0, theta);
    EXPECT_TRUE(same_bits(theta, a)) << k;
  }
}

TEST(Interpolate, RefusesVectorsOfOtherLengths) {
  const std::vector<float> a(3);
  const std::vector<float> b(2);
  std::vector<float> theta(3);
  EXPECT_THROW(interpolate(a, b, 0.5, theta), InternalError);
}

TEST(Length, CountsAllParametersOrWeightsAlone) {
  const Layout layout = two_layers();  // 4 weights, 2 biases, 2 weights, 1 bias
  const Path path{.dimension = 9,
                  .beads = {0, 0, 0, 0, 0,  0, 0, 0, 0,    //
                            3, 0, 0, 0, 12, 0, 0, 4, 0,    // weights move by 5, biases by 12
                            3, 0, 0, 0, 12, 0, 0, 4, 7}};  // a bias alone moves
  const PathLength all = length_of(path, layout, Coordinates::all);
  EXPECT_DOUBLE_EQ(all.length, 13.0 + 7.0);
  EXPECT_DOUBLE_EQ(all.endpoint_distance, std::sqrt(25.0 + 144.0 + 49.0));
  EXPECT_DOUBLE_EQ(all.normalized, 20.0 / std::sqrt(218.0));
  const PathLength weights = length_of(path, layout, Coordinates::weights);
  EXPECT_EQ(weights.length, 5.0);
  EXPECT_EQ(weights.endpoint_distance, 5.0);
  EXPECT_EQ(weights.normalized, 1.0);
}

TEST(Length, OfPathsThatEndWhereTheyStart) {
  Layout layout;
  layout.add("w", {2}, Role::weight);
  const Path still{.dimension = 2, .beads = {1, 2, 1, 2}};
  EXPECT_EQ(length_of(still, layout, Coordinates::all).length, 0.0);
  EXPECT_EQ(length_of(still, layout, Coordinates::all).normalized, 1.0);
  const Path loop{.dimension = 2, .beads = {1, 2, 4, 6, 1, 2}};
  EXPECT_EQ(length_of(loop, layout, Coordinates::all).length, 10.0);
  EXPECT_EQ(length_of(loop, layout, Coordinates::all).endpoint_distance, 0.0);
  EXPECT_TRUE(std::isinf(length_of(loop, layout, Coordinates::all).normalized));
  EXPECT_EQ(length_of(Path{}, layout, Coordinates::all).normalized, 1.0);
}

TEST(Length, SumsManyTermsInDouble) {
  Layout layout;
  layout.add("w", {1u << 20}, Role::weight);
  Path path{.dimension = 1u << 20, .beads = std::vector<float>(2u << 20)};
  std::fill(path.beads.begin() + (1 << 20), path.beads.end(), 0.1f);
  const double exact = 1024.0 * static_cast<double>(0.1f);
  EXPECT_NEAR(length_of(path, layout, Coordinates::all).length, exact, 1e-9);
}

class RandomPolylines : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomPolylines, ObeyTheTriangleInequalityAndRefinement) {
  Rng rng(GetParam());
  const Layout layout = two_layers();
  Path path{.dimension = layout.dimension(), .beads = {}};
  const std::size_t beads = 2 + rng.below(8);
  for (std::size_t i = 0; i < beads * path.dimension; ++i) {
    path.beads.push_back(static_cast<float>(rng.normal()));
  }
  for (const Coordinates coordinates : {Coordinates::all, Coordinates::weights}) {
    const PathLength whole = length_of(path, layout, coordinates);
    EXPECT_GE(whole.length, whole.endpoint_distance * (1.0 - 1e-12));
    EXPECT_GE(whole.normalized, 1.0 - 1e-12);
    // A point on a segment does not change the length; a point anywhere does not shorten it.
    Path refined{.dimension = path.dimension, .beads = {}};
    Path detour = refined;
    std::vector<float> between(path.dimension);
    for (std::size_t i = 0; i < beads; ++i) {
      const auto bead = path.bead(i);
      refined.beads.insert(refined.beads.end(), bead.begin(), bead.end());
      detour.beads.insert(detour.beads.end(), bead.begin(), bead.end());
      if (i + 1 < beads) {
        interpolate(bead, path.bead(i + 1), rng.uniform(), between);
        refined.beads.insert(refined.beads.end(), between.begin(), between.end());
        between[0] += static_cast<float>(rng.normal());
        detour.beads.insert(detour.beads.end(), between.begin(), between.end());
      }
    }
    EXPECT_NEAR(length_of(refined, layout, coordinates).length, whole.length, 1e-5);
    EXPECT_GE(length_of(detour, layout, coordinates).length, whole.length - 1e-5);
    // Reversing keeps it.
    Path reversed{.dimension = path.dimension, .beads = {}};
    for (std::size_t i = beads; i-- > 0;) {
      reversed.beads.insert(reversed.beads.end(), path.bead(i).begin(), path.bead(i).end());
    }
    EXPECT_NEAR(length_of(reversed, layout, coordinates).length, whole.length, 1e-12);
  }
  EXPECT_LE(length_of(path, layout, Coordinates::weights).length,
            length_of(path, layout, Coordinates::all).length);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPolylines, testing::Range<std::uint64_t>(1, 101));

}  // namespace
}  // namespace isthmus
