// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

namespace isthmus {

/// What became of one pair of end points at one threshold. Each is a result with its numbers; none
/// is an error, and none is left out of a count.
enum class Verdict {
  connected,            ///< a path is kept whose every grid point is at or below the tolerance
  not_connected,        ///< a limit came first: rounds, beads, gradient steps, time
  endpoint_not_reached  ///< an end point stayed above the threshold, so no path was tried
};

/// "connected", "not_connected" or "endpoint_not_reached", as in cells.csv.
std::string_view name_of(Verdict verdict);
/// The verdict of that name, nothing if there is none.
std::optional<Verdict> verdict_of(std::string_view name);

}  // namespace isthmus
