// SPDX-License-Identifier: MIT
#include "isthmus/train/train.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/state_file.h"

namespace isthmus {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// What the streams of a job are for: hashed into their names, so that they share nothing.
constexpr std::uint64_t batches_purpose = 1;
constexpr std::uint64_t dropout_purpose = 2;

// A population is not split among workers into shares that leave SIMD lanes idle.
constexpr std::size_t smallest_share = 16;

// Where every step is looked at and takes less than a microsecond, telling all of them would cost
// more than training.
constexpr std::size_t steps_between_news = 64;

template <typename Value>
[[noreturn]] void refuse(std::string_view option, std::string_view range, const Value& value) {
  throw UsageError(fmt::format("{}: expected a value {}, got {}", option, range, value));
}

void validate(const Schedule& schedule) {
  if (schedule.kind == Schedule::Kind::constant) {
    return;
  }
  if (!(schedule.every > 0.0) || !std::isfinite(schedule.every)) {
    refuse("schedule every", "> 0", schedule.every);
  }
  if (!(schedule.hold >= 0.0) || !std::isfinite(schedule.hold)) {
    refuse("schedule hold", ">= 0", schedule.hold);
  }
  if (!(schedule.factor > 0.0) || !std::isfinite(schedule.factor)) {
    refuse("schedule factor", "> 0", schedule.factor);
  }
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

// A tensor that decays, found in the flat vector.
struct Decay {
  std::size_t offset = 0;
  std::size_t size = 0;
  float strength = 0.0F;
};

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

// What all runs of one call share.
struct Plan {
  const Objective& objective;
  const TrainOptions& options;
  std::span<TrainJob> jobs;
  const Stop* stop;
  const std::function<void(const TrainProgress&)>& progress;
  bool loss_is_metric;  // a training step tells the metric for free
  std::size_t split_samples;
  bool has_margins;                       // of the error rates that are looked at
  std::optional<BatchView> shared_batch;  // of all jobs, if they have one
  std::vector<Decay> decays{};
  std::atomic<std::size_t> next_job{0};
  std::atomic<bool> failed{false};  // a worker threw: the others are to end too

  bool ends() const {
    return (stop != nullptr && stop->requested()) || failed.load(std::memory_order_relaxed);
  }
};

// One job under way.
struct Run {
  Run(const Plan& plan, std::size_t job_index)
      : index(job_index),
        job(&plan.jobs[job_index]),
        optimizer(plan.options.optimizer, job->theta.size()),
        dropout(job->seed, stream_name({job->stream, dropout_purpose})) {
    if (plan.options.skip_first_check) {
      next_look = std::min(plan.options.check_every, plan.options.max_steps);
    }
    if (plan.shared_batch) {
      batch = *plan.shared_batch;
      has_batch = true;
    } else {
      source = plan.objective.batches(
          job->seed, stream_name({job->stream, batches_purpose}), plan.options.batch_size);
    }
  }

  // The batch of the step that comes now.
  void need_batch() {
    if (!has_batch) {
      batch = source->next();
      has_batch = true;
    }
  }

  std::size_t index;
  TrainJob* job;
  Optimizer optimizer;
  Rng dropout;
  std::unique_ptr<BatchSource> source;  // null if the batch is shared
  BatchView batch;                      // of the next step, if it is there yet
  bool has_batch = false;
  bool has_gradient = false;  // of this step, not yet used
  std::size_t next_look = 0;  // the step count at which the metric is looked at
  std::size_t target = 0;     // index of the one being trained for
  std::size_t next_news = 0;  // the step count from which progress is told again
  double first_loss = not_a_number;
  double window_sum = 0.0;
  // Of error rates: the margins of all samples as last seen, 0 where that was never; empty before
  // the first look.
  std::vector<float> margins;
  bool ended = false;
  std::chrono::steady_clock::time_point last_checkpoint = std::chrono::steady_clock::now();
  std::size_t last_checkpoint_steps = 0;
};

// Whose state it is: the file of another job is not taken for this one's.
struct StateHeader {
  std::uint64_t seed;
  std::uint64_t stream;
  std::uint64_t dimension;
  std::uint64_t target;     // the index of the one being trained for
  std::uint64_t at_target;  // 1: written as the last one was reached ...
  double value;             // ... by this value
};

// Field by field: a structure has bytes between its fields that nobody set.
void save_summary(StateWriter& state, const TrainSummary& summary) {
  state.put(static_cast<std::uint64_t>(summary.termination));
  state.put(summary.first_metric);
  state.put(summary.last_metric);
  state.put(summary.best_metric);
  state.put(summary.steps);
  state.put(summary.gradient_samples);
  state.put(summary.forward_samples);
}

TrainSummary restore_summary(StateReader& state) {
  TrainSummary summary;
  summary.termination = static_cast<Termination>(state.get<std::uint64_t>());
  summary.first_metric = state.get<double>();
  summary.last_metric = state.get<double>();
  summary.best_metric = state.get<double>();
  summary.steps = state.get<std::size_t>();
  summary.gradient_samples = state.get<std::uint64_t>();
  summary.forward_samples = state.get<std::uint64_t>();
  return summary;
}

// Written between two steps, when the next batch is not drawn yet.
// `reached_by`: the value by which the last target was reached just now.
void save_state(const Run& run, std::span<const float> theta, std::optional<double> reached_by) {
  StateWriter state(run.job->checkpoint->file);
  state.put(StateHeader{.seed = run.job->seed,
                        .stream = run.job->stream,
                        .dimension = theta.size(),
                        .target = run.target,
                        .at_target = reached_by ? 1U : 0U,
                        .value = reached_by.value_or(0.0)});
  state.put_all(std::span<const double>(run.job->targets).first(run.target + 1));
  state.put_all(theta);
  TrainSummary summary = run.job->summary;
  if (run.has_gradient) {  // it is computed, and counted, again
    summary.gradient_samples -= run.batch.count;
  }
  save_summary(state, summary);
  run.optimizer.save(state);
  state.put(run.dropout.state());
  run.source->save(state);
  state.put(run.next_look);
  state.put(run.first_loss);
  state.put(run.window_sum);
  state.put(run.margins.size());
  state.put_all(std::span<const float>(run.margins));
  state.commit();
}

// What became of a state: not used, or used; then `reached_by` as in save_state.
struct Restored {
  bool used = false;
  std::optional<double> reached_by{};
};

Restored restore_state(Run& run) {
  TrainJob& job = *run.job;
  std::optional<StateReader> found = StateReader::open(job.checkpoint->file);
  if (!found) {
    return {};
  }
  StateReader& state = *found;
  const auto header = state.get<StateHeader>();
  if (header.seed != job.seed || header.stream != job.stream ||
      header.dimension != job.theta.size() || header.target >= job.targets.size() ||
      header.target > job.checkpoint->targets_known) {
    return {};
  }
  std::vector<double> targets(header.target + 1);
  state.get_all(std::span(targets));
  if (!std::ranges::equal(targets, std::span(job.targets).first(targets.size()))) {
    return {};
  }
  state.get_all(std::span(job.theta));
  job.summary = restore_summary(state);
  run.target = header.target;
  run.optimizer.restore(state);
  run.dropout.set_state(state.get<std::array<std::uint64_t, 4>>());
  run.source->restore(state);
  run.next_look = state.get<std::size_t>();
  run.first_loss = state.get<double>();
  run.window_sum = state.get<double>();
  run.margins.resize(state.get<std::size_t>());
  state.get_all(std::span(run.margins));
  run.last_checkpoint_steps = job.summary.steps;
  return {.used = true,
          .reached_by = header.at_target != 0 ? std::optional(header.value) : std::nullopt};
}

// Runs that advance in step on one worker, their thetas side by side in memory: a new job is taken
// as soon as one ends.
class Cohort {
 public:
  Cohort(Plan& plan, Evaluator& evaluator, std::size_t capacity)
      : plan_(plan),
        options_(plan.options),
        evaluator_(evaluator),
        capacity_(capacity),
        dimension_(plan.objective.dimension()),
        gradients_(capacity * dimension_),
        losses_(capacity),
        due_(capacity),
        values_(capacity) {
    runs_.reserve(capacity);
    if (capacity > 1) {
      thetas_.resize(capacity * dimension_);
      looked_at_.resize(capacity * dimension_);
    }
  }

  // Trains jobs until nobody has any left.
  void train_all() {
    refills_ = true;
    take_jobs();
    advance_to_end();
  }

  // Trains one job alone.
  void train_one(std::size_t job) {
    add(job);
    advance_to_end();
  }

 private:
  std::span<float> theta(std::size_t row) {
    // A lone theta stays where it is: it may be large.
    return capacity_ == 1 ? std::span<float>(runs_[row].job->theta)
                          : std::span(thetas_).subspan(row * dimension_, dimension_);
  }

  // Those of the first `count` rows.
  std::span<const float> thetas(std::size_t count) {
    return capacity_ == 1 ? std::span<const float>(runs_[0].job->theta)
                          : std::span<const float>(thetas_).first(count * dimension_);
  }

  void advance_to_end() {
    while (!runs_.empty()) {
      if (plan_.ends()) {
        interrupt();
      } else {
        keep_state_if_due();
        advance();
      }
      if (any_ended_) {
        remove_ended();
        if (refills_) {
          take_jobs();
        }
      }
    }
  }

  void take_jobs() {
    while (runs_.size() < capacity_ && !plan_.ends()) {
      const std::size_t job = plan_.next_job.fetch_add(1);
      if (job >= plan_.jobs.size()) {
        return;
      }
      add(job);
    }
  }

  void add(std::size_t job) {
    runs_.emplace_back(plan_, job);
    if (capacity_ > 1) {
      std::ranges::copy(plan_.jobs[job].theta, theta(runs_.size() - 1).begin());
    } else if (keeps_state()) {
      restore(job);
    }
  }

  // Goes on from the job's checkpoint, if there is one that fits.
  void restore(std::size_t job) {
    if (!std::filesystem::exists(plan_.jobs[job].checkpoint->file)) {
      return;
    }
    const std::vector<float> start = plan_.jobs[job].theta;
    const TrainSummary untrained = plan_.jobs[job].summary;
    Restored restored;
    try {
      restored = restore_state(runs_[0]);
    } catch (const DataError&) {
      plan_.jobs[job].theta = start;
      plan_.jobs[job].summary = untrained;
      runs_.clear();
      runs_.emplace_back(plan_, job);
    }
    if (restored.reached_by) {
      // It was written before that target was told.
      const bool told = runs_[0].target < plan_.jobs[job].checkpoint->targets_known;
      advance_target(0, *restored.reached_by, told);
      if (!runs_[0].ended && runs_[0].job->summary.steps == options_.max_steps) {
        end(runs_[0], Termination::budget);
      }
    }
  }

  bool keeps_state() const {
    return capacity_ == 1 && runs_[0].job->checkpoint && runs_[0].source != nullptr;
  }

  void keep_state() {
    save_state(runs_[0], theta(0), std::nullopt);
    runs_[0].last_checkpoint = std::chrono::steady_clock::now();
    runs_[0].last_checkpoint_steps = runs_[0].job->summary.steps;
  }

  void keep_state_if_due() {
    if (!keeps_state()) {
      return;
    }
    const Run& run = runs_[0];
    const TrainCheckpoint& checkpoint = *run.job->checkpoint;
    const std::size_t steps = run.job->summary.steps - run.last_checkpoint_steps;
    const std::chrono::duration<double> age =
        std::chrono::steady_clock::now() - run.last_checkpoint;
    const bool due = checkpoint.steps > 0 ? steps >= checkpoint.steps
                                          : steps > 0 && age.count() >= checkpoint.seconds;
    if (due) {
      keep_state();
    }
  }

  void interrupt() {
    if (keeps_state() && runs_[0].job->summary.steps > runs_[0].last_checkpoint_steps) {
      keep_state();
    }
    for (std::size_t row = 0; row < runs_.size(); ++row) {
      end(runs_[row], Termination::interrupted);
    }
  }

  // One step of every run: look, gradient, look for free, update.
  void advance() {
    look_by_evaluation();
    if (any_ended_) {
      return;  // the gaps are closed first
    }
    const std::size_t count = runs_.size();
    runs_[0].need_batch();
    evaluator_.losses_and_gradients(thetas(count),
                                    runs_[0].batch,
                                    count == 1 ? &runs_[0].dropout : nullptr,
                                    std::span(losses_).first(count),
                                    std::span(gradients_).first(count * dimension_));
    runs_[0].has_gradient = true;
    for (std::size_t row = 0; row < count; ++row) {
      finish_step(row);
    }
  }

  void finish_step(std::size_t row) {
    Run& run = runs_[row];
    TrainSummary& summary = run.job->summary;
    const double loss = losses_[row];
    summary.gradient_samples += run.batch.count;
    if (plan_.loss_is_metric && summary.steps == run.next_look) {
      plan_next_look(run);
      look_for_free(row, loss);
      if (run.ended) {
        return;
      }
    }
    if (summary.steps == 0) {
      run.first_loss = loss;
    }
    if (!std::isfinite(loss) ||
        (options_.divergence_factor > 0.0 && loss > options_.divergence_factor * run.first_loss)) {
      end(run, Termination::diverged);
      return;
    }
    const std::span<float> gradient = std::span(gradients_).subspan(row * dimension_, dimension_);
    decay(theta(row), gradient);
    const bool scheduled = options_.schedule.kind != Schedule::Kind::constant;
    run.optimizer.step(theta(row),
                       gradient,
                       scheduled ? options_.schedule.at(summary.steps) : 1.0,
                       options_.clip_norm > 0.0 ? clip_factor(gradient, options_.clip_norm) : 1.0);
    ++summary.steps;
    run.has_gradient = false;
    if (options_.loss_window > 0) {
      run.window_sum += loss;
      if (summary.steps % options_.loss_window == 0) {
        const double mean = run.window_sum / static_cast<double>(options_.loss_window);
        run.window_sum = 0.0;
        run.job->margins.clear();  // those of an earlier look
        advance_target(row, mean);
      }
    }
    if (run.source != nullptr && !run.source->constant()) {
      run.has_batch = false;
    }
  }

  void decay(std::span<const float> theta, std::span<float> gradient) const {
    for (const Decay& decay : plan_.decays) {
      for (std::size_t i = decay.offset; i < decay.offset + decay.size; ++i) {
        gradient[i] += decay.strength * theta[i];
      }
    }
  }

  void plan_next_look(Run& run) const {
    run.next_look = std::min(run.next_look + options_.check_every, options_.max_steps);
  }

  // Looks at the metric of the runs whose turn it is, where no training step tells it.
  void look_by_evaluation() {
    std::size_t count = 0;
    for (std::size_t row = 0; row < runs_.size(); ++row) {
      const std::size_t steps = runs_[row].job->summary.steps;
      if (steps == runs_[row].next_look && (!plan_.loss_is_metric || steps == options_.max_steps)) {
        plan_next_look(runs_[row]);
        due_[count++] = row;
      }
    }
    if (count == 0) {
      return;
    }
    if (options_.metric == Metric::error_rate) {
      for (std::size_t i = 0; i < count; ++i) {
        look_at_errors(due_[i]);
      }
    } else {
      look_at_values(std::span(due_).first(count));
    }
    for (std::size_t i = 0; i < count; ++i) {
      Run& run = runs_[due_[i]];
      if (!run.ended && run.job->summary.steps == options_.max_steps) {
        end(run, Termination::budget);
      }
    }
  }

  void look_at_values(std::span<const std::size_t> rows) {
    const std::span<double> values = std::span(values_).first(rows.size());
    std::span<const float> looked_at = thetas(runs_.size());
    if (rows.size() < runs_.size()) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::ranges::copy(theta(rows[i]), looked_at_.begin() + offset(i));
      }
      looked_at = std::span<const float>(looked_at_).first(rows.size() * dimension_);
    }
    evaluator_.metrics(options_.split, options_.metric, looked_at, values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      runs_[rows[i]].job->summary.forward_samples += plan_.split_samples;
      record(rows[i], values[i]);
      advance_target(rows[i], values[i]);
    }
  }

