// SPDX-License-Identifier: MIT
#include "isthmus/train/train.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/train/cohort.h"

namespace isthmus {
namespace {

// A population is not split among workers into shares that leave SIMD lanes idle.
constexpr std::size_t smallest_share = 16;

bool loss_is_metric(const Objective& objective, const TrainOptions& options) {
  return options.batch_size == 0 && objective.training_loss_is(options.metric, options.split);
}

void validate_job(const Objective& objective, const TrainJob& job, std::size_t index) {
  if (job.theta.size() != objective.dimension()) {
    throw UsageError(fmt::format("job {}: theta: expected P = {} numbers, got {}",
                                 index,
                                 objective.dimension(),
                                 job.theta.size()));
  }
  if (job.targets.empty()) {
    throw UsageError(fmt::format("job {}: targets: expected at least one, got none", index));
  }
  double previous = std::numeric_limits<double>::infinity();
  for (const double target : job.targets) {
    if (!std::isfinite(target) || !(target < previous)) {
      throw UsageError(
          fmt::format("job {}: targets: expected finite, descending values, got {} after {}",
                      index,
                      format_number(target),
                      format_number(previous)));
    }
    previous = target;
  }
}

std::vector<Decay> decays_of(const TrainOptions& options, const Layout& layout) {
  std::vector<Decay> found;
  for (const WeightDecay& decay : options.weight_decay) {
    const auto tensor = std::ranges::find(layout.tensors(), decay.tensor, &Tensor::name);
    if (tensor == layout.tensors().end()) {
      std::vector<std::string> names;
      std::ranges::transform(layout.tensors(), std::back_inserter(names), &Tensor::name);
      throw UsageError(fmt::format("weight_decay: expected one of the tensors {}, got '{}'",
                                   fmt::join(names, ", "),
                                   decay.tensor));
    }
    found.push_back({.offset = tensor->offset,
                     .size = tensor->size(),
                     .strength = static_cast<float>(decay.strength)});
  }
  return found;
}

// The one batch that all jobs train on at every step, if there is one; `keeper` owns it.
std::optional<BatchView> find_shared_batch(const TrainPlan& plan,
                                           std::unique_ptr<BatchSource>& keeper) {
  keeper = batches_of(plan.objective, plan.options, plan.jobs[0]);
  if (!keeper->constant()) {
    return std::nullopt;
  }
  const BatchView batch = keeper->next();
  for (const TrainJob& job : plan.jobs.subspan(1)) {
    const auto source = batches_of(plan.objective, plan.options, job);
    if (!source->constant()) {
      return std::nullopt;
    }
    const BatchView other = source->next();
    if (other.inputs != batch.inputs || other.targets != batch.targets ||
        other.labels != batch.labels || other.count != batch.count) {
      return std::nullopt;
    }
  }
  return batch;
}

void validate_request(const Objective& objective,
                      std::span<const TrainJob> jobs,
                      const TrainOptions& options) {
  options.validate_for(objective);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    validate_job(objective, jobs[i], i);
  }
}

// What is said of a job that a request to stop keeps from starting.
void reset(TrainJob& job) {
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  job.per_sample.clear();
  job.summary = {.termination = Termination::interrupted,
                 .first_metric = unknown,
                 .last_metric = unknown,
                 .best_metric = unknown};
}

// How many thetas of these jobs train in step, if they share a batch.
std::size_t population_of(Evaluators& evaluators, const TrainPlan& plan) {
  std::size_t population = 1;
  if (plan.jobs.size() > 1) {
    const std::size_t batch_size = plan.options.batch_size > 0
                                       ? plan.options.batch_size
                                       : plan.objective.samples(Split::train);
    evaluators.workers().for_each(1, [&](std::size_t, std::size_t worker) {
      population = evaluators.of(worker).preferred_population(batch_size);
    });
  }
  return population;
}

// Marks the plan as failed when left by an exception, so that the other workers end too.
template <typename Function>
void guarded(TrainPlan& plan, const Function& work) {
  try {
    work();
  } catch (...) {
    plan.failed.store(true);
    throw;
  }
}

}  // namespace

