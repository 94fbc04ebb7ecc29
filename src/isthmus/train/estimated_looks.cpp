// SPDX-License-Identifier: MIT
#include "isthmus/train/estimated_looks.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "isthmus/objective/loss_sample.h"

namespace isthmus {
namespace {

// Samples of an estimate.
constexpr std::size_t part = 2048;
// A look is worth an estimate from where the batches promise this multiple of the target on: their
// mean is off by 5 to 10 %, and by chance.
constexpr double near = 1.25;
// Behind an estimate that exceeds the target by a share of this, so many looks are passed over as
// it has such shares: the loss seldom falls faster.
constexpr double fall_of_a_look = 0.02;
// So many are passed over at most, whatever the batches promise.
constexpr std::uint64_t longest_wait = 10;

// The mean of batch losses in the unit of the metric.
double in_unit_of(Metric metric, double loss) {
  return metric == Metric::perplexity ? std::exp(loss) : loss;
}

// Takes the batches since the last look that was due into the outlook.
void take_batches(Outlook& outlook, Metric metric) {
  if (outlook.batches == 0) {
    return;
  }
  outlook.latest = in_unit_of(metric, outlook.batch_sum / static_cast<double>(outlook.batches));
  outlook.recent =
      std::isnan(outlook.recent) ? outlook.latest : 0.5 * (outlook.recent + outlook.latest);
  outlook.batch_sum = 0.0;
  outlook.batches = 0;
}

}  // namespace

EstimatedLooks::EstimatedLooks(const TrainPlan& plan, Evaluator& evaluator)
    : plan_(plan),
      evaluator_(evaluator),
      batches_are_fair_(plan.options.average == 0.0 &&
                        plan.objective.training_loss_is(plan.options.metric, plan.options.split)) {
}

bool EstimatedLooks::suits(const TrainRun& run) const {
  return plan_.options.looks == LookKind::estimated && run.source != nullptr &&
         !run.source->constant();
}

void EstimatedLooks::look(TrainRun& run, std::span<const float> theta) {
  const bool last = run.summary().steps == plan_.options.max_steps;
  if (!suits(run) || last) {
    look_at_all(run, theta);
    return;
  }
  take_batches(run.outlook, plan_.options.metric);
  if (!is_near(run)) {
    return;
  }
  bool promised = !std::isnan(run.outlook.value) || run.plan->options.skip_first_check;
  if (plan_.has_losses) {
    const double value = estimate(run, theta);
    promised = reaches(value, run.goal(), plan_.options.comparison);
    if (!promised) {
      run.record(value);
      note(run, value);
      return;
    }
  }
  const std::size_t target = run.target;
  look_at_all(run, theta);
  if (promised && !run.ended && run.target == target) {
    ++run.summary().denied;
  }
}

// Whether the look that is due is worth an estimate.
bool EstimatedLooks::is_near(TrainRun& run) const {
  Outlook& outlook = run.outlook;
  if (std::isnan(outlook.value)) {
    return true;  // nothing is known yet
  }
  ++outlook.idle;
  if (outlook.idle >= longest_wait) {
    return true;
  }
  if (outlook.idle <= outlook.wait) {
    return false;
  }
  return std::isnan(outlook.factor) ||
         outlook.factor * std::fmin(outlook.latest, outlook.recent) <= near * run.goal();
}

double EstimatedLooks::estimate(TrainRun& run, std::span<const float> theta) {
  const std::vector<float>& known = run.per_sample;
  const std::vector<float>& sizes = known.empty() ? run.job->expected : known;
  const LossSample sample(plan_.split_samples, sizes, part);
  found_.resize(sample.indices().size());
  const TrainOptions& options = plan_.options;
  run.summary().forward_samples +=
      evaluator_.sample_losses(options.split, options.metric, theta, sample.indices(), found_)
          .samples;
  for (std::size_t i = 0; i < found_.size() && !known.empty(); ++i) {
    found_[i] -= known[sample.indices()[i]];
  }
  const double reference = known.empty() ? 0.0 : run.outlook.reference;
  return evaluator_.metric_of_mean(options.metric, theta, reference + sample.mean(found_).value);
}

double EstimatedLooks::look_at_all(TrainRun& run, std::span<const float> theta) {
  const TrainOptions& options = plan_.options;
  double value = 0.0;
  if (plan_.has_losses && (options.keep_per_sample || suits(run))) {
    run.per_sample.resize(plan_.split_samples);
    value =
        evaluator_.sample_losses(options.split, options.metric, theta, {}, run.per_sample).value;
    double sum = 0.0;
    for (const float loss : run.per_sample) {
      sum += static_cast<double>(loss);
    }
    run.outlook.reference = sum / static_cast<double>(plan_.split_samples);
  } else {
    evaluator_.metrics(options.split, options.metric, theta, std::span(&value, 1));
  }
  run.summary().forward_samples += plan_.split_samples;
  run.record(value);
  if (options.keep_per_sample) {
    const bool reached = reaches(value, run.job->targets.back(), options.comparison);
    run.job->per_sample = reached ? run.per_sample : std::vector<float>();
  }
  run.pass_targets(theta, value);
  note(run, value);
  return value;
}

// What a look told, against the target that is now being trained for.
void EstimatedLooks::note(TrainRun& run, double value) const {
  Outlook& outlook = run.outlook;
  outlook.value = value;
  outlook.factor = batches_are_fair_ ? 1.0 : value / outlook.recent;
  outlook.idle = 0;
  outlook.wait = 0;
  const double excess = value / run.goal() - 1.0;
  if (excess > 0.0 && excess < near - 1.0) {
    outlook.wait =
        std::min(longest_wait - 1, static_cast<std::uint64_t>(std::floor(excess / fall_of_a_look)));
  }
}

}  // namespace isthmus
