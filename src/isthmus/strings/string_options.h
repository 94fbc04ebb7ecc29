// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "isthmus/core/names.h"
#include "isthmus/path/segment.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// What it takes for a segment to pass.
enum class CheckKind {
  sampled,    ///< every point of the grid
  screened,   ///< every point of the grid, on the samples that can matter (error rates; screen.h)
  certified,  ///< a proof for all of it (docs/certificate.md)
};

template <>
inline constexpr auto enum_names<CheckKind> =
    name_table<CheckKind>("check",
                          {{CheckKind::certified, "certified"},
                           {CheckKind::screened, "screened"},
                           {CheckKind::sampled, "sampled"}});

/// What every string method is told, whatever it does in between.
struct StringOptions {
  double threshold = 0.0;        ///< L0
  double alpha = 0.95;           ///< a bead trains until its metric reaches alpha * L0; in (0, 1]
  double tolerance = 1.0;        ///< a segment passes if its values reach tolerance * L0; >= 1
  std::size_t max_rounds = 12;   ///< of inserting, training and checking; >= 1
  std::size_t max_beads = 4096;  ///< end points included
  /// Gradient steps of all beads together. What is left of them when a round starts is shared
  /// evenly by its beads, rounded down: none trains for more than its share, or training.max_steps.
  std::size_t max_total_steps = std::numeric_limits<std::size_t>::max();
  /// No round starts after this many seconds; a limit that depends on the machine.
  double max_seconds = std::numeric_limits<double>::infinity();
  /// Its bound and comparison follow from threshold, tolerance and training; whether it stops at
  /// failures is the method's to say.
  SegmentGrid grid{};
  CheckKind check = CheckKind::sampled;
  double max_evaluations = 100.0;  ///< of one proof, in full passes over the split
  TrainOptions training{};         ///< of the beads; its metric and split are those of the grid
  /// A bead that dies (its network becomes a constant, see TrainJob::dead_after) or diverges trains
  /// once more from its start, with gradients clipped to a norm of 1, if they are not clipped
  /// anyway.
  bool restart_dead = false;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< names this pair and threshold; each bead derives its own

  /// alpha * L0.
  double target() const { return alpha * threshold; }
  /// tolerance * L0.
  double bound() const { return tolerance * threshold; }

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

}  // namespace isthmus
