// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>

#include "isthmus/objective/objective.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/problem.h"

namespace isthmus {

/// A path from its file, with the objective that it belongs to.
struct SavedPath {
  PathFile path;
  Problem problem;
  double threshold = 0.0;
  double tolerance = 1.0;
  std::size_t points = 0;   ///< of a segment's grid
  bool include_end = true;  ///< of it: see SegmentGrid
  Split split = Split::test;
  Metric metric = Metric::mean_absolute_error;
  std::unique_ptr<Objective> objective;
};

/// Reads a path and its data; what is given replaces what the file says (a threshold with a
/// tolerance of 1). Whether the grid has the ends of segments is said by the file; of files of
/// earlier versions, which do not say it, by the configuration of the run whose paths they are
/// among, and elsewhere the grid has them. Throws as read_path and load_data; DataError for
/// metadata (or that configuration) that are missing or wrong, UsageError for a metric that cannot
/// be computed.
SavedPath load_path(const std::filesystem::path& file,
                    const std::optional<Split>& split,
                    const std::optional<Metric>& metric,
                    const std::optional<double>& threshold,
                    const std::optional<std::filesystem::path>& data_folder);

}  // namespace isthmus
