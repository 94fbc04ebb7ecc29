// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "isthmus/core/component_rows.h"
#include "isthmus/report/format.h"

namespace isthmus {

/// What the figure of a run of components shows.
struct ComponentsFigure {
  std::string title;
  MetricLabel metric;
  std::vector<ComponentsRow> rows{};
};

/// A self-contained SVG: how many components were found against the threshold (logarithmic), one
/// line a width; dashed, where they differ, the components under proven paths alone. Thresholds
/// that no network reached have no mark. The same data give the same bytes.
std::string svg_components(const ComponentsFigure& figure);

}  // namespace isthmus
