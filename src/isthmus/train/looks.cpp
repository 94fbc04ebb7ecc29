// SPDX-License-Identifier: MIT
#include "isthmus/train/looks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// Whether rounding may decide what a sample is read as.
bool is_close(float margin) {
  constexpr float rounding = 1e-4F;
  return std::abs(margin) < rounding;
}

// The rate of wrong samples among those that were looked at.
double rate_seen(const Evaluation& evaluation, std::size_t samples) {
  return evaluation.value * static_cast<double>(samples) / static_cast<double>(evaluation.samples);
}

}  // namespace

Looks::Looks(const TrainPlan& plan, Evaluator& evaluator, std::size_t capacity)
    : plan_(plan),
      evaluator_(evaluator),
      due_(capacity),
      values_(capacity),
      estimated_(plan, evaluator),
      thetas_(capacity > 1 ? capacity * plan.objective.dimension() : 0) {
}

bool Looks::by_evaluation(const TrainRows& rows) {
  std::size_t count = 0;
  for (std::size_t row = 0; row < rows.runs.size(); ++row) {
    TrainRun& run = rows.runs[row];
    const std::size_t steps = run.summary().steps;
    if (steps == run.next_look && (!plan_.loss_is_metric || steps == plan_.options.max_steps)) {
      run.plan_next_look();
      due_[count++] = row;
    }
  }
  if (count == 0) {
    return false;
  }
  const std::span<const std::size_t> due = std::span(due_).first(count);
  const bool keeps_losses = plan_.has_losses && plan_.options.keep_per_sample;
  if (plan_.options.metric == Metric::error_rate) {
    for (const std::size_t row : due) {
      at_errors(rows.runs[row], rows.candidate(row));
    }
  } else if (keeps_losses || estimated_.suits(rows.runs.front())) {
    for (const std::size_t row : due) {
      estimated_.look(rows.runs[row], rows.candidate(row));
    }
  } else {
    at_values(rows, due);
  }
  bool any_ended = false;
  for (const std::size_t row : due) {
    TrainRun& run = rows.runs[row];
    if (!run.ended && run.summary().steps == plan_.options.max_steps) {
      run.end(Termination::budget);
    }
    any_ended |= run.ended;
  }
  return any_ended;
}

void Looks::at_values(const TrainRows& rows, std::span<const std::size_t> due) {
  const std::span<double> values = std::span(values_).first(due.size());
  std::span<const float> looked_at = rows.thetas;
  if (thetas_.empty()) {
    looked_at = rows.candidate(0);
  } else if (due.size() < rows.runs.size() || plan_.options.average > 0.0) {
    auto end = thetas_.begin();
    for (const std::size_t row : due) {
      end = std::ranges::copy(rows.candidate(row), end).out;
    }
    looked_at = std::span<const float>(thetas_.begin(), end);
  }
  evaluator_.metrics(plan_.options.split, plan_.options.metric, looked_at, values);
  for (std::size_t i = 0; i < due.size(); ++i) {
    TrainRun& run = rows.runs[due[i]];
    run.summary().forward_samples += plan_.split_samples;
    run.record(values[i]);
    run.pass_targets(rows.candidate(due[i]), values[i]);
  }
}

// A pass over a split of images is long: it ends when the target is known to be missed. Not the
// last one of a budget, whose value is the one that is told.
void Looks::at_errors(TrainRun& run, std::span<const float> theta) {
  const double target = run.goal();
  const bool last = run.summary().steps == plan_.options.max_steps;
  const double bound = last ? std::numeric_limits<double>::infinity() : target;
  double seen = 0.0;
  const Evaluation evaluation =
      plan_.has_margins ? at_margins(run, theta, bound, seen) : in_order(theta, bound, seen);
  run.summary().forward_samples += evaluation.samples;
  run.record(seen);
  if (plan_.options.keep_per_sample) {
    const bool reached =
        evaluation.complete && reaches(evaluation.value, target, plan_.options.comparison);
    run.job->per_sample = reached ? run.per_sample : std::vector<float>();
  }
  if (evaluation.complete) {
    run.pass_targets(theta, evaluation.value);
  }
}

