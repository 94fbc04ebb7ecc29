// SPDX-License-Identifier: MIT
#include "isthmus/report/components_figure.h"

#include <gtest/gtest.h>

#include "drawn.h"

namespace isthmus {
namespace {

ComponentsFigure figure() {
  ComponentsFigure figure{.title = "quadratic", .metric = metric_label("mean_absolute_error")};
  for (const std::size_t width : {2u, 4u}) {
    for (const double threshold : {0.1, 0.01, 0.001}) {
      figure.rows.push_back({.width = width,
                             .threshold = threshold,
                             .networks = 5,
                             .reached = 5,
                             .components = threshold < 0.01 ? 3u : 1u,
                             .components_proven = threshold < 0.01 ? 3u : 1u});
    }
  }
  return figure;
}

TEST(ComponentsFigure, HasALineAWidth) {
  const std::string svg = svg_components(figure());
  testing::expect_tidy(svg, 900);
  EXPECT_EQ(testing::count_of(svg, "<polyline"), 2u);
  EXPECT_EQ(testing::count_of(svg, "<circle"), 8u) << "six marks, and two of the key";
  EXPECT_NE(svg.find("width 4"), std::string::npos);
  EXPECT_NE(svg.find("proves nothing"), std::string::npos);
}

TEST(ComponentsFigure, DashesWhatIsProvenWhereItDiffers) {
  ComponentsFigure some = figure();
  some.rows[2].components_proven = 5;
  EXPECT_EQ(testing::count_of(svg_components(some), "<polyline"), 3u);
}

TEST(ComponentsFigure, LeavesOutThresholdsThatNobodyReached) {
  ComponentsFigure some = figure();
  some.rows[5].reached = 0;
  EXPECT_EQ(testing::count_of(svg_components(some), "<circle"), 7u);
  for (ComponentsRow& row : some.rows) {
    row.reached = 0;
  }
  EXPECT_EQ(testing::count_of(svg_components(some), "<circle"), 0u);
}

}  // namespace
}  // namespace isthmus
