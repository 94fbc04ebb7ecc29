// SPDX-License-Identifier: MIT
#include "isthmus/objective/loss_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// Losses as those of a trained network: most next to nothing, a few large.
std::vector<float> losses(std::size_t count, std::uint64_t stream) {
  Rng rng(17, stream);
  std::vector<float> found(count);
  for (float& loss : found) {
    loss = static_cast<float>(std::exp(12.0 * rng.uniform(0.0, 1.0) - 11.0));
  }
  return found;
}

double mean_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float value : values) {
    sum += static_cast<double>(value);
  }
  return sum / static_cast<double>(values.size());
}

std::vector<float> chosen(const LossSample& sample, const std::vector<float>& values) {
  std::vector<float> found;
  for (const std::uint32_t index : sample.indices()) {
    found.push_back(values[index]);
  }
  return found;
}

TEST(LossSample, IsAllOfASmallSplit) {
  for (const std::size_t count : {5U, 6U, 100U}) {
    const std::vector<float> values = losses(5, 1);
    const LossSample sample(5, values, count);
    ASSERT_EQ(sample.indices().size(), 5U);
    const LossSample::Mean mean = sample.mean(chosen(sample, values));
    EXPECT_NEAR(mean.value, mean_of(values), 1e-12);
    EXPECT_EQ(mean.error, 0.0);
  }
}

// Metrics of an objective's own may be of either sign.
TEST(LossSample, TakesTheMagnitudeOfASize) {
  const std::vector<float> sizes = losses(3000, 2);
  std::vector<float> turned = sizes;
  for (std::size_t i = 0; i < turned.size(); i += 2) {
    turned[i] = -turned[i];
  }
  const LossSample one(3000, sizes, 200);
  const LossSample other(3000, turned, 200);
  EXPECT_TRUE(std::ranges::equal(one.indices(), other.indices()));
  EXPECT_EQ(one.mean(chosen(one, turned)).value, other.mean(chosen(other, turned)).value);
}

// Over many sets of losses the estimates are off by what their standard errors say, and by less
// where the sizes are known.
TEST(LossSample, IsOffByItsStandardError) {
  constexpr std::size_t samples = 20000;
  constexpr std::size_t count = 500;
  constexpr std::size_t sets = 200;
  for (const bool known : {false, true}) {
    double squares = 0.0;   // of deviations in standard errors
    double relative = 0.0;  // sum of errors over values
    for (std::size_t set = 0; set < sets; ++set) {
      const std::vector<float> before = losses(samples, 2 * set);
      std::vector<float> now = before;
      Rng rng(5, set);
      for (float& loss : now) {
        loss *= static_cast<float>(std::exp(rng.uniform(-1.0, 1.0)));
      }
      const LossSample sample(samples, known ? before : std::vector<float>(), count);
      EXPECT_NEAR(static_cast<double>(sample.indices().size()), count, 1.0);
      EXPECT_TRUE(std::ranges::is_sorted(sample.indices()));
      const LossSample::Mean mean = sample.mean(chosen(sample, now));
      const double off = (mean.value - mean_of(now)) / mean.error;
      squares += off * off / static_cast<double>(sets);
      relative += mean.error / mean_of(now) / static_cast<double>(sets);
    }
    SCOPED_TRACE(known);
    EXPECT_GT(squares, 0.6);
    EXPECT_LT(squares, 1.5);
    EXPECT_LT(relative, known ? 0.05 : 0.2);
  }
}

TEST(LossSample, IsTheSameForTheSameArguments) {
  const std::vector<float> values = losses(3000, 3);
  const LossSample one(3000, values, 100);
  const LossSample other(3000, values, 100);
  EXPECT_TRUE(std::ranges::equal(one.indices(), other.indices()));
}

TEST(LossSample, TakesAllForAlikeWhereSizesTellNothing) {
  std::vector<float> sizes(3000, 0.0F);
  const LossSample plain(3000, {}, 100);
  for (const float first :
       {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    sizes[0] = first;
    const LossSample sample(3000, sizes, 100);
    EXPECT_TRUE(std::ranges::equal(sample.indices(), plain.indices())) << first;
  }
}

TEST(LossSample, PassesOnWhatIsNotANumber) {
  const LossSample sample(3000, {}, 100);
  std::vector<float> values(sample.indices().size(), 1.0F);
  EXPECT_NEAR(sample.mean(values).value, 1.0, 0.02);
  values[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(sample.mean(values).value));
}

}  // namespace
}  // namespace isthmus
