// SPDX-License-Identifier: MIT
#include "isthmus/report/picture.h"

#include <gtest/gtest.h>

#include <cmath>

#include "drawn.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/report/components_page.h"
#include "isthmus/report/html.h"
#include "isthmus/report/plane_figure.h"
#include "isthmus/report/string_figure.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::count_of;
using testing::expect_tidy;
using testing::TemporaryFolder;

// Three beads; the one in the middle came in round 1, halfway between the ends.
PathPicture picture() {
  PathPicture picture;
  picture.info = {{"rounds", 1U}, {"parameters", 3U}};
  picture.axes = {{1, 3.0, 0.75, 0.75}, {2, 1.0, 0.25, 1.0}};
  picture.beads = {{0, 0, 0.0, {-1, 0, 0}, 0.0},
                   {1, 1, 1.5, {0, 1, 0}, 0.0, {0, 0, 0}},
                   {2, 0, 3.0, {1, 0, 0}, 0.0}};
  const auto add = [&](std::size_t left, std::size_t right, double middle) {
    for (const double t : {0.0, 0.5, 1.0}) {
      picture.along.push_back(
          {.left = left, .right = right, .t = t, .metric = t == 0.5 ? middle : 0.05});
    }
  };
  add(0, 1, 0.1);
  add(1, 2, 0.09);
  add(0, 2, 10.0);
  return picture;
}

TEST(Picture, KnowsTheStringOfEveryRound) {
  const PathPicture string = picture();
  EXPECT_EQ(string.rounds(), 1u);
  EXPECT_EQ(string.beads_after(0), (std::vector<std::size_t>{0, 2}));
  const std::vector<StringPoint> before = string_after(string, 0);
  ASSERT_EQ(before.size(), 3u);
  EXPECT_EQ(before[1].value, 10.0);
  EXPECT_EQ(before[1].at[0], 0.0);
  EXPECT_EQ(before[2].arc_length, 2.0);
  const std::vector<StringPoint> after = string_after(string, 1);
  ASSERT_EQ(after.size(), 6u);
  EXPECT_EQ(after[1].value, 0.1);
  EXPECT_DOUBLE_EQ(after[1].at[1], 0.5);
  EXPECT_EQ(after.back().arc_length, 3.0);
}

TEST(Picture, HeatIsBlueAtTheThresholdAndRedAtTheTopOnALogarithmicScale) {
  const HeatScale scale = heat_scale(picture(), 0.1);
  EXPECT_EQ(scale.high, 10.0);
  EXPECT_EQ(scale.color(0.02), heat_colors().front());
  EXPECT_EQ(scale.color(0.1), heat_colors().front());
  EXPECT_EQ(scale.color(10.0), heat_colors().back());
  EXPECT_DOUBLE_EQ(scale.place(1.0), 0.5);
  EXPECT_EQ(scale.color(NAN), "#9a9a9a");
}

TEST(Picture, StringsAndStagesAreTidySvg) {
  const PathPicture string = picture();
  const StringFigure figure{.picture = string,
                            .title = "a <string>",
                            .metric = metric_label("mean_absolute_error"),
                            .threshold = 0.1,
                            .lower_bound = 0.5};
  const std::string svg = svg_string(figure);
  expect_tidy(svg, 720);
  EXPECT_NE(svg.find("after round 1: 3 beads"), std::string::npos);
  EXPECT_EQ(count_of(svg, "<circle"), 3u);
  EXPECT_EQ(count_of(svg_string(figure, 0), "<circle"), 2u);
  const std::string stages = svg_stages(figure);
  EXPECT_NE(stages.find("proven, every path meets 0.5 or more"), std::string::npos);
  EXPECT_EQ(lower_bound_text(0.0833333333), "0.08333");
  EXPECT_EQ(lower_bound_text(0.99999), "0.9999") << "a bound is rounded down";
}

TEST(Picture, SaysWhenThereIsOneAxisOrNone) {
  PathPicture string = picture();
  EXPECT_NE(axes_sentence(string).find("2 axes, and they show everything"), std::string::npos);
  string.axes.resize(1);
  EXPECT_NE(axes_sentence(string).find("one straight line"), std::string::npos);
  string.axes.clear();
  EXPECT_NE(axes_sentence(string).find("one point"), std::string::npos);
}

TEST(Picture, IsReadFromItsTables) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_picture(folder.path(), "0.1_0"));
  const PathPicture string = picture();
  write_file(folder / "0.1_0.json", string.info.dump());
  write_file(folder / "0.1_0.axes.csv", to_csv(string.axes));
  write_file(folder / "0.1_0.beads.csv", to_csv(string.beads));
  write_file(folder / "0.1_0.along.csv", to_csv(string.along));
  const auto read = read_picture(folder.path(), "0.1_0");
  ASSERT_TRUE(read);
  EXPECT_EQ(to_csv(read->axes), to_csv(string.axes));
  EXPECT_EQ(to_csv(read->beads), to_csv(string.beads));
  EXPECT_EQ(to_csv(read->along), to_csv(string.along));
  write_file(folder / "0.1_0.along.csv", to_csv(std::vector<AlongRow>{{.left = 1, .right = 7}}));
  EXPECT_THROW(read_picture(folder.path(), "0.1_0"), DataError);
  write_file(folder / "0.1_0.along.csv", "left,right\n");
  EXPECT_THROW(read_picture(folder.path(), "0.1_0"), DataError);
}

