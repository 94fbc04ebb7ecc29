// SPDX-License-Identifier: MIT
#include "isthmus/report/figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

constexpr double width = 900;
constexpr double left = 78;
constexpr double right = 876;
constexpr double panel_height = 240;
constexpr double strip_height = 22;
constexpr double first_panel_top = 98;
constexpr double panel_pitch = 352;  ///< from the top of one panel to the top of the next
constexpr double note_size = 11;
constexpr double note_pitch = 15;

// Blue and vermilion of Okabe and Ito's palette: told apart with any colour vision, and in grey.
constexpr std::string_view our_color = "#0072b2";
constexpr std::string_view repaired_color = "#99c7e0";  ///< a light one of ours
constexpr std::string_view their_color = "#d55e00";
constexpr std::string_view quiet_color = "#777777";

// A mean with its bar, at a threshold in the unit of the axis.
struct Mark {
  double x = 0;
  double value = 0;
  double error = 0;  ///< half the bar; NaN for none
};

// One of the two panels: what it shows and where.
struct Panel {
  std::string label;
  ScaleKind x_kind = ScaleKind::linear;
  ScaleKind y_kind = ScaleKind::linear;
  std::vector<Mark> ours;
  std::vector<Mark> theirs;
  std::optional<double> reference;  ///< a level to mark
  std::string reference_label;
  double top = 0;
};

std::vector<Mark> our_marks(const FigureData& data,
                            double CurveRow::*mean,
                            double CurveRow::*error) {
  std::vector<Mark> marks;
  for (const CurveRow& row : data.curve) {
    if (std::isfinite(row.*mean)) {
      marks.push_back({row.threshold * data.metric.factor, row.*mean, row.*error});
    }
  }
  std::reverse(marks.begin(), marks.end());  // ascending, to be joined from left to right
  return marks;
}

std::vector<Mark> their_marks(const FigureData& data,
                              std::vector<PublishedPoint> PublishedCurve::*quantity) {
  std::vector<Mark> marks;
  if (data.published) {
    for (const PublishedPoint& point : *data.published.*quantity) {
      marks.push_back({point.threshold * data.metric.factor, point.value, point.half_width});
    }
  }
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.x < b.x; });
  return marks;
}

double largest(const std::vector<double>& values) {
  double most = -std::numeric_limits<double>::infinity();
  for (const double value : values) {
    most = value > most ? value : most;  // a NaN has no place on an axis
  }
  return most;
}

std::vector<double> extent(const Panel& panel) {
  std::vector<double> values;
  for (const auto* marks : {&panel.ours, &panel.theirs}) {
    for (const Mark& mark : *marks) {
      const double error = std::isnan(mark.error) ? 0 : mark.error;
      values.insert(values.end(), {mark.value, mark.value - error, mark.value + error});
    }
  }
  if (panel.reference) {
    // With room for its label below it.
    const double top = std::max(*panel.reference, largest(values));
    values.push_back(*panel.reference - 0.04 * (top - *panel.reference));
  }
  return values;
}

std::vector<double> all_thresholds(const FigureData& data) {
  std::vector<double> values;
  for (const CurveRow& row : data.curve) {
    values.push_back(row.threshold * data.metric.factor);
  }
  for (const Mark& mark : their_marks(data, &PublishedCurve::length)) {
    values.push_back(mark.x);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(),
                           values.end(),
                           [](double a, double b) { return std::abs(a - b) <= 1e-9 * b; }),
               values.end());
  return values;
}

// How large marks may be, and how far those of one threshold may be set apart, without running into
// the neighbouring threshold.
struct Spacing {
  double radius = 4;
  double apart = 4;
  double column = 8;  ///< width of a column of the strip
};

Spacing spacing_of(const Scale& x, const std::vector<double>& thresholds) {
  double gap = 20;
  for (std::size_t i = 1; i < thresholds.size(); ++i) {
    gap = std::min(gap, x.at(thresholds[i]) - x.at(thresholds[i - 1]));
  }
  return {.radius = std::clamp(0.3 * gap, 2.0, 4.0),
          .apart = std::min(0.25 * gap, 4.0),
          .column = std::clamp(0.7 * gap, 1.0, 8.0)};
}

