// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/segment_run.h"
#include "isthmus/certify/wrong_times.h"

namespace isthmus {

/// A sample in an interval.
struct Piece {
  std::uint32_t sample = 0;
  TimeInterval interval;
  WrongTimes times;
};

/// Whether some time between a possible and a certain one satisfies `matters`.
template <class Matters>
bool undecided(const WrongTimes& times, Matters matters) {
  return std::ranges::any_of(times.possible, [&](const Range& range) {
    return std::ranges::any_of(complement(times.certain, range.from, range.to), matters);
  });
}

/// The count of misread samples over a segment, as far as it is known: what both searches add their
/// pieces to.
class ErrorCount {
 public:
  explicit ErrorCount(const SegmentRun& run) : run_(run) {}

  /// Counts these pieces, all that are misread at some time.
  void look_at(std::span<const Piece> pieces);
  bool violated() const { return rate(least_) > run_.options().threshold; }
  bool enough() const { return rate(most_) <= allowed(); }
  /// Which of the pieces (1) are undecided where the count may still be too large.
  std::vector<char> decisive(std::span<const Piece> pieces) const;
  /// What is proven, with a bound for each interval of a partition.
  SegmentProof result(std::span<const TimeInterval> partition);

 private:
  double rate(std::size_t count) const {
    return static_cast<double>(count) / static_cast<double>(run_.problem().samples());
  }
  // The rate up to which nothing more needs to be known.
  double allowed() const {
    const CertifyOptions& options = run_.options();
    return options.gap ? rate(least_) * (1.0 + *options.gap) : options.threshold;
  }

  const SegmentRun& run_;
  std::vector<Range> possible_;
  std::size_t most_ = 0;   // nowhere more
  std::size_t least_ = 0;  // somewhere as many
  SegmentProof proof_;
};

}  // namespace isthmus
