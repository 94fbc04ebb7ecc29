// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isthmus/report/run.h"

namespace isthmus {

/// One of our means beside the published one of the same threshold.
struct ComparedValue {
  double ours = no_value;
  double error = no_value;  ///< standard error of ours
  double published = no_value;
  double half_width = no_value;       ///< of the printed bar
  double published_error = no_value;  ///< standard error, see published_curve
  /// (ours - published) / sqrt(error^2 + published_error^2); NaN where an error is not known.
  double z = no_value;
};

struct ComparedThreshold {
  double threshold = 0;
  std::size_t pairs = 0;
  std::size_t connected = 0;
  ComparedValue length;  ///< over the weights alone
  ComparedValue beads;
};

/// The thresholds of a run that were published, descending; empty if there are none.
std::vector<ComparedThreshold> compare_with_published(const RunRecord& run);

/// What a reader of the comparison must know: rules that differ from the published ones, and what
/// the published errors are.
std::vector<std::string> comparison_notes(const RunRecord& run);

}  // namespace isthmus