void draw_bar(Svg& svg, double x, double low, double high, double cap, std::string_view color) {
  const Stroke stroke{color, 1.2, ""};
  svg.line(x, low, x, high, stroke);
  svg.line(x - cap, low, x + cap, low, stroke);
  svg.line(x - cap, high, x + cap, high, stroke);
}

// The lower end of a bar may lie at or below 0, which a logarithmic axis does not have.
double bar_end(const Scale& y, const Panel& panel, double value, double floor) {
  return panel.y_kind == ScaleKind::log && value <= 0 ? floor : std::min(y.at(value), floor);
}

enum class Series { ours, theirs };

void draw_mark(Svg& svg, double x, double y, double radius, Series series) {
  if (series == Series::ours) {
    svg.circle(x, y, radius, our_color, {our_color, 1, ""});
    return;
  }
  const double r = 0.9 * radius;
  svg.polygon({{x - r, y - r}, {x + r, y - r}, {x + r, y + r}, {x - r, y + r}},
              "#ffffff",
              {their_color, 1.4, ""});
}

void draw_series(Svg& svg,
                 const Panel& panel,
                 const Scale& x,
                 const Scale& y,
                 const Spacing& spacing,
                 Series series) {
  const bool ours = series == Series::ours;
  const std::vector<Mark>& marks = ours ? panel.ours : panel.theirs;
  const double shift = (ours ? -0.5 : 0.5) * (panel.theirs.empty() ? 0 : spacing.apart);
  const std::string_view color = ours ? our_color : their_color;
  Points line;
  for (const Mark& mark : marks) {
    line.emplace_back(x.at(mark.x) + shift, y.at(mark.value));
  }
  svg.polyline(line, {color, 0.8, ours ? "" : "2 3"});
  for (const Mark& mark : marks) {
    if (std::isfinite(mark.error)) {
      draw_bar(svg,
               x.at(mark.x) + shift,
               bar_end(y, panel, mark.value - mark.error, panel.top + panel_height),
               y.at(mark.value + mark.error),
               0.8 * spacing.radius,
               color);
    }
  }
  for (std::size_t i = 0; i < marks.size(); ++i) {
    draw_mark(svg, line[i].first, line[i].second, spacing.radius, series);
  }
}

// The connected fraction as a column a threshold, in full colour as far as it is direct, written
// out where there is room: the lowest fractions first, since those are the news. Where there was
// repair, the direct fraction is written behind.
void draw_strip(Svg& svg, const FigureData& data, const Scale& x, double column, double top) {
  constexpr double label_size = 10;
  const double base = top + strip_height;
  svg.rectangle(left, top, right - left, strip_height, "#f2f2f2");
  svg.text(left - 8, top + 9, "connected", {.size = 10, .anchor = Anchor::end});
  svg.text(left - 8, top + 20, "of tried", {.size = 10, .anchor = Anchor::end});
  std::vector<CurveRow> rows = data.curve;
  std::stable_sort(rows.begin(), rows.end(), [](const CurveRow& a, const CurveRow& b) {
    return a.connected * b.pairs < b.connected * a.pairs;
  });
  Labels labels;
  for (const CurveRow& row : rows) {
    const double place = x.at(row.threshold * data.metric.factor);
    const auto draw_part = [&](std::size_t count, std::string_view color) {
      const double height = row.pairs == 0 ? 0
                                           : strip_height * static_cast<double>(count) /
                                                 static_cast<double>(row.pairs);
      svg.rectangle(place - 0.5 * column, base - height, column, height, color);
    };
    if (row.direct < row.connected) {
      draw_part(row.connected, repaired_color);
    }
    draw_part(row.direct, our_color);
    std::string label = percentage(row.connected, row.pairs);
    if (row.direct < row.connected) {
      label += fmt::format(" ({} direct)", percentage(row.direct, row.pairs));
    }
    if (labels.claim(place, text_width(label, label_size) + 6)) {
      svg.text(place,
               base + 12,
               label,
               {.size = label_size,
                .anchor = Anchor::middle,
                .color = row.connected < row.pairs ? our_color : quiet_color,
                .bold = row.connected < row.pairs});
    }
  }
  svg.line(left, base, right, base, {quiet_color, 0.8, ""});
}

void draw_reference(Svg& svg, const Panel& panel, const Scale& y) {
  if (panel.reference) {
    const double place = y.at(*panel.reference);
    svg.line(left, place, right, place, {quiet_color, 0.8, "6 4"});
    svg.text(right - 4,
             place + 12,
             panel.reference_label,
             {.size = 10, .anchor = Anchor::end, .color = quiet_color});
  }
}

