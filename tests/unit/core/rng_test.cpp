// SPDX-License-Identifier: MIT
#include "isthmus/core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

std::vector<std::uint64_t> draws(Rng rng, std::size_t count) {
  std::vector<std::uint64_t> values(count);
  std::generate(values.begin(), values.end(), [&] { return rng(); });
  return values;
}

// Runs that were saved must be repeatable by every later version.
TEST(Rng, the_numbers_never_change) {
  EXPECT_EQ(stream_name({}), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(stream_name({1, 2, 3}), 0xef5a87511169b235ULL);
  EXPECT_EQ(draws(Rng(1, 2), 3),
            (std::vector<std::uint64_t>{
                0x4fe46feca3a76f22ULL, 0xf140925fffced5beULL, 0x9cc5f0c8447ea05bULL}));
}

TEST(Rng, equal_names_give_equal_numbers) {
  EXPECT_EQ(draws(Rng(5, 7), 100), draws(Rng(5, 7), 100));
  EXPECT_EQ(draws(Rng(5), 100), draws(Rng(5, 0), 100));
}

// Neighbours must not be shifted copies of each other: no number of one occurs in another.
TEST(Rng, neighbouring_seeds_and_streams_share_nothing) {
  std::set<std::uint64_t> seen;
  std::size_t drawn = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    for (std::uint64_t stream = 0; stream < 8; ++stream) {
      for (const std::uint64_t value : draws(Rng(seed, stream), 500)) {
        seen.insert(value);
        ++drawn;
      }
    }
  }
  EXPECT_EQ(seen.size(), drawn);
}

TEST(Rng, neighbouring_streams_are_not_correlated) {
  Rng a(1, 10);
  Rng b(1, 11);
  Rng c(2, 10);
  constexpr int count = 100000;
  double ab = 0.0;
  double ac = 0.0;
  for (int i = 0; i < count; ++i) {
    const double x = a.normal();
    ab += x * b.normal();
    ac += x * c.normal();
  }
  EXPECT_LT(std::abs(ab) / std::sqrt(count), 5.0);  // standard errors
  EXPECT_LT(std::abs(ac) / std::sqrt(count), 5.0);
}

TEST(StreamName, depends_on_every_word_its_place_and_their_number) {
  const std::vector<std::uint64_t> names = {stream_name({}),
                                            stream_name({0}),
                                            stream_name({0, 0}),
                                            stream_name({1}),
                                            stream_name({1, 0}),
                                            stream_name({0, 1}),
                                            stream_name({1, 2, 3}),
                                            stream_name({3, 2, 1})};
  EXPECT_EQ(std::set<std::uint64_t>(names.begin(), names.end()).size(), names.size());
}

TEST(StreamName, one_bit_changes_half_of_the_name) {
  double changed = 0.0;
  for (unsigned bit = 0; bit < 64; ++bit) {
    changed += std::popcount(stream_name({42, 7}) ^ stream_name({42 ^ (1ULL << bit), 7}));
  }
  EXPECT_NEAR(changed / 64.0, 32.0, 3.0);
}

TEST(Rng, uniform_has_the_moments_of_its_distribution) {
  Rng rng(3);
  constexpr int count = 200000;
  double mean = 0.0;
  double square = 0.0;
  for (int i = 0; i < count; ++i) {
    const double x = rng.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    mean += x / count;
    square += x * x / count;
  }
  EXPECT_NEAR(mean, 0.5, 5.0 * std::sqrt(1.0 / 12.0 / count));
  EXPECT_NEAR(square, 1.0 / 3.0, 5.0 * std::sqrt(4.0 / 45.0 / count));
  for (int i = 0; i < 1000; ++i) {
    const double x = rng.uniform(-2.0, 5.0);
    ASSERT_GE(x, -2.0);
    ASSERT_LT(x, 5.0);
  }
}

TEST(Rng, normal_has_the_moments_of_its_distribution) {
  Rng rng(4);
  constexpr int count = 200000;
  double mean = 0.0;
  double square = 0.0;
  double fourth = 0.0;
  for (int i = 0; i < count; ++i) {
    const double x = rng.normal();
    mean += x / count;
    square += x * x / count;
    fourth += x * x * x * x / count;
  }
  EXPECT_NEAR(mean, 0.0, 5.0 / std::sqrt(count));
  EXPECT_NEAR(square, 1.0, 5.0 * std::sqrt(2.0 / count));
  EXPECT_NEAR(fourth, 3.0, 5.0 * std::sqrt(96.0 / count));
}

TEST(Rng, truncated_normal_stays_within_two_deviations) {
  Rng rng(5);
  constexpr int count = 100000;
  double square = 0.0;
  for (int i = 0; i < count; ++i) {
    const double x = rng.truncated_normal();
    ASSERT_LE(std::abs(x), 2.0);
    square += x * x / count;
  }
  EXPECT_NEAR(square, 0.7737, 0.02);  // 1 - 4 phi(2) / (2 Phi(2) - 1)
}

TEST(Rng, below_is_uniform_over_its_range) {
  Rng rng(6);
  constexpr std::size_t classes = 7;
  constexpr int count = 70000;
  std::vector<double> counts(classes);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t value = rng.below(classes);
    ASSERT_LT(value, classes);
    counts[value] += 1.0;
  }
  double chi_square = 0.0;
  for (const double observed : counts) {
    chi_square += (observed - 10000.0) * (observed - 10000.0) / 10000.0;
  }
  EXPECT_LT(chi_square, 30.0);  // six degrees of freedom: p = 4e-5
  EXPECT_EQ(rng.below(1), 0U);
  EXPECT_THROW(rng.below(0), InternalError);
  // 3 * 2^62: every fourth draw is rejected, and none comes through beyond the range.
  for (int i = 0; i < 1000; ++i) {
    ASSERT_LT(rng.below(3ULL << 62U), 3ULL << 62U);
  }
}

TEST(Rng, shuffle_permutes_without_preference) {
  Rng rng(7);
  std::vector<std::uint32_t> values(50);
  std::iota(values.begin(), values.end(), 0U);
  const std::vector<std::uint32_t> sorted = values;
  rng.shuffle(values);
  EXPECT_NE(values, sorted);
  EXPECT_TRUE(std::is_permutation(values.begin(), values.end(), sorted.begin()));
  // Where the first of three lands.
  std::vector<double> places(3);
  for (int i = 0; i < 30000; ++i) {
    std::vector<std::uint32_t> three = {0, 1, 2};
    rng.shuffle(three);
    places[static_cast<std::size_t>(std::find(three.begin(), three.end(), 0U) - three.begin())] +=
        1.0;
  }
  for (const double observed : places) {
    EXPECT_NEAR(observed, 10000.0, 5.0 * std::sqrt(30000.0 * 2.0 / 9.0));
  }
  rng.shuffle({});
}

}  // namespace
}  // namespace isthmus
