// SPDX-License-Identifier: MIT
#include "isthmus/train/ascending.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

std::vector<std::uint32_t> stably_sorted(const std::vector<float>& values) {
  std::vector<std::uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t i) {
    return std::isnan(values[i]) ? -std::numeric_limits<float>::infinity() : values[i];
  });
  return order;
}

TEST(Ascending, IsAStableSort) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  Rng rng(3, 1);
  Ascending ascending;
  for (const std::size_t count : {0, 1, 2, 100, 5000}) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      // Many equal ones, of all magnitudes, and what is no number.
      const float value = std::ldexp(float(std::round(8.0 * rng.normal())), int(i % 40) - 20);
      values[i] = i % 17 == 3   ? 0.0F
                  : i % 17 == 5 ? -0.0F
                  : i % 31 == 7 ? nan
                  : i % 31 == 9 ? -infinity
                  : i % 37 == 1 ? infinity
                                : value;
    }
    const auto order = ascending.order(values);
    EXPECT_TRUE(std::ranges::equal(order, stably_sorted(values))) << count;
  }
}

}  // namespace
}  // namespace isthmus
