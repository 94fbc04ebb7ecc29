// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/data/dataset.h"
#include "isthmus/study/options.h"
#include "isthmus/study/run_directory.h"

namespace isthmus {

/// manifest.json of a run: what computed it, and the files of its data set (null: generated data).
Json manifest_of(const StudyOptions& options, const Dataset* data);

/// summary.json of a run: how many cells came to which verdict, and what they cost.
Json summary_of(const StudyOptions& options, const std::vector<CellRow>& cells);

/// Its part about shortening: means over the finished cells where that was tried, and of the
/// estimates of how short paths could be.
Json shortening_of(const std::vector<std::optional<CellRecord>>& cells);

}  // namespace isthmus
