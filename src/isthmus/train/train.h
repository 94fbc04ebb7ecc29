// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"
#include "isthmus/objective/objective.h"
#include "isthmus/train/optimizer.h"

namespace isthmus {

/// When a value counts as having reached its target.
enum class Comparison {
  at_most,  ///< value <= target
  below,    ///< value < target (the published scripts)
};

template <>
inline constexpr auto enum_names<Comparison> = name_table<Comparison>(
    "comparison", {{Comparison::at_most, "at_most"}, {Comparison::below, "below"}});

inline bool reaches(double value, double target, Comparison comparison) {
  return comparison == Comparison::at_most ? value <= target : value < target;
}

/// Decay of one tensor: training minimises the loss plus strength / 2 times the sum of its squares.
struct WeightDecay {
  std::string tensor;  ///< its name in the layout
  double strength = 0.0;
};

/// How a loss of a training on changing batches is looked at while it goes on. Full batches tell
/// theirs for free, and error rates end a look that misses early: both are exact in any case.
enum class LookKind {
  full,       ///< on all samples of the split, whenever a look is due
  estimated,  ///< so only where the losses of batches, and then a part of the samples, promise that
              ///< the target is reached, and behind the last step: nothing else counts
};

template <>
inline constexpr auto enum_names<LookKind> =
    name_table<LookKind>("looks", {{LookKind::full, "full"}, {LookKind::estimated, "estimated"}});

struct TrainOptions {
  OptimizerOptions optimizer = Adam{};
  Schedule schedule{};
  double clip_norm = 0.0;  ///< largest Euclidean norm of a gradient; 0 does not clip
  /// Added to the gradient before it is clipped; the losses that are compared and watched are
  /// without it. Distinct tensors.
  std::vector<WeightDecay> weight_decay{};
  std::size_t batch_size = 0;  ///< 0: all training samples at every step
  Metric metric = Metric::mean_absolute_error;
  Split split = Split::test;
  Comparison comparison = Comparison::at_most;
  /// The metric is looked at before the first step, after every `check_every` steps, and after the
  /// last step of the budget. >= 1. Where a training step tells the metric for free (see
  /// Objective::training_loss_is) the look costs nothing, and only a value that reaches the target
  /// is confirmed by an evaluation, whose result then counts.
  std::size_t check_every = 1;
  /// If true the starting point itself is not looked at (the published scripts train first).
  bool skip_first_check = false;
  LookKind looks = LookKind::full;
  /// See TrainJob::per_sample: of error rates where the objective has margins, of losses where it
  /// has those of samples.
  bool keep_per_sample = false;
  /// If > 0: after every `loss_window` steps the target also counts as reached if the mean training
  /// loss of those steps reaches it (the end points of the published polynomial scripts).
  std::size_t loss_window = 0;
  /// In [0, 1). If > 0 the candidate is a moving average of theta: it begins at the start, and
  /// behind step n (from 0) it becomes d average + (1 - d) theta, d = min(this, (n + 1) / (n +
  /// 10)). It is what is looked at, and what a job that reaches a target or spends its budget
  /// gives; training goes on from theta. Looks at it are never free. Not with a loss window.
  double average = 0.0;
  /// In [0, 1). If > 0 samples are drawn by importance, that share of a batch by what their last
  /// known gradients are worth: see make_importance_batches. Only of batches, and where
  /// Objective::has_importance.
  double importance = 0.0;
  /// In [0, 1]. If > 0 the gradient of the loss is damped by that share along the direction in
  /// which the first layer's is steepest (SteepDirection), as if its inputs were centred. Only with
  /// Sgd, and where Objective::steep_direction.
  double damping = 0.0;
  std::size_t max_steps = 100000;  ///< budget of one job, >= 1
  /// A job has diverged when its training loss is not finite, or exceeds this multiple of the first
  /// one (0: only when not finite).
  double divergence_factor = 0.0;

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
  /// The same, also where the objective does not allow them: a metric that it cannot compute, or
  /// Polyak's steps where no training loss is the metric.
  void validate_for(const Objective& objective) const;
};

enum class Termination {
  reached,      ///< theta reaches the (last) target
  budget,       ///< max_steps were spent
  diverged,     ///< the loss is not finite or grew beyond divergence_factor
  dead,         ///< see TrainJob::dead_after
  interrupted,  ///< stop was requested; theta is the last one
};

template <>
inline constexpr auto enum_names<Termination> =
    name_table<Termination>("termination",
                            {{Termination::reached, "reached"},
                             {Termination::budget, "budget"},
                             {Termination::diverged, "diverged"},
                             {Termination::dead, "dead"},
                             {Termination::interrupted, "interrupted"}});

/// How a job ended and what it cost. Metrics are NaN where there was no look; an error rate is
/// looked at only until it is known to exceed the target, the samples that were last misread or
/// nearly so first; what it is then is estimated from those and a few of the others. Estimated
/// looks (LookKind) count as looks; a value that reaches the target is never one of theirs.
struct TrainSummary {
  Termination termination = Termination::budget;
  double first_metric = 0.0;  ///< at the first look
  double last_metric = 0.0;   ///< at the last look
  double best_metric = 0.0;   ///< smallest seen
  std::size_t steps = 0;
  std::uint64_t gradient_samples = 0;  ///< training samples whose gradient was computed
  std::uint64_t forward_samples = 0;   ///< samples evaluated to look at the metric
  /// Estimates that reached a target, where all samples did not: training went on.
  std::uint64_t denied = 0;
};

/// A parameter vector as it reached one of several targets: the candidate (TrainOptions::average).
struct Snapshot {
  double target = 0.0;
  std::vector<float> theta;  ///< (P)
  TrainSummary summary;      ///< up to then
};

/// Where a training run keeps its state while it is under way, so that one that was killed goes on
/// from there with the same result, bit for bit. Only runs that train alone use it (networks of
/// their own batches, or where thetas do not share lanes).
struct TrainCheckpoint {
  /// Read at the start if it is there, written now and then and when a stop is requested. A damaged
  /// file, and one of another job, are passed over: the run begins at its start. Removed at the
  /// end.
  std::filesystem::path file;
  double seconds = 60.0;  ///< between two of them
  std::size_t steps = 0;  ///< if > 0, that many steps in their place
  /// A state that has gone beyond this many targets is not used: their snapshots are lost.
  std::size_t targets_known = std::numeric_limits<std::size_t>::max();
  /// If true, a run that reaches its last target leaves its state there: a job with the same
  /// targets and smaller ones behind them goes on from it.
  bool keep_last = false;
};

/// One parameter vector to train. `targets` are descending; training goes on through all of them.
struct TrainJob {
  std::vector<float> theta;  ///< (P); in: the start, out: the last one, or its average
  std::vector<double> targets;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< names batches and dropout; distinct for every job
  /// If > 0: the job ends after that many steps in a row whose batch gave the first tensor of the
  /// layout no gradient at all. The network's output is a constant then, as where all ReLUs of a
  /// layer are off, and its training goes nowhere.
  std::size_t dead_after = 0;
  /// Called for each target reached, in order, on the thread that trains; may be empty.
  std::function<void(std::size_t target_index, const Snapshot&)> on_target;
  /// Called at the end, unless it was interrupted, with the job's theta and summary in place and
  /// its checkpoint still there; on the thread that trains; may be empty.
  std::function<void(const TrainJob&)> on_end;
  std::optional<TrainCheckpoint> checkpoint;
  /// Changes the gradient (P) of the loss at theta (P), `step` steps after the start: adds springs
  /// or penalties, or projects it. Comes behind weight decay and before clipping and the optimizer;
  /// the losses that are compared, watched and told are without it. Called on the thread that
  /// trains, for several jobs at once; what it throws is rethrown as that of on_target. To depend
  /// on its arguments alone, and on what stays as it is while the job trains: a run that goes on
  /// from its checkpoint is given the same function again. May be empty.
  std::function<void(std::size_t step, std::span<const float> theta, std::span<float> gradient)>
      modify_gradient;
  /// Changes theta (P) behind the step that the optimizer took: projects it onto what it is to stay
  /// on. Not called for the start, nor for averages, which stay on what is flat, but for rounding.
  /// Otherwise as modify_gradient.
  std::function<void(std::size_t step, std::span<float> theta)> modify_theta;

