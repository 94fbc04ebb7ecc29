// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "isthmus/study/component_graph.h"
#include "isthmus/study/components_options.h"
#include "isthmus/study/study.h"

namespace isthmus {

struct ComponentsResult {
  /// Widths in their order, in each thresholds descending.
  std::vector<ComponentGraph> graphs;
  std::vector<ComponentsRow> rows;
  double seconds = 0.0;  ///< of this process
};

/// Trains networks to each threshold (network 2 k is end point A and network 2 k + 1 end point B of
/// pair k of a study with these options), and finds out at each width and threshold which of them
/// lie in one component: rounds of pairs (see next_pairs()) are joined by strings, all of a round
/// at once, until one component is left or every pair between two was tried. A pair that fails
/// proves nothing. The pair of networks a < b is pair b (b - 1) / 2 + a in the files.
///
/// Each tried pair is kept in `run` as it ends; pairs that it has already are not joined again. The
/// files do not depend on the number of workers, nor on how often the run was interrupted. Keeps
/// all networks of a width at all thresholds in memory. Progress: a cell is a pair, and
/// cells_total is those tried and those that are at least to come. Throws UsageError for invalid
/// options and Interrupted when `stop` is raised; passes on what objectives throw.
ComponentsResult run_components(const ComponentsOptions& options,
                                std::shared_ptr<const Dataset> data,
                                RunDirectory& run,
                                Workers& workers,
                                const Stop* stop = nullptr,
                                const std::function<void(const StudyProgress&)>& progress = {});

}  // namespace isthmus
