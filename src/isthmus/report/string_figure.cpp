// SPDX-License-Identifier: MIT
#include "isthmus/report/string_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "isthmus/core/files.h"
#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

using Point = std::array<double, 3>;

constexpr std::string_view shadow_color = "#b9b9b9";
constexpr std::string_view wall_color = "#f4f4f4";
constexpr std::string_view edge_color = "#cccccc";
constexpr std::string_view text_color = "#555555";
constexpr std::string_view bound_color = "#d55e00";
constexpr std::string_view proof_color = "#000000";

// The box of all rounds, so that pictures of two rounds compare.
struct Box {
  Point low{};
  Point high{};

  explicit Box(const PathPicture& picture) {
    low.fill(std::numeric_limits<double>::infinity());
    high.fill(-std::numeric_limits<double>::infinity());
    for (const BeadRow& bead : picture.beads) {
      for (const Point& at : {bead.at, bead.start}) {
        for (std::size_t k = 0; k < 3; ++k) {
          if (std::isfinite(at[k])) {
            low[k] = std::min(low[k], at[k]);
            high[k] = std::max(high[k], at[k]);
          }
        }
      }
    }
    for (std::size_t k = 0; k < 3; ++k) {
      // An axis that the beads do not have, or have by rounding.
      if (!(high[k] - low[k] > 1e-9)) {
        const double middle = std::isfinite(low[k]) ? (low[k] + high[k]) / 2 : 0.0;
        low[k] = middle - 0.5;
        high[k] = middle + 0.5;
      }
      const double air = 0.06 * (high[k] - low[k]);
      low[k] -= air;
      high[k] += air;
    }
  }

  Point unit(const Point& at) const {
    Point place;
    for (std::size_t k = 0; k < 3; ++k) {
      place[k] = (at[k] - low[k]) / (high[k] - low[k]);
    }
    return place;
  }
};

// Where a place in the unit cube is drawn: a parallel projection from above and one side.
struct View {
  double left;
  double top;
  double size;

  std::pair<double, double> at(const Point& unit) const {
    constexpr double across = 0.5;
    constexpr double down = 0.26;
    return {left + size * (0.5 + across * (unit[0] - unit[1])),
            top + size * (0.55 - 0.55 * unit[2] + down * (unit[0] + unit[1]))};
  }
};

void draw_walls(Svg& svg, const View& view) {
  const std::array<std::array<Point, 4>, 3> walls{{
      {{{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}}},
      {{{0, 0, 0}, {1, 0, 0}, {1, 0, 1}, {0, 0, 1}}},
      {{{0, 0, 0}, {0, 1, 0}, {0, 1, 1}, {0, 0, 1}}},
  }};
  for (const auto& wall : walls) {
    Points corners;
    for (const Point& corner : wall) {
      corners.push_back(view.at(corner));
    }
    svg.polygon(corners, wall_color, {edge_color, 1, ""});
  }
}

void draw_names(Svg& svg, const View& view, const Box& box) {
  const auto name = [&](const Point& at, std::size_t axis, Anchor anchor, double dx, double dy) {
    const auto [x, y] = view.at(at);
    svg.text(x + dx,
             y + dy,
             fmt::format("axis {}: {} to {}",
                         axis + 1,
                         short_number(box.low[axis]),
                         short_number(box.high[axis])),
             {.size = 11, .anchor = anchor, .color = text_color});
  };
  name({0.5, 1, 0}, 0, Anchor::end, -6, 18);
  name({1, 0.5, 0}, 1, Anchor::start, 6, 18);
  name({0, 0, 1}, 2, Anchor::middle, 0, -6);
}

// Pieces of one colour, in order.
void draw_string(Svg& svg,
                 const View& view,
                 const Box& box,
                 const std::vector<StringPoint>& points,
                 const HeatScale& scale) {
  for (std::size_t plane = 0; plane < 3; ++plane) {
    Points shadow;
    for (const StringPoint& point : points) {
      Point place = box.unit(point.at);
      place[plane] = 0.0;
      shadow.push_back(view.at(place));
    }
    svg.polyline(shadow, {shadow_color, 1.2, ""});
  }
  Points piece;
  std::string color;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const double value = points[i + 1].arc_length > points[i].arc_length
                             ? std::max(points[i].value, points[i + 1].value)
                             : points[i].value;
    // Few enough colours that neighbours share one.
    const double place = std::round(scale.place(value) * 24.0) / 24.0;
    const std::string next = heat_color(place);
    if (next != color) {
      svg.polyline(piece, {color, 2.6, ""});
      piece = {view.at(box.unit(points[i].at))};
      color = next;
    }
    piece.push_back(view.at(box.unit(points[i + 1].at)));
  }
  svg.polyline(piece, {color, 2.6, ""});
}

