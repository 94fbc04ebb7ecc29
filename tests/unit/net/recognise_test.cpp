// SPDX-License-Identifier: MIT
// Twins of every kind of network are recognised, and nothing else is.
#include "isthmus/net/symmetry/recognise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using testing::activation;
using testing::dense;
using testing::every_kind_of_network;
using testing::random_symmetry;
using testing::random_theta;
using testing::relu;

void expect_twins(const Network& network, const std::vector<float>& a, const Symmetry& symmetry) {
  const SymmetryGroup group = symmetries_of(network);
  std::vector<float> b = a;
  apply(group, symmetry, b);
  const Recognition found = recognise(group, a, b);
  ASSERT_TRUE(found.equal) << found.reason;
  EXPECT_LT(found.difference, 1e-6);
  ASSERT_EQ(found.symmetry.size(), symmetry.size());
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    EXPECT_EQ(found.symmetry[d].source, symmetry[d].source) << d;
    for (std::size_t u = 0; u < symmetry[d].factor.size(); ++u) {
      EXPECT_NEAR(found.symmetry[d].factor[u] / symmetry[d].factor[u], 1.0, 1e-5) << d << " " << u;
    }
  }
}

TEST(Recognise, TwinsOfEveryKind) {
  std::uint64_t seed = 0;
  for (const Network& network : every_kind_of_network()) {
    for (int repeat = 0; repeat < 5; ++repeat, ++seed) {
      SCOPED_TRACE("network " + std::to_string(seed / 5) + ", seed " + std::to_string(seed));
      expect_twins(network,
                   random_theta(network, seed),
                   random_symmetry(symmetries_of(network), seed, 100.0));
    }
  }
}

TEST(Recognise, OthersAreNoTwins) {
  std::uint64_t seed = 0;
  for (const Network& network : every_kind_of_network()) {
    SCOPED_TRACE(seed);
    const SymmetryGroup group = symmetries_of(network);
    const std::vector<float> a = random_theta(network, ++seed);
    const Recognition other = recognise(group, a, random_theta(network, seed + 1000));
    EXPECT_FALSE(other.equal);
    EXPECT_FALSE(other.reason.empty());
    // One number of one unit.
    std::vector<float> b = a;
    apply(group, random_symmetry(group, seed, 100.0), b);
    Rng rng(seed);
    float& number = b[rng.below(b.size())];
    number = number * 1.5F + (number < 0.0F ? -1.0F : 1.0F);
    EXPECT_FALSE(recognise(group, a, b).equal);
  }
}

// Units that are the same from the input side, units without any weight, and units that are the
// same on both sides.
TEST(Recognise, UnitsThatLookAlike) {
  const Network network{{4}, {dense(9), activation(relu), dense(8), activation(relu), dense(3)}};
  const SymmetryGroup group = symmetries_of(network);
  const auto& tensors = group.layout.tensors();
  std::vector<float> a = random_theta(network, 3);
  const auto copy_in = [&](std::size_t from, std::size_t to, float factor) {
    for (std::size_t k = 0; k < 4; ++k) {
      a[tensors[0].offset + to * 4 + k] = factor * a[tensors[0].offset + from * 4 + k];
    }
    a[tensors[1].offset + to] = factor * a[tensors[1].offset + from];
  };
  const auto copy_out = [&](std::size_t from, std::size_t to, float factor) {
    for (std::size_t o = 0; o < 8; ++o) {
      a[tensors[2].offset + o * 9 + to] = factor * a[tensors[2].offset + o * 9 + from];
    }
  };
  copy_in(0, 1, 2.0F);  // alike before, not behind
  copy_in(0, 2, 1.0F);
  copy_in(3, 4, 3.0F);  // alike on both sides
  copy_out(3, 4, 1.0F / 3.0F);
  copy_in(5, 5, 0.0F);  // nothing before
  copy_in(6, 6, 0.0F);
  copy_in(7, 7, 0.0F);  // nothing at all
  copy_out(7, 7, 0.0F);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<float> b = a;
    apply(group, random_symmetry(group, seed, 100.0), b);
    const Recognition found = recognise(group, a, b);
    ASSERT_TRUE(found.equal) << found.reason;
    EXPECT_LT(found.difference, 1e-6);
    std::vector<float> moved = a;
    apply(group, found.symmetry, moved);
    for (std::size_t i = 0; i < b.size(); ++i) {
      ASSERT_NEAR(moved[i], b[i], 1e-4 * (1e-3 + std::abs(b[i])));
    }
  }
}

TEST(Recognise, AStackWithoutHiddenUnits) {
  const Network network{{4}, {dense(3)}};
  const SymmetryGroup group = symmetries_of(network);
  const std::vector<float> a = random_theta(network, 1);
  EXPECT_TRUE(recognise(group, a, a).equal);
  EXPECT_FALSE(recognise(group, a, random_theta(network, 2)).equal);
  EXPECT_THROW(recognise(group, a, std::vector<float>(3)), UsageError);
}

// The published networks: 3.3 and 4.7 million parameters.
TEST(Recognise, TheLargeOnesTakeAMoment) {
  const auto conv = [](std::size_t channels) {
    return Conv2d{.out_channels = channels, .kernel = 5, .padding = Padding::same};
  };
  const Activation rectifier = activation(relu);
  const Lstm lstm{.features = 200};
  const std::vector<Network> networks{
      {{1, 28, 28}, {Flatten{}, dense(32), rectifier, dense(32), rectifier, dense(10)}},
      {{1, 28, 28},
       {conv(32),
        rectifier,
        Pool2d{},
        conv(64),
        rectifier,
        Pool2d{},
        Flatten{},
        dense(1024),
        rectifier,
        Dropout{},
        dense(10)}},
      {{1}, {Embedding{.tokens = 10000, .features = 200}, lstm, lstm, dense(10000)}}};
  for (const Network& network : networks) {
    const SymmetryGroup group = symmetries_of(network);
    const std::vector<float> a = random_theta(network, 1);
    std::vector<float> b = a;
    apply(group, random_symmetry(group, 2, 100.0), b);
    const auto start = std::chrono::steady_clock::now();
    const Recognition found = recognise(group, a, b);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    RecordProperty("seconds_" + std::to_string(a.size()), std::to_string(took.count()));
    EXPECT_TRUE(found.equal) << found.reason;
    EXPECT_LT(took.count(), 10.0);  // a loaded machine
  }
}

}  // namespace
}  // namespace isthmus
