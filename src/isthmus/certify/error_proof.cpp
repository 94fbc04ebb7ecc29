// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "isthmus/certify/error_pieces.h"
#include "isthmus/certify/kink_pieces.h"
#include "isthmus/certify/segment_run.h"
#include "isthmus/certify/wrong_times.h"

namespace isthmus {
namespace {

// Calls see(block, lane, times) with the times of every sample of these blocks on one interval; of
// different blocks at once.
template <class See>
void each_wrong_times(SegmentRun& run,
                      const std::vector<Block>& blocks,
                      const TimeInterval& interval,
                      const See& see) {
  if (run.problem().kinks) {
    run.enclose_kinks(
        blocks,
        {&interval, 1},
        [&](std::size_t block,
            std::size_t,
            const Rows& left,
            const Rows& right,
            const std::vector<KinkBounds>& bounds,
            double radius) {
          const auto [t0, t1] = interval;
          const Block& own = blocks[block];
          for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
            see(block,
                lane,
                wrong_times(left, right, bounds[lane], radius, own.label, lane, t0, t1));
          }
        });
    return;
  }
  run.enclose(
      blocks,
      {&interval, 1},
      [&](std::size_t block,
          std::size_t,
          const Rows& left,
          const Rows& right,
          const Deviation& deviation) {
        const Block& own = blocks[block];
        for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
          see(block,
              lane,
              wrong_times(left, right, deviation, own.label, lane, interval.t0, interval.t1));
        }
      });
}

// Splitting everything at once beats a round on intervals that leave more than half of the samples
// undecided: tried on a few blocks. Kinks cost about as much on many short intervals as on a few
// long ones, so that few samples should be left then.
std::size_t level_for_errors(SegmentRun& run) {
  constexpr std::size_t last_level = 5;
  const bool kinks = run.problem().kinks;
  const std::vector<Block> blocks = run.problem().probes();
  if (blocks.empty()) {
    return 0;
  }
  std::size_t samples = 0;
  for (const Block& block : blocks) {
    samples += block.samples.size();
  }
  const std::size_t tolerated = kinks ? samples / 32 : samples / 2;
  std::size_t level = kinks ? 1 : 0;
  for (; level < last_level; ++level) {
    // The interval in the middle stands for all.
    const double width = 1.0 / static_cast<double>(std::size_t{1} << level);
    const double t0 = level == 0 ? 0.0 : 0.5 - width;
    std::vector<std::size_t> open(blocks.size(), 0);
    each_wrong_times(run,
                     blocks,
                     {t0, t0 + width},
                     [&](std::size_t block, std::size_t, const WrongTimes& times) {
                       open[block] += undecided(times, [](const Range&) { return true; });
                     });
    if (std::accumulate(open.begin(), open.end(), std::size_t{0}) <= tolerated) {
      break;
    }
  }
  return level;
}

// The count of misread samples over a segment, from pieces of samples and intervals that are
// looked at more and more closely.
class ErrorProof {
 public:
  explicit ErrorProof(SegmentRun& run)
      : run_(run),
        count_(run),
        partition_(first_intervals(std::max(run.options().first_level, level_for_errors(run)))) {
    std::vector<std::uint32_t> all;
    for (const Block& block : run.problem().blocks) {
      all.insert(all.end(), block.samples.begin(), block.samples.end());
    }
    for (const TimeInterval& interval : partition_) {
      open_[interval] = all;
    }
  }

  SegmentProof prove() {
    while (true) {
      look();
      count_.look_at(settled_);
      // Only pieces where the count may still be too large are looked at more closely.
      const std::vector<char> chosen = count_.decisive(settled_);
      const auto parts = 2 * static_cast<std::size_t>(std::ranges::count(chosen, char{1}));
      if (count_.violated() || count_.enough() || parts == 0 || !run_.affords(parts)) {
        return count_.result(partition_);
      }
      halve(chosen);
    }
  }

 private:
  // Settles what is open.
  void look() {
    for (const auto& [interval, samples] : open_) {
      const TimeInterval& part = interval;
      const std::vector<Block> blocks = run_.problem().blocks_of(samples);
      std::vector<std::vector<Piece>> found(blocks.size());
      each_wrong_times(
          run_, blocks, part, [&](std::size_t block, std::size_t lane, WrongTimes times) {
            if (!times.possible.empty()) {
              found[block].push_back({blocks[block].samples[lane], part, std::move(times)});
            }
          });
      for (std::vector<Piece>& pieces : found) {
        std::ranges::move(pieces, std::back_inserter(settled_));
      }
    }
    open_.clear();
  }

  // Opens the halves of the chosen pieces in their place.
  void halve(const std::vector<char>& chosen) {
    std::vector<Piece> kept;
    std::vector<TimeInterval> halves;
    for (std::size_t i = 0; i < settled_.size(); ++i) {
      if (chosen[i] == 0) {
        kept.push_back(std::move(settled_[i]));
        continue;
      }
      halves.clear();
      split(settled_[i].interval, 2, halves);
      for (const TimeInterval& half : halves) {
        open_[half].push_back(settled_[i].sample);
      }
    }
    settled_ = std::move(kept);
  }

  SegmentRun& run_;
  ErrorCount count_;
  std::vector<TimeInterval> partition_;
  std::map<TimeInterval, std::vector<std::uint32_t>> open_;
  std::vector<Piece> settled_;  // misread at some time, as far as known
};

}  // namespace

SegmentProof prove_errors(SegmentRun& run) {
  return ErrorProof(run).prove();
}

}  // namespace isthmus
