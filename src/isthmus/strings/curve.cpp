// SPDX-License-Identifier: MIT
#include "isthmus/strings/curve.h"

#include <array>
#include <cstddef>
#include <optional>

namespace isthmus {

namespace {

Cut cut_of(const GrowingString& string, std::size_t segment, bool at_half) {
  const double worst = string.check(segment)->worst_t;
  return {.segment = segment, .t = at_half || worst <= 0.0 || worst >= 1.0 ? 0.5 : worst};
}

}  // namespace

StringSummary grow_along(GrowingString& string, std::vector<double> times, const Curve& curve) {
  string.check_segments();
  while (!string.passes()) {
    std::vector<Cut> cuts;
    for (const std::size_t segment : string.open_segments()) {
      cuts.push_back(cut_of(string, segment, static_cast<bool>(curve)));
    }
    if (const std::optional<Ending> limit = string.limit_met(cuts.size())) {
      return string.finish(*limit);
    }
    string.start_round();
    const std::vector<std::size_t> fresh = string.insert(cuts);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const std::size_t place = fresh[i];
      const double time = times[place - 1] + cuts[i].t * (times[place] - times[place - 1]);
      times.insert(times.begin() + static_cast<std::ptrdiff_t>(place), time);
      if (curve) {
        string.replace(place, curve(time));
      }
    }
    string.evaluate_beads(fresh);
    if (const std::optional<Ending> stuck = string.stuck_among(fresh)) {
      return string.finish(*stuck);
    }
    string.check_segments();
  }
  return string.finish(string.ending(Ending::Kind::connected));
}

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
  return grow_along(string, {0.0, 1.0}, curve);
}

}  // namespace isthmus
