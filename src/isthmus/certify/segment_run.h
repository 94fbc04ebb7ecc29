// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/exact_proof.h"
#include "isthmus/certify/kink_enclosure.h"
#include "isthmus/certify/penalty_bound.h"
#include "isthmus/certify/sample_enclosure.h"
#include "isthmus/certify/steps.h"
#include "isthmus/certify/weights.h"
#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"

namespace isthmus {

/// Shorter intervals are not made.
inline constexpr double least_width = 0x1p-40;

/// Part of a segment; both ends are dyadic.
struct TimeInterval {
  double t0 = 0.0;
  double t1 = 1.0;

  auto operator<=>(const TimeInterval&) const = default;  // NOLINT(modernize-use-nullptr): none
};

/// Appends `parts` equal parts, a power of two.
void split(const TimeInterval& interval, std::size_t parts, std::vector<TimeInterval>& into);

/// The 2^level equal parts of [0, 1].
std::vector<TimeInterval> first_intervals(std::size_t level);

/// Samples of one label that go through together.
struct Block {
  std::vector<std::uint32_t> samples;
  std::int32_t label = -1;
};

/// A sample and the intervals on which it is looked at.
struct SampleJob {
  std::uint32_t sample = 0;
  SampleGrid grid;
};

/// What a certifier knows of its network and data.
struct CertifiedProblem {
  const Samples* data = nullptr;
  Metric metric = Metric::mean_absolute_error;
  std::vector<Step> steps;
  std::size_t first = 0;  ///< linear step
  std::size_t dimension = 0;
  std::vector<Block> blocks;  ///< of all samples
  double largest_input = 0.0;
  double multiplications = 0.0;  ///< of one forward pass of one sample
  Penalty penalty;               ///< that the metric counts
  std::vector<IndexRange> penalized;
  std::optional<ExactProblem> exact;  ///< where that is cheaper
  bool one_by_one = false;            ///< samples go through by themselves: errors of convnets
  bool kinks = false;                 ///< deep networks: what a ReLU adds goes through by itself

  std::size_t samples() const { return data->count; }
  /// Cross-entropy and error counts: outputs are differences to the label's.
  bool margins() const { return loss_of(metric) == Loss::cross_entropy; }
  /// Blocks of samples in order, each of one label.
  std::vector<Block> blocks_of(std::span<const std::uint32_t> samples) const;
  /// Eight blocks that are spread over all, to try something on; none where that is not few.
  std::vector<Block> probes() const;
};

/// Throws UsageError where the metric is not covered. Keeps references to the objective's data.
CertifiedProblem certified_problem(const Objective& objective, Split split, Metric metric);

/// One number of parts for each step and label, or one for all labels; none for other than linear
/// steps.
template <class Part>
struct StepTable {
  std::vector<std::vector<Part>> steps;

  std::vector<const Part*> of(const Block& block) const {
    std::vector<const Part*> found(steps.size(), nullptr);
    for (std::size_t step = 0; step < steps.size(); ++step) {
      if (!steps[step].empty()) {
        found[step] =
            &steps[step][steps[step].size() == 1 ? 0 : static_cast<std::size_t>(block.label)];
      }
    }
    return found;
  }
};

/// One segment under proof: encloses the outputs of blocks of samples over intervals of t, and
/// counts the work.
class SegmentRun {
 public:
  SegmentRun(const CertifiedProblem& problem,
             std::span<const float> a,
             std::span<const float> b,
             const CertifyOptions& options,
             Workers& workers,
             const Stop* stop);

  const CertifiedProblem& problem() const { return problem_; }
  const CertifyOptions& options() const { return options_; }

  /// Work so far, in forward passes over the split.
  double evaluations() const {
    return multiplications_ / (problem_.multiplications * static_cast<double>(problem_.samples()));
  }
  /// Whether so many more (sample, interval) fit into the budget, at the price of those so far.
  bool affords(std::size_t pieces) const {
    return evaluations() * (1.0 + static_cast<double>(pieces) / static_cast<double>(pieces_)) <=
           options_.max_evaluations;
  }

  /// The penalty on an interval, times the samples.
  LossSums penalty_sums(const TimeInterval& interval) const {
    return penalty_.sums(interval.t0, interval.t1, problem_.samples());
  }

  /// Calls use(block, interval, left, right, deviation) for every block and interval (by their
  /// index), blocks in parallel; left, right (outputs) are the computed values at the ends.
  template <class Use>
  void enclose(std::span<const Block> blocks, std::span<const TimeInterval> intervals, Use use);

  /// Calls use(block, interval, left, right, bounds, radius) for every block and interval, in the
  /// same way; bounds (samples) are those of parts of the interval. For problems with kinks.
  template <class Use>
  void enclose_kinks(std::span<const Block> blocks,
                     std::span<const TimeInterval> intervals,
                     Use use);

