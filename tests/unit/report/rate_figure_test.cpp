// SPDX-License-Identifier: MIT
#include "isthmus/report/rate_figure.h"

#include <gtest/gtest.h>

#include "drawn.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

TEST(RateFigure, HasALineAndTwoGuidesADimension) {
  const std::vector<RateLine> lines{
      {.inputs = 2, .points = {{8, 0.3}, {16, 0.15}, {32, 0.08}}, .slope = -1.02, .error = 0.03},
      {.inputs = 3, .points = {{8, 0.5}, {16, 0.4}, {32, 0.3}}, .slope = -0.5, .error = 0.1}};
  const std::string svg = svg_rate(lines);
  testing::expect_tidy(svg, 900);
  EXPECT_EQ(testing::count_of(svg, "<polyline"), 6u);
  EXPECT_EQ(testing::count_of(svg, "<circle"), 8u) << "six marks, and two of the key";
  EXPECT_NE(svg.find("n = 2: slope -1.02 +- 0.03"), std::string::npos);
}

TEST(RateFigure, RefusesNothing) {
  EXPECT_THROW(svg_rate({}), UsageError);
  EXPECT_THROW(svg_rate({RateLine{.inputs = 2, .points = {}}}), UsageError);
}

}  // namespace
}  // namespace isthmus
