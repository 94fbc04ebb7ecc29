// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isthmus/core/names.h"

namespace isthmus {

/// How a line is drawn. Colours are those of SVG.
struct Stroke {
  std::string_view color = "#000000";
  double width = 1;
  std::string_view dash;  ///< lengths of dashes and gaps, e.g. "4 3"; empty is unbroken
};

enum class Anchor { start, middle, end };

template <>
inline constexpr auto enum_names<Anchor> = name_table<Anchor>(
    "anchor", {{Anchor::start, "start"}, {Anchor::middle, "middle"}, {Anchor::end, "end"}});

struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::start;
  std::string_view color = "#222222";
  bool bold = false;
  bool upwards = false;  ///< turned to be read from below
};

using Points = std::vector<std::pair<double, double>>;

/// Writes one self-contained SVG picture: no script, no link, fonts of the viewer. Coordinates are
/// pixels from the upper left corner, written with at most two decimals, so that equal pictures are
/// equal bytes. Elements cover those before them.
class Svg {
 public:
  /// `title` and `description` are for screen readers; they are not drawn.
  Svg(double width, double height, std::string_view title, std::string_view description);

  void line(double x1, double y1, double x2, double y2, const Stroke& stroke);
  void polyline(const Points& points, const Stroke& stroke);
  /// A closed shape, filled, with an outline.
  void polygon(const Points& points, std::string_view fill, const Stroke& outline);
  void rectangle(double x, double y, double width, double height, std::string_view fill);
  void circle(double x, double y, double radius, std::string_view fill, const Stroke& outline);
  /// `y` is the base line.
  void text(double x, double y, std::string_view content, const TextStyle& style = {});

  /// The picture so far, closed.
  std::string str() const;

 private:
  std::string body_;
};

/// Text as SVG may hold it: markup escaped, control characters and broken UTF-8 shown as "?".
std::string svg_escape(std::string_view text);

/// About the width of a text in the wider of the common sans-serif fonts, in pixels.
double text_width(std::string_view text, double size);

/// Breaks a text at spaces into lines of at most `width` pixels (a longer word keeps its line).
std::vector<std::string> wrap_text(std::string_view text, double width, double size);

}  // namespace isthmus