Evaluation Looks::in_order(std::span<const float> theta, double bound, double& seen) {
  const Evaluation evaluation =
      evaluator_.metric_unless_above(plan_.options.split, plan_.options.metric, theta, bound);
  seen = rate_seen(evaluation, plan_.split_samples);
  return evaluation;
}

// Samples that were misread at the last look, or nearly so, come first: a miss is known soon.
Evaluation Looks::at_margins(TrainRun& run,
                             std::span<const float> theta,
                             double bound,
                             double& seen) {
  const std::size_t samples = plan_.split_samples;
  const Split split = plan_.options.split;
  if (run.per_sample.empty()) {
    run.per_sample.assign(samples, 0.0F);
    const Evaluation evaluation = evaluator_.margins(split, theta, {}, bound, run.per_sample);
    seen = rate_seen(evaluation, samples);
    return evaluation;
  }
  const std::span<const std::uint32_t> order = ascending_.order(run.per_sample);
  found_.resize(samples);
  Evaluation evaluation = evaluator_.margins(split, theta, order, bound, found_);
  const std::size_t looked = std::min(evaluation.samples, samples);
  for (std::size_t i = 0; i < looked; ++i) {
    run.per_sample[order[i]] = found_[i];
  }
  seen = evaluation.value;
  constexpr std::size_t steps_between_estimates = 64;
  if (!evaluation.complete &&
      run.summary().steps % steps_between_estimates >= plan_.options.check_every) {
    seen = run.summary().last_metric;
  } else if (!evaluation.complete) {
    const std::span<const std::uint32_t> rest = order.subspan(looked);
    const double misread = at_some(run, theta, rest);
    evaluation.samples += some_.size();
    seen += misread * static_cast<double>(rest.size()) / static_cast<double>(samples);
  }
  if (evaluation.complete && std::ranges::any_of(run.per_sample, is_close)) {
    // In another order the last bits of a margin may be others: the count must be that of a pass
    // in the split's own.
    const std::size_t before = evaluation.samples;
    evaluation = evaluator_.margins(split, theta, {}, bound, run.per_sample);
    evaluation.samples += before;
    seen = evaluation.complete ? evaluation.value : seen;
  }
  return evaluation;
}

// One of each part of the order of `rest`, others at the next look. The count of a look that ended
// early is hardly more than its target, wherever the network stands: these tell the others apart.
double Looks::at_some(TrainRun& run,
                      std::span<const float> theta,
                      std::span<const std::uint32_t> rest) {
  const std::size_t most = std::clamp<std::size_t>(plan_.split_samples / 32, 1, 256);
  some_.clear();
  if (rest.empty()) {
    return 0.0;
  }
  const std::size_t stride = (rest.size() + most - 1) / most;
  Rng places(run.summary().steps);
  for (std::size_t i = 0; i < rest.size(); i += stride) {
    some_.push_back(rest[i + places.below(std::min(stride, rest.size() - i))]);
  }
  constexpr double no_bound = std::numeric_limits<double>::infinity();
  const std::span<float> found = std::span(found_).first(some_.size());
  const Evaluation evaluation =
      evaluator_.margins(plan_.options.split, theta, some_, no_bound, found);
  for (std::size_t i = 0; i < some_.size(); ++i) {
    run.per_sample[some_[i]] = found[i];
  }
  return evaluation.value * static_cast<double>(plan_.split_samples) /
         static_cast<double>(some_.size());
}

void Looks::for_free(TrainRun& run, std::span<const float> theta, double loss) {
  if (!reaches(loss, run.goal(), plan_.options.comparison)) {
    run.record(loss);
    return;
  }
  estimated_.look_at_all(run, theta);
}

}  // namespace isthmus
