// SPDX-License-Identifier: MIT
#include "isthmus/report/plane_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

constexpr std::string_view line_color = "#ffffff";
constexpr std::string_view level_color = "#000000";
constexpr std::string_view path_color = "#000000";

bool on_path(const PlanePointRow& row) {
  return row.name.starts_with("bead");
}

// Values as they are drawn: logarithms, where all are positive.
struct Heights {
  bool logarithmic = false;
  double of(double value) const { return logarithmic ? std::log10(value) : value; }
};

Heights heights_of(const PlaneFigure& figure) {
  const bool positive = std::ranges::all_of(
      figure.grid, [](const PlaneRow& row) { return std::isnan(row.metric) || row.metric > 0.0; });
  return {positive && figure.threshold > 0.0};
}

std::size_t columns_of(const PlaneFigure& figure) {
  std::size_t columns = 0;
  for (const PlaneRow& row : figure.grid) {
    columns = std::max(columns, row.i + 1);
  }
  return columns;
}

HeatScale scale_of(const PlaneFigure& figure) {
  HeatScale scale{.low = figure.threshold, .high = figure.threshold};
  for (const PlaneRow& row : figure.grid) {
    if (std::isfinite(row.metric)) {
      scale.high = std::max(scale.high, row.metric);
    }
  }
  return scale;
}

// Where the plane is drawn: one scale for both axes.
struct Sheet {
  Frame frame;
  Range x;
  Range y;

  explicit Sheet(const PlaneFigure& figure) {
    x = {figure.grid.front().x, figure.grid.back().x};
    y = {figure.grid.front().y, figure.grid.back().y};
    const double pixels = 600.0 / std::max(x.high - x.low, y.high - y.low);
    frame = {.left = 80,
             .right = 80 + pixels * (x.high - x.low),
             .top = 96,
             .bottom = 96 + pixels * (y.high - y.low)};
  }
  Scale across() const { return {ScaleKind::linear, x, frame.left, frame.right}; }
  Scale up() const { return {ScaleKind::linear, y, frame.bottom, frame.top}; }
};

void draw_heat(Svg& svg, const Sheet& sheet, const PlaneFigure& figure, const HeatScale& scale) {
  const Scale x = sheet.across();
  const Scale y = sheet.up();
  const std::size_t columns = columns_of(figure);
  const auto steps = static_cast<double>(std::max<std::size_t>(columns - 1, 1));
  const double wide = (sheet.frame.right - sheet.frame.left) / steps;
  const auto rows = static_cast<double>(std::max<std::size_t>(figure.grid.size() / columns - 1, 1));
  const double high = (sheet.frame.bottom - sheet.frame.top) / rows;
  for (const PlaneRow& row : figure.grid) {
    const double left = std::max(x.at(row.x) - wide / 2, sheet.frame.left);
    const double top = std::max(y.at(row.y) - high / 2, sheet.frame.top);
    svg.rectangle(left,
                  top,
                  std::min(x.at(row.x) + wide / 2 + 0.6, sheet.frame.right) - left,
                  std::min(y.at(row.y) + high / 2 + 0.6, sheet.frame.bottom) - top,
                  scale.color(row.metric));
  }
}

void draw_level(
    Svg& svg, const Sheet& sheet, const PlaneFigure& figure, double level, const Stroke& stroke) {
  const Heights heights = heights_of(figure);
  std::vector<double> values;
  for (const PlaneRow& row : figure.grid) {
    values.push_back(heights.of(row.metric));
  }
  const std::size_t columns = columns_of(figure);
  const double across = (sheet.frame.right - sheet.frame.left) / static_cast<double>(columns - 1);
  const std::size_t rows = values.size() / columns;
  const double down = (sheet.frame.bottom - sheet.frame.top) / static_cast<double>(rows - 1);
  for (const ContourPiece& piece : contour(values, columns, heights.of(level))) {
    svg.line(sheet.frame.left + across * piece.x1,
             sheet.frame.bottom - down * piece.y1,
             sheet.frame.left + across * piece.x2,
             sheet.frame.bottom - down * piece.y2,
             stroke);
  }
}

