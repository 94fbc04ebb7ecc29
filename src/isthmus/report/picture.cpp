// SPDX-License-Identifier: MIT
#include "isthmus/report/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

template <class Row>
void read_table(const fs::path& stem,
                std::string_view ending,
                std::vector<Row> (*parse)(std::string_view, const std::string&),
                std::vector<Row>& rows) {
  const fs::path file = stem.string() + std::string(ending);
  std::error_code error;
  if (fs::exists(file, error)) {
    rows = parse(read_file(file), file.string());
  }
}

Json read_info(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    return nullptr;
  }
  Json info = read_json(file);
  if (!info.is_object()) {
    throw DataError(fmt::format(
        "{}: expected a JSON object, found a JSON {}", file.string(), info.type_name()));
  }
  return info;
}

// Rows of the segment between two beads, t ascending; empty if it was not evaluated.
std::vector<const AlongRow*> rows_between(const PathPicture& picture,
                                          std::size_t left,
                                          std::size_t right) {
  std::vector<const AlongRow*> rows;
  for (const AlongRow& row : picture.along) {
    if (row.left == left && row.right == right) {
      rows.push_back(&row);
    }
  }
  return rows;
}

}  // namespace

std::optional<std::size_t> PathPicture::rounds() const {
  const auto found = info.find("rounds");
  if (found == info.end() || !found->is_number_unsigned()) {
    return std::nullopt;
  }
  return found->get<std::size_t>();
}

std::vector<std::size_t> PathPicture::beads_after(std::size_t round) const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < beads.size(); ++i) {
    if (beads[i].round <= round) {
      places.push_back(i);
    }
  }
  return places;
}

std::optional<PathPicture> read_picture(const fs::path& folder, const std::string& stem) {
  const fs::path base = folder / stem;
  PathPicture picture;
  picture.info = read_info(base.string() + std::string(picture_files::info));
  if (picture.info.is_null()) {
    return std::nullopt;
  }
  read_table(base, picture_files::axes, parse_axes, picture.axes);
  read_table(base, picture_files::beads, parse_beads, picture.beads);
  read_table(base, picture_files::along, parse_along, picture.along);
  read_table(base, picture_files::curvature, parse_curvature, picture.curvature);
  read_table(base, picture_files::plane, parse_plane, picture.plane);
  read_table(base, picture_files::plane_points, parse_plane_points, picture.plane_points);
  picture.plane_info = read_info(base.string() + std::string(picture_files::plane_info));
  for (const AlongRow& row : picture.along) {
    if (row.left >= row.right || row.right >= picture.beads.size()) {
      throw DataError(
          fmt::format("{}{}: expected segments between the {} beads of {}{}, found {}-{}",
                      base.string(),
                      picture_files::along,
                      picture.beads.size(),
                      stem,
                      picture_files::beads,
                      row.left,
                      row.right));
    }
  }
  return picture;
}

std::vector<StringPoint> string_after(const PathPicture& picture, std::size_t round) {
  const std::vector<std::size_t> places = picture.beads_after(round);
  std::vector<StringPoint> points;
  double arc_length = 0.0;
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    const BeadRow& left = picture.beads[places[i]];
    const BeadRow& right = picture.beads[places[i + 1]];
    double squares = std::pow(right.off - left.off, 2);
    for (std::size_t k = 0; k < 3; ++k) {
      squares += std::pow(right.at[k] - left.at[k], 2);
    }
    const double length =
        places[i] + 1 == places[i + 1] ? right.arc_length - left.arc_length : std::sqrt(squares);
    const auto add = [&](double t, double value) {
      StringPoint point{.arc_length = arc_length + t * length, .value = value};
      for (std::size_t k = 0; k < 3; ++k) {
        point.at[k] = (1.0 - t) * left.at[k] + t * right.at[k];
      }
      points.push_back(point);
    };
    const auto rows = rows_between(picture, places[i], places[i + 1]);
    if (rows.empty()) {
      add(0.0, no_value);
      add(1.0, no_value);
    }
    for (const AlongRow* row : rows) {
      add(row->t, row->metric);
    }
    arc_length += length;
  }
  return points;
}

double HeatScale::place(double value) const {
  if (std::isnan(value)) {
    return value;
  }
  if (value <= low) {
    return 0.0;
  }
  if (value >= high) {
    return 1.0;
  }
  return low > 0.0 ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

std::string HeatScale::color(double value) const {
  return heat_color(place(value));
}

HeatScale heat_scale(const PathPicture& picture, double threshold) {
  HeatScale scale{.low = threshold, .high = threshold};
  for (const AlongRow& row : picture.along) {
    if (std::isfinite(row.metric)) {
      scale.high = std::max(scale.high, row.metric);
    }
  }
  return scale;
}

const std::vector<std::string>& heat_colors() {
  static const std::vector<std::string> colors{
      "#1f5fa8", "#4a8fc7", "#8fbcd9", "#d9d3b8", "#f0b56b", "#e0763a", "#b5202e"};
  return colors;
}

std::string heat_color(double place) {
  if (std::isnan(place)) {
    return "#9a9a9a";
  }
  const std::vector<std::string>& colors = heat_colors();
  const double scaled = std::clamp(place, 0.0, 1.0) * static_cast<double>(colors.size() - 1);
  const std::size_t first = std::min(static_cast<std::size_t>(scaled), colors.size() - 2);
  const double part = scaled - static_cast<double>(first);
  std::string color = "#";
  for (std::size_t c = 1; c < 7; c += 2) {
    const auto level = [&](std::size_t which) {
      return static_cast<double>(std::stoi(colors[which].substr(c, 2), nullptr, 16));
    };
    color += fmt::format(
        "{:02x}",
        static_cast<int>(std::lround((1.0 - part) * level(first) + part * level(first + 1))));
  }
  return color;
}

}  // namespace isthmus
