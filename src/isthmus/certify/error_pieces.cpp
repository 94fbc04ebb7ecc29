// SPDX-License-Identifier: MIT
#include "isthmus/certify/error_pieces.h"

#include <numeric>
#include <utility>

namespace isthmus {
namespace {

// All ranges of all pieces, those of one sample joined.
std::vector<Range> gather(std::span<const Piece> pieces, std::vector<Range> WrongTimes::*which) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(
      order, {}, [&](std::size_t i) { return std::pair(pieces[i].sample, pieces[i].interval.t0); });
  std::vector<Range> all;
  std::vector<Range> own;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Piece& piece = pieces[order[k]];
    const std::vector<Range>& ranges = piece.times.*which;
    own.insert(own.end(), ranges.begin(), ranges.end());
    if (k + 1 == order.size() || pieces[order[k + 1]].sample != piece.sample) {
      join(own);
      all.insert(all.end(), own.begin(), own.end());
      own.clear();
    }
  }
  return all;
}

// The bound on the count over each interval of a partition.
std::vector<std::size_t> counts_within(std::span<const Range> ranges,
                                       std::span<const TimeInterval> partition) {
  std::vector<std::size_t> counts;
  std::vector<Range> cut;
  for (const TimeInterval& interval : partition) {
    cut.clear();
    for (const Range& range : ranges) {
      if (range.from <= interval.t1 && range.to >= interval.t0) {
        cut.push_back({std::max(range.from, interval.t0), std::min(range.to, interval.t1)});
      }
    }
    counts.push_back(largest_crowd(cut, false).count);
  }
  return counts;
}

}  // namespace

void ErrorCount::look_at(std::span<const Piece> pieces) {
  possible_ = gather(pieces, &WrongTimes::possible);
  const Crowd surely = largest_crowd(gather(pieces, &WrongTimes::certain), true);
  most_ = largest_crowd(possible_, false).count;
  if (surely.count > least_) {
    least_ = surely.count;
    proof_.t = 0.5 * (surely.at.from + surely.at.to);
  }
}

std::vector<char> ErrorCount::decisive(std::span<const Piece> pieces) const {
  const auto samples = static_cast<double>(run_.problem().samples());
  const std::vector<Range> busy = crowded(possible_, allowed() * samples);
  std::vector<char> chosen;
  for (const Piece& piece : pieces) {
    const bool matters = undecided(piece.times, [&](const Range& range) {
      return range.to - range.from > least_width && overlap(busy, range);
    });
    chosen.push_back(matters ? 1 : 0);
  }
  return chosen;
}

SegmentProof ErrorCount::result(std::span<const TimeInterval> partition) {
  proof_.outcome = violated() ? SegmentProof::Outcome::violated
                   : enough() ? SegmentProof::Outcome::proven
                              : SegmentProof::Outcome::undecided;
  const std::vector<std::size_t> counts = counts_within(possible_, partition);
  for (std::size_t i = 0; i < partition.size(); ++i) {
    proof_.intervals.push_back({partition[i].t0, partition[i].t1, rate(counts[i])});
  }
  proof_.bound = rate(most_);
  proof_.largest_seen = rate(least_);
  return std::move(proof_);
}

}  // namespace isthmus
