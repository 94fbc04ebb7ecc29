// SPDX-License-Identifier: MIT
// What leaves a network's function alone: every layer kind, against the engine.
#include "isthmus/net/symmetry/symmetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using testing::activation;
using testing::dense;
using testing::every_kind_of_network;
using testing::forward;
using testing::random_symmetry;
using testing::random_theta;
using testing::relu;
using testing::softmax;

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

TEST(Symmetry, LeavesEveryFunctionAlone) {
  std::uint64_t seed = 0;
  for (const Network& network : every_kind_of_network()) {
    const SymmetryGroup group = symmetries_of(network);
    for (int repeat = 0; repeat < 5; ++repeat) {
      SCOPED_TRACE("network " + std::to_string(seed / 5) + ", seed " + std::to_string(seed));
      const std::vector<float> theta = random_theta(network, seed);
      const Symmetry symmetry = random_symmetry(group, seed, 10.0);
      std::vector<float> moved = theta;
      apply(group, symmetry, moved);
      EXPECT_NE(moved, theta);
      const std::vector<double> before = forward(network, theta, seed);
      EXPECT_LT(largest_difference(before, forward(network, moved, seed)), 2e-5);
      // The oracle of the test itself: other numbers are another function.
      moved.front() += 1.0F;
      moved.back() += 1.0F;
      EXPECT_GT(largest_difference(before, forward(network, moved, seed)), 1e-4);
      ++seed;
    }
  }
}

TEST(Symmetry, IsAGroup) {
  std::uint64_t seed = 100;
  for (const Network& network : every_kind_of_network()) {
    const SymmetryGroup group = symmetries_of(network);
    const std::vector<float> theta = random_theta(network, ++seed);
    const Symmetry first = random_symmetry(group, ++seed, 3.0);
    const Symmetry second = random_symmetry(group, ++seed, 3.0);
    std::vector<float> one_by_one = theta;
    apply(group, first, one_by_one);
    apply(group, second, one_by_one);
    std::vector<float> at_once = theta;
    apply(group, compose(first, second), at_once);
    std::vector<float> back = one_by_one;
    apply(group, inverse(compose(first, second)), back);
    for (std::size_t i = 0; i < theta.size(); ++i) {
      ASSERT_NEAR(at_once[i], one_by_one[i], 2e-6 * (1.0 + std::abs(at_once[i])));
      ASSERT_NEAR(back[i], theta[i], 2e-6 * (1.0 + std::abs(theta[i])));
    }
    const Symmetry none = compose(first, inverse(first));
    for (std::size_t d = 0; d < none.size(); ++d) {
      EXPECT_EQ(none[d].source, identity_of(group)[d].source);
      EXPECT_NEAR(*std::ranges::max_element(none[d].factor), 1.0, 1e-12);
      EXPECT_NEAR(*std::ranges::min_element(none[d].factor), 1.0, 1e-12);
    }
    EXPECT_TRUE(is_identity(identity_of(group)));
    EXPECT_FALSE(is_identity(first));
  }
}

// What is free, dimension by dimension.
void expect_dimensions(const Network& network, const std::vector<std::string>& expected) {
  std::vector<std::string> found;
  for (const HiddenDimension& dimension : symmetries_of(network).dimensions) {
    found.push_back(describe(dimension));
  }
  EXPECT_EQ(found, expected);
}

TEST(Symmetry, SaysWhatIsFree) {
  const std::vector<Network> all = every_kind_of_network();
  expect_dimensions(all[0],
                    {"0: 8 units, permutations, positive factors",
                     "2: 7 units, permutations, signs",
                     "4: 5 units, permutations, positive factors, signs"});
  expect_dimensions(all[1], {"0: 8 units, permutations, signs", "2: 7 units, permutations, signs"});
  expect_dimensions(all[2], {"0: 8 units, permutations", "2: 7 units, permutations, signs"});
  expect_dimensions(all[4], {"0: 8 units, permutations"});
  expect_dimensions(all[5], {"0: 8 units, permutations"});
  // Zeros around an image are not 1 - 0.
  expect_dimensions(all[8], {"0: 4 units, permutations", "2: 3 units, permutations, signs"});
  // A norm over some of the channels keeps them in their places, one over all of them does not.
  expect_dimensions(all[9], {"3: 4 units, permutations, signs"});
  expect_dimensions(all[10],
                    {"0: 5 units, permutations, positive factors, signs",
                     "1: 6 units, permutations, signs",
                     "2: 4 units, permutations, signs"});
  expect_dimensions(all[12],
                    {"0 and 2: 5 units, permutations, signs", "1: 6 units, permutations, signs"});
  expect_dimensions(all[14], {"0: 5 units, permutations, signs"});
  expect_dimensions(all[15], {"0 and 1: 5 units, permutations"});
  expect_dimensions({{6}, {dense(3)}}, {});
  expect_dimensions({{6}, {Activation{relu}, dense(3), Activation{softmax}}}, {});
}

TEST(Symmetry, PowersAreACurveOfOneFunction) {
  const Network network{
      {6}, {dense(8), activation(relu), dense(7), activation(relu), dense(5), dense(3)}};
  const SymmetryGroup group = symmetries_of(network);
  const std::vector<float> theta = random_theta(network, 1);
  Symmetry symmetry = random_symmetry(group, 2, 100.0);
  for (double& factor : symmetry.back().factor) {
    factor = std::abs(factor);
  }
  const std::vector<double> before = forward(network, theta, 3);
  for (const double t : {0.0, 0.3, 1.0}) {
    std::vector<float> point = theta;
    apply(group, power(symmetry, t), point);
    EXPECT_LT(largest_difference(before, forward(network, point, 3)), 1e-5) << t;
  }
  // At its end the permutations are all that is missing.
  std::vector<float> end = theta;
  apply(group, power(symmetry, 1.0), end);
  Symmetry rest = symmetry;
  for (UnitMap& map : rest) {
    std::ranges::fill(map.factor, 1.0);
  }
  apply(group, rest, end);
  std::vector<float> moved = theta;
  apply(group, symmetry, moved);
  EXPECT_EQ(end, moved);
  symmetry.back().factor[0] = -1.0;
  EXPECT_THROW(power(symmetry, 0.5), UsageError);
}

TEST(Symmetry, RefusesWhatIsNoneOfTheGroup) {
  const Network network{{6}, {dense(4), activation(relu), dense(3)}};
  const SymmetryGroup group = symmetries_of(network);
  std::vector<float> theta = random_theta(network, 1);
  const auto refused = [&](const Symmetry& symmetry) {
    EXPECT_THROW(apply(group, symmetry, theta), UsageError);
  };
  Symmetry wrong = identity_of(group);
  wrong[0].factor[1] = -1.0;
  refused(wrong);
  wrong[0].factor[1] = 0.0;
  refused(wrong);
  wrong = identity_of(group);
  wrong[0].source[1] = 0;
  refused(wrong);
  wrong = identity_of(group);
  wrong[0].factor.pop_back();
  refused(wrong);
  refused({});
  theta.pop_back();
  refused(identity_of(group));
}

}  // namespace
}  // namespace isthmus
