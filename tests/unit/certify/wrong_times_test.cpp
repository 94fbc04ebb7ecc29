// SPDX-License-Identifier: MIT
#include "isthmus/certify/wrong_times.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// A place between two neighbouring numbers cannot be named.
TEST(WrongTimes, ACrowdHasRoomForItsMiddle) {
  const double next = std::nextafter(0.5, 1.0);
  const std::vector<Range> ranges{{0.25, next}, {0.5, 0.75}};
  const Crowd open = largest_crowd(ranges, true);
  EXPECT_EQ(open.count, 1U);
  EXPECT_LT(open.at.from, 0.5 * (open.at.from + open.at.to));
  EXPECT_LT(0.5 * (open.at.from + open.at.to), open.at.to);
  EXPECT_EQ(largest_crowd(ranges, false).count, 2U);
}

TEST(WrongTimes, ClosedRangesMeetWhereTheyTouchOpenOnesDoNot) {
  const std::vector<Range> ranges{{0.0, 0.5}, {0.5, 1.0}};
  EXPECT_EQ(largest_crowd(ranges, false).count, 2U);
  EXPECT_EQ(largest_crowd(ranges, true).count, 1U);
  const std::vector<Range> busy = crowded(ranges, 1.0);
  ASSERT_EQ(busy.size(), 1U);
  EXPECT_EQ(busy[0].from, 0.5);
  EXPECT_EQ(busy[0].to, 0.5);
  EXPECT_TRUE(overlap(busy, {0.25, 0.5}));
  EXPECT_FALSE(overlap(busy, {0.25, 0.49}));
}

}  // namespace
}  // namespace isthmus