  // A pass over a split of images is long: it ends when the target is known to be missed.
  void look_at_errors(std::size_t row) {
    Run& run = runs_[row];
    TrainJob& job = *run.job;
    const double target = job.targets[run.target];
    double seen = 0.0;  // the error rate, as far as it was looked at
    const Evaluation evaluation =
        plan_.has_margins ? look_at_margins(row, target, seen) : look_in_order(row, target, seen);
    job.summary.forward_samples += evaluation.samples;
    record(row, seen);
    if (options_.keep_margins) {
      const bool reached =
          evaluation.complete && reaches(evaluation.value, target, options_.comparison);
      job.margins = reached ? run.margins : std::vector<float>();
    }
    if (evaluation.complete) {
      advance_target(row, evaluation.value);
    }
  }

  Evaluation look_in_order(std::size_t row, double target, double& seen) {
    const Evaluation evaluation =
        evaluator_.metric_unless_above(options_.split, options_.metric, theta(row), target);
    seen = evaluation.value * static_cast<double>(plan_.split_samples) /
           static_cast<double>(evaluation.samples);
    return evaluation;
  }

  // Samples that were misread at the last look, or nearly so, come first: a miss is known soon.
  Evaluation look_at_margins(std::size_t row, double target, double& seen) {
    Run& run = runs_[row];
    const std::size_t samples = plan_.split_samples;
    if (run.margins.empty()) {
      run.margins.assign(samples, 0.0F);
      const Evaluation evaluation =
          evaluator_.margins(options_.split, theta(row), {}, target, run.margins);
      seen =
          evaluation.value * static_cast<double>(samples) / static_cast<double>(evaluation.samples);
      return evaluation;
    }
    const auto rank = [&](std::uint32_t i) {
      return std::isnan(run.margins[i]) ? -std::numeric_limits<float>::infinity() : run.margins[i];
    };
    order_.resize(samples);
    std::iota(order_.begin(), order_.end(), 0U);
    std::ranges::stable_sort(order_, {}, rank);
    found_.resize(samples);
    Evaluation evaluation = evaluator_.margins(options_.split, theta(row), order_, target, found_);
    const std::size_t looked = std::min(evaluation.samples, samples);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < samples; ++i) {
      float& margin = run.margins[order_[i]];
      margin = i < looked ? found_[i] : margin;
      wrong += margin > 0.0F ? 0 : 1;
    }
    seen = static_cast<double>(wrong) / static_cast<double>(samples);
    if (evaluation.complete && std::ranges::any_of(run.margins, is_close)) {
      // In another order the last bits of a margin may be others: the count must be that of a pass
      // in the split's own.
      const std::size_t before = evaluation.samples;
      evaluation = evaluator_.margins(options_.split, theta(row), {}, target, run.margins);
      evaluation.samples += before;
      seen = evaluation.complete ? evaluation.value : seen;
    }
    return evaluation;
  }

  // Whether rounding may decide what a sample is read as.
  static bool is_close(float margin) {
    constexpr float rounding = 1e-4F;
    return std::abs(margin) < rounding;
  }

  void look_for_free(std::size_t row, double loss) {
    Run& run = runs_[row];
    if (!reaches(loss, run.job->targets[run.target], options_.comparison)) {
      record(row, loss);
      return;
    }
    double value = 0.0;
    evaluator_.metrics(options_.split, options_.metric, theta(row), std::span(&value, 1));
    run.job->summary.forward_samples += plan_.split_samples;
    record(row, value);
    advance_target(row, value);
  }

  void record(std::size_t row, double value) {
    Run& run = runs_[row];
    TrainSummary& summary = run.job->summary;
    if (std::isnan(summary.first_metric)) {
      summary.first_metric = value;
    }
    summary.last_metric = value;
    summary.best_metric = std::fmin(summary.best_metric, value);
    const double target = run.job->targets[run.target];
    if (plan_.progress &&
        (summary.steps >= run.next_news || reaches(value, target, options_.comparison))) {
      run.next_news = summary.steps + steps_between_news;
      plan_.progress({.job = run.index, .steps = summary.steps, .metric = value, .target = target});
    }
  }

  // Passes the targets that `value` reaches; the run ends with the last one.
  // `again`: the one being trained for was reached, and told, before.
  void advance_target(std::size_t row, double value, bool again = false) {
    Run& run = runs_[row];
    TrainJob& job = *run.job;
    while (!run.ended && reaches(value, job.targets[run.target], options_.comparison)) {
      const std::size_t reached = run.target;
      if (reached + 1 == job.targets.size()) {
        end(run, Termination::reached);
        keep_last_state(run, value);
      } else {
        ++run.target;
      }
      if (std::exchange(again, false)) {
        continue;
      }
      if (job.on_target) {
        const std::span<const float> now = theta(row);
        Snapshot snapshot{.target = job.targets[reached],
                          .theta = std::vector<float>(now.begin(), now.end()),
                          .summary = job.summary};
        snapshot.summary.termination = Termination::reached;
        job.on_target(reached, snapshot);
      }
    }
  }

  // Before the target is told: who finds its snapshot finds the state too.
  void keep_last_state(const Run& run, double reached_by) {
    if (keeps_state() && run.job->checkpoint->keep_last) {
      save_state(run, run.job->theta, reached_by);
    }
  }

  void end(Run& run, Termination termination) {
    run.job->summary.termination = termination;
    if (termination != Termination::reached) {
      run.job->margins.clear();
    }
    run.ended = true;
    any_ended_ = true;
  }

  // Tells the end of a run, and forgets its state or keeps the last one.
  void finish(const Run& run) {
    const TrainJob& job = *run.job;
    if (job.summary.termination == Termination::interrupted) {
      return;
    }
    const bool keeps = keeps_state();
    if (job.on_end) {
      job.on_end(job);
    }
    if (keeps && !(job.checkpoint->keep_last && job.summary.termination == Termination::reached)) {
      std::error_code ignored;
      std::filesystem::remove(job.checkpoint->file, ignored);
    }
  }

  // Closes the gaps with the last rows.
  void remove_ended() {
    for (std::size_t row = runs_.size(); row-- > 0;) {
      if (!runs_[row].ended) {
        continue;
      }
      const std::size_t last = runs_.size() - 1;
      if (capacity_ > 1) {
        std::ranges::copy(theta(row), runs_[row].job->theta.begin());
      }
      finish(runs_[row]);
      if (capacity_ > 1 && row != last) {
        std::ranges::copy(theta(last), theta(row).begin());
      }
      if (row != last) {
        runs_[row] = std::move(runs_[last]);
      }
      runs_.pop_back();
    }
    any_ended_ = false;
  }

  std::ptrdiff_t offset(std::size_t row) const {
    return static_cast<std::ptrdiff_t>(row * dimension_);
  }

  Plan& plan_;
  const TrainOptions& options_;
  Evaluator& evaluator_;
  std::size_t capacity_;
  std::size_t dimension_;
  std::vector<Run> runs_;
  std::vector<float> thetas_;         // (capacity, P), row i of run i; unused if capacity is 1
  std::vector<float> looked_at_;      // (capacity, P), scratch
  std::vector<float> gradients_;      // (capacity, P)
  std::vector<double> losses_;        // (capacity)
  std::vector<std::size_t> due_;      // rows whose metric is looked at
  std::vector<double> values_;        // their metrics
  std::vector<std::uint32_t> order_;  // of the samples of a look
  std::vector<float> found_;          // their margins
  bool any_ended_ = false;
  bool refills_ = false;
};

