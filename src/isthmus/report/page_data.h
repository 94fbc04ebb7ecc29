// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "isthmus/core/json.h"
#include "isthmus/report/figure.h"
#include "isthmus/report/page_cell.h"

namespace isthmus {

/// The metric along the path of a cell: what was evaluated for pictures where there is such, else
/// what the run kept. `second` is the other metric's name, empty without one.
struct AlongProfile {
  struct Series {
    std::string name;
    std::vector<std::pair<double, double>> points;  ///< arc length, value (NaN: not known)
    bool second = false;                            ///< of the other metric
  };
  std::vector<Series> series;  ///< the level's own split first
  std::string second;
  std::vector<std::pair<double, double>> beads;  ///< arc length, value
  struct Bound {
    double from = 0.0;
    double to = 0.0;
    double value = 0.0;
  };
  std::vector<Bound> bounds;  ///< of proven segments
};
std::optional<AlongProfile> along_profile(const RunRecord& run, const PageCell& cell);

/// What the script of a page (page/page.js) draws: keys "metric", "heat", "string", "profile",
/// "plane" and "curve", null where there is nothing.
Json page_data(const RunRecord& run, const PageCell* cell);

}  // namespace isthmus
