// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/picture_tables.h"

namespace isthmus {

/// The tables of one path that `isthmus report` draws (docs/pictures.md), as they are on disk.
struct PathPicture {
  Json info;  ///< an object
  std::vector<AxisRow> axes;
  std::vector<BeadRow> beads;
  std::vector<AlongRow> along;          ///< empty: not evaluated
  std::vector<CurvatureRow> curvature;  ///< empty: not asked for
  std::vector<PlaneRow> plane;          ///< empty: not asked for
  std::vector<PlanePointRow> plane_points;
  Json plane_info;  ///< an object with the plane, else null

  /// The last round whose beads are on the path; nothing where the order is not known.
  std::optional<std::size_t> rounds() const;
  /// Places on the path of the beads of the string after a round, in order.
  std::vector<std::size_t> beads_after(std::size_t round) const;
};

/// Reads what is there of `stem` in `folder`; nothing if its info is not. Throws DataError for a
/// damaged table.
std::optional<PathPicture> read_picture(const std::filesystem::path& folder,
                                        const std::string& stem);

/// A point of a string with its metric; NaN: not known.
struct StringPoint {
  std::array<double, 3> at{};
  double arc_length = 0.0;
  double value = no_value;
};

/// The string after a round as dense points, by its evaluated segments; of segments that were not,
/// the beads alone.
std::vector<StringPoint> string_after(const PathPicture& picture, std::size_t round);

/// From the threshold, drawn blue, to the top, drawn red, on a logarithmic scale; grey: not known.
/// Blue, pale and red differ in lightness too, for those who do not tell them apart by hue.
struct HeatScale {
  double low = 1.0;   ///< the threshold
  double high = 1.0;  ///< the largest value, at least `low`

  /// 0 at or below the threshold, 1 at the top; NaN for a value that is not known.
  double place(double value) const;
  std::string color(double value) const;
};
HeatScale heat_scale(const PathPicture& picture, double threshold);

/// "#rrggbb" at a place from 0 (blue) to 1 (red); grey for NaN.
std::string heat_color(double place);
/// The colours of heat_color at equal steps, as the page's scripts take them.
const std::vector<std::string>& heat_colors();

}  // namespace isthmus
