// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>

#include "isthmus/core/state_file.h"
#include "isthmus/train/run.h"

namespace isthmus {

/// Costs and metrics, field by field: a structure has bytes between its fields that nobody set.
void save_summary(StateWriter& state, const TrainSummary& summary);
TrainSummary restore_summary(StateReader& state);

/// Writes the state of a run that trains alone, between two steps, when the next batch is not drawn
/// yet. `reached_by`: the value by which the last target was reached just now.
void save_state(const TrainRun& run, std::optional<double> reached_by);

/// Writes it between two steps if it is time to, or `at_once`, if any step was taken since.
void keep_state_if_due(TrainRun& run, bool at_once = false);

/// The run of a job: from its checkpoint, if there is one that fits, else from the start. It may
/// have ended there already.
TrainRun begin_run(const TrainPlan& plan, std::size_t job_index);

/// What becomes of the state of a run that has ended: kept as the last one, or removed.
void forget_state(const TrainRun& run);

}  // namespace isthmus
