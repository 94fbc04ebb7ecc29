// SPDX-License-Identifier: MIT
#include "isthmus/report/svg.h"

#include <gtest/gtest.h>

namespace isthmus {
namespace {

TEST(Svg, EscapesMarkup) {
  EXPECT_EQ(svg_escape("a < b & \"c\" > d"), "a &lt; b &amp; &quot;c&quot; &gt; d");
}

TEST(Svg, KeepsUtf8AndReplacesWhatXmlCannotHold) {
  EXPECT_EQ(svg_escape("L\u2080 \u2190 \U0001F600"), "L\u2080 \u2190 \U0001F600");
  EXPECT_EQ(svg_escape(std::string("a\x01"
                                   "b\0c",
                                   5)),
            "a?b?c");
  EXPECT_EQ(svg_escape("\xff"
                       "a"),
            "?a");
  EXPECT_EQ(svg_escape("\xe2\x82"), "??");            // cut in the middle
  EXPECT_EQ(svg_escape("\xc0\x80"), "??");            // overlong
  EXPECT_EQ(svg_escape("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(svg_escape("\xf4\x90\x80\x80"), "????");  // behind the last code point
}

TEST(Svg, WritesShortNumbers) {
  Svg svg(10, 20, "t", "d");
  svg.line(0.123456, -0.001, 2.5, 100, {"#000000", 1, ""});
  EXPECT_NE(svg.str().find("<line x1=\"0.12\" y1=\"0\" x2=\"2.5\" y2=\"100\""), std::string::npos)
      << svg.str();
}

TEST(Svg, IsOneClosedDocument) {
  Svg svg(10, 20, "a & b", "d");
  svg.text(1, 2, "x", {.anchor = Anchor::end, .bold = true, .upwards = true});
  svg.polyline({{1, 2}}, {});  // nothing to draw
  svg.polyline({{1, 2}, {3, 4}}, {"#111111", 2, "4 3"});
  const std::string text = svg.str();
  EXPECT_TRUE(
      text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"20\""));
  EXPECT_TRUE(text.ends_with("</svg>\n"));
  EXPECT_NE(text.find("<title>a &amp; b</title>"), std::string::npos);
  EXPECT_NE(text.find("text-anchor=\"end\""), std::string::npos);
  EXPECT_NE(text.find("rotate(-90 1 2)"), std::string::npos);
  EXPECT_NE(text.find("points=\"1,2 3,4\""), std::string::npos);
  EXPECT_EQ(text.find("points=\"1,2\""), std::string::npos);
}

TEST(Svg, WrapsAtSpaces) {
  const std::vector<std::string> lines = wrap_text("one two three overlongword four", 60, 10);
  for (const std::string& line : lines) {
    EXPECT_TRUE(text_width(line, 10) <= 60 || line == "overlongword") << line;
  }
  std::string joined;
  for (const std::string& line : lines) {
    joined += (joined.empty() ? "" : " ") + line;
  }
  EXPECT_EQ(joined, "one two three overlongword four");
  EXPECT_TRUE(wrap_text("", 60, 10).empty());
}

}  // namespace
}  // namespace isthmus