void draw_points(Svg& svg, const Sheet& sheet, const PlaneFigure& figure) {
  const Scale x = sheet.across();
  const Scale y = sheet.up();
  Points path;
  double farthest = 0.0;
  for (const PlanePointRow& row : figure.points) {
    if (on_path(row)) {
      path.emplace_back(x.at(row.x), y.at(row.y));
      farthest = std::max(farthest, row.off);
    }
  }
  svg.polyline(path, {path_color, 1.6, "5 3"});
  for (const PlanePointRow& row : figure.points) {
    if (on_path(row)) {
      const double radius = 3 + (farthest > 0.0 ? 5 * row.off / farthest : 0.0);
      svg.circle(x.at(row.x), y.at(row.y), radius, "#ffffff", {path_color, 1.2, ""});
    }
  }
  for (const PlanePointRow& row : figure.points) {
    if (!on_path(row)) {
      svg.circle(x.at(row.x), y.at(row.y), 9, "#ffffff", {"#000000", 1.5, ""});
      svg.text(x.at(row.x),
               y.at(row.y) + 4,
               row.name,
               {.size = 12, .anchor = Anchor::middle, .bold = true});
    }
  }
}

// Where the level cuts the edge from one corner to the next; the corners go around the square.
struct Corner {
  double x;
  double y;
  double value;
};

ContourPiece between(const std::array<Corner, 4>& corners,
                     std::size_t first,
                     std::size_t second,
                     double level) {
  const auto cut = [&](std::size_t edge) {
    const Corner& a = corners[edge];
    const Corner& b = corners[(edge + 1) % 4];
    const double t = (level - a.value) / (b.value - a.value);
    return std::pair{a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
  };
  const auto [x1, y1] = cut(first);
  const auto [x2, y2] = cut(second);
  return {x1, y1, x2, y2};
}

void add_pieces(std::vector<ContourPiece>& pieces,
                const std::array<Corner, 4>& corners,
                double level) {
  std::vector<std::size_t> cut;
  for (std::size_t edge = 0; edge < 4; ++edge) {
    if ((corners[edge].value > level) != (corners[(edge + 1) % 4].value > level)) {
      cut.push_back(edge);
    }
  }
  if (cut.size() == 2) {
    pieces.push_back(between(corners, cut[0], cut[1], level));
  } else if (cut.size() == 4) {
    // A saddle: the mean of the corners says which two corners belong together.
    double mean = 0.0;
    for (const Corner& corner : corners) {
      mean += corner.value / 4.0;
    }
    const bool first_joined = (corners[0].value > level) == (mean > level);
    pieces.push_back(between(corners, 0, first_joined ? 1 : 3, level));
    pieces.push_back(between(corners, 2, first_joined ? 3 : 1, level));
  }
}

}  // namespace

std::vector<ContourPiece> contour(const std::vector<double>& values,
                                  std::size_t columns,
                                  double level) {
  std::vector<ContourPiece> pieces;
  const std::size_t rows = columns == 0 ? 0 : values.size() / columns;
  for (std::size_t j = 0; j + 1 < rows; ++j) {
    for (std::size_t i = 0; i + 1 < columns; ++i) {
      const auto corner = [&](std::size_t di, std::size_t dj) {
        return Corner{static_cast<double>(i + di),
                      static_cast<double>(j + dj),
                      values[(j + dj) * columns + i + di]};
      };
      const std::array<Corner, 4> corners{corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)};
      if (std::ranges::all_of(corners, [](const Corner& at) { return std::isfinite(at.value); })) {
        add_pieces(pieces, corners, level);
      }
    }
  }
  return pieces;
}

PlaneFigure plane_figure(const PathPicture& picture, const MetricLabel& metric) {
  const Json& info = picture.plane_info;
  return {.title = info.value("title", std::string("The plane through three networks")),
          .networks = info.value("networks", std::string()),
          .metric = metric,
          .split = info.value("split", std::string()),
          .threshold = info.value("threshold", 0.0),
          .grid = picture.plane,
          .points = picture.plane_points};
}

