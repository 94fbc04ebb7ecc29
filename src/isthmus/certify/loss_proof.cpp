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

}  // namespace

SegmentProof prove_loss(SegmentRun& run) {
  const CertifyOptions& options = run.options();
  const std::size_t samples = run.problem().samples();
  const bool perplexity = run.problem().metric == Metric::perplexity;
  const auto shown = [&](double value) {
    return perplexity ? std::exp(value) * (1.0 + 0x1p-49) : value;
  };
  const auto shown_least = [&](double value) {
    return perplexity
               ? std::min(std::exp(value) * (1.0 - 0x1p-49), std::numeric_limits<double>::max())
               : value;
  };
  const double threshold = perplexity ? std::log(options.threshold) : options.threshold;
  SegmentProof proof;
  double seen = -std::numeric_limits<double>::infinity();
  std::vector<TimeInterval> open = first_intervals(options.first_level);
  while (!open.empty()) {
    const std::vector<LossSums> sums = loss_sums_of(run, open);
    std::vector<double> bounds(open.size());
    for (std::size_t i = 0; i < open.size(); ++i) {
      bounds[i] = sums[i].bound(samples);
      for (const auto& [value, t] : {std::pair(sums[i].least_left(samples), open[i].t0),
                                     std::pair(sums[i].least_right(samples), open[i].t1)}) {
        if (value > seen) {
          seen = value;
          proof.t = t;
        }
      }
    }
    const bool violated = std::isfinite(seen) && shown_least(seen) > options.threshold;
    // A bound below 1e-12 in an exact zero is no gap worth an interval.
    const double target = !options.gap ? threshold
                          : perplexity ? seen + std::log1p(*options.gap)
                                       : seen + *options.gap * std::abs(seen) + 1e-12;
    std::vector<std::size_t> parts(open.size(), 0);  // 0: the bound is good enough
    for (std::size_t i = 0; i < open.size(); ++i) {
      const double ends = std::max(sums[i].left, sums[i].right) / static_cast<double>(samples);
      const bool low_enough =
          options.gap ? bounds[i] <= target : shown(bounds[i]) <= options.threshold;
      if (!low_enough && !violated && open[i].t1 - open[i].t0 > least_width) {
        parts[i] = parts_for(bounds[i] - ends, target - ends);
      }
    }
    const bool affordable =
        run.affords(samples * std::accumulate(parts.begin(), parts.end(), std::size_t{0}));
    std::vector<TimeInterval> next;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (parts[i] > 0 && affordable) {
        split(open[i], parts[i], next);
      } else {
        proof.intervals.push_back({open[i].t0, open[i].t1, shown(bounds[i])});
      }
    }
    std::swap(open, next);
    if (violated) {
      proof.outcome = SegmentProof::Outcome::violated;
    }
  }
  std::ranges::sort(proof.intervals, {}, &IntervalBound::t0);
  proof.bound = std::ranges::max(proof.intervals, {}, &IntervalBound::bound).bound;
  proof.largest_seen = shown_least(seen);
  if (proof.outcome != SegmentProof::Outcome::violated) {
    const double target = options.gap
                              ? proof.largest_seen + *options.gap * std::abs(proof.largest_seen) +
                                    2e-12 * (1.0 + proof.largest_seen) * (1.0 + *options.gap)
                              : options.threshold;
    proof.outcome =
        proof.bound <= target ? SegmentProof::Outcome::proven : SegmentProof::Outcome::undecided;
  }
  return proof;
}

}  // namespace isthmus
