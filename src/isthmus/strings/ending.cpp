// SPDX-License-Identifier: MIT
#include "isthmus/strings/ending.h"

#include <fmt/format.h>

#include "isthmus/core/files.h"

namespace isthmus {

Verdict verdict_of(Ending::Kind kind) {
  switch (kind) {
    case Ending::Kind::connected:
    case Ending::Kind::symmetry:
      return Verdict::connected;
    case Ending::Kind::end_point_not_reached:
      return Verdict::endpoint_not_reached;
    default:
      return Verdict::not_connected;
  }
}

namespace {

// Of the kinds that are limits.
std::string limit_sentence(const Ending& e) {
  switch (e.kind) {
    case Ending::Kind::rounds:
      return fmt::format("{} of {} segments exceed the {} after {} rounds (the limit)",
                         e.open_segments,
                         e.segments,
                         e.level > 0.0 ? "level" : "threshold",
                         e.level > 0.0 ? e.limit : e.rounds);
    case Ending::Kind::beads:
      return fmt::format("the string would need {} beads; the limit is {}", e.needed, e.limit);
    case Ending::Kind::steps:
      return e.steps >= e.limit
                 ? fmt::format("{} gradient steps were spent; the limit is {}", e.steps, e.limit)
                 : fmt::format(
                       "{} of {} gradient steps (the limit) were spent: too few are left for "
                       "{} beads",
                       e.steps,
                       e.limit,
                       e.needed);
    case Ending::Kind::seconds:
      return fmt::format("the limit of {} seconds is over", e.limit_seconds);
    default:
      return "?";
  }
}

}  // namespace

std::string sentence(const Ending& e) {
  switch (e.kind) {
    case Ending::Kind::connected:
      return "every segment passes";
    case Ending::Kind::symmetry:
      return fmt::format(
          "every segment passes: the end points are one network whose units are scaled by up to "
          "{:.4g} (residual {:.1e}), and so are the beads",
          e.factor,
          e.difference);
    case Ending::Kind::end_point_not_reached:
      return fmt::format("the end points have {} {:.6g} and {:.6g}; the threshold is {:.6g}",
                         e.metric,
                         shown(e.value_a),
                         shown(e.value_b),
                         e.bound);
    case Ending::Kind::rounds:
    case Ending::Kind::beads:
    case Ending::Kind::steps:
    case Ending::Kind::seconds:
      return limit_sentence(e);
    case Ending::Kind::stuck_bead:
      return fmt::format("bead {} stayed at {} {:.6g} (its target is {:.6g}; budget {} steps)",
                         e.bead,
                         e.metric,
                         shown(e.value),
                         e.target,
                         e.budget);
    case Ending::Kind::level: {
      Ending cause = e;
      cause.kind = e.cause;
      return fmt::format("the string came down to {} {:.6g}, and not to {:.6g}: {}",
                         e.metric,
                         e.followed,
                         e.level,
                         sentence(cause));
    }
    case Ending::Kind::end_point_unproven:
      return fmt::format(
          "end point {} reaches the threshold {:.6g} by its {} as computed, but is not "
          "proven to: at most {:.12g}; no path that begins there can be",
          e.bead == 0 ? 'A' : 'B',
          e.bound,
          e.metric,
          shown(e.value));
    case Ending::Kind::stagnation:
    case Ending::Kind::crowding:
      return fmt::format(
          "segment {} stagnates: it was {:.6g} long, and after {} beads it is {:.6g}{}",
          e.segment,
          e.length_before,
          e.limit,
          e.length,
          e.kind == Ending::Kind::crowding ? " (each came to lie at one of its ends)" : "");
  }
  return "?";
}

}  // namespace isthmus
