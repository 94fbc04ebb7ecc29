// SPDX-License-Identifier: MIT
#include "isthmus/path/principal_axes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "isthmus/core/error.h"
#include "isthmus/path/origins.h"

namespace isthmus {
namespace {

Path random_path(std::size_t beads, std::size_t dimension) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  Path path{.dimension = dimension, .beads = std::vector<float>(beads * dimension)};
  std::vector<double> scale(dimension);
  for (std::size_t k = 0; k < dimension; ++k) {
    scale[k] = std::pow(0.5, static_cast<double>(k % 7));
  }
  for (std::size_t i = 0; i < path.beads.size(); ++i) {
    path.beads[i] = static_cast<float>(5.0 + scale[i % dimension] * normal(random));
  }
  return path;
}

// Distances between beads do not depend on the axes: with all of them, none may be lost.
TEST(PrincipalAxes, KeepEveryDistanceBetweenBeads) {
  const Path path = random_path(9, 2500);
  const PrincipalAxes axes = principal_axes(path);
  ASSERT_EQ(axes.variances.size(), 8u);
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      double squares = 0.0;
      for (std::size_t k = 0; k < axes.variances.size(); ++k) {
        squares += std::pow(axes.at(i, k) - axes.at(j, k), 2);
      }
      EXPECT_NEAR(squares / squared_distance(path.bead(i), path.bead(j)), 1.0, 1e-10);
    }
    EXPECT_NEAR(axes.off(i, axes.variances.size()), 0.0, 1e-12);
    EXPECT_GE(axes.off(i, 2), axes.off(i, 3));
  }
}

// Along an axis the coordinates are centred, those of two axes uncorrelated, variances descend.
TEST(PrincipalAxes, AreOrthogonalAndInOrder) {
  const Path path = random_path(12, 40);
  const PrincipalAxes axes = principal_axes(path);
  const std::size_t count = axes.variances.size();
  double shares = 0.0;
  for (std::size_t k = 0; k < count; ++k) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 12; ++i) {
      sum += axes.at(i, k);
    }
    EXPECT_NEAR(sum, 0.0, 1e-9);
    EXPECT_GE(axes.at(11, k), axes.at(0, k));
    EXPECT_GE(k == 0 ? axes.variances[0] : axes.variances[k - 1], axes.variances[k]);
    for (std::size_t l = 0; l <= k; ++l) {
      double product = 0.0;
      for (std::size_t i = 0; i < 12; ++i) {
        product += axes.at(i, k) * axes.at(i, l);
      }
      EXPECT_NEAR(product / 12, k == l ? axes.variances[k] : 0.0, 1e-9);
    }
    shares += axes.shares[k];
  }
  EXPECT_NEAR(shares, 1.0, 1e-12);
}

TEST(PrincipalAxes, OfAStraightLineIsOne) {
  Path path{.dimension = 3, .beads = {1, 2, 3, 2, 4, 5, 3, 6, 7}};
  const PrincipalAxes axes = principal_axes(path);
  ASSERT_EQ(axes.variances.size(), 1u);
  EXPECT_NEAR(axes.at(2, 0) - axes.at(0, 0), std::sqrt(4.0 + 16.0 + 16.0), 1e-12);
  EXPECT_EQ(axes.at(1, 2), 0.0);
  path.beads.resize(6);
  EXPECT_EQ(principal_axes(path).variances.size(), 1u);
  path.beads = {1, 2, 3, 1, 2, 3};
  EXPECT_TRUE(principal_axes(path).variances.empty());
  path.beads.resize(3);
  EXPECT_THROW(principal_axes(path), UsageError);
}

TEST(BeadOrigins, ComeBackFromTheTextOfAPathFile) {
  PathFile file;
  file.path = random_path(4, 2);
  EXPECT_TRUE(origins_of(file, "old").empty());
  const std::vector<BeadOrigin> origins{
      {}, {.round = 2}, {.round = 1, .t = 0.25, .between = std::pair{0u, 3u}}, {}};
  file.metadata["growth"] = to_text(origins);
  EXPECT_EQ(origins_of(file, "new"), origins);
  for (const char* wrong : {"[[0],[0]]",
                            "{",
                            "[[0],[1,0.5,0,2],[1],[0]]",
                            "[[0],[1,1.5,0,3],[0],[0]]",
                            "[[0],[1,\"x\",0,3],[0],[0]]",
                            "[[0],[1,0.5,0,9],[0],[0]]"}) {
    file.metadata["growth"] = wrong;
    EXPECT_THROW(origins_of(file, "wrong"), DataError) << wrong;
  }
}

}  // namespace
}  // namespace isthmus