  /// Calls use(job, margins) for every job by its number, in parallel: where the problem has
  /// samples go through one by one.
  template <class Use>
  void enclose_samples(std::span<const SampleJob> jobs, Use use);

 private:
  struct Scratch {
    explicit Scratch(const std::vector<Step>& steps) : enclosure(steps), kinks(steps) {}
    Enclosure enclosure;
    KinkEnclosure kinks;
    std::vector<KinkBounds> bounds;
    EndValues left;
    EndValues right;
    Deviation deviation;
    Rows inputs;
    std::vector<float> input;
  };

  struct SampleScratch {
    explicit SampleScratch(const SampleNetwork& network) : enclosure(network) {}
    SampleEnclosure enclosure;
    SampleMargins margins;
    std::vector<float> input;
    std::vector<double> values;
  };

  void obey_stop() const;
  Scratch& scratch_of(std::size_t worker);
  void keep_first_layer();
  void measure_weights();
  template <class Change, class Enclose>
  void walk(std::span<const Block> blocks,
            std::span<const TimeInterval> intervals,
            std::vector<StepTable<Change>>& changes,
            Enclose enclose_one);
  void fill_inputs(const Block& block, Scratch& scratch) const;
  void fill(double t, StepTable<StepWeights>& weights) const;
  template <class Change>
  void fill(const TimeInterval& interval, StepTable<Change>& change) const;
  void end_values(const Block& block,
                  double t,
                  const StepTable<StepWeights>& weights,
                  Scratch& scratch,
                  EndValues& end) const;
  std::size_t intervals_at_once() const;

  const CertifiedProblem& problem_;
  const CertifyOptions& options_;
  Workers& workers_;
  const Stop* stop_;
  SegmentWeights weights_;
  PenaltyBound penalty_;
  StepTable<WeightNorms> norms_;
  StepTable<MatrixSizes> sizes_;  // of problems with kinks
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::optional<SampleNetwork> samples_;  // where they go through one by one
  std::vector<std::unique_ptr<SampleScratch>> sample_scratch_;
  // Kept for their memory: large arrays that come and go leave holes.
  std::vector<StepTable<StepWeights>> weights_at_;
  std::vector<StepTable<StepChange>> changes_;
  std::vector<StepTable<MiddleWeights>> middles_;
  bool first_kept_ = false;
  std::vector<double> first_a_;  // (samples, rows of the first linear step)
  std::vector<double> first_b_;
  double multiplications_ = 0.0;
  std::size_t pieces_ = 1;  // (sample, interval) enclosed
};

template <class Change>
void SegmentRun::fill(const TimeInterval& interval, StepTable<Change>& change) const {
  change.steps.resize(problem_.steps.size());
  for (std::size_t step = problem_.first + 1; step < problem_.steps.size(); ++step) {
    if (problem_.steps[step].kind == Step::Kind::linear) {
      change.steps[step].resize(weights_.variants(step));
      for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
        weights_.fill(interval.t0, interval.t1, step, variant, change.steps[step][variant]);
      }
    }
  }
}

// Blocks in parallel, each through all intervals in order. enclose_one(scratch, block, interval,
// weights at the left, at the right, change) finds the end values in the scratch memory, and
// returns the multiplications that it made of single samples.
template <class Change, class Enclose>
void SegmentRun::walk(std::span<const Block> blocks,
                      std::span<const TimeInterval> intervals,
                      std::vector<StepTable<Change>>& changes,
                      Enclose enclose_one) {
  std::vector<double> work(blocks.size(), 0.0);
  const std::size_t at_once = intervals_at_once();
  for (std::size_t begin = 0; begin < intervals.size(); begin += at_once) {
    const auto some = intervals.subspan(begin, std::min(at_once, intervals.size() - begin));
    std::map<double, std::size_t> times;  // t -> place in weights_at_
    changes.resize(std::max(changes.size(), some.size()));
    for (std::size_t k = 0; k < some.size(); ++k) {
      for (const double t : {some[k].t0, some[k].t1}) {
        if (const auto [place, is_new] = times.emplace(t, times.size()); is_new) {
          weights_at_.resize(std::max(weights_at_.size(), times.size()));
          fill(t, weights_at_[place->second]);
        }
      }
      fill(some[k], changes[k]);
    }
    workers_.for_each(blocks.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      Scratch& scratch = scratch_of(worker);
      const Block& block = blocks[i];
      const double before = scratch.enclosure.multiplications();
      for (std::size_t k = 0; k < some.size(); ++k) {
        const auto [t0, t1] = some[k];
        const StepTable<StepWeights>& at_left = weights_at_[times.at(t0)];
        const StepTable<StepWeights>& at_right = weights_at_[times.at(t1)];
        if (k > 0 && some[k - 1].t1 == t0) {
          std::swap(scratch.left, scratch.right);
        } else {
          end_values(block, t0, at_left, scratch, scratch.left);
        }
        end_values(block, t1, at_right, scratch, scratch.right);
        work[i] += enclose_one(scratch, i, begin + k, at_left, at_right, changes[k]);
      }
      work[i] += (scratch.enclosure.multiplications() - before) *
                 static_cast<double>(block.samples.size());
    });
  }
  multiplications_ = std::accumulate(work.begin(), work.end(), multiplications_);
  for (const Block& block : blocks) {
    pieces_ += block.samples.size() * intervals.size();
  }
}

