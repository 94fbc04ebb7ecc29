// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "isthmus/core/names.h"
#include "isthmus/core/verdict.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// Why a string ended, with the numbers. The first block is set whatever the kind, the others by
/// the kinds that they name.
struct Ending {
  enum class Kind {
    connected,              ///< every segment passes
    symmetry,               ///< every segment passes, of twins: `factor`, `difference` (twins.h)
    end_point_not_reached,  ///< value_a or value_b exceeds the bound: no path was tried
    rounds,                 ///< as many as `limit` allows
    beads,                  ///< `needed` of them; `limit` is lower
    steps,                  ///< of gradient, of all beads together: `limit`
    seconds,                ///< `limit_seconds` are over
    stuck_bead,             ///< `bead` stayed above the bound
    stagnation,             ///< `segment` stays as long as it was, bead after bead: `limit` times
    crowding,               ///< the same, each bead having come to lie at one of its ends
    end_point_unproven,  ///< `bead` (0: A, 1: B) reaches the bound as computed; its proof, `value`
    level,  ///< the string followed the falling level to `followed`, and not to `level`: `cause`
  };
  Kind kind = Kind::connected;
  std::string metric;  ///< its name
  double bound = 0.0;  ///< tolerance * L0, or that of the level
  std::size_t segments = 0;
  std::size_t open_segments = 0;  ///< of those, not known to pass
  std::size_t rounds = 0;
  std::size_t steps = 0;  ///< of gradient, of all beads together

  std::size_t limit = 0;       ///< rounds, beads, steps, stagnation, crowding
  std::size_t needed = 0;      ///< beads; steps: that many beads would train, or had to stop
  double limit_seconds = 0.0;  ///< seconds

  double value_a = 0.0;  ///< end_point_not_reached
  double value_b = 0.0;

  std::size_t bead = 0;    ///< stuck_bead: its number, ...
  double value = 0.0;      ///< ... its metric, ...
  double target = 0.0;     ///< ... what it trained for, ...
  std::size_t budget = 0;  ///< ... and for how many steps

  std::size_t segment = 0;     ///< stagnation, crowding: which one, ...
  double length = 0.0;         ///< ... its Euclidean length, ...
  double length_before = 0.0;  ///< ... and that of the segment `limit` beads ago

  Kind cause = Kind::connected;  ///< level: one of those above, with its numbers
  double level = 0.0;            ///< level: the first that could not be followed
  double followed = 0.0;         ///< level: the last that was

  double factor = 1.0;      ///< symmetry: the largest of a unit, or the inverse of the least one
  double difference = 0.0;  ///< symmetry: what it leaves, relative to the norm of B
};

template <>
inline constexpr auto enum_names<Ending::Kind> =
    name_table<Ending::Kind>("ending",
                             {{Ending::Kind::connected, "connected"},
                              {Ending::Kind::symmetry, "symmetry"},
                              {Ending::Kind::end_point_not_reached, "end_point_not_reached"},
                              {Ending::Kind::rounds, "rounds"},
                              {Ending::Kind::beads, "beads"},
                              {Ending::Kind::steps, "steps"},
                              {Ending::Kind::seconds, "seconds"},
                              {Ending::Kind::stuck_bead, "stuck_bead"},
                              {Ending::Kind::stagnation, "stagnation"},
                              {Ending::Kind::end_point_unproven, "end_point_unproven"},
                              {Ending::Kind::crowding, "crowding"},
                              {Ending::Kind::level, "level"}});

Verdict verdict_of(Ending::Kind kind);

/// The reason in one sentence.
std::string sentence(const Ending& ending);

}  // namespace isthmus
