// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// Where two configurations of runs differ, a text each: "place: value there, value here".
std::vector<std::string> differences_of(const Json& ours, const Json& theirs);

/// The configuration of a run as it would be with the pairs (or networks), thresholds and budgets
/// of a string of another one, if that has all of its own and no smaller budget; else as it is.
Json widened(const Json& there, const Json& wanted);

/// Whether the wanted configuration has more of a budget than the run has.
bool budgets_grow(const Json& there, const Json& wanted);

/// Whether it has more gradient steps for a bead, or for all beads of a string: what was kept of
/// strings under way may be another then.
bool steps_grow(const Json& there, const Json& wanted);

/// Whether larger budgets may make another cell of this one, a file of a run's cells: it failed,
/// was repaired, or has a bead whose steps were over.
bool met_a_budget(const Json& cell);

}  // namespace isthmus
