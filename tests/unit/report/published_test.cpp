// SPDX-License-Identifier: MIT
#include "isthmus/report/published.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "isthmus/core/files.h"

namespace isthmus {
namespace {

TEST(Published, TheLibraryHoldsTheTablesOfTheDocuments) {
  const std::filesystem::path folder =
      std::filesystem::path(ISTHMUS_SOURCE_FOLDER) / "docs" / "published";
  EXPECT_EQ(published_tables().size(), 10u);
  for (const PublishedTable& table : published_tables()) {
    EXPECT_EQ(table.csv, read_file(folder / (std::string(table.name) + ".csv"))) << table.name;
  }
}

TEST(Published, PolynomialBarsAreOfOneJobOfTen) {
  const auto curve = published_curve("quadratic", "mean_absolute_error", "test");
  ASSERT_TRUE(curve);
  EXPECT_EQ(curve->length.size(), 10u);
  EXPECT_EQ(curve->beads.size(), 10u);
  const PublishedPoint* point = find_point(curve->beads, 0.001);
  ASSERT_NE(point, nullptr);
  EXPECT_DOUBLE_EQ(point->value, 62.430612);
  EXPECT_DOUBLE_EQ(point->half_width, 5.942975);
  EXPECT_DOUBLE_EQ(point->standard_error, 5.942975 / std::sqrt(10.0));
  EXPECT_EQ(published_curve("cubic", "", "")->length.size(), 25u);
}

TEST(Published, ErrorRatesAreFractions) {
  const auto curve = published_curve("mnist", "error_rate", "test");
  ASSERT_TRUE(curve);
  for (const double threshold : {0.04, 0.02, 0.015, 0.01, 0.009, 0.0085, 0.008, 0.00775, 0.007}) {
    EXPECT_NE(find_point(curve->length, threshold), nullptr) << threshold;
  }
  const PublishedPoint* point = find_point(curve->length, 0.02);
  EXPECT_NEAR(point->value, 1.0053, 5e-5);
  EXPECT_EQ(point->standard_error, point->half_width);
}

TEST(Published, NothingIsShownForOtherLevelSets) {
  EXPECT_FALSE(published_curve("fashion-mnist", "error_rate", "test"));
  EXPECT_FALSE(published_curve("mnist", "cross_entropy", "test"));
  EXPECT_FALSE(published_curve("mnist", "error_rate", "train"));
  EXPECT_TRUE(published_curve("cifar10", "error_rate", "test"));
  EXPECT_TRUE(published_curve("ptb", "perplexity", "test"));
}

TEST(Published, PointsAreFoundToRounding) {
  const std::vector<PublishedPoint> points{{.threshold = 0.775 / 100}};
  EXPECT_NE(find_point(points, 0.00775), nullptr);
  EXPECT_EQ(find_point(points, 0.00776), nullptr);
}

}  // namespace
}  // namespace isthmus
