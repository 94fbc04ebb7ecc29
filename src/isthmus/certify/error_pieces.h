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

/// All ranges of all pieces, those of one sample joined.
std::vector<Range> gather(std::span<const Piece> pieces, std::vector<Range> WrongTimes::*which);

/// The bound on the count over each interval of a partition.
std::vector<std::size_t> counts_within(std::span<const Range> ranges,
                                       std::span<const TimeInterval> partition);

/// Whether some time between a possible and a certain one satisfies `matters`.
template <class Matters>
bool undecided(const WrongTimes& times, Matters matters) {
  return std::ranges::any_of(times.possible, [&](const Range& range) {
    return std::ranges::any_of(complement(times.certain, range.from, range.to), matters);
  });
}

/// Which pieces (1) are undecided where the count may be too large.
std::vector<char> decisive(std::span<const Piece> pieces, std::span<const Range> busy);

}  // namespace isthmus
