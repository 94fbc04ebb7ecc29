// SPDX-License-Identifier: MIT
#include "isthmus/report/rate_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

constexpr double width = 900;
constexpr double height = 470;
constexpr Frame frame{.left = 78, .right = 690, .top = 60, .bottom = 380};

// Okabe and Ito's palette.
constexpr std::string_view colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};

// From the first point on, as far as the last one and the frame.
void draw_guide(Svg& svg,
                const Scale& x,
                const Scale& y,
                const RateLine& line,
                double slope,
                const Stroke& stroke) {
  const auto& [first_x, first_y] = line.points.front();
  Points points;
  for (const auto& [at, value] : line.points) {
    const double place = y.at(first_y * std::pow(at / first_x, slope));
    if (place <= frame.bottom) {
      points.emplace_back(x.at(at), place);
    }
  }
  svg.polyline(points, stroke);
}

}  // namespace

std::string svg_rate(const std::vector<RateLine>& lines) {
  std::vector<double> widths;
  std::vector<double> values;
  for (const RateLine& line : lines) {
    if (line.points.empty()) {
      throw UsageError("rate figure: expected points in every line");
    }
    for (const auto& [at, value] : line.points) {
      widths.push_back(at);
      values.push_back(value);
    }
  }
  if (lines.empty()) {
    throw UsageError("rate figure: expected at least one line");
  }
  const Scale x(ScaleKind::log, range_of(ScaleKind::log, widths), frame.left, frame.right);
  const Scale y(ScaleKind::log, range_of(ScaleKind::log, values), frame.bottom, frame.top);
  const std::string_view title = "Corollary 2.5: what merging half of the columns costs";
  Svg svg(width, height, title, "Perturbation of merged networks against their width");
  svg.text(frame.left, 32, title, {.size = 16, .bold = true});
  draw_value_axis(svg, frame, y, "perturbation v, median of the pairs");
  draw_position_axis(svg, frame, x, "hidden units m", frame.bottom + 40);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const RateLine& line = lines[i];
    const std::string_view color = colors[i % std::size(colors)];
    const double n = static_cast<double>(line.inputs);
    if (line.inputs > 1) {
      draw_guide(svg, x, y, line, -1.0 / (n - 1.0), {color, 1, "6 4"});
      draw_guide(svg, x, y, line, -1.0 / n, {color, 1, "1 3"});
    }
    Points points;
    for (const auto& [at, value] : line.points) {
      points.emplace_back(x.at(at), y.at(value));
      svg.circle(points.back().first, points.back().second, 3.5, color, {color, 1, ""});
    }
    svg.polyline(points, {color, 1.5, ""});
    const double key = frame.top + 12 + 20 * static_cast<double>(i);
    svg.circle(frame.right + 18, key - 4, 3.5, color, {color, 1, ""});
    svg.text(frame.right + 28,
             key,
             fmt::format("n = {}: slope {:.2f} +- {:.2f}", line.inputs, line.slope, line.error));
  }
  svg.text(frame.left,
           height - 14,
           "Dashed: slope -1/(n - 1), the dimension of the sphere. Dotted: -1/n, as printed.",
           {.size = 11, .color = "#777777"});
  return svg.str();
}

}  // namespace isthmus
