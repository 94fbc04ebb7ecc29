// SPDX-License-Identifier: MIT
#include "isthmus/strings/curve.h"

#include <array>
#include <cstddef>
#include <optional>

namespace isthmus {

StringSummary connect_along(Evaluators& evaluators,
                            std::span<const float> a,
                            std::span<const float> b,
                            const Curve& curve,
                            const StringOptions& options,
                            const StringCallbacks& callbacks) {
  GrowingString string(evaluators, options, callbacks, std::array{a, b});
  if (!string.evaluate_end_points()) {
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  std::vector<double> times{0.0, 1.0};  // of the beads
  string.check_segments();
  while (!string.passes()) {
    std::vector<Cut> cuts;
    for (const std::size_t segment : string.open_segments()) {
      cuts.push_back({.segment = segment});
    }
    if (const std::optional<Ending> limit = string.limit_met(cuts.size())) {
      return string.finish(*limit);
    }
    string.start_round();
    const std::vector<std::size_t> fresh = string.insert(cuts);
    for (const std::size_t place : fresh) {
      const double time = 0.5 * (times[place - 1] + times[place]);
      times.insert(times.begin() + static_cast<std::ptrdiff_t>(place), time);
      string.replace(place, curve(time));
    }
    string.evaluate_beads(fresh);
    string.check_segments();
  }
  return string.finish(string.ending(Ending::Kind::connected));
}

}  // namespace isthmus
