// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/run_schema.h"
#include "isthmus/report/format.h"
#include "isthmus/report/published.h"
#include "isthmus/report/run.h"

namespace isthmus {

/// What the figure of a run shows.
struct FigureData {
  std::string title;
  std::string subtitle;
  MetricLabel metric;
  std::string split;                        ///< of the metric; empty: not said
  std::vector<CurveRow> curve;              ///< ours
  std::optional<PublishedCurve> published;  ///< drawn beside ours
  bool log_beads = false;          ///< threshold and beads on logarithmic axes, if positive
  std::vector<std::string> notes;  ///< printed below
};

/// The figure of a run: published points where there are some for its task, metric and split, and
/// logarithmic axes for the beads of the polynomial tasks, as they were published.
FigureData figure_data(const RunRecord& run);

/// A self-contained SVG of two panels, one above the other: normalised length (over the weights, as
/// published) and beads (end points counted) against the threshold. Thresholds grow to the right,
/// so that the harder problems are to the left. Ours are discs with a bar of one standard error;
/// the strip below each panel has the connected fraction of the pairs tried. Published points are
/// open squares a little to the right, with their bars as printed. Thresholds without a connected
/// pair have no point and are named below. The same data give the same bytes.
std::string svg_figure(const FigureData& data);

}  // namespace isthmus
