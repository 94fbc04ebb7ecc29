// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "isthmus/report/page_cell.h"

namespace isthmus {

/// Parts of a page (report/page.h) that are words and tables, as HTML.

/// What the run is of, as a heading (a text).
std::string run_title(const RunRecord& run);
std::string numbers_part(const RunRecord& run, const PageCell* cell);
/// The barrier in the three conventions, largest values on both splits; empty where unknown.
std::string barrier_table(const RunRecord& run, const PageCell& cell);
std::string curvature_table(const PageCell& cell);
/// Tables of thresholds, of pairs where they are few, of beads; and every table as CSV.
std::string tables_part(const RunRecord& run, const PageCell* cell, std::size_t most_table);
/// The command, versions, checksums of the data, and the whole configuration.
std::string making_part(const RunRecord& run, const std::string& command);

/// The evaluated values along a path as svg_profile() takes them.
std::vector<ProfileSample> still_samples(const PathPicture& picture);

}  // namespace isthmus
