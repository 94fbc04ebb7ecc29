// SPDX-License-Identifier: MIT
#include "isthmus/certify/segment_run.h"

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t kept_numbers = std::size_t{1} << 26;  // of the first layer, both ends: 512 MB
constexpr std::size_t weights_at_once = std::size_t{1} << 22;  // numbers, of several intervals

}  // namespace

void split(const TimeInterval& interval, std::size_t parts, std::vector<TimeInterval>& into) {
  const double width = (interval.t1 - interval.t0) / static_cast<double>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    const double t0 = interval.t0 + width * static_cast<double>(i);
    into.push_back({t0, t0 + width});
  }
}

std::vector<TimeInterval> first_intervals(std::size_t level) {
  std::vector<TimeInterval> intervals;
  split({}, std::size_t{1} << level, intervals);
  return intervals;
}

std::vector<Block> CertifiedProblem::blocks_of(std::span<const std::uint32_t> samples) const {
  std::vector<Block> made;
  for (const std::uint32_t sample : samples) {
    const std::int32_t label = margins() ? data->labels[sample] : -1;
    if (made.empty() || made.back().label != label || made.back().samples.size() == lane_count) {
      made.push_back({.samples = {}, .label = label});
    }
    made.back().samples.push_back(sample);
  }
  return made;
}

std::vector<Block> CertifiedProblem::probes() const {
  constexpr std::size_t count = 8;
  std::vector<Block> chosen;
  if (blocks.size() >= 8 * count) {
    for (std::size_t i = 0; i < count; ++i) {
      chosen.push_back(blocks[(2 * i + 1) * blocks.size() / (2 * count)]);
    }
  }
  return chosen;
}

SegmentRun::SegmentRun(const CertifiedProblem& problem,
                       std::span<const float> a,
                       std::span<const float> b,
                       const CertifyOptions& options,
                       Workers& workers,
                       const Stop* stop)
    : problem_(problem),
      options_(options),
      workers_(workers),
      stop_(stop),
      weights_(problem.steps, a, b, problem.margins()),
      penalty_(problem.penalty, problem.penalized, a, b),
      scratch_(workers.size()) {
  norms_.steps.resize(problem.steps.size());
  for (std::size_t step = 0; step < problem.steps.size(); ++step) {
    if (problem.steps[step].kind == Step::Kind::linear) {
      for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
        norms_.steps[step].push_back(weights_.norms(step, variant));
      }
    }
  }
  if (problem.one_by_one) {
    samples_.emplace(problem.steps, a, b);
    sample_scratch_.resize(workers.size());
  } else {
    keep_first_layer();
  }
  if (problem.kinks) {
    measure_weights();
  }
}

// What bounds the lengths of vectors that the weights multiply: some powers of each matrix.
void SegmentRun::measure_weights() {
  sizes_.steps.resize(problem_.steps.size());
  for (std::size_t step = problem_.first + 1; step < problem_.steps.size(); ++step) {
    const Step& linear = problem_.steps[step];
    if (linear.kind != Step::Kind::linear) {
      continue;
    }
    const bool hidden = step + 1 < problem_.steps.size();
    for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
      sizes_.steps[step].push_back(weights_.sizes(step, variant, hidden));
    }
    if (hidden) {
      multiplications_ += spectral_work(linear.outputs, linear.inputs) * 3.0;
    }
  }
}

void SegmentRun::obey_stop() const {
  if (stop_ && stop_->requested()) {
    throw Interrupted("stopped on request in the middle of a proof");
  }
}

SegmentRun::Scratch& SegmentRun::scratch_of(std::size_t worker) {
  if (!scratch_[worker]) {
    scratch_[worker] = std::make_unique<Scratch>(problem_.steps);
  }
  return *scratch_[worker];
}

std::size_t SegmentRun::intervals_at_once() const {
  std::size_t parameters = 1;
  for (const Step& step : problem_.steps) {
    parameters += step.outputs * step.inputs;
  }
  return std::max<std::size_t>(1, weights_at_once / parameters);
}

// The first linear step is affine in t: its values at the two ends of the segment, if they are few.
void SegmentRun::keep_first_layer() {
  if (problem_.first == problem_.steps.size()) {
    return;
  }
  const std::size_t rows = problem_.steps[problem_.first].out_rows;
  if (2 * rows * problem_.samples() > kept_numbers) {
    return;
  }
  first_a_.resize(rows * problem_.samples());
  first_b_.resize(rows * problem_.samples());
  for (const double t : {0.0, 1.0}) {
    weights_at_.resize(1);
    fill(t, weights_at_[0]);
    const StepTable<StepWeights>& weights = weights_at_[0];
    std::vector<double>& kept = t == 0.0 ? first_a_ : first_b_;
    std::vector<double> work(problem_.blocks.size());
    workers_.for_each(problem_.blocks.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      Scratch& scratch = scratch_of(worker);
      const Block& block = problem_.blocks[i];
      const double before = scratch.enclosure.multiplications();
      fill_inputs(block, scratch);
      scratch.enclosure.forward(
          scratch.inputs, weights.of(block), problem_.first + 1, scratch.left);
      const Rows& values = scratch.left.values[problem_.first];
      for (std::size_t lane = 0; lane < block.samples.size(); ++lane) {
        for (std::size_t row = 0; row < rows; ++row) {
          kept[block.samples[lane] * rows + row] = values[row][lane];
        }
      }
      work[i] = (scratch.enclosure.multiplications() - before) *
                static_cast<double>(block.samples.size());
    });
    multiplications_ = std::accumulate(work.begin(), work.end(), multiplications_);
  }
  first_kept_ = true;
}

// Where the first layer is kept, its weights are not needed again.
void SegmentRun::fill(double t, StepTable<StepWeights>& weights) const {
  weights.steps.resize(problem_.steps.size());
  for (std::size_t step = 0; step < problem_.steps.size(); ++step) {
    if (problem_.steps[step].kind == Step::Kind::linear &&
        !(first_kept_ && step == problem_.first)) {
      weights.steps[step].resize(weights_.variants(step));
      for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
        weights_.fill(t, step, variant, weights.steps[step][variant]);
      }
    }
  }
}

void SegmentRun::fill_inputs(const Block& block, Scratch& scratch) const {
  const std::size_t features = problem_.data->features();
  scratch.inputs.resize(features);
  scratch.input.resize(features);
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    if (lane < block.samples.size()) {
      problem_.data->copy_input(block.samples[lane], scratch.input.data());
    }
    for (std::size_t row = 0; row < features; ++row) {
      scratch.inputs[row][lane] = static_cast<double>(scratch.input[row]);
    }
  }
}

void SegmentRun::end_values(const Block& block,
                            double t,
                            const StepTable<StepWeights>& weights,
                            Scratch& scratch,
                            EndValues& end) const {
  if (!first_kept_) {
    fill_inputs(block, scratch);
    scratch.enclosure.forward(scratch.inputs, weights.of(block), problem_.steps.size(), end);
    return;
  }
  const std::size_t rows = problem_.steps[problem_.first].out_rows;
  end.values.resize(problem_.steps.size());
  Rows& known = end.values[problem_.first];
  known.resize(rows);
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    const std::size_t sample = block.samples[std::min(lane, block.samples.size() - 1)];
    for (std::size_t row = 0; row < rows; ++row) {
      known[row][lane] =
          (1.0 - t) * first_a_[sample * rows + row] + t * first_b_[sample * rows + row];
    }
  }
  scratch.enclosure.forward_from(problem_.first, weights.of(block), end);
}

}  // namespace isthmus
