// SPDX-License-Identifier: MIT
// Networks that are brought close to each other by their weights or by their activations.
#include "isthmus/net/symmetry/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/symmetry/units.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using testing::activation;
using testing::dense;
using testing::every_kind_of_network;
using testing::random_symmetry;
using testing::random_theta;
using testing::relu;
using testing::samples_for;

std::vector<float> moved(const SymmetryGroup& group,
                         const Symmetry& symmetry,
                         std::vector<float> theta) {
  apply(group, symmetry, theta);
  return theta;
}

// A twin with a little noise: what a search must find is known.
struct Pair {
  std::vector<float> a;
  std::vector<float> b;
  Symmetry symmetry;  // of a into b
};

Pair noisy_twins(const Network& network, std::uint64_t seed, double range) {
  const SymmetryGroup group = symmetries_of(network);
  Pair pair{random_theta(network, seed), {}, random_symmetry(group, seed, range)};
  pair.b = pair.a;
  Rng rng(seed, 9);
  for (float& number : pair.b) {
    number += 0.01F * static_cast<float>(rng.normal());
  }
  apply(group, pair.symmetry, pair.b);
  return pair;
}

TEST(MatchWeights, FindsNoisyTwinsOfEveryKind) {
  std::uint64_t seed = 0;
  for (const Network& network : every_kind_of_network()) {
    SCOPED_TRACE(seed);
    const SymmetryGroup group = symmetries_of(network);
    const Pair pair = noisy_twins(network, ++seed, 3.0);
    const Matching found = match_weights(group, pair.a, pair.b);
    const double least = distance_between(pair.a, moved(group, inverse(pair.symmetry), pair.b));
    EXPECT_LE(found.distance, 1.02 * least);
    EXPECT_NEAR(found.distance,
                distance_between(pair.a, moved(group, found.symmetry, pair.b)),
                1e-5 * found.distance);
    EXPECT_EQ(match_weights(group, pair.a, pair.b).symmetry, found.symmetry);
  }
}

TEST(MatchWeights, IsNeverFartherThanBefore) {
  std::uint64_t seed = 50;
  for (const Network& network : every_kind_of_network()) {
    SCOPED_TRACE(seed);
    const SymmetryGroup group = symmetries_of(network);
    const std::vector<float> a = random_theta(network, ++seed);
    const std::vector<float> b = random_theta(network, ++seed);
    const Matching found = match_weights(group, a, b);
    EXPECT_LE(found.distance, distance_between(a, b));
    EXPECT_EQ(match_weights(group, a, a).distance, 0.0);
    const Matching one = match_weights(group, a, b, {.restarts = 1});
    EXPECT_LE(found.distance, one.distance * (1.0 + 1e-3));
  }
}

// Against every one of 4! x 4! permutations.
TEST(MatchWeights, IsTheBestOfAllPermutations) {
  const Network network{
      {2},
      {dense(4), activation(testing::softmax), dense(4), activation(testing::softmax), dense(2)}};
  const SymmetryGroup group = symmetries_of(network);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> a = random_theta(network, 2 * seed);
    const std::vector<float> b = random_theta(network, 2 * seed + 1);
    double least = distance_between(a, b);
    Symmetry symmetry = identity_of(group);
    do {
      do {
        least = std::min(least, distance_between(a, moved(group, symmetry, b)));
      } while (std::ranges::next_permutation(symmetry[1].source).found);
    } while (std::ranges::next_permutation(symmetry[0].source).found);
    EXPECT_LE(match_weights(group, a, b, {.restarts = 30}).distance, least * (1.0 + 1e-6));
  }
}

TEST(MatchActivations, FindsTwinsOfEveryKind) {
  std::uint64_t seed = 0;
  for (const Network& network : every_kind_of_network()) {
    SCOPED_TRACE(seed);
    const SymmetryGroup group = symmetries_of(network);
    std::vector<float> a = random_theta(network, ++seed);
    for (const Tensor& tensor : group.layout.tensors()) {
      for (std::size_t i = 0; tensor.role == Role::bias && i < tensor.size(); ++i) {
        a[tensor.offset + i] += 1.0F;  // no unit is dead: of those activations tell nothing
      }
    }
    const std::vector<float> b = moved(group, random_symmetry(group, seed, 3.0), a);
    const std::vector<float> inputs = samples_for(network, seed, 600);
    const BatchView batch{
        .count = 600, .inputs = inputs.data(), .streams = is_recurrent(network) ? 20U : 1U};
    const Matching found = match_activations(network, a, b, batch);
    EXPECT_LE(found.distance, 1e-3 * norm(a));
    EXPECT_EQ(match_activations(network, a, b, batch).symmetry, found.symmetry);
  }
}

TEST(Match, RefusesWhatCannotBeAligned) {
  const Network flat{{6}, {dense(3)}};
  const std::vector<float> a = random_theta(flat, 1);
  EXPECT_THROW(match_weights(symmetries_of(flat), a, a), UsageError);
  const float input[6] = {};
  EXPECT_THROW(match_activations(flat, a, a, {.count = 1, .inputs = input}), UsageError);
  const Network network{{6}, {dense(4), activation(relu), dense(3)}};
  const std::vector<float> b = random_theta(network, 1);
  EXPECT_THROW(match_weights(symmetries_of(network), a, b), UsageError);
  EXPECT_THROW(match_weights(symmetries_of(network), b, b, {.restarts = 0}), UsageError);
  EXPECT_THROW(match_activations(network, b, b, {.count = 0, .inputs = input}), UsageError);
  Stop stop;
  stop.request();
  EXPECT_THROW(match_weights(symmetries_of(network), b, random_theta(network, 2), {}, &stop),
               Interrupted);
}

}  // namespace
}  // namespace isthmus
