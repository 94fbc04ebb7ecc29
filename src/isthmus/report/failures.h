// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "isthmus/report/run.h"

namespace isthmus {

/// Why pairs are not connected, from their files: a line for each of the first few, and how many
/// more there are. Throws DataError for a damaged file.
std::vector<std::string> failure_lines(const RunRecord& run);

}  // namespace isthmus
