// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/run_schema.h"

namespace isthmus {

/// The tables in the folder `pictures` of a run, as whoever computes them and whoever draws them
/// see them; docs/pictures.md describes the columns. All real numbers may be NaN, where they are
/// not known. A parser's `name` is what errors call the text; they are those of CsvTable.

inline constexpr std::string_view picture_format = "isthmus-picture-1";
inline constexpr std::string_view plane_format = "isthmus-plane-1";

namespace picture_files {
inline constexpr std::string_view folder = "pictures";
inline constexpr std::string_view info = ".json";  ///< these follow THRESHOLD_PAIR
inline constexpr std::string_view axes = ".axes.csv";
inline constexpr std::string_view beads = ".beads.csv";
inline constexpr std::string_view along = ".along.csv";
inline constexpr std::string_view curvature = ".curvature.csv";
inline constexpr std::string_view plane = ".plane.csv";
inline constexpr std::string_view plane_points = ".plane_points.csv";
inline constexpr std::string_view plane_info = ".plane.json";
}  // namespace picture_files

/// A principal axis of the beads.
struct AxisRow {
  std::size_t axis = 0;  ///< from 1
  double variance = no_value;
  double share = no_value;       ///< of the variance along all axes
  double cumulative = no_value;  ///< shares up to this one
};

/// A bead of a path, in the coordinates of the first three axes.
struct BeadRow {
  std::size_t bead = 0;   ///< place on the path, from 0
  std::size_t round = 0;  ///< that put it in; 0: it was there from the beginning
  double arc_length = no_value;
  std::array<double, 3> at{no_value, no_value, no_value};
  double off = no_value;  ///< distance from the space of these axes
  std::array<double, 3> start{no_value, no_value, no_value};  ///< where it was put in
};

/// A point of the segment (1 - t) left + t right between two beads of a path. Beads that are not
/// neighbours on it were so in an earlier round.
struct AlongRow {
  std::size_t left = 0;
  std::size_t right = 0;
  double t = no_value;
  double metric = no_value;        ///< the one of the threshold, on its split
  double metric_other = no_value;  ///< on the other split
  double companion = no_value;     ///< the other metric, see docs/pictures.md
  double companion_other = no_value;
};

/// The spectrum of the loss at a bead: the ends that Lanczos found, and how far each may be from
/// an eigenvalue.
struct CurvatureRow {
  std::size_t bead = 0;
  double smallest = no_value;
  double smallest_error = no_value;
  double largest = no_value;
  double largest_error = no_value;
  std::size_t products = 0;  ///< Hessian-vector products
};

/// A point of the grid on a plane; x along from network 1 to 2, y across it.
struct PlaneRow {
  std::size_t i = 0;  ///< column of the grid
  std::size_t j = 0;  ///< row
  double x = no_value;
  double y = no_value;
  double metric = no_value;
  double companion = no_value;
};

/// A network and its foot on a plane. Those of a path come in its order.
struct PlanePointRow {
  std::string name;  ///< "1", "2", "3": those that span it; "bead 7": one of the path
  double x = no_value;
  double y = no_value;
  double off = no_value;  ///< its distance from the plane
  double metric = no_value;
};

std::string to_csv(const std::vector<AxisRow>& rows);
std::string to_csv(const std::vector<BeadRow>& rows);
std::string to_csv(const std::vector<AlongRow>& rows);
std::string to_csv(const std::vector<CurvatureRow>& rows);
std::string to_csv(const std::vector<PlaneRow>& rows);
std::string to_csv(const std::vector<PlanePointRow>& rows);

std::vector<AxisRow> parse_axes(std::string_view text, const std::string& name);
std::vector<BeadRow> parse_beads(std::string_view text, const std::string& name);
std::vector<AlongRow> parse_along(std::string_view text, const std::string& name);
std::vector<CurvatureRow> parse_curvature(std::string_view text, const std::string& name);
std::vector<PlaneRow> parse_plane(std::string_view text, const std::string& name);
std::vector<PlanePointRow> parse_plane_points(std::string_view text, const std::string& name);

}  // namespace isthmus
