// SPDX-License-Identifier: MIT
#include "isthmus/report/profile.h"

#include <gtest/gtest.h>

#include <cmath>

#include "drawn.h"

namespace isthmus {
namespace {

using testing::count_of;
using testing::expect_tidy;

// A path of three segments of length 1 between points 2 apart, its hills `height` above the beads.
PathProfile profile(double height) {
  PathProfile profile;
  profile.title = "quadratic, pair 0";
  profile.metric = metric_label("mean_absolute_error");
  profile.split = "test";
  profile.threshold = 0.1;
  profile.endpoint_distance = 2;
  for (std::size_t segment = 0; segment < 3; ++segment) {
    for (int i = 0; i <= 10; ++i) {
      const double t = i / 10.0;
      profile.path.push_back(
          {segment, t, static_cast<double>(segment) + t, 0.05 + height * 4 * t * (1 - t)});
    }
  }
  return profile;
}

TEST(Profile, MarksEachBeadOnce) {
  const std::string svg = svg_profile(profile(0.04));
  expect_tidy(svg, 900);
  EXPECT_EQ(count_of(svg, "<circle"), 4u);
  EXPECT_NE(svg.find(">path, 4 beads<"), std::string::npos);
  EXPECT_NE(svg.find(">threshold 0.1<"), std::string::npos);
  EXPECT_NE(svg.find("greatest value 0.09 at arc length 0.25"), std::string::npos);
  EXPECT_EQ(svg.find("straight line"), std::string::npos);
}

TEST(Profile, DrawsTheStraightLineBeside) {
  PathProfile with = profile(0.04);
  for (int i = 0; i <= 10; ++i) {
    with.straight.push_back({0, i / 10.0, i / 5.0, 0.05 + 3 * (i / 10.0) * (1 - i / 10.0)});
  }
  const std::string svg = svg_profile(with);
  expect_tidy(svg, 900);
  EXPECT_EQ(count_of(svg, "<polyline"), 2u);
  EXPECT_NE(svg.find(">straight line between the end points<"), std::string::npos);
}

TEST(Profile, HighBarriersTakeALogarithmicAxis) {
  const std::string svg = svg_profile(profile(50));
  expect_tidy(svg, 900);
  EXPECT_NE(svg.find(">0.1<"), std::string::npos);
  EXPECT_NE(svg.find(">10<"), std::string::npos);
}

TEST(Profile, ValuesThatAreNoNumberBreakTheLineAndAreTheGreatest) {
  PathProfile broken = profile(0.04);
  const std::size_t shaded = count_of(svg_profile(broken), "<rect");
  EXPECT_EQ(svg_profile(broken).find("not a number"), std::string::npos);
  broken.path[15].value = NAN;
  const std::string svg = svg_profile(broken);
  expect_tidy(svg, 900);
  EXPECT_EQ(count_of(svg, "<polyline"), 2u);
  EXPECT_EQ(count_of(svg, "<rect"), shaded + 1);
  EXPECT_NE(svg.find("greatest value NaN at arc length 0.7"), std::string::npos);
  EXPECT_NE(svg.find(">not a number<"), std::string::npos);
  for (ProfileSample& sample : broken.path) {
    sample.value = NAN;
  }
  const std::string none = svg_profile(broken);
  expect_tidy(none, 900);
  EXPECT_NE(none.find("greatest value NaN at arc length 0 "), std::string::npos);
  broken.path.clear();
  EXPECT_NE(svg_profile(broken).find("no value is known along this path"), std::string::npos);
}

TEST(Profile, SaysThatAValueIsTheBoundOfAProof) {
  PathProfile undecided = profile(0.04);
  undecided.path[15].value = 0.125;
  undecided.undecided = true;
  EXPECT_NE(svg_profile(undecided).find("not proven: the bound stayed at 0.125 at arc length 0.7"),
            std::string::npos);
}

TEST(Profile, EndPointsAtOnePlaceAndEmptyPathsAreDrawn) {
  PathProfile same = profile(0.04);
  same.endpoint_distance = 0;
  expect_tidy(svg_profile(same), 900);
  same.path.clear();
  expect_tidy(svg_profile(same), 900);
}

}  // namespace
}  // namespace isthmus