// Of x^2 + y^2 the level 4 is a circle of radius 2.
TEST(PlaneFigure, ContoursLieOnTheLevel) {
  std::vector<double> values;
  for (int j = 0; j < 41; ++j) {
    for (int i = 0; i < 41; ++i) {
      const double x = (i - 20) * 0.15;
      const double y = (j - 20) * 0.15;
      values.push_back(x * x + y * y);
    }
  }
  double length = 0.0;
  for (const ContourPiece& piece : contour(values, 41, 4.0)) {
    EXPECT_NEAR(0.15 * std::hypot(piece.x1 - 20, piece.y1 - 20), 2.0, 0.003);
    length += 0.15 * std::hypot(piece.x2 - piece.x1, piece.y2 - piece.y1);
  }
  EXPECT_NEAR(length, 8.0 * std::acos(0.0), 0.02);
  EXPECT_TRUE(contour(values, 41, 100.0).empty());
  // A saddle: two pieces that do not cross.
  EXPECT_EQ(contour({0, 1, 1, 0}, 2, 0.4).size(), 2u);
  EXPECT_EQ(contour({0, 1, NAN, 0}, 2, 0.4).size(), 0u);
}

TEST(PlaneFigure, ShowsThePathAndHowFarItLeavesThePlane) {
  PlaneFigure figure{.title = "plane",
                     .networks = "1 is A, 2 B, 3 bead 1",
                     .metric = metric_label("error_rate"),
                     .split = "test",
                     .threshold = 0.1,
                     .grid = {},
                     .points = {{"1", 0, 0, 0, 0.1},
                                {"2", 2, 0, 0, 0.1},
                                {"3", 1, 1, 0, 0.1},
                                {"bead 0", 0, 0, 0, 0.1},
                                {"bead 1", 1, 1, 0.5, 0.1},
                                {"bead 2", 2, 0, 0, 0.1}}};
  for (std::size_t j = 0; j < 5; ++j) {
    for (std::size_t i = 0; i < 5; ++i) {
      const double x = static_cast<double>(i) - 1.0;
      const double y = static_cast<double>(j) - 1.0;
      figure.grid.push_back({i, j, x, y, 0.01 + 0.1 * (x * x + y * y)});
    }
  }
  const std::string svg = svg_plane(figure);
  expect_tidy(svg, 720);
  EXPECT_EQ(count_of(svg, "<circle"), 6u);
  EXPECT_NE(plane_sentence(figure).find("bead 1 is farthest, 0.5 away (25 %"), std::string::npos);
}

TEST(PlaneFigure, HasASecondOneOfTheOtherMetric) {
  PathPicture picture;
  picture.plane_info = {{"threshold", 0.1}, {"companion", "cross_entropy"}};
  picture.plane_points = {{"1", 0, 0, 0, 0.1}, {"2", 2, 0, 0, 0.1}, {"3", 1, 1, 0, 0.1}};
  for (std::size_t j = 0; j < 3; ++j) {
    for (std::size_t i = 0; i < 3; ++i) {
      picture.plane.push_back({i, j, double(i), double(j), 0.05, 0.25 + double(i + j)});
    }
  }
  const std::optional<PlaneFigure> companion = companion_plane(picture);
  ASSERT_TRUE(companion);
  EXPECT_EQ(companion->metric.name, metric_label("cross_entropy").name);
  EXPECT_EQ(companion->threshold, 0.25);
  EXPECT_EQ(companion->grid.back().metric, 4.25);
  const std::string svg = svg_plane(*companion);
  EXPECT_EQ(svg.find("L0"), std::string::npos) << "the threshold is one of the other metric";
  EXPECT_NE(svg_plane(plane_figure(picture, metric_label("error_rate"))).find("L0"),
            std::string::npos);
  picture.plane_info["companion"] = nullptr;
  EXPECT_FALSE(companion_plane(picture));
}

TEST(DisconnectivityTree, HasALeafForEachNetwork) {
  const DisconnectivityTree tree{.title = "tree",
                                 .metric = metric_label("mean_squared_error"),
                                 .threshold = 0.1,
                                 .values = {0.05, 0.06, 0.07, 0.08},
                                 .pairs = {{0, 1, 0.09}, {1, 2, 0.5}, {0, 2, 0.4}}};
  const std::string svg = svg_tree(tree);
  expect_tidy(svg, 900);
  EXPECT_EQ(count_of(svg, "<circle"), 4u);
  // 1 and 0 meet below the threshold, 2 joins them above it.
  EXPECT_EQ(count_of(svg, "stroke=\"#1f5fa8\" stroke-width=\"1.6\""), 3u);
  EXPECT_EQ(count_of(svg, "stroke=\"#b5202e\" stroke-width=\"1.6\""), 3u);
}

TEST(Html, EscapesAndLinks) {
  EXPECT_EQ(html_escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
  EXPECT_EQ(html_escape_lines("a\nb<\n"), "a\nb&lt;\n");
  EXPECT_EQ(script_text("{\"a\":\"</script>\"}"), "{\"a\":\"\\u003c/script>\"}");
  EXPECT_EQ(data_link("text/csv", "Man"), "data:text/csv;base64,TWFu");
  EXPECT_EQ(data_link("text/csv", "Ma"), "data:text/csv;base64,TWE=");
  EXPECT_EQ(data_link("text/csv", "M"), "data:text/csv;base64,TQ==");
  EXPECT_EQ(data_link("text/csv", ""), "data:text/csv;base64,");
}

}  // namespace
}  // namespace isthmus
