// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "isthmus/core/json.h"
#include "isthmus/report/run.h"
#include "isthmus/report/text_table.h"

namespace isthmus {

/// Everything about a run that a person reads: what it is, verdicts and measures of each threshold,
/// the comparison with published values where there are some, what it cost, each pair where they
/// are few, and the notes. Lengths have four decimals, beads two; counts of samples are in units
/// (1.20 M). The same run gives the same text.
std::string report_text(const RunRecord& run, TableForm form);

/// The same for a program. Numbers that do not exist are null. Keys: "task", "metric", "split",
/// "protocol", "risk", "complete", "missing", "notes", "verdicts" (counts), "thresholds" (a list,
/// one object each with the columns of curve.csv, the counts of verdicts, the costs summed over
/// pairs, and "published" if there is a point), "cells" (the rows of cells.csv), "timing".
Json report_json(const RunRecord& run);

}  // namespace isthmus
