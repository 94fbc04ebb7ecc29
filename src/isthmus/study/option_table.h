// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/options.h"
#include "isthmus/study/options.h"

namespace isthmus {

/// What a study is told beside its problem, its thresholds, and the tables of training and strings.
const OptionTable<StudyOptions>& study_option_table();

/// What a task's data are told, by flags alone: config.json has them in its `problem`, each where
/// the task has one. Nothing here says which tasks have which.
const OptionTable<Problem>& problem_option_table();

/// Reads back what to_json(StudyOptions) wrote, but for given end points, of which it keeps no more
/// than a checksum. Throws DataError that names the option.
StudyOptions options_from_json(const Json& json);

}  // namespace isthmus
