// SPDX-License-Identifier: MIT
// Assignments against every permutation, and against the conditions of an optimum where there are
// too many.
#include "isthmus/net/symmetry/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

double sum_of(const std::vector<float>& costs, const std::vector<std::uint32_t>& assignment) {
  double sum = 0.0;
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    sum += costs[i * assignment.size() + assignment[i]];
  }
  return sum;
}

double least_sum(const std::vector<float>& costs, std::size_t n) {
  std::vector<std::uint32_t> permutation(n);
  std::iota(permutation.begin(), permutation.end(), 0U);
  double least = std::numeric_limits<double>::infinity();
  do {
    least = std::min(least, sum_of(costs, permutation));
  } while (std::ranges::next_permutation(permutation).found);
  return least;
}

void expect_permutation(std::vector<std::uint32_t> assignment) {
  std::ranges::sort(assignment);
  for (std::uint32_t i = 0; i < assignment.size(); ++i) {
    ASSERT_EQ(assignment[i], i);
  }
}

// Of an optimum no exchange along a cycle is cheaper: Bellman and Ford find no negative cycle among
// the rows, where going from i to k costs what i pays more for the column of k.
bool is_optimal(const std::vector<float>& costs, const std::vector<std::uint32_t>& assignment) {
  const std::size_t n = assignment.size();
  std::vector<double> distance(n, 0.0);
  for (std::size_t round = 0; round <= n; ++round) {
    bool shorter = false;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < n; ++k) {
        const double step = static_cast<double>(costs[i * n + assignment[k]]) -
                            static_cast<double>(costs[i * n + assignment[i]]);
        if (distance[i] + step < distance[k] - 1e-9) {
          distance[k] = distance[i] + step;
          shorter = true;
        }
      }
    }
    if (!shorter) {
      return true;
    }
  }
  return false;
}

// Costs of many kinds, among them such with many ties.
std::vector<float> random_costs(Rng& rng, std::size_t n, std::size_t kind) {
  std::vector<float> costs(n * n);
  for (float& cost : costs) {
    switch (kind % 5) {
      case 0:
        cost = static_cast<float>(rng.normal());
        break;
      case 1:
        cost = static_cast<float>(rng.below(3));
        break;
      case 2:
        cost = 1.0F;
        break;
      case 3:
        cost = rng.below(4) == 0 ? -1e6F : static_cast<float>(rng.uniform());
        break;
      default:
        cost = static_cast<float>(std::exp(20.0 * rng.normal()));
        cost = std::min(cost, 1e20F);
    }
  }
  return costs;
}

TEST(Assignment, IsTheBestOfAllPermutations) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    const std::size_t n = 1 + seed % 7;
    const std::vector<float> costs = random_costs(rng, n, seed);
    const std::vector<std::uint32_t> assignment = assign(costs, n);
    expect_permutation(assignment);
    const double least = least_sum(costs, n);
    EXPECT_LE(sum_of(costs, assignment), least + 1e-9 * std::abs(least)) << "seed " << seed;
  }
  Rng rng(8);
  const std::vector<float> costs = random_costs(rng, 8, 0);
  EXPECT_DOUBLE_EQ(sum_of(costs, assign(costs, 8)), least_sum(costs, 8));
}

TEST(Assignment, NoCycleOfExchangesIsCheaper) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, 1);
    const std::size_t n = 20 + 5 * seed;
    const std::vector<float> costs = random_costs(rng, n, seed % 4);
    const std::vector<std::uint32_t> assignment = assign(costs, n);
    expect_permutation(assignment);
    EXPECT_TRUE(is_optimal(costs, assignment)) << "seed " << seed;
    // The oracle of the test itself.
    std::vector<std::uint32_t> other = assignment;
    std::rotate(other.begin(), other.begin() + 1, other.end());
    if (sum_of(costs, other) > sum_of(costs, assignment) + 1e-6) {
      EXPECT_FALSE(is_optimal(costs, other)) << "seed " << seed;
    }
  }
}

// Ties, and rows that all want the same columns, are what a slow solver shows itself by.
TEST(Assignment, OfAThousandTakesAMoment) {
  constexpr std::size_t n = 1024;
  for (std::size_t kind = 0; kind < 4; ++kind) {
    Rng rng(kind, 2);
    std::vector<float> costs = random_costs(rng, n, kind);
    if (kind == 3) {
      for (std::size_t i = 0; i < costs.size(); ++i) {
        costs[i] = static_cast<float>((i / n) * (i % n)) / n;
      }
    }
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::uint32_t> assignment = assign(costs, n);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    expect_permutation(assignment);
    RecordProperty("seconds_" + std::to_string(kind), std::to_string(took.count()));
    EXPECT_LT(took.count(), 20.0);
    if (kind == 3) {
      EXPECT_EQ(assignment.front(), n - 1);
      EXPECT_EQ(assignment.back(), 0U);
    }
  }
}

TEST(Assignment, RefusesWhatItCannotSum) {
  EXPECT_TRUE(assign({}, 0).empty());
  EXPECT_THROW(assign(std::vector<float>(3), 2), UsageError);
  std::vector<float> costs(4, 1.0F);
  costs[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(assign(costs, 2), UsageError);
  costs[2] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(assign(costs, 2), UsageError);
}

}  // namespace
}  // namespace isthmus
