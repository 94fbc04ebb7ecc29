// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "isthmus/report/format.h"
#include "isthmus/report/picture.h"

namespace isthmus {

/// What the figure of a plane through three networks shows.
struct PlaneFigure {
  std::string title;
  std::string networks;  ///< which ones span it
  MetricLabel metric;
  std::string split;
  double threshold = 0.0;
  std::vector<PlaneRow> grid;
  std::vector<PlanePointRow> points;
};

/// Of the tables of a picture that has a plane.
PlaneFigure plane_figure(const PathPicture& picture, const MetricLabel& metric);

/// A self-contained SVG: contours of the metric, logarithmic where it is positive, its level L0
/// drawn strong, the networks that span the plane, and the feet of the beads of a path, larger the
/// farther they lie off the plane. Both axes have one scale. The same data give the same bytes.
std::string svg_plane(const PlaneFigure& figure);

/// One sentence: how far the path leaves the plane, and where.
std::string plane_sentence(const PlaneFigure& figure);

/// The lines on which values given on a grid (columns x rows, row by row) are `level`: pieces of
/// two ends each, in units of the grid (column, row), by linear interpolation (marching squares);
/// none in a square with a value that is not a number.
struct ContourPiece {
  double x1 = 0.0;
  double y1 = 0.0;
  double x2 = 0.0;
  double y2 = 0.0;
};
std::vector<ContourPiece> contour(const std::vector<double>& values,
                                  std::size_t columns,
                                  double level);

}  // namespace isthmus