  TrainSummary summary;  ///< out
  /// Out, with TrainOptions::keep_per_sample: of a job that reached its last target, the margins,
  /// or the losses, of the look that told so (samples of the split; see Evaluator::margins and
  /// sample_losses). Else empty.
  std::vector<float> per_sample;
  /// In, of losses: about what those of the samples will be, from networks nearby; estimated looks
  /// choose samples by it. May be empty.
  std::vector<float> expected;
};

/// What a training run tells while it goes on: the first look at the metric, looks that reach a
/// target, and others at least 64 steps after the last one told. May be called from any worker
/// thread, one call at a time for one job.
struct TrainProgress {
  std::size_t job = 0;
  std::size_t steps = 0;
  double metric = 0.0;
  double target = 0.0;  ///< the one being trained for
};

/// Evaluators of one objective, one for each worker, made when first needed.
class Evaluators {
 public:
  Evaluators(const Objective& objective, Workers& workers);
  const Objective& objective() const { return *objective_; }
  Workers& workers() const { return *workers_; }
  /// Only to be called by the worker itself.
  Evaluator& of(std::size_t worker);

 private:
  const Objective* objective_;
  Workers* workers_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;
};

/// Trains every job until its targets are reached or it ends for another reason. All jobs advance
/// at once: jobs that share one constant batch train as a population of thetas in one call a step,
/// others one a worker. The training loss that is compared, averaged and watched for divergence is
/// that of the batch at the theta before the step. The result of a job depends on the job and the
/// options alone: not on the other jobs, the number of workers, or the order. Throws UsageError for
/// invalid options, targets or sizes before anything is trained. An exception of the objective, of
/// on_target or of progress ends the other jobs at their next step and is rethrown.
void train(Evaluators& evaluators,
           std::span<TrainJob> jobs,
           const TrainOptions& options,
           const Stop* stop = nullptr,
           const std::function<void(const TrainProgress&)>& progress = nullptr);

}  // namespace isthmus
