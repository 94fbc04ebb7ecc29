// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/run_schema.h"

namespace isthmus {

/// A run directory in memory (docs/run_directory.md), finished or not. The paths themselves are not
/// read.
struct RunRecord {
  std::filesystem::path folder;

  /// Of config.json; an empty text is a setting that it does not have.
  std::string task;
  std::string metric;
  std::string split;
  std::string protocol;
  std::string risk;
  std::string penalty;               ///< empty: none
  std::string align;                 ///< how B was aligned to A; empty: not
  std::vector<double> thresholds;    ///< planned, descending; empty if config.json does not say
  std::optional<std::size_t> pairs;  ///< planned at each threshold

  std::vector<CellRow> cells;   ///< finished ones, in the order of cells.csv
  std::vector<CurveRow> curve;  ///< of these cells, whatever state curve.csv is in; of a run whose
                                ///< pairs were not kept, that of curve.csv

  Json config;    ///< an object
  Json manifest;  ///< null where the file is missing, as are the next two
  Json summary;
  Json timing;

  std::vector<std::string> missing;  ///< files that are not there yet
  std::vector<std::string> notes;    ///< what a reader of the numbers must know

  /// Cells that the configuration asks for, if it says.
  std::optional<std::size_t> planned_cells() const;
  /// All planned cells are there; where the plan is not known, or the curve alone was kept, a
  /// summary is.
  bool complete() const;
};

/// Reads a run directory. Files that an unfinished run lacks are listed in `missing`; a folder that
/// is not there, or has no config.json, is MissingInput; a run of another format is a
/// ConfigurationError. A damaged file is a DataError with its
/// name, line and column, as is a cell outside the plan (a threshold that config.json does not
/// have). A curve.csv that is not the curve of cells.csv is a note: a run may be killed between the
/// writing of the two.
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace isthmus
