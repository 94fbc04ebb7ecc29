// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
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
  bool level = true;  ///< whether the threshold is one of this metric, and is drawn
  std::vector<PlaneRow> grid;
  std::vector<PlanePointRow> points;
};

/// Of the tables of a picture that has a plane.
PlaneFigure plane_figure(const PathPicture& picture, const MetricLabel& metric);

/// The same of the other metric that was evaluated (the loss beside an error rate, the error rate
/// beside a loss), its colours from the least value on the grid; nothing where there is none.
std::optional<PlaneFigure> companion_plane(const PathPicture& picture);

/// A self-contained SVG: contours of the metric, logarithmic where it is positive, its level L0
/// drawn strong where there is one, the networks that span the plane, and the feet of the beads of
/// a path, larger the farther they lie off the plane. Both axes have one scale. The same data give
/// the same bytes.
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