// The one batch that all jobs train on at every step, if there is one; `keeper` owns it.
std::optional<BatchView> find_shared_batch(const Plan& plan, std::unique_ptr<BatchSource>& keeper) {
  const auto source_of = [&](const TrainJob& job) {
    return plan.objective.batches(
        job.seed, stream_name({job.stream, batches_purpose}), plan.options.batch_size);
  };
  keeper = source_of(plan.jobs[0]);
  if (!keeper->constant()) {
    return std::nullopt;
  }
  const BatchView batch = keeper->next();
  for (const TrainJob& job : plan.jobs.subspan(1)) {
    const auto source = source_of(job);
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

// Marks the plan as failed when left by an exception, so that the other workers end too.
template <typename Function>
void guarded(Plan& plan, const Function& work) {
  try {
    work();
  } catch (...) {
    plan.failed.store(true);
    throw;
  }
}

}  // namespace

bool reaches(double value, double target, Comparison comparison) {
  return comparison == Comparison::at_most ? value <= target : value < target;
}

void TrainOptions::validate() const {
  const Optimizer checked(optimizer, 0);
  isthmus::validate(schedule);
  if (!(clip_norm >= 0.0) || !std::isfinite(clip_norm)) {
    refuse("clip_norm", ">= 0", clip_norm);
  }
  for (const WeightDecay& decay : weight_decay) {
    if (!(decay.strength >= 0.0) || !std::isfinite(decay.strength)) {
      refuse("weight_decay of " + decay.tensor, ">= 0", decay.strength);
    }
  }
  if (check_every == 0) {
    refuse("check_every", ">= 1", check_every);
  }
  if (max_steps == 0) {
    refuse("max_steps", ">= 1", max_steps);
  }
  if (!(divergence_factor >= 0.0) || !std::isfinite(divergence_factor)) {
    refuse("divergence_factor", ">= 0", divergence_factor);
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
  options.validate();
  if (!objective.supports(options.metric)) {
    throw UsageError(
        fmt::format("metric: this objective cannot compute {}", name_of(options.metric)));
  }
  if (options.keep_margins && (options.metric != Metric::error_rate || !objective.has_margins())) {
    throw UsageError(fmt::format(
        "keep_margins: expected an error rate of an objective that tells margins, got {}",
        name_of(options.metric)));
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    validate_job(objective, jobs[i], i);
  }
  if (jobs.empty()) {
    return;
  }
  Plan plan{.objective = objective,
            .options = options,
            .jobs = jobs,
            .stop = stop,
            .progress = progress,
            .loss_is_metric = options.batch_size == 0 &&
                              objective.training_loss_is(options.metric, options.split),
            .split_samples = objective.samples(options.split),
            .has_margins = options.metric == Metric::error_rate && objective.has_margins(),
            .shared_batch = std::nullopt,
            .decays = decays_of(options, objective.layout())};
  for (TrainJob& job : jobs) {
    job.margins.clear();
    // What is said of a job that a request to stop keeps from starting.
    job.summary = {.termination = Termination::interrupted,
                   .first_metric = not_a_number,
                   .last_metric = not_a_number,
                   .best_metric = not_a_number};
  }
  std::size_t capacity = 1;
  std::unique_ptr<BatchSource> keeper;
  if (jobs.size() > 1) {
    const std::size_t batch_size =
        options.batch_size > 0 ? options.batch_size : objective.samples(Split::train);
    evaluators.workers().for_each(1, [&](std::size_t, std::size_t worker) {
      capacity = evaluators.of(worker).preferred_population(batch_size);
    });
  }
  if (capacity > 1) {
    plan.shared_batch = find_shared_batch(plan, keeper);
  }
  if (!plan.shared_batch) {
    evaluators.workers().for_each(jobs.size(), [&](std::size_t job, std::size_t worker) {
      guarded(plan, [&] { Cohort(plan, evaluators.of(worker), 1).train_one(job); });
    });
    return;
  }
  const std::size_t workers = evaluators.workers().size();
  const std::size_t share = (jobs.size() + workers - 1) / workers;
  capacity = std::min({capacity, jobs.size(), std::max(share, smallest_share)});
  const std::size_t cohorts = std::min(workers, (jobs.size() + capacity - 1) / capacity);
  evaluators.workers().for_each(cohorts, [&](std::size_t, std::size_t worker) {
    guarded(plan, [&] { Cohort(plan, evaluators.of(worker), capacity).train_all(); });
  });
}

}  // namespace isthmus
