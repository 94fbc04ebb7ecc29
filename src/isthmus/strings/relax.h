// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "isthmus/core/stop.h"
#include "isthmus/path/path.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// How a polyline is pulled straight while its loss is held down by a hinge: Adam on
///
///     (N - 1) / d^2 * sum |b_{i+1} - b_i|^2
///         + 3 weight / (points (N - 1) level) * sum max(0, F - margin * level)
///
/// over the inner beads b, where d is the distance of the end points and F the training loss at
/// `points` places a segment, one drawn in each of as many equal parts at every iteration. The rate
/// is constant for half of the iterations and falls linearly to a fiftieth.
struct RelaxOptions {
  double level = 0.0;  ///< of the training loss, > 0
  double weight = 5.0;
  double margin = 0.95;
  std::size_t points = 2;
  double learning_rate = 0.03;
  std::size_t iterations = 1000;
  std::size_t batch_size = 0;  ///< samples an iteration, the same for all places; 0: all
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// Moves the inner beads of `path`. Returns the gradient samples it took. The result does not
/// depend on the number of workers. Memory: two vectors of P numbers for every place. Throws
/// Interrupted between two iterations when `stop` is raised (the path is then of no use),
/// UsageError.
std::uint64_t relax(Evaluators& evaluators,
                    Path& path,
                    const RelaxOptions& options,
                    const Stop* stop = nullptr);

/// `beads` >= 2 points at equal distances along a path; the end points stay bit for bit.
Path resample(const Path& path, std::size_t beads);

/// One bead more than `shares`: each segment has its share (> 0) of the length along the path; the
/// end points stay bit for bit.
Path resample(const Path& path, std::span<const double> shares);

}  // namespace isthmus
