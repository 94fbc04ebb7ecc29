// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// A tensor that decays, found in the flat vector.
struct Decay {
  std::size_t offset = 0;
  std::size_t size = 0;
  float strength = 0.0F;
};

/// What all runs of one call of train() share.
struct TrainPlan {
  const Objective& objective;
  const TrainOptions& options;
  std::span<TrainJob> jobs;
  const Stop* stop;
  const std::function<void(const TrainProgress&)>& progress;
  bool loss_is_metric;  ///< a training step tells the metric for free
  std::size_t split_samples;
  bool has_margins;                       ///< of the error rates that are looked at
  bool has_losses;                        ///< of the samples, likewise
  std::optional<BatchView> shared_batch;  ///< of all jobs, if they have one
  std::vector<Decay> decays{};
  const SteepDirection* steep = nullptr;  ///< along which gradients are damped
  std::atomic<std::size_t> next_job{0};
  std::atomic<bool> failed{false};  ///< a worker threw: the others are to end too

  bool ends() const {
    return (stop != nullptr && stop->requested()) || failed.load(std::memory_order_relaxed);
  }
};

/// The batches that a job alone would train on.
std::unique_ptr<BatchSource> batches_of(const Objective& objective,
                                        const TrainOptions& options,
                                        const TrainJob& job);

/// What estimated looks know of the loss of a run. Means of batch losses are in the metric's unit.
struct Outlook {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  double batch_sum = 0.0;  ///< of the losses of batches since the last look that was due
  std::uint64_t batches = 0;
  double latest = unknown;     ///< their mean before that
  double recent = unknown;     ///< the same, smoothed
  double value = unknown;      ///< the metric as last looked at, in part or in full
  double factor = unknown;     ///< what it was of `recent`
  double reference = unknown;  ///< the mean of TrainRun::per_sample, where all are of one theta
  std::uint64_t idle = 0;      ///< looks that were due and not taken since
  std::uint64_t wait = 0;      ///< so many of them in any case
};

/// One job under way: where it is, and what it does between two gradients.
struct TrainRun {
  TrainRun(const TrainPlan& the_plan, std::size_t job_index);

  TrainSummary& summary() const { return job->summary; }
  /// The value that counts as having been reached next.
  double goal() const { return job->targets[target]; }
  bool keeps_state() const { return job->checkpoint && source != nullptr; }

  /// The batch of the step that comes now.
  void need_batch() {
    if (!has_batch) {
      batch = source->next();
      has_batch = true;
    }
  }
  /// What is looked at: the average, or theta (P) itself, the run's own.
  std::span<const float> candidate(std::span<const float> theta) const {
    return average.empty() ? theta : average;
  }
  /// The run has ended, and its theta is the job's: the candidate takes its place where it counts.
  void hand_over();
  /// The look of this step is taken: sets the step of the one after it.
  void plan_next_look() {
    next_look = std::min(next_look + plan->options.check_every, plan->options.max_steps);
  }
  /// Notes a look at the metric, and tells it now and then.
  void record(double value);
  /// Passes the targets that `value` reaches; the run ends with the last one. `again`: the one
  /// being trained for was reached, and told, before. theta (P) is the candidate.
  void pass_targets(std::span<const float> theta, double value, bool again = false);
  /// Whether this loss of the current theta means that the run has diverged.
  bool diverges(double loss) {
    if (summary().steps == 0) {
      first_loss = loss;
    }
    const double factor = plan->options.divergence_factor;
    return !std::isfinite(loss) || (factor > 0.0 && loss > factor * first_loss);
  }
  /// Whether the gradients (P) up to this one mean that the network is dead.
  bool dies(std::span<const float> gradient);
  /// Takes the step: theta (P) from the gradient (P) of the loss, which is changed on the way.
  void update(std::span<float> theta, std::span<float> gradient, double loss);
  void end(Termination termination);

  const TrainPlan* plan;
  std::size_t index;
  TrainJob* job;
  Optimizer optimizer;
  Rng dropout;
  std::unique_ptr<BatchSource> source;  ///< null if the batch is shared
  BatchView batch;                      ///< of the next step, if it is there yet
  bool has_batch = false;
  bool has_gradient = false;  ///< of this step, not yet used
  std::size_t next_look = 0;  ///< the step count at which the metric is looked at
  std::size_t target = 0;     ///< index of the one being trained for
  std::size_t next_news = 0;  ///< the step count from which progress is told again
  double first_loss = std::numeric_limits<double>::quiet_NaN();
  double window_sum = 0.0;
  std::size_t dead_steps = 0;  ///< in a row without a gradient of the first tensor
  /// Of error rates: the margins of all samples as last seen, 0 where that was never; of losses:
  /// those of the last look at all samples. Empty before the first look.
  std::vector<float> per_sample;
  Outlook outlook;
  std::vector<float> average;  ///< (P), with TrainOptions::average
  bool ended = false;
  std::chrono::steady_clock::time_point last_checkpoint = std::chrono::steady_clock::now();
  std::size_t last_checkpoint_steps = 0;
};

/// Runs that advance in step, and their thetas (runs, P) side by side.
struct TrainRows {
  std::span<TrainRun> runs;
  std::span<float> thetas;
  std::size_t dimension = 0;

  std::span<float> theta(std::size_t row) const {
    return thetas.subspan(row * dimension, dimension);
  }
  std::span<const float> candidate(std::size_t row) const {
    return runs[row].candidate(theta(row));
  }
};

}  // namespace isthmus