std::string threshold_label(const FigureData& data) {
  return fmt::format("threshold: {}{}{}",
                     data.metric.name,
                     data.split.empty() ? "" : fmt::format(", {} split", data.split),
                     data.metric.unit.empty() ? "" : fmt::format(" ({})", data.metric.unit));
}

void draw_panel(Svg& svg, const FigureData& data, const Panel& panel) {
  const std::vector<double> thresholds = all_thresholds(data);
  const double bottom = panel.top + panel_height;
  const Scale x(panel.x_kind, range_of(panel.x_kind, thresholds), left, right);
  const Scale y(panel.y_kind, range_of(panel.y_kind, extent(panel)), bottom, panel.top);
  const double strip_top = bottom + 26;
  const double label_y = data.curve.empty() ? bottom + 36 : strip_top + strip_height + 36;
  const Frame frame{.left = left, .right = right, .top = panel.top, .bottom = bottom};
  draw_value_axis(svg, frame, y, panel.label);
  draw_reference(svg, panel, y);
  draw_position_axis(svg, frame, x, threshold_label(data), label_y);
  svg.text(left, label_y, "\u2190 harder", {.size = note_size, .color = quiet_color});
  const Spacing spacing = spacing_of(x, thresholds);
  draw_series(svg, panel, x, y, spacing, Series::theirs);
  draw_series(svg, panel, x, y, spacing, Series::ours);
  if (!data.curve.empty()) {
    draw_strip(svg, data, x, spacing.column, strip_top);
  }
  if (panel.ours.empty()) {
    svg.text(0.5 * (left + right),
             panel.top + 20,
             data.curve.empty() ? "no finished pair yet" : "no connected pair",
             {.size = 13, .anchor = Anchor::middle, .color = our_color, .bold = true});
  }
}

void draw_legend(Svg& svg, const FigureData& data) {
  constexpr double y = 78;
  double x = left + 8;
  if (!data.curve.empty()) {
    draw_bar(svg, x, y - 12, y + 4, 3, our_color);
    draw_mark(svg, x, y - 4, 4, Series::ours);
    const std::string label = "this run: mean and standard error over connected pairs";
    svg.text(x + 12, y, label);
    x += 40 + text_width(label, 12);
  }
  if (data.published) {
    draw_bar(svg, x, y - 12, y + 4, 3, their_color);
    draw_mark(svg, x, y - 4, 4, Series::theirs);
    svg.text(x + 12, y, "published (2017), bars as printed");
  }
}

std::string pairs_text(const std::vector<CurveRow>& curve) {
  const auto [least, most] =
      std::minmax_element(curve.begin(), curve.end(), [](const CurveRow& a, const CurveRow& b) {
        return a.pairs < b.pairs;
      });
  return least->pairs == most->pairs ? fmt::format("{}", least->pairs)
                                     : fmt::format("{} to {}", least->pairs, most->pairs);
}

// The thresholds that the panels cannot show a point for.
std::string unconnected(const FigureData& data) {
  std::vector<CurveRow> rows;
  std::copy_if(data.curve.begin(), data.curve.end(), std::back_inserter(rows), [](const auto& row) {
    return row.connected == 0;
  });
  std::vector<std::string> list;
  list.reserve(rows.size());
  for (const CurveRow& row : rows) {
    list.push_back(with_unit(row.threshold, data.metric));
  }
  return list.empty() ? ""
                      : fmt::format("No connected pair at {} ({} tried{}).",
                                    fmt::join(list, ", "),
                                    pairs_text(rows),
                                    rows.size() == 1 ? "" : " at each");
}

