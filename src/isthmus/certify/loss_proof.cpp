// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "isthmus/certify/kink_pieces.h"
#include "isthmus/certify/loss_bound.h"
#include "isthmus/certify/segment_run.h"

namespace isthmus {
namespace {

// The loss of some samples on an interval, with the penalty: sums that hold at its ends, and those
// that bound it throughout, on parts of it.
struct IntervalSums {
  LossSums ends;
  std::vector<LossSums> parts;

  double bound(std::size_t samples) const {
    double largest = -std::numeric_limits<double>::infinity();
    for (const LossSums& part : parts) {
      largest = std::max(largest, part.bound(samples));
    }
    return largest;
  }
};

// Sums of each block and interval, (intervals, parts, blocks), added up over the blocks in order.
class SumTable {
 public:
  SumTable(std::size_t intervals, std::size_t parts, std::size_t blocks)
      : parts_(parts), blocks_(blocks), sums_(intervals * parts * blocks) {}

  LossSums& at(std::size_t interval, std::size_t part, std::size_t block) {
    return sums_[(interval * parts_ + part) * blocks_ + block];
  }
  LossSums total(std::size_t interval, std::size_t part) {
    LossSums total;
    for (std::size_t block = 0; block < blocks_; ++block) {
      total.add(at(interval, part, block));
    }
    return total;
  }

 private:
  std::size_t parts_;
  std::size_t blocks_;
  std::vector<LossSums> sums_;
};

void add_penalty(const SegmentRun& run, const TimeInterval& interval, IntervalSums& sums) {
  if (!run.problem().penalty.any()) {
    return;
  }
  sums.ends.add(run.penalty_sums(interval));
  std::vector<TimeInterval> parts;
  split(interval, sums.parts.size(), parts);
  for (std::size_t part = 0; part < parts.size(); ++part) {
    sums.parts[part].add(run.penalty_sums(parts[part]));
  }
}

std::vector<IntervalSums> kink_sums_of(SegmentRun& run,
                                       std::span<const Block> blocks,
                                       std::span<const TimeInterval> intervals) {
  SumTable table(intervals.size(), kink_parts + 1, blocks.size());
  run.enclose_kinks(blocks,
                    intervals,
                    [&](std::size_t block,
                        std::size_t interval,
                        const Rows& left,
                        const Rows& right,
                        const std::vector<KinkBounds>& bounds,
                        double radius) {
                      const BlockTargets targets{
                          .count = bounds.size(), .label = blocks[block].label, .targets = {}};
                      const Deviation none{
                          .low = Rows(left.size()), .high = Rows(left.size()), .radius = radius};
                      table.at(interval, kink_parts, block) =
                          loss_sums(Loss::cross_entropy, left, right, none, targets);
                      for (std::size_t part = 0; part < kink_parts; ++part) {
                        table.at(interval, part, block) =
                            part_sums(left, right, bounds, radius, targets.label, part);
                      }
                    });
  std::vector<IntervalSums> total(intervals.size());
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    total[i].ends = table.total(i, kink_parts);
    for (std::size_t part = 0; part < kink_parts; ++part) {
      total[i].parts.push_back(table.total(i, part));
    }
    add_penalty(run, intervals[i], total[i]);
  }
  return total;
}

// Of each interval, over all samples.
std::vector<IntervalSums> loss_sums_of(SegmentRun& run, std::span<const TimeInterval> intervals) {
  const CertifiedProblem& problem = run.problem();
  const std::vector<Block>& blocks = problem.blocks;
  if (problem.kinks) {
    return kink_sums_of(run, blocks, intervals);
  }
  SumTable table(intervals.size(), 1, blocks.size());
  run.enclose(blocks,
              intervals,
              [&](std::size_t block,
                  std::size_t interval,
                  const Rows& left,
                  const Rows& right,
                  const Deviation& deviation) {
                BlockTargets targets;
                targets.count = blocks[block].samples.size();
                targets.label = blocks[block].label;
                const std::size_t outputs = problem.data->targets.empty() ? 0 : left.size();
                targets.targets.resize(outputs);
                for (std::size_t j = 0; j < outputs; ++j) {
                  for (std::size_t lane = 0; lane < targets.count; ++lane) {
                    targets.targets[j][lane] = static_cast<double>(
                        problem.data->targets[blocks[block].samples[lane] * outputs + j]);
                  }
                }
                table.at(interval, 0, block) =
                    loss_sums(loss_of(problem.metric), left, right, deviation, targets);
              });
  std::vector<IntervalSums> total(intervals.size());
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    total[i].ends = table.total(i, 0);
    total[i].parts.push_back(total[i].ends);
    add_penalty(run, intervals[i], total[i]);
  }
  return total;
}

// Which intervals networks with kinks begin with: the cost hardly depends on it, so that the bound
// of one in the middle should reach what is asked for, on a few blocks.
std::size_t level_for_kinks(SegmentRun& run) {
  constexpr std::size_t last_level = 5;
  constexpr double usual_gap = 0.02;
  const std::vector<Block> blocks = run.problem().probes();
  if (blocks.empty()) {
    return 0;
  }
  std::size_t samples = 0;
  for (const Block& block : blocks) {
    samples += block.samples.size();
  }
  std::size_t level = 1;
  for (; level < last_level; ++level) {
    const double width = 1.0 / static_cast<double>(std::size_t{1} << level);
    const TimeInterval middle{0.5 - width, 0.5};
    const IntervalSums sums = kink_sums_of(run, blocks, {&middle, 1}).front();
    const double ends = std::max(sums.ends.left, sums.ends.right) / static_cast<double>(samples);
    const double gap = run.options().gap.value_or(usual_gap);
    if (sums.bound(samples) <= ends * (1.0 + 0.5 * gap)) {
      break;
    }
  }
  return level;
}