void TrainOptions::validate_for(const Objective& objective) const {
  validate();
  if (!objective.supports(metric)) {
    throw UsageError(
        fmt::format("metric: this objective cannot compute {}", objective.metric_name(metric)));
  }
  if (keep_per_sample && !tells_samples(objective, metric)) {
    throw UsageError(fmt::format(
        "keep_per_sample: expected an objective that tells the margins or losses of samples behind "
        "its {}, got one that does not",
        name_of(metric)));
  }
  if (importance > 0.0 && !objective.has_importance()) {
    throw UsageError(
        "importance: expected training samples that stand alone, with labels and under the "
        "cross-entropy, not augmented and of a network that is no small perceptron; use 0");
  }
  if (damping > 0.0 && objective.steep_direction() == nullptr) {
    throw UsageError(
        "damping: expected a network that begins with a linear layer or a convolution, and its "
        "training samples; use 0");
  }
  if (std::holds_alternative<Polyak>(optimizer) && !loss_is_metric(objective, *this)) {
    throw UsageError(fmt::format(
        "polyak: expected a metric that is the training loss of full batches (its steps aim at the "
        "target), got {} on the {} split with batches of {} samples (0: all)",
        name_of(metric),
        name_of(split),
        batch_size));
  }
}

Evaluators::Evaluators(const Objective& objective, Workers& workers)
    : objective_(&objective), workers_(&workers), evaluators_(workers.size()) {
}

Evaluator& Evaluators::of(std::size_t worker) {
  std::unique_ptr<Evaluator>& evaluator = evaluators_.at(worker);
  if (!evaluator) {
    evaluator = objective_->evaluator();
  }
  return *evaluator;
}

void train(Evaluators& evaluators,
           std::span<TrainJob> jobs,
           const TrainOptions& options,
           const Stop* stop,
           const std::function<void(const TrainProgress&)>& progress) {
  const Objective& objective = evaluators.objective();
  validate_request(objective, jobs, options);
  if (jobs.empty()) {
    return;
  }
  TrainPlan plan{.objective = objective,
                 .options = options,
                 .jobs = jobs,
                 .stop = stop,
                 .progress = progress,
                 .loss_is_metric = loss_is_metric(objective, options) && options.average == 0.0,
                 .split_samples = objective.samples(options.split),
                 .has_margins = options.metric == Metric::error_rate && objective.has_margins(),
                 .has_losses = options.metric != Metric::error_rate &&
                               objective.has_sample_losses(options.metric),
                 .shared_batch = std::nullopt,
                 .decays = decays_of(options, objective.layout()),
                 .steep = options.damping > 0.0 ? objective.steep_direction() : nullptr};
  std::ranges::for_each(jobs, reset);
  std::size_t capacity = population_of(evaluators, plan);
  std::unique_ptr<BatchSource> keeper;
  if (capacity > 1) {
    plan.shared_batch = find_shared_batch(plan, keeper);
  }
  if (!plan.shared_batch) {
    evaluators.workers().for_each(jobs.size(), [&](std::size_t job, std::size_t worker) {
      guarded(plan, [&] { train_alone(plan, evaluators.of(worker), job); });
    });
    return;
  }
  const std::size_t workers = evaluators.workers().size();
  const std::size_t share = (jobs.size() + workers - 1) / workers;
  capacity = std::min({capacity, jobs.size(), std::max(share, smallest_share)});
  const std::size_t cohorts = std::min(workers, (jobs.size() + capacity - 1) / capacity);
  evaluators.workers().for_each(cohorts, [&](std::size_t, std::size_t worker) {
    guarded(plan, [&] { train_in_step(plan, evaluators.of(worker), capacity); });
  });
}

}  // namespace isthmus