void draw_beads(
    Svg& svg, const View& view, const Box& box, const PathPicture& picture, std::size_t round) {
  const std::vector<std::size_t> places = picture.beads_after(round);
  const double radius = places.size() > 40 ? 2 : 3;
  for (const std::size_t i : places) {
    const auto [x, y] = view.at(box.unit(picture.beads[i].at));
    const bool end = i == 0 || i + 1 == picture.beads.size();
    svg.circle(x, y, end ? 5 : radius, end ? "#222222" : "#ffffff", {"#222222", 1, ""});
    if (end) {
      svg.text(x + 8, y - 6, i == 0 ? "A" : "B", {.size = 13, .bold = true});
    }
  }
}

void draw_key(Svg& svg, double left, double y, const StringFigure& figure, const HeatScale& scale) {
  if (figure.picture.along.empty()) {
    svg.text(left, y + 11, "The metric along the string was not evaluated.", {.size = 12});
    return;
  }
  constexpr int steps = 48;
  constexpr double width = 200;
  const std::string low = with_unit(scale.low, figure.metric);
  svg.text(left, y + 11, "L0 = " + low, {.size = 12});
  const double from = left + text_width("L0 = " + low, 12) + 10;
  for (int i = 0; i < steps; ++i) {
    svg.rectangle(
        from + width * i / steps, y, width / steps + 0.5, 13, heat_color((i + 0.5) / steps));
  }
  svg.text(
      from + width + 10,
      y + 11,
      fmt::format(
          "{} {} (log scale)", short_number(scale.high * figure.metric.factor), figure.metric.unit),
      {.size = 12});
}

std::size_t last_round(const PathPicture& picture) {
  return picture.rounds().value_or(0);
}

std::string round_text(const PathPicture& picture, std::size_t round) {
  const std::size_t beads = picture.beads_after(round).size();
  if (!picture.rounds()) {
    return fmt::format("{} beads", beads);
  }
  return round == 0 ? fmt::format("before the first round: {} beads", beads)
                    : fmt::format("after round {}: {} beads", round, beads);
}

// The metric along a string, in a frame, with the threshold and what is proven.
void draw_profile(Svg& svg,
                  const Frame& frame,
                  const StringFigure& figure,
                  const std::vector<StringPoint>& points,
                  Range values,
                  bool labels) {
  const double length = points.empty() ? 0.0 : points.back().arc_length;
  const Scale x(ScaleKind::linear, {0.0, length > 0.0 ? length : 1.0}, frame.left, frame.right);
  const Scale y(ScaleKind::log, values, frame.bottom, frame.top);
  draw_value_axis(svg, frame, y, labels ? figure.metric.name : "");
  draw_position_axis(svg, frame, x, "arc length", frame.bottom + 34);
  const auto level = [&](double value, const Stroke& stroke) {
    if (value > values.low && value < values.high) {
      svg.line(frame.left, y.at(value), frame.right, y.at(value), stroke);
    }
  };
  level(figure.threshold, {bound_color, 1.4, "3 3"});
  if (figure.lower_bound) {
    level(*figure.lower_bound, {proof_color, 1.6, ""});
  }
  Points line;
  for (const StringPoint& point : points) {
    if (std::isfinite(point.value)) {
      line.emplace_back(x.at(point.arc_length),
                        y.at(std::clamp(point.value, values.low, values.high)));
    }
  }
  svg.polyline(line, {"#0072b2", 1.4, ""});
}

}  // namespace

