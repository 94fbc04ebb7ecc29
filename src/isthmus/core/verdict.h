// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/names.h"

namespace isthmus {

/// What became of one pair of end points at one threshold. Each is a result with its numbers; none
/// is an error, and none is left out of a count.
enum class Verdict {
  connected,            ///< a path is kept whose every grid point is at or below the tolerance
  not_connected,        ///< a limit came first: rounds, beads, gradient steps, time
  endpoint_not_reached  ///< an end point stayed above the threshold, so no path was tried
};

/// As in cells.csv.
template <>
inline constexpr auto enum_names<Verdict> =
    name_table<Verdict>("verdict",
                        {{Verdict::connected, "connected"},
                         {Verdict::not_connected, "not_connected"},
                         {Verdict::endpoint_not_reached, "endpoint_not_reached"}});

}  // namespace isthmus
