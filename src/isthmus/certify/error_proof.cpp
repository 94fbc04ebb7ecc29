// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "isthmus/certify/segment_run.h"
#include "isthmus/certify/wrong_times.h"

namespace isthmus {
namespace {

// A sample in an interval.
struct Piece {
  std::uint32_t sample = 0;
  TimeInterval interval;
  WrongTimes times;
};

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

// Whether some time between a possible and a certain one satisfies `matters`.
template <class Matters>
bool undecided(const WrongTimes& times, Matters matters) {
  return std::ranges::any_of(times.possible, [&](const Range& range) {
    return std::ranges::any_of(complement(times.certain, range.from, range.to), matters);
  });
}

// Which pieces (1) are undecided where the count may be too large.
std::vector<char> decisive(std::span<const Piece> pieces, std::span<const Range> busy) {
  std::vector<char> chosen;
  for (const Piece& piece : pieces) {
    chosen.push_back(undecided(piece.times, [&](const Range& range) {
      return range.to - range.from > least_width && overlap(busy, range);
    }));
  }
  return chosen;
}

// Splitting everything at once beats a round on intervals that leave more than half of the samples
// undecided: tried on a few blocks.
std::size_t level_for_errors(SegmentRun& run) {
  constexpr std::size_t probes = 8;
  constexpr std::size_t last_level = 5;
  const std::vector<Block>& all = run.problem().blocks;
  if (all.size() < 8 * probes) {
    return 0;
  }
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < probes; ++i) {
    blocks.push_back(all[(2 * i + 1) * all.size() / (2 * probes)]);
  }
  std::size_t level = 0;
  for (; level < last_level; ++level) {
    // The interval in the middle stands for all.
    const double width = 1.0 / static_cast<double>(std::size_t{1} << level);
    const double t0 = level == 0 ? 0.0 : 0.5 - width;
    const TimeInterval interval{t0, t0 + width};
    std::vector<std::size_t> open(blocks.size(), 0);
    run.enclose(blocks,
                {&interval, 1},
                [&](std::size_t block,
                    std::size_t,
                    const Rows& left,
                    const Rows& right,
                    const Deviation& deviation) {
                  const Block& own = blocks[block];
                  for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
                    const WrongTimes times = wrong_times(
                        left, right, deviation, own.label, lane, interval.t0, interval.t1);
                    open[block] += undecided(times, [](const Range&) { return true; });
                  }
                });
    std::size_t samples = 0;
    for (const Block& block : blocks) {
      samples += block.samples.size();
    }
    if (2 * std::accumulate(open.begin(), open.end(), std::size_t{0}) <= samples) {
      break;
    }
  }
  return level;
}

}  // namespace

SegmentProof prove_errors(SegmentRun& run) {
  const CertifiedProblem& problem = run.problem();
  const CertifyOptions& options = run.options();
  const std::size_t samples = problem.samples();
  const auto rate = [&](std::size_t count) {
    return static_cast<double>(count) / static_cast<double>(samples);
  };
  SegmentProof proof;
  std::vector<Piece> settled;  // misread at some time, as far as known
  std::map<TimeInterval, std::vector<std::uint32_t>> open;
  std::vector<std::uint32_t> all;
  for (const Block& block : problem.blocks) {
    all.insert(all.end(), block.samples.begin(), block.samples.end());
  }
  std::vector<TimeInterval> partition =
      first_intervals(std::max(options.first_level, level_for_errors(run)));
  for (const TimeInterval& interval : partition) {
    open[interval] = all;
  }
  std::size_t most = 0;   // nowhere more
  std::size_t least = 0;  // somewhere as many
  while (true) {
    for (const auto& entry : open) {
      const TimeInterval& interval = entry.first;
      const std::vector<Block> blocks = problem.blocks_of(entry.second);
      std::vector<std::vector<Piece>> found(blocks.size());
      run.enclose(blocks,
                  {&interval, 1},
                  [&](std::size_t block,
                      std::size_t,
                      const Rows& left,
                      const Rows& right,
                      const Deviation& deviation) {
                    const Block& own = blocks[block];
                    for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
                      WrongTimes times = wrong_times(
                          left, right, deviation, own.label, lane, interval.t0, interval.t1);
                      if (!times.possible.empty()) {
                        found[block].push_back({own.samples[lane], interval, std::move(times)});
                      }
                    }
                  });
      for (std::vector<Piece>& pieces : found) {
        std::ranges::move(pieces, std::back_inserter(settled));
      }
    }
    open.clear();
    const std::vector<Range> possible = gather(settled, &WrongTimes::possible);
    const Crowd surely = largest_crowd(gather(settled, &WrongTimes::certain), true);
    most = largest_crowd(possible, false).count;
    if (surely.count > least) {
      least = surely.count;
      proof.t = 0.5 * (surely.at.from + surely.at.to);
    }
    const bool violated = rate(least) > options.threshold;
    const bool enough = options.gap ? rate(most) <= rate(least) * (1.0 + *options.gap)
                                    : rate(most) <= options.threshold;
    // Only pieces where the count may still be too large are looked at more closely.
    const double allowed = options.gap ? rate(least) * (1.0 + *options.gap) : options.threshold;
    const std::vector<char> chosen =
        decisive(settled, crowded(possible, allowed * static_cast<double>(samples)));
    const auto parts = 2 * static_cast<std::size_t>(std::ranges::count(chosen, char{1}));
    if (violated || enough || parts == 0 || !run.affords(parts)) {
      proof.outcome = violated ? SegmentProof::Outcome::violated
                      : enough ? SegmentProof::Outcome::proven
                               : SegmentProof::Outcome::undecided;
      const std::vector<std::size_t> counts = counts_within(possible, partition);
      for (std::size_t i = 0; i < partition.size(); ++i) {
        proof.intervals.push_back({partition[i].t0, partition[i].t1, rate(counts[i])});
      }
      break;
    }
    std::vector<Piece> kept;
    std::vector<TimeInterval> halves;
    for (std::size_t i = 0; i < settled.size(); ++i) {
      if (chosen[i] == 0) {
        kept.push_back(std::move(settled[i]));
        continue;
      }
      halves.clear();
      split(settled[i].interval, 2, halves);
      for (const TimeInterval& half : halves) {
        open[half].push_back(settled[i].sample);
      }
    }
    settled = std::move(kept);
  }
  proof.bound = rate(most);
  proof.largest_seen = rate(least);
  return proof;
}

}  // namespace isthmus