// How many parts an interval should have so that an excess which shrinks with the square of the
// width fits: a power of two, so that all t are dyadic.
std::size_t parts_for(double excess, double room) {
  std::size_t parts = 2;
  while (parts < 16 && !(excess <= room * static_cast<double>(parts * parts))) {
    parts *= 2;
  }
  return parts;
}

// The loss over a segment, from intervals that are split until their bounds are good enough.
class LossProof {
 public:
  explicit LossProof(SegmentRun& run)
      : run_(run),
        options_(run.options()),
        samples_(run.problem().samples()),
        perplexity_(run.problem().metric == Metric::perplexity) {}

  SegmentProof prove() {
    std::vector<TimeInterval> open = first_intervals(
        std::max(options_.first_level, run_.problem().kinks ? level_for_kinks(run_) : 0));
    while (!open.empty()) {
      const std::vector<IntervalSums> sums = loss_sums_of(run_, open);
      look_at_ends(open, sums);
      const bool violated = std::isfinite(seen_) && shown_least(seen_) > options_.threshold;
      if (violated) {
        proof_.outcome = SegmentProof::Outcome::violated;
      }
      open = split_open(open, sums, violated);
    }
    std::ranges::sort(proof_.intervals, {}, &IntervalBound::t0);
    proof_.bound = std::ranges::max(proof_.intervals, {}, &IntervalBound::bound).bound;
    proof_.largest_seen = shown_least(seen_);
    if (proof_.outcome != SegmentProof::Outcome::violated) {
      proof_.outcome = proof_.bound <= last_target() ? SegmentProof::Outcome::proven
                                                     : SegmentProof::Outcome::undecided;
    }
    return std::move(proof_);
  }

 private:
  // A bound of the loss, and a value of it, as ones of the metric.
  double shown(double value) const {
    return perplexity_ ? std::exp(value) * (1.0 + 0x1p-49) : value;
  }
  double shown_least(double value) const {
    return perplexity_
               ? std::min(std::exp(value) * (1.0 - 0x1p-49), std::numeric_limits<double>::max())
               : value;
  }

  void look_at_ends(std::span<const TimeInterval> open, std::span<const IntervalSums> sums) {
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (const auto& [value, t] : {std::pair(sums[i].ends.least_left(samples_), open[i].t0),
                                     std::pair(sums[i].ends.least_right(samples_), open[i].t1)}) {
        if (value > seen_) {
          seen_ = value;
          proof_.t = t;
        }
      }
    }
  }

  // The loss that a bound is to reach now.
  double target() const {
    if (!options_.gap) {
      return perplexity_ ? std::log(options_.threshold) : options_.threshold;
    }
    // A bound below 1e-12 in an exact zero is no gap worth an interval.
    return perplexity_ ? seen_ + std::log1p(*options_.gap)
                       : seen_ + *options_.gap * std::abs(seen_) + 1e-12;
  }

  // The metric that the bound is to have reached in the end.
  double last_target() const {
    const double seen = proof_.largest_seen;
    return options_.gap ? seen + *options_.gap * std::abs(seen) +
                              2e-12 * (1.0 + seen) * (1.0 + *options_.gap)
                        : options_.threshold;
  }

  // The parts of intervals whose bounds are not good enough; the others are done with.
  std::vector<TimeInterval> split_open(std::span<const TimeInterval> open,
                                       std::span<const IntervalSums> sums,
                                       bool violated) {
    std::vector<std::size_t> parts(open.size(), 0);  // 0: the bound is good enough
    for (std::size_t i = 0; i < open.size(); ++i) {
      const double bound = sums[i].bound(samples_);
      const double ends =
          std::max(sums[i].ends.left, sums[i].ends.right) / static_cast<double>(samples_);
      const bool low_enough = options_.gap ? bound <= target() : shown(bound) <= options_.threshold;
      if (!low_enough && !violated && open[i].t1 - open[i].t0 > least_width) {
        parts[i] = parts_for(bound - ends, target() - ends);
      }
    }
    const bool affordable =
        run_.affords(samples_ * std::accumulate(parts.begin(), parts.end(), std::size_t{0}));
    std::vector<TimeInterval> next;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (parts[i] > 0 && affordable) {
        split(open[i], parts[i], next);
      } else {
        proof_.intervals.push_back({open[i].t0, open[i].t1, shown(sums[i].bound(samples_))});
      }
    }
    return next;
  }

  SegmentRun& run_;
  const CertifyOptions& options_;
  std::size_t samples_;
  bool perplexity_;
  double seen_ = -std::numeric_limits<double>::infinity();  // the largest loss
  SegmentProof proof_;
};

}  // namespace

SegmentProof prove_loss(SegmentRun& run) {
  return LossProof(run).prove();
}

}  // namespace isthmus
