// SPDX-License-Identifier: MIT
#include "isthmus/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/state_file.h"

namespace isthmus {
namespace {

// Whose state it is: the file of another job is not taken for this one's.
struct StateHeader {
  std::uint64_t seed;
  std::uint64_t stream;
  std::uint64_t dimension;
  std::uint64_t target;     // the index of the one being trained for
  std::uint64_t at_target;  // 1: written as the last one was reached ...
  double value;             // ... by this value
};

// What became of a state.
struct Restored {
  std::optional<double> reached_by{};  // as in save_state
};

Restored restore_state(TrainRun& run) {
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
  state.get_all(std::span(run.average));
  job.summary = restore_summary(state);
  run.target = header.target;
  run.optimizer.restore(state);
  run.dropout.set_state(state.get<std::array<std::uint64_t, 4>>());
  run.source->restore(state);
  run.next_look = state.get<std::size_t>();
  run.first_loss = state.get<double>();
  run.window_sum = state.get<double>();
  run.per_sample.resize(state.get<std::size_t>());
  state.get_all(std::span(run.per_sample));
  run.outlook = state.get<Outlook>();
  run.dead_steps = state.get<std::size_t>();
  run.last_checkpoint_steps = job.summary.steps;
  return {.reached_by = header.at_target != 0 ? std::optional(header.value) : std::nullopt};
}

}  // namespace

void save_summary(StateWriter& state, const TrainSummary& summary) {
  state.put(static_cast<std::uint64_t>(summary.termination));
  state.put(summary.first_metric);
  state.put(summary.last_metric);
  state.put(summary.best_metric);
  state.put(summary.steps);
  state.put(summary.gradient_samples);
  state.put(summary.forward_samples);
  state.put(summary.denied);
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
  summary.denied = state.get<std::uint64_t>();
  return summary;
}

void save_state(const TrainRun& run, std::optional<double> reached_by) {
  const std::span<const float> theta = run.job->theta;
  StateWriter state(run.job->checkpoint->file);
  state.put(StateHeader{.seed = run.job->seed,
                        .stream = run.job->stream,
                        .dimension = theta.size(),
                        .target = run.target,
                        .at_target = reached_by ? 1U : 0U,
                        .value = reached_by.value_or(0.0)});
  state.put_all(std::span<const double>(run.job->targets).first(run.target + 1));
  state.put_all(theta);
  state.put_all(std::span<const float>(run.average));
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
  state.put(run.per_sample.size());
  state.put_all(std::span<const float>(run.per_sample));
  state.put(run.outlook);
  state.put(run.dead_steps);
  state.commit();
}

void keep_state_if_due(TrainRun& run, bool at_once) {
  if (!run.keeps_state()) {
    return;
  }
  const TrainCheckpoint& checkpoint = *run.job->checkpoint;
  const std::size_t steps = run.summary().steps - run.last_checkpoint_steps;
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - run.last_checkpoint;
  const bool due = checkpoint.steps > 0 ? steps >= checkpoint.steps
                                        : steps > 0 && age.count() >= checkpoint.seconds;
  if (due || (at_once && steps > 0)) {
    save_state(run, std::nullopt);
    run.last_checkpoint = std::chrono::steady_clock::now();
    run.last_checkpoint_steps = run.summary().steps;
  }
}

TrainRun begin_run(const TrainPlan& plan, std::size_t job_index) {
  TrainRun run(plan, job_index);
  if (!run.keeps_state() || !std::filesystem::exists(run.job->checkpoint->file)) {
    return run;
  }
  TrainJob& job = *run.job;
  const std::vector<float> start = job.theta;
  const TrainSummary untrained = job.summary;
  Restored restored;
  try {
    restored = restore_state(run);
  } catch (const DataError&) {
    job.theta = start;
    job.summary = untrained;
    return {plan, job_index};
  }
  if (restored.reached_by) {
    // It was written before that target was told.
    const bool told = run.target < job.checkpoint->targets_known;
    run.pass_targets(run.candidate(job.theta), *restored.reached_by, told);
    if (!run.ended && job.summary.steps == plan.options.max_steps) {
      run.end(Termination::budget);
    }
  }
  return run;
}

void forget_state(const TrainRun& run) {
  const bool keeps_last = run.summary().termination == Termination::reached &&
                          run.job->checkpoint && run.job->checkpoint->keep_last;
  if (run.keeps_state() && !keeps_last) {
    std::error_code ignored;
    std::filesystem::remove(run.job->checkpoint->file, ignored);
  }
}

}  // namespace isthmus
