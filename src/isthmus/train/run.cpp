// SPDX-License-Identifier: MIT
#include "isthmus/train/run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "isthmus/train/checkpoint.h"

namespace isthmus {
namespace {

// What the streams of a job are for: hashed into their names, so that they share nothing.
constexpr std::uint64_t batches_purpose = 1;
constexpr std::uint64_t dropout_purpose = 2;

// Where every step is looked at and takes less than a microsecond, telling all of them would cost
// more than training.
constexpr std::size_t steps_between_news = 64;

void decay(std::span<const Decay> decays, std::span<const float> theta, std::span<float> gradient) {
  for (const Decay& decay : decays) {
    for (std::size_t i = decay.offset; i < decay.offset + decay.size; ++i) {
      gradient[i] += decay.strength * theta[i];
    }
  }
}

// Behind a step, counted from 0; see TrainOptions::average. Young averages forget their start.
void average_in(std::span<const float> theta,
                std::size_t step,
                double most,
                std::span<float> average) {
  const auto steps = static_cast<double>(step);
  const auto share = static_cast<float>(1.0 - std::min(most, (steps + 1.0) / (steps + 10.0)));
  for (std::size_t i = 0; i < average.size(); ++i) {
    average[i] += share * (theta[i] - average[i]);
  }
}

}  // namespace

std::unique_ptr<BatchSource> batches_of(const Objective& objective,
                                        const TrainOptions& options,
                                        const TrainJob& job) {
  const std::uint64_t stream = stream_name({job.stream, batches_purpose});
  if (options.importance == 0.0) {
    return objective.batches(job.seed, stream, options.batch_size);
  }
  const bool tells = options.split == Split::train && options.metric == Metric::cross_entropy;
  return objective.importance_batches(job.seed,
                                      stream,
                                      options.batch_size,
                                      options.importance,
                                      tells ? job.expected : std::span<const float>());
}

TrainRun::TrainRun(const TrainPlan& the_plan, std::size_t job_index)
    : plan(&the_plan),
      index(job_index),
      job(&plan->jobs[job_index]),
      optimizer(plan->options.optimizer, job->theta.size()),
      dropout(job->seed, stream_name({job->stream, dropout_purpose})) {
  if (plan->options.average > 0.0) {
    average = job->theta;
  }
  if (plan->options.skip_first_check) {
    next_look = std::min(plan->options.check_every, plan->options.max_steps);
  }
  if (plan->shared_batch) {
    batch = *plan->shared_batch;
    has_batch = true;
  } else {
    source = batches_of(plan->objective, plan->options, *job);
  }
}

void TrainRun::record(double value) {
  TrainSummary& so_far = summary();
  if (std::isnan(so_far.first_metric)) {
    so_far.first_metric = value;
  }
  so_far.last_metric = value;
  so_far.best_metric = std::fmin(so_far.best_metric, value);
  if (plan->progress &&
      (so_far.steps >= next_news || reaches(value, goal(), plan->options.comparison))) {
    next_news = so_far.steps + steps_between_news;
    plan->progress({.job = index, .steps = so_far.steps, .metric = value, .target = goal()});
  }
}

void TrainRun::pass_targets(std::span<const float> theta, double value, bool again) {
  while (!ended && reaches(value, goal(), plan->options.comparison)) {
    const std::size_t reached = target;
    if (reached + 1 == job->targets.size()) {
      end(Termination::reached);
      // Before the target is told: who finds its snapshot finds the state too.
      if (keeps_state() && job->checkpoint->keep_last) {
        save_state(*this, value);
      }
    } else {
      ++target;
    }
    if (std::exchange(again, false)) {
      continue;
    }
    if (job->on_target) {
      Snapshot snapshot{.target = job->targets[reached],
                        .theta = std::vector<float>(theta.begin(), theta.end()),
                        .summary = summary()};
      snapshot.summary.termination = Termination::reached;
      job->on_target(reached, snapshot);
    }
  }
}

bool TrainRun::dies(std::span<const float> gradient) {
  if (job->dead_after == 0) {
    return false;
  }
  const auto first = gradient.first(plan->objective.layout().tensors().front().size());
  const bool zero = std::ranges::all_of(first, [](float x) { return x == 0.0F; });
  dead_steps = zero ? dead_steps + 1 : 0;
  return dead_steps >= job->dead_after;
}

void TrainRun::update(std::span<float> theta, std::span<float> gradient, double loss) {
  const TrainOptions& options = plan->options;
  const std::size_t step = summary().steps;
  decay(plan->decays, theta, gradient);
  if (plan->steep != nullptr) {
    plan->steep->damp(gradient, options.damping);
  }
  if (job->modify_gradient) {
    job->modify_gradient(step, theta, gradient);
  }
  const bool scheduled = options.schedule.kind != Schedule::Kind::constant;
  optimizer.step(
      theta,
      gradient,
      {.scale = scheduled ? options.schedule.at(step) : 1.0,
       .gradient_scale = options.clip_norm > 0.0 ? clip_factor(gradient, options.clip_norm) : 1.0,
       .loss = loss,
       .target = goal()});
  if (job->modify_theta) {
    job->modify_theta(step, theta);
  }
  if (!average.empty()) {
    average_in(theta, step, options.average, average);
  }
  ++summary().steps;
  has_gradient = false;
  outlook.batch_sum += loss;
  ++outlook.batches;
  if (options.loss_window > 0) {
    window_sum += loss;
    if (summary().steps % options.loss_window == 0) {
      const double mean = window_sum / static_cast<double>(options.loss_window);
      window_sum = 0.0;
      job->per_sample.clear();  // those of an earlier look
      pass_targets(theta, mean);
    }
  }
  if (source != nullptr && !source->constant()) {
    has_batch = false;
  }
}

void TrainRun::hand_over() {
  const Termination termination = summary().termination;
  if (!average.empty() &&
      (termination == Termination::reached || termination == Termination::budget)) {
    job->theta = std::move(average);
  }
}

void TrainRun::end(Termination termination) {
  summary().termination = termination;
  if (termination != Termination::reached) {
    job->per_sample.clear();
  }
  ended = true;
}

}  // namespace isthmus