template <class Use>
void SegmentRun::enclose(std::span<const Block> blocks,
                         std::span<const TimeInterval> intervals,
                         Use use) {
  walk(blocks,
       intervals,
       changes_,
       [&](Scratch& scratch,
           std::size_t i,
           std::size_t interval,
           const StepTable<StepWeights>& at_left,
           const StepTable<StepWeights>& at_right,
           const StepTable<StepChange>& change) {
         const Block& block = blocks[i];
         scratch.enclosure.enclose(scratch.left,
                                   scratch.right,
                                   {.left = at_left.of(block),
                                    .right = at_right.of(block),
                                    .change = change.of(block),
                                    .norms = norms_.of(block),
                                    .width = intervals[interval].t1 - intervals[interval].t0},
                                   problem_.largest_input,
                                   scratch.deviation);
         use(i,
             interval,
             scratch.left.values.back(),
             scratch.right.values.back(),
             scratch.deviation);
         return 0.0;
       });
}

template <class Use>
void SegmentRun::enclose_kinks(std::span<const Block> blocks,
                               std::span<const TimeInterval> intervals,
                               Use use) {
  walk(blocks,
       intervals,
       middles_,
       [&](Scratch& scratch,
           std::size_t i,
           std::size_t interval,
           const StepTable<StepWeights>&,
           const StepTable<StepWeights>&,
           const StepTable<MiddleWeights>& middle) {
         const Block& block = blocks[i];
         const double before = scratch.kinks.multiplications();
         const double radius = kink_radius(problem_.steps,
                                           scratch.left,
                                           scratch.right,
                                           norms_.of(block),
                                           sizes_.of(block),
                                           problem_.largest_input);
         const KinkWeights weights{
             .between = middle.of(block),
             .sizes = sizes_.of(block),
             .width = intervals[interval].t1 - intervals[interval].t0,
             .zero = block.label < 0 ? std::nullopt
                                     : std::optional(static_cast<std::size_t>(block.label))};
         scratch.bounds.resize(block.samples.size());
         for (std::size_t lane = 0; lane < block.samples.size(); ++lane) {
           scratch.kinks.enclose(scratch.left, scratch.right, lane, weights, scratch.bounds[lane]);
         }
         use(i,
             interval,
             scratch.left.values.back(),
             scratch.right.values.back(),
             scratch.bounds,
             radius);
         return scratch.kinks.multiplications() - before;
       });
}

template <class Use>
void SegmentRun::enclose_samples(std::span<const SampleJob> jobs, Use use) {
  std::vector<double> work(jobs.size(), 0.0);
  workers_.for_each(jobs.size(), [&](std::size_t i, std::size_t worker) {
    obey_stop();
    if (!sample_scratch_[worker]) {
      sample_scratch_[worker] = std::make_unique<SampleScratch>(*samples_);
    }
    SampleScratch& scratch = *sample_scratch_[worker];
    const SampleJob& job = jobs[i];
    scratch.input.resize(problem_.data->features());
    problem_.data->copy_input(job.sample, scratch.input.data());
    scratch.values.assign(scratch.input.begin(), scratch.input.end());
    const double before = scratch.enclosure.multiplications();
    scratch.enclosure.enclose(scratch.values,
                              problem_.largest_input,
                              problem_.data->labels[job.sample],
                              job.grid,
                              scratch.margins);
    work[i] = scratch.enclosure.multiplications() - before;
    use(i, scratch.margins);
  });
  multiplications_ = std::accumulate(work.begin(), work.end(), multiplications_);
  for (const SampleJob& job : jobs) {
    pieces_ += job.grid.parts;
  }
}

/// The two searches (docs/certificate.md, Branch and bound).
SegmentProof prove_loss(SegmentRun& run);
SegmentProof prove_errors(SegmentRun& run);
/// The second one with samples that go through one by one.
SegmentProof prove_errors_one_by_one(SegmentRun& run);

}  // namespace isthmus
