// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "isthmus/core/stop.h"
#include "isthmus/path/path_file.h"
#include "isthmus/strings/method.h"
#include "isthmus/strings/shorten.h"
#include "isthmus/strings/twins.h"
#include "isthmus/study/alignment.h"
#include "isthmus/study/end_point_trainer.h"
#include "isthmus/study/options.h"
#include "isthmus/study/run_directory.h"

namespace isthmus {

/// Which string of a study it is, and what it was grown between.
struct GrownString {
  std::size_t pair = 0;
  const MethodOptions& options;  ///< with its threshold
  const EndPoint& a;
  EndPoint b;                              ///< the aligned copy, where there is one
  std::size_t tries = 0;                   ///< of repair
  bool repaired = false;                   ///< connected by one of them
  std::optional<Alignment> alignment{};    ///< how b was moved to a
  std::optional<Twins> twins{};            ///< a and b are
  std::optional<Shortening> shortening{};  ///< where it was tried
  std::string start{};  ///< the theorem whose path it grew from, or "descent"; empty: the line
};

/// Makes a connected string shorter where the options ask for it, measures it as it ended (lengths,
/// barriers, the largest value on the other split) and keeps it in the run. Throws Interrupted when
/// `stop` is raised.
CellRecord keep_string(const StudyOptions& options,
                       Evaluators& evaluators,
                       GrownString& grown,
                       StringSummary summary,
                       RunDirectory& run,
                       const Stop* stop);

}  // namespace isthmus
