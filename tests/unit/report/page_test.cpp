// SPDX-License-Identifier: MIT
#include "isthmus/report/page.h"

#include <gtest/gtest.h>

#include "cells.h"
#include "drawn.h"

namespace isthmus {
namespace {

RunRecord two_thresholds() {
  return testing::run_of("quadratic",
                         "mean_absolute_error",
                         {testing::cell(0.1, 0, 1.25, 3), testing::cell(0.01, 0, 1.5, 9)});
}

TEST(Page, CarriesThePlottingLibraryOfTheBuild) {
  const std::string page = page_html(two_thresholds(), nullptr, {.plots = "window.Plotly = 1;"});
  EXPECT_EQ(testing::count_of(page, "<script"), 3u) << "data, library, page";
  EXPECT_NE(page.find("<script>window.Plotly = 1;</script>"), std::string::npos);
  EXPECT_EQ(page.find("still ones"), std::string::npos);
}

TEST(Page, IsOfStillPicturesWithoutThatAndSaysSo) {
  const std::string page = page_html(two_thresholds(), nullptr, {.plots = ""});
  EXPECT_EQ(testing::count_of(page, "<script"), 0u);
  EXPECT_EQ(testing::count_of(page, "<svg"), 1u) << "the curves";
  EXPECT_NE(page.find("without its plotting library"), std::string::npos);
  EXPECT_NE(page.find("2 of 2 pairs of networks are connected."), std::string::npos);
  EXPECT_EQ(page.substr(page.size() - 16), "</body>\n</html>\n");
}

}  // namespace
}  // namespace isthmus
