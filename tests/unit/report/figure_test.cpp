// SPDX-License-Identifier: MIT
#include "isthmus/report/figure.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cells.h"
#include "drawn.h"

namespace isthmus {
namespace {

using testing::cell;
using testing::count_of;
using testing::expect_tidy;
using testing::run_like_published;
using testing::run_of;

constexpr double width = 900;

std::string draw(const RunRecord& run) {
  return svg_figure(figure_data(run));
}

TEST(Figure, TheQuadraticRowIsTidy) {
  const std::string svg = draw(run_like_published("quadratic", "mean_absolute_error", 10, 4));
  expect_tidy(svg, width);
  // Ten points in two panels and one in the legend.
  EXPECT_EQ(count_of(svg, "<circle"), 21u);
  EXPECT_NE(svg.find(">threshold: mean absolute error, test split<"), std::string::npos);
}

TEST(Figure, TheCrowdedCubicRowIsTidy) {
  const std::string svg = draw(run_like_published("cubic", "mean_absolute_error", 7, 3));
  expect_tidy(svg, width);
  EXPECT_EQ(count_of(svg, "<circle"), 51u);
}

TEST(Figure, ErrorRatesAreInPercent) {
  const std::string svg =
      draw(run_like_published("mnist", "error_rate", 5, 9, {0.04, 0.02, 0.015}));
  expect_tidy(svg, width);
  EXPECT_EQ(count_of(svg, "<circle"), 7u);
  EXPECT_NE(svg.find(">threshold: error rate, test split (%)<"), std::string::npos);
  EXPECT_NE(svg.find(">4.0<"), std::string::npos);
}

TEST(Figure, OnePairIsAPointWithoutABar) {
  const RunRecord run = run_of("fashion-mnist", "error_rate", {cell(0.2, 0, 1.25, 5)});
  const std::string svg = draw(run);
  expect_tidy(svg, width);
  EXPECT_EQ(count_of(svg, "<circle"), 3u);
  EXPECT_EQ(svg.find("published"), std::string::npos);
  EXPECT_NE(svg.find("1 threshold, 1 pair<"), std::string::npos);
}

TEST(Figure, AnEmptyRunSaysSo) {
  const std::string without = draw(run_of("fashion-mnist", "error_rate", {}));
  expect_tidy(without, width);
  EXPECT_NE(without.find("no finished pair yet"), std::string::npos);
  EXPECT_EQ(without.find("<circle"), std::string::npos);
  const std::string beside = draw(run_of("quadratic", "mean_absolute_error", {}));
  expect_tidy(beside, width);
  EXPECT_EQ(count_of(beside, ">no finished pair yet<"), 2u);
  EXPECT_EQ(beside.find("<circle"), std::string::npos);
}

TEST(Figure, ThresholdsWithoutAPathAreNamed) {
  const std::string some = draw(run_of("quadratic",
                                       "mean_absolute_error",
                                       {cell(0.1, 0, 1.25, 4),
                                        cell(0.01, 0, no_value, 40),
                                        cell(0.001, 0, no_value, 40),
                                        cell(0.001, 1, no_value, 40)}));
  expect_tidy(some, width);
  EXPECT_NE(some.find(">No connected pair at 0.01, 0.001 (1 to 2 tried at each).<"),
            std::string::npos);
  const std::string none =
      draw(run_of("mnist", "error_rate", {cell(0.02, 0, no_value, 9), cell(0.01, 0, no_value, 9)}));
  expect_tidy(none, width);
  EXPECT_EQ(count_of(none, ">no connected pair<"), 2u);
  EXPECT_NE(none.find("No connected pair at 2 %, 1 % (1 tried at each)."), std::string::npos);
}

TEST(Figure, TellsRepairedPairsFromDirectOnes) {
  std::vector<CellRow> cells{cell(0.1, 0, 1.25, 4), cell(0.1, 1, 1.5, 4), cell(0.1, 2, 1.5, 4)};
  EXPECT_EQ(draw(run_of("quadratic", "mean_absolute_error", cells)).find("direct)<"),
            std::string::npos);
  cells[1].joined = "repaired";
  const std::string svg = draw(run_of("quadratic", "mean_absolute_error", cells));
  expect_tidy(svg, width);
  EXPECT_EQ(count_of(svg, ">100 % (67 % direct)<"), 2u) << "in both panels";
  EXPECT_NE(svg.find("0.1: 3 of 3 (2), "), std::string::npos);
  EXPECT_NE(svg.find("those that were repaired"), std::string::npos);
}

TEST(Figure, TheSameRunGivesTheSameBytes) {
  RunRecord run = run_like_published("cubic", "mean_absolute_error", 5, 3);
  const std::string svg = draw(run);
  std::reverse(run.cells.begin(), run.cells.end());
  run.curve = curve_of(run.cells);
  EXPECT_EQ(draw(run), svg);
}

TEST(Figure, HoldsNumbersForThoseWhoCannotSeeIt) {
  const std::string svg = draw(run_of("quadratic", "mean_absolute_error", {cell(0.1, 0, 1.25, 4)}));
  EXPECT_NE(svg.find(" 0.1: 1 of 1 (1), 1.25, 4.</desc>"), std::string::npos);
}

TEST(Figure, ABarThatReachesZeroFitsALogarithmicAxis) {
  expect_tidy(draw(run_of("quadratic",
                          "mean_absolute_error",
                          {cell(0.1, 0, 1, 3), cell(0.1, 1, 2, 3), cell(0.1, 2, 2, 300)})),
              width);
}

TEST(Figure, AThresholdOfZeroMakesTheAxesLinear) {
  expect_tidy(draw(run_of("quadratic", "mean_absolute_error", {cell(0, 0, 1, 3)})), width);
}

}  // namespace
}  // namespace isthmus
