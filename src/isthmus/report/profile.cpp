// SPDX-License-Identifier: MIT
#include "isthmus/report/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/report/frame.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

constexpr double width = 900;
constexpr double height = 430;
constexpr Frame frame{.left = 78, .right = 876, .top = 92, .bottom = 372};

constexpr std::string_view path_color = "#0072b2";
constexpr std::string_view bound_color = "#d55e00";
constexpr std::string_view straight_color = "#8a8a8a";
constexpr std::string_view nan_color = "#f6d9c9";

double unit_of(const PathProfile& profile) {
  return profile.endpoint_distance > 0 ? profile.endpoint_distance : 1;
}

ScaleKind kind_of(const PathProfile& profile) {
  double least = profile.threshold;
  double most = profile.threshold;
  for (const auto* samples : {&profile.path, &profile.straight}) {
    for (const ProfileSample& sample : *samples) {
      if (std::isfinite(sample.value)) {
        least = std::min(least, sample.value);
        most = std::max(most, sample.value);
      }
    }
  }
  return least > 0 && most > 10 * profile.threshold ? ScaleKind::log : ScaleKind::linear;
}

// The parts of a curve between its values that are not numbers.
std::vector<Points> unbroken_parts(const PathProfile& profile,
                                   const std::vector<ProfileSample>& samples,
                                   const Scale& x,
                                   const Scale& y) {
  std::vector<Points> parts(1);
  for (const ProfileSample& sample : samples) {
    if (std::isfinite(sample.value)) {
      parts.back().emplace_back(x.at(sample.arc_length / unit_of(profile)),
                                y.at(sample.value * profile.metric.factor));
    } else if (!parts.back().empty()) {
      parts.emplace_back();
    }
  }
  return parts;
}

// One sample a bead: the two segments that meet there have one each.
std::vector<ProfileSample> beads_of(const std::vector<ProfileSample>& samples) {
  std::vector<ProfileSample> beads;
  for (const ProfileSample& sample : samples) {
    if (sample.t != 0 && sample.t != 1) {
      continue;
    }
    const std::size_t bead = sample.segment + (sample.t == 1 ? 1 : 0);
    const bool known =
        !beads.empty() && beads.back().segment + (beads.back().t == 1 ? 1 : 0) == bead;
    if (!known) {
      beads.push_back(sample);
    }
  }
  return beads;
}

bool has_nan(const PathProfile& profile) {
  return std::ranges::any_of(
      profile.path, [](const ProfileSample& sample) { return !std::isfinite(sample.value); });
}

// Shades the places of values that are not numbers, up to the places beside them.
void draw_nans(Svg& svg, const PathProfile& profile, const Scale& x) {
  const std::vector<ProfileSample>& path = profile.path;
  const auto place = [&](std::size_t i) { return x.at(path[i].arc_length / unit_of(profile)); };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (std::isfinite(path[i].value)) {
      continue;
    }
    const std::size_t first = i;
    while (i + 1 < path.size() && !std::isfinite(path[i + 1].value)) {
      ++i;
    }
    const double left = place(first == 0 ? 0 : first - 1);
    const double right = place(std::min(i + 1, path.size() - 1));
    svg.rectangle(
        left, frame.top, std::max(right - left, 1.0), frame.bottom - frame.top, nan_color);
  }
}

void draw_curves(Svg& svg, const PathProfile& profile, const Scale& x, const Scale& y) {
  for (const Points& part : unbroken_parts(profile, profile.straight, x, y)) {
    svg.polyline(part, {straight_color, 1.6, "7 3"});
  }
  for (const Points& part : unbroken_parts(profile, profile.path, x, y)) {
    svg.polyline(part, {path_color, 1.4, ""});
  }
  const std::vector<ProfileSample> beads = beads_of(profile.path);
  const double radius = beads.size() > 100 ? 2 : beads.size() > 40 ? 3 : 4;
  for (const ProfileSample& bead : beads) {
    if (std::isfinite(bead.value)) {
      svg.circle(x.at(bead.arc_length / unit_of(profile)),
                 y.at(bead.value * profile.metric.factor),
                 radius,
                 "#ffffff",
                 {path_color, 1.4, ""});
    }
  }
}

void draw_legend(Svg& svg, const PathProfile& profile, std::size_t beads) {
  constexpr double y = 74;
  double x = frame.left + 4;
  const auto entry = [&](const Stroke& stroke, const std::string& label) {
    svg.line(x, y - 4, x + 28, y - 4, stroke);
    svg.text(x + 34, y, label);
    x += 58 + text_width(label, 12);
  };
  entry({path_color, 1.4, ""}, beads == 0 ? "path" : fmt::format("path, {} beads", beads));
  entry({bound_color, 1.4, "3 3"},
        fmt::format("threshold {}", with_unit(profile.threshold, profile.metric)));
  if (!profile.straight.empty()) {
    entry({straight_color, 1.6, "7 3"}, "straight line between the end points");
  }
  if (has_nan(profile)) {
    entry({nan_color, 8, ""}, "not a number");
  }
}