std::vector<std::string> footer(const FigureData& data) {
  std::vector<std::string> paragraphs;
  if (data.curve.empty()) {
    paragraphs.emplace_back("This run has no finished pair yet.");
  }
  paragraphs.push_back(unconnected(data));
  paragraphs.insert(paragraphs.end(), data.notes.begin(), data.notes.end());
  std::vector<std::string> lines;
  for (const std::string& paragraph : paragraphs) {
    for (std::string& line : wrap_text(paragraph, right - left, note_size)) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string description(const FigureData& data) {
  std::string text =
      "Threshold: connected of tried (direct), normalised length over the weights, beads.";
  for (const CurveRow& row : data.curve) {
    text += fmt::format(" {}: {} of {} ({}), {}, {}.",
                        with_unit(row.threshold, data.metric),
                        row.connected,
                        row.pairs,
                        row.direct,
                        short_number(row.length_weights_mean),
                        short_number(row.beads_mean));
  }
  return text;
}

}  // namespace

FigureData figure_data(const RunRecord& run) {
  FigureData data;
  data.title = fmt::format("Paths between networks: {}", run.task.empty() ? "run" : run.task);
  std::vector<std::string> parts;
  if (!run.protocol.empty()) {
    parts.push_back(run.protocol + " protocol");
  }
  if (!run.risk.empty()) {
    parts.push_back(run.risk + " risk");
  }
  if (!run.align.empty()) {
    parts.push_back("B aligned by " + run.align);
  }
  if (!run.penalty.empty()) {
    parts.push_back("penalty " + run.penalty);
  }
  if (!run.curve.empty()) {
    parts.push_back(fmt::format("{} threshold{}, {} pair{}{}",
                                run.curve.size(),
                                run.curve.size() == 1 ? "" : "s",
                                pairs_text(run.curve),
                                run.cells.size() == run.curve.size() ? "" : "s",
                                run.curve.size() == 1 ? "" : " each"));
  }
  data.subtitle = fmt::format("{}", fmt::join(parts, " \u00b7 "));
  data.metric = metric_label(run.metric);
  data.split = run.split;
  data.curve = run.curve;
  data.published = published_curve(run.task, run.metric, run.split);
  data.log_beads = run.task == "quadratic" || run.task == "cubic";
  data.notes.emplace_back(
      "Length: over the weights, divided by the distance of the end points. Beads: end points "
      "counted.");
  if (std::ranges::any_of(run.curve,
                          [](const CurveRow& row) { return row.direct < row.connected; })) {
    data.notes.emplace_back(
        "Connected: in full colour those that the method itself joined (direct), in a pale one "
        "those "
        "that were repaired.");
  }
  if (data.published) {
    data.notes.emplace_back(
        "Published: Freeman and Bruna, ICLR 2017, figure 1, drawn a little to the right. Its "
        "averages leave out the pairs that did not connect.");
  }
  data.notes.insert(data.notes.end(), run.notes.begin(), run.notes.end());
  return data;
}

std::string svg_figure(const FigureData& data) {
  const bool positive = std::all_of(
      data.curve.begin(), data.curve.end(), [](const CurveRow& row) { return row.threshold > 0; });
  const ScaleKind kind = data.log_beads && positive ? ScaleKind::log : ScaleKind::linear;
  const Panel length{
      .label = "normalised length",
      .ours = our_marks(data, &CurveRow::length_weights_mean, &CurveRow::length_weights_sem),
      .theirs = their_marks(data, &PublishedCurve::length),
      .reference = 1,
      .reference_label = "straight line",
      .top = first_panel_top};
  const Panel beads{.label = "beads",
                    .x_kind = kind,
                    .y_kind = kind,
                    .ours = our_marks(data, &CurveRow::beads_mean, &CurveRow::beads_sem),
                    .theirs = their_marks(data, &PublishedCurve::beads),
                    .reference = {},
                    .reference_label = {},
                    .top = first_panel_top + panel_pitch};
  const std::vector<std::string> notes = footer(data);
  const bool anything = !data.curve.empty() || data.published;
  const double notes_top = anything ? first_panel_top + 2 * panel_pitch + 4 : first_panel_top - 20;
  const double height = notes_top + note_pitch * static_cast<double>(notes.size()) + 8;
  Svg svg(width, height, data.title, description(data));
  svg.text(left, 30, data.title, {.size = 18, .bold = true});
  svg.text(left, 50, data.subtitle, {.size = 12, .color = quiet_color});
  if (anything) {
    draw_legend(svg, data);
    draw_panel(svg, data, length);
    draw_panel(svg, data, beads);
  }
  for (std::size_t i = 0; i < notes.size(); ++i) {
    svg.text(left,
             notes_top + note_pitch * static_cast<double>(i + 1) - 6,
             notes[i],
             {.size = note_size, .color = "#444444"});
  }
  return svg.str();
}

}  // namespace isthmus
