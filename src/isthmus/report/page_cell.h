// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/report/picture.h"
#include "isthmus/report/profile.h"
#include "isthmus/report/run.h"

namespace isthmus {

/// The one pair at one threshold whose string a page shows.
struct PageCell {
  CellRow row;
  Json details;                         ///< of its file in cells/; null if that is not there
  std::optional<PathProfile> profile;   ///< what the run kept
  std::optional<PathPicture> picture;   ///< what was computed for pictures
  std::string no_picture;               ///< why there is none
  std::optional<double> lower_bound{};  ///< proven for the task: every path meets as much
};

/// The cell asked for; without a threshold the lowest that has a connected pair (else the lowest of
/// all), without a pair the one with most beads (of those that failed the one that came nearest).
/// Nothing if no cell is finished. Throws UsageError for one that the run does not have.
std::optional<CellRow> choose_cell(const RunRecord& run,
                                   std::optional<double> threshold,
                                   std::optional<std::size_t> pair);

/// "0.01_3", the stem of the files of a cell.
std::string cell_stem(const CellRow& row);

/// Reads what the run has of a cell. Throws DataError for damaged files.
PageCell read_page_cell(const RunRecord& run, const CellRow& row);

/// Of the figure of its stages.
std::string stages_title(const RunRecord& run, const CellRow& row);

/// What came of the cell, in words for someone who does not know the terms: a headline, then the
/// sentences that explain it.
std::vector<std::string> verdict_words(const RunRecord& run, const PageCell& cell);
/// The same of a whole run.
std::vector<std::string> verdict_words(const RunRecord& run);

}  // namespace isthmus