std::string value_label(const PathProfile& profile) {
  return fmt::format("{}{}",
                     profile.metric.name,
                     profile.metric.unit.empty() ? "" : fmt::format(" ({})", profile.metric.unit));
}

// A value that is not a number is the greatest of all.
std::string subtitle(const PathProfile& profile) {
  if (profile.path.empty()) {
    return "no value is known along this path";
  }
  const auto rank = [](const ProfileSample& sample) {
    return std::isfinite(sample.value) ? sample.value : INFINITY;
  };
  const ProfileSample& worst = *std::ranges::max_element(profile.path, {}, rank);
  const std::string value =
      std::isfinite(worst.value)
          ? fmt::format("{:.4g}{}",
                        worst.value * profile.metric.factor,
                        profile.metric.unit.empty() ? "" : " " + profile.metric.unit)
          : "NaN";
  return fmt::format("{} {} at arc length {}{}",
                     profile.undecided ? "not proven: the bound stayed at" : "greatest value",
                     value,
                     short_number(worst.arc_length / unit_of(profile)),
                     profile.split.empty() ? "" : fmt::format(" \u00b7 {} split", profile.split));
}

std::vector<ProfileSample> samples_of(const Json& points) {
  std::vector<ProfileSample> samples;
  for (const Json& point : points) {
    samples.push_back({.segment = point.at(0).get<std::size_t>(),
                       .t = point.at(1).get<double>(),
                       .arc_length = number_or_nan(point.at(2)),
                       .value = number_or_nan(point.at(3))});
  }
  return samples;
}

}  // namespace

std::optional<PathProfile> read_profile(const RunRecord& run, double threshold, std::size_t pair) {
  const std::filesystem::path file =
      run.folder / run_files::cell_details /
      std::filesystem::path(path_file_name(threshold, pair)).replace_extension(".json");
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return std::nullopt;
  }
  const Json json = read_json(file);
  try {
    const Json& details = json.at("details");
    if (!details.contains("profile")) {
      return std::nullopt;
    }
    PathProfile profile;
    profile.metric = metric_label(run.metric);
    profile.split = run.split;
    profile.threshold = threshold;
    profile.title = fmt::format(
        "{}, threshold {}, pair {}", run.task, with_unit(threshold, profile.metric), pair);
    profile.endpoint_distance = number_or_nan(details.at("endpoint_distance"));
    profile.path = samples_of(details.at("profile"));
    profile.undecided = details.contains("undecided_bound");
    return profile;
  } catch (const Json::exception& damage) {
    throw DataError(
        fmt::format("{}: expected \"details\" with \"endpoint_distance\" and \"profile\" "
                    "(a list of [segment, t, arc length, value]), found {}",
                    file.string(),
                    damage.what()));
  }
}

std::string svg_profile(const PathProfile& profile) {
  std::vector<double> positions{0, 1};
  std::vector<double> values{profile.threshold * profile.metric.factor};
  for (const auto* samples : {&profile.path, &profile.straight}) {
    for (const ProfileSample& sample : *samples) {
      positions.push_back(sample.arc_length / unit_of(profile));
      values.push_back(sample.value * profile.metric.factor);
    }
  }
  const ScaleKind kind = kind_of(profile);
  const Scale x(ScaleKind::linear, range_of(ScaleKind::linear, positions), frame.left, frame.right);
  const Scale y(kind, range_of(kind, values), frame.bottom, frame.top);
  Svg svg(width, height, profile.title, subtitle(profile));
  svg.text(frame.left, 28, profile.title, {.size = 18, .bold = true});
  svg.text(frame.left, 48, subtitle(profile), {.size = 12, .color = "#777777"});
  draw_legend(svg, profile, beads_of(profile.path).size());
  draw_nans(svg, profile, x);
  draw_value_axis(svg, frame, y, value_label(profile));
  draw_position_axis(svg,
                     frame,
                     x,
                     profile.endpoint_distance > 0
                         ? "arc length from A / distance of the end points"
                         : "arc length from A",
                     frame.bottom + 40);
  const double bound = y.at(profile.threshold * profile.metric.factor);
  svg.line(frame.left, bound, frame.right, bound, {bound_color, 1.4, "3 3"});
  draw_curves(svg, profile, x, y);
  return svg.str();
}

}  // namespace isthmus
