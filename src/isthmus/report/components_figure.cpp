// SPDX-License-Identifier: MIT
#include "isthmus/report/components_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

constexpr double width = 900;
constexpr double height = 440;
constexpr Frame frame{.left = 78, .right = 756, .top = 60, .bottom = 350};
constexpr std::string_view quiet_color = "#777777";

// Okabe and Ito's palette.
constexpr std::string_view colors[] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

using Lines = std::map<std::size_t, std::vector<ComponentsRow>>;  // by width

// A little apart, so that lines of one height can all be seen.
double offset(std::size_t line, std::size_t lines) {
  return 4.0 * (static_cast<double>(line) - 0.5 * static_cast<double>(lines - 1));
}

}  // namespace

std::string svg_components(const ComponentsFigure& figure) {
  std::vector<double> thresholds;
  std::vector<double> counts{0.0};
  Lines lines;
  for (const ComponentsRow& row : figure.rows) {
    thresholds.push_back(row.threshold * figure.metric.factor);
    counts.push_back(static_cast<double>(std::max(row.components, row.components_proven)));
    if (row.reached > 0) {
      lines[row.width.value_or(0)].push_back(row);
    }
  }
  const Scale x(ScaleKind::log, range_of(ScaleKind::log, thresholds), frame.left, frame.right);
  const Scale y(
      ScaleKind::linear, {0.0, *std::ranges::max_element(counts) + 1.0}, frame.bottom, frame.top);
  Svg svg(width, height, figure.title, "Components found against the threshold");
  svg.text(frame.left, 32, figure.title, {.size = 16, .bold = true});
  draw_value_axis(svg, frame, y, "components found");
  const std::string unit = figure.metric.unit.empty() ? "" : ", " + figure.metric.unit;
  draw_position_axis(svg,
                     frame,
                     x,
                     fmt::format("threshold L0 ({}{})", figure.metric.name, unit),
                     frame.bottom + 40);
  std::size_t line = 0;
  for (const auto& [units, rows] : lines) {
    const std::string_view color = colors[line % std::size(colors)];
    Points found;
    Points proven;
    for (const ComponentsRow& row : rows) {
      const double at = x.at(row.threshold * figure.metric.factor);
      const double apart = offset(line, lines.size());
      found.emplace_back(at, y.at(static_cast<double>(row.components)) + apart);
      proven.emplace_back(at, y.at(static_cast<double>(row.components_proven)) + apart);
    }
    if (proven != found) {
      svg.polyline(proven, {color, 1, "4 3"});
    }
    svg.polyline(found, {color, 1.5, ""});
    for (const auto& [at, value] : found) {
      svg.circle(at, value, 3.5, color, {color, 1, ""});
    }
    const double key = frame.top + 12 + 20 * static_cast<double>(line);
    svg.circle(frame.right + 18, key - 4, 3.5, color, {color, 1, ""});
    svg.text(frame.right + 28, key, units == 0 ? "networks" : fmt::format("width {}", units));
    ++line;
  }
  svg.text(frame.left,
           height - 18,
           "A pair that failed proves nothing: there may be fewer components than were found.",
           {.size = 11, .color = quiet_color});
  svg.text(frame.left,
           height - 4,
           "Lines are drawn a little apart. Dashed: under proven paths alone.",
           {.size = 11, .color = quiet_color});
  return svg.str();
}

}  // namespace isthmus
