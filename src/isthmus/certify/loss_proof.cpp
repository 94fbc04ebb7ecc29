// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "isthmus/certify/loss_bound.h"
#include "isthmus/certify/segment_run.h"

namespace isthmus {
namespace {

// Of each interval, over all samples, with the penalty.
std::vector<LossSums> loss_sums_of(SegmentRun& run, std::span<const TimeInterval> intervals) {
  const CertifiedProblem& problem = run.problem();
  const std::vector<Block>& blocks = problem.blocks;
  std::vector<LossSums> sums(blocks.size() * intervals.size());
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
                sums[interval * blocks.size() + block] =
                    loss_sums(loss_of(problem.metric), left, right, deviation, targets);
              });
  std::vector<LossSums> total(intervals.size());
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      total[i].add(sums[i * blocks.size() + block]);
    }
    if (problem.penalty.any()) {
      total[i].add(run.penalty_sums(intervals[i]));
    }
  }
  return total;
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
    std::vector<TimeInterval> open = first_intervals(options_.first_level);
    while (!open.empty()) {
      const std::vector<LossSums> sums = loss_sums_of(run_, open);
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

  void look_at_ends(std::span<const TimeInterval> open, std::span<const LossSums> sums) {
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (const auto& [value, t] : {std::pair(sums[i].least_left(samples_), open[i].t0),
                                     std::pair(sums[i].least_right(samples_), open[i].t1)}) {
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
                                       std::span<const LossSums> sums,
                                       bool violated) {
    std::vector<std::size_t> parts(open.size(), 0);  // 0: the bound is good enough
    for (std::size_t i = 0; i < open.size(); ++i) {
      const double bound = sums[i].bound(samples_);
      const double ends = std::max(sums[i].left, sums[i].right) / static_cast<double>(samples_);
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
