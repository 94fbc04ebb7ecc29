// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/report/format.h"
#include "isthmus/report/picture.h"

namespace isthmus {

/// What the figures of a string show.
struct StringFigure {
  const PathPicture& picture;
  std::string title;
  MetricLabel metric;
  double threshold = 0.0;
  std::optional<double> lower_bound{};  ///< proven: every path meets a value as large
};

/// The string after a round (nothing: as it ended) on its first three principal axes, seen from
/// above and one side, as in figure 3 of Freeman & Bruna: coloured by the metric (HeatScale), with
/// its shadows on the three planes behind and below it. Each axis has a scale of its own. A
/// self-contained SVG; the same data give the same bytes.
std::string svg_string(const StringFigure& figure, std::optional<std::size_t> round = {});

/// The string after the first, a middle and the last round side by side, on one scale, and below
/// each the metric along it with the threshold and the proven lower bound: figure 4 of the paper.
std::string svg_stages(const StringFigure& figure);

/// Four digits of what is proven to be met, rounded down: it stays true.
std::string lower_bound_text(double value);

/// One sentence on how much of the string its three axes show.
std::string axes_sentence(const PathPicture& picture);

}  // namespace isthmus
