// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include "isthmus/report/svg.h"

namespace isthmus::testing {

/// A text of a picture and the box it takes, by the estimate that placed it.
struct DrawnText {
  std::string content;
  double left = 0, right = 0, top = 0, bottom = 0;
};

/// The upright texts of a picture that Svg wrote.
inline std::vector<DrawnText> texts_of(const std::string& svg) {
  static const std::regex pattern(
      "<text x=\"([^\"]*)\" y=\"([^\"]*)\" font-size=\"([^\"]*)\" text-anchor=\"([^\"]*)\" "
      "fill=\"[^\"]*\"( font-weight=\"bold\")?>([^<]*)</text>");
  std::vector<DrawnText> texts;
  for (auto match = std::sregex_iterator(svg.begin(), svg.end(), pattern);
       match != std::sregex_iterator();
       ++match) {
    const double x = std::stod((*match)[1]);
    const double y = std::stod((*match)[2]);
    const double size = std::stod((*match)[3]);
    const std::string anchor = (*match)[4];
    const std::string content = (*match)[6];
    const double width = text_width(content, size);
    const double left = anchor == "start" ? x : anchor == "middle" ? x - width / 2 : x - width;
    texts.push_back({content, left, left + width, y - 0.75 * size, y + 0.2 * size});
  }
  return texts;
}

inline std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// No two texts touch, none leaves the picture, every element is closed, no number is missing.
inline void expect_tidy(const std::string& svg, double width) {
  const std::vector<DrawnText> texts = texts_of(svg);
  EXPECT_GT(texts.size(), 2u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_GE(texts[i].left, 0) << texts[i].content;
    EXPECT_LE(texts[i].right, width) << texts[i].content;
    for (std::size_t j = i + 1; j < texts.size(); ++j) {
      const bool apart = texts[i].right <= texts[j].left || texts[j].right <= texts[i].left ||
                         texts[i].bottom <= texts[j].top || texts[j].bottom <= texts[i].top;
      EXPECT_TRUE(apart) << "'" << texts[i].content << "' touches '" << texts[j].content << "'";
    }
  }
  static const std::regex markup("<(/?)([a-z]+)[^<>]*?(/?)>");
  std::vector<std::string> open;
  for (auto match = std::sregex_iterator(svg.begin(), svg.end(), markup);
       match != std::sregex_iterator();
       ++match) {
    if ((*match)[1] == "/") {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ(open.back(), (*match)[2]);
      open.pop_back();
    } else if ((*match)[3] != "/") {
      open.push_back((*match)[2]);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(svg.find("=\"nan"), std::string::npos);
  EXPECT_EQ(svg.find("=\"inf"), std::string::npos);
  EXPECT_EQ(svg.find("nan,"), std::string::npos);
  EXPECT_EQ(svg.find(",nan"), std::string::npos);
}

}  // namespace isthmus::testing