std::string axes_sentence(const PathPicture& picture) {
  if (picture.axes.empty()) {
    return "All beads are one point: there is no axis.";
  }
  if (picture.axes.size() == 1) {
    return "The beads lie on one straight line: there is one axis, and it shows everything.";
  }
  const std::size_t shown = std::min<std::size_t>(picture.axes.size(), 3);
  if (picture.axes.size() == shown) {
    return fmt::format("The beads have {} axes, and they show everything.", shown);
  }
  const BeadRow& farthest = *std::ranges::max_element(picture.beads, {}, &BeadRow::off);
  const double length = picture.beads.back().arc_length;
  return fmt::format(
      "The {} axes hold {:.1f} % of the beads' variance; the bead that lies farthest off them is "
      "number {}, {} away ({:.1f} % of the string's length), which no picture on these axes shows.",
      shown,
      100.0 * picture.axes[shown - 1].cumulative,
      farthest.bead,
      short_number(farthest.off),
      length > 0.0 ? 100.0 * farthest.off / length : 0.0);
}

std::string lower_bound_text(double value) {
  if (!(value > 0.0)) {
    return short_number(value);
  }
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 3.0);
  return fmt::format("{:.4g}", std::floor(value / unit) * unit);
}

std::string svg_string(const StringFigure& figure, std::optional<std::size_t> round) {
  const std::size_t shown = round.value_or(last_round(figure.picture));
  const std::string text = round_text(figure.picture, shown);
  const Box box(figure.picture);
  const HeatScale scale = heat_scale(figure.picture, figure.threshold);
  constexpr View view{.left = 60, .top = 84, .size = 600};
  Svg svg(720, 810, figure.title, fmt::format("{}. {}", text, axes_sentence(figure.picture)));
  svg.text(40, 30, figure.title, {.size = 17, .bold = true});
  svg.text(40, 50, text, {.size = 12, .color = "#777777"});
  draw_walls(svg, view);
  draw_string(svg, view, box, string_after(figure.picture, shown), scale);
  draw_beads(svg, view, box, figure.picture, shown);
  draw_names(svg, view, box);
  draw_key(svg, 40, 742, figure, scale);
  double y = 778;
  for (const std::string& line : wrap_text(axes_sentence(figure.picture), 640, 11)) {
    svg.text(40, y, line, {.size = 11, .color = text_color});
    y += 15;
  }
  return svg.str();
}

std::string svg_stages(const StringFigure& figure) {
  constexpr double panel = 300;
  constexpr double left = 70;
  const std::size_t last = last_round(figure.picture);
  const Box box(figure.picture);
  const HeatScale scale = heat_scale(figure.picture, figure.threshold);
  std::vector<std::size_t> stages{0, (last + 1) / 2, last};
  stages.erase(std::unique(stages.begin(), stages.end()), stages.end());
  // What lies far below the threshold is drawn at the foot: barriers are what is looked at.
  std::vector<double> values{figure.threshold};
  for (const AlongRow& row : figure.picture.along) {
    values.push_back(std::max(row.metric, figure.threshold / 10.0));
  }
  if (figure.lower_bound) {
    values.push_back(*figure.lower_bound);
  }
  const Range range = range_of(ScaleKind::log, values);
  Svg svg(1040, 640, figure.title, "The string at stages of its growth, and the metric along it");
  svg.text(40, 30, figure.title, {.size = 17, .bold = true});
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const double x = left + static_cast<double>(i) * (panel + 25);
    const View view{.left = x, .top = 86, .size = panel - 20};
    const std::vector<StringPoint> points = string_after(figure.picture, stages[i]);
    svg.text(x, 60, round_text(figure.picture, stages[i]), {.size = 13});
    draw_walls(svg, view);
    draw_string(svg, view, box, points, scale);
    draw_beads(svg, view, box, figure.picture, stages[i]);
    const Frame frame{.left = x + 10, .right = x + panel - 20, .top = 410, .bottom = 550};
    draw_profile(svg, frame, figure, points, range, i == 0);
  }
  draw_key(svg, 40, 606, figure, scale);
  std::string lines =
      fmt::format("dashed: threshold {}", with_unit(figure.threshold, figure.metric));
  if (figure.lower_bound) {
    lines += fmt::format("; black: proven, every path meets {} or more",
                         lower_bound_text(*figure.lower_bound * figure.metric.factor));
  }
  svg.text(480, 617, lines, {.size = 12});
  return svg.str();
}

}  // namespace isthmus