std::optional<PlaneFigure> companion_plane(const PathPicture& picture) {
  const Json companion = picture.plane_info.value("companion", Json());
  if (!companion.is_string()) {
    return std::nullopt;
  }
  PlaneFigure figure = plane_figure(picture, metric_label(companion.get<std::string>()));
  figure.level = false;
  figure.threshold = std::numeric_limits<double>::infinity();
  for (PlaneRow& row : figure.grid) {
    row.metric = row.companion;
    if (row.metric > 0.0) {
      figure.threshold = std::min(figure.threshold, row.metric);
    }
  }
  if (!std::isfinite(figure.threshold)) {
    return std::nullopt;
  }
  return figure;
}

std::string plane_sentence(const PlaneFigure& figure) {
  std::string text = fmt::format("{}. ", figure.networks);
  const std::string level = figure.level ? "The strong line is the level L0." : "";
  const PlanePointRow* farthest = nullptr;
  for (const PlanePointRow& row : figure.points) {
    if (on_path(row) && (farthest == nullptr || row.off > farthest->off)) {
      farthest = &row;
    }
  }
  if (farthest == nullptr) {
    return text + level;
  }
  const double width = figure.points[1].x - figure.points[0].x;
  return text + fmt::format(
                    "{}{}The dashed line is the path's projection, larger discs "
                    "lie farther off the plane: {} is farthest, {} away ({:.0f} % of the distance "
                    "from 1 to "
                    "2), where the colours say nothing about it.",
                    level,
                    level.empty() ? "" : " ",
                    farthest->name,
                    short_number(farthest->off),
                    width > 0.0 ? 100.0 * farthest->off / width : 0.0);
}

std::string svg_plane(const PlaneFigure& figure) {
  const Sheet sheet(figure);
  const HeatScale scale = scale_of(figure);
  const double bottom = sheet.frame.bottom;
  const double width = std::max(sheet.frame.right + 40, 640.0);
  const std::vector<std::string> lines = wrap_text(plane_sentence(figure), width - 120, 11);
  Svg svg(width,
          bottom + 100 + 15 * static_cast<double>(lines.size()),
          figure.title,
          plane_sentence(figure));
  svg.text(sheet.frame.left, 30, figure.title, {.size = 17, .bold = true});
  svg.text(sheet.frame.left,
           50,
           fmt::format("{}, {} split", figure.metric.name, figure.split),
           {.size = 12, .color = "#777777"});
  draw_value_axis(svg, sheet.frame, sheet.up(), "across");
  draw_position_axis(svg, sheet.frame, sheet.across(), "from 1 to 2", bottom + 36);
  draw_heat(svg, sheet, figure, scale);
  if (scale.high > scale.low && scale.low > 0.0) {
    for (const Tick& tick : Scale(ScaleKind::log, {scale.low, scale.high}, 0, 1).ticks(12)) {
      draw_level(svg, sheet, figure, tick.value, {line_color, 0.7, ""});
    }
  }
  if (figure.level) {
    draw_level(svg, sheet, figure, figure.threshold, {level_color, 2.6, ""});
  }
  draw_points(svg, sheet, figure);
  const double key = bottom + 56;
  const std::string low =
      figure.level
          ? "L0 = " + with_unit(figure.threshold, figure.metric)
          : fmt::format(
                "{} {}", short_number(figure.threshold * figure.metric.factor), figure.metric.unit);
  svg.text(sheet.frame.left, key + 11, low);
  const double from = sheet.frame.left + text_width(low, 12) + 10;
  for (int i = 0; i < 48; ++i) {
    svg.rectangle(from + 4.0 * i, key, 4.5, 13, heat_color((i + 0.5) / 48));
  }
  svg.text(
      from + 204,
      key + 11,
      fmt::format("{} {}", short_number(scale.high * figure.metric.factor), figure.metric.unit));
  double y = bottom + 92;
  for (const std::string& line : lines) {
    svg.text(sheet.frame.left, y, line, {.size = 11, .color = "#555555"});
    y += 15;
  }
  return svg.str();
}

}  // namespace isthmus
