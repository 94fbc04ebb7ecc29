// SPDX-License-Identifier: MIT
#include "isthmus/train/cohort.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "isthmus/train/checkpoint.h"
#include "isthmus/train/looks.h"

namespace isthmus {
namespace {

// Tells the end of a run, and forgets its state or keeps the last one.
void tell_end(const TrainRun& run) {
  if (run.summary().termination == Termination::interrupted) {
    return;
  }
  if (run.job->on_end) {
    run.job->on_end(*run.job);
  }
  forget_state(run);
}

// Runs that advance in step on one worker, their thetas side by side in memory: a new job is taken
// as soon as one ends. With a capacity of 1, a run that trains alone.
class Cohort {
 public:
  Cohort(TrainPlan& plan, Evaluator& evaluator, std::size_t capacity);

  // Trains jobs until nobody has any left.
  void train_all();
  // Trains one job alone.
  void train_one(std::size_t job);

 private:
  TrainRows rows();
  void advance_to_end();
  void take_jobs();
  void add(std::size_t job);
  void interrupt();
  void advance();
  void finish_step(TrainRun& run, std::span<float> theta, std::span<float> gradient, double loss);
  void remove_ended();

  TrainPlan& plan_;
  Evaluator& evaluator_;
  std::size_t capacity_;
  std::size_t dimension_;
  Looks looks_;
  std::vector<TrainRun> runs_;
  std::vector<float> thetas_;     // (capacity, P), row i of run i; unused if capacity is 1
  std::vector<float> gradients_;  // (capacity, P)
  std::vector<double> losses_;    // (capacity)
  bool any_ended_ = false;
  bool refills_ = false;
};

Cohort::Cohort(TrainPlan& plan, Evaluator& evaluator, std::size_t capacity)
    : plan_(plan),
      evaluator_(evaluator),
      capacity_(capacity),
      dimension_(plan.objective.dimension()),
      looks_(plan, evaluator, capacity),
      thetas_(capacity > 1 ? capacity * dimension_ : 0),
      gradients_(capacity * dimension_),
      losses_(capacity) {
  runs_.reserve(capacity);
}

void Cohort::train_all() {
  refills_ = true;
  take_jobs();
  advance_to_end();
}

void Cohort::train_one(std::size_t job) {
  add(job);
  advance_to_end();
}

TrainRows Cohort::rows() {
  // A lone theta stays where it is: it may be large.
  return {.runs = runs_,
          .thetas = capacity_ == 1 ? std::span<float>(runs_[0].job->theta)
                                   : std::span(thetas_).first(runs_.size() * dimension_),
          .dimension = dimension_};
}

void Cohort::advance_to_end() {
  while (!runs_.empty()) {
    if (any_ended_) {
      remove_ended();
      if (refills_) {
        take_jobs();
      }
    } else if (plan_.ends()) {
      interrupt();
    } else {
      keep_state_if_due(runs_[0]);
      advance();
    }
  }
}

void Cohort::take_jobs() {
  while (runs_.size() < capacity_ && !plan_.ends()) {
    const std::size_t job = plan_.next_job.fetch_add(1);
    if (job >= plan_.jobs.size()) {
      return;
    }
    add(job);
  }
}

void Cohort::add(std::size_t job) {
  runs_.push_back(begin_run(plan_, job));
  any_ended_ |= runs_.back().ended;
  if (capacity_ > 1) {
    std::ranges::copy(plan_.jobs[job].theta, rows().theta(runs_.size() - 1).begin());
  }
}

void Cohort::interrupt() {
  keep_state_if_due(runs_[0], true);
  for (TrainRun& run : runs_) {
    run.end(Termination::interrupted);
  }
  any_ended_ = true;
}

// One step of every run: look, gradient, look for free, update.
void Cohort::advance() {
  const TrainRows now = rows();
  if (looks_.by_evaluation(now)) {
    any_ended_ = true;  // the gaps are closed first
    return;
  }
  const std::size_t count = runs_.size();
  const std::span<float> gradients = std::span(gradients_).first(count * dimension_);
  runs_[0].need_batch();
  evaluator_.losses_and_gradients(now.thetas,
                                  runs_[0].batch,
                                  count == 1 ? &runs_[0].dropout : nullptr,
                                  std::span(losses_).first(count),
                                  gradients);
  runs_[0].has_gradient = true;
  for (std::size_t row = 0; row < count; ++row) {
    finish_step(
        runs_[row], now.theta(row), gradients.subspan(row * dimension_, dimension_), losses_[row]);
    any_ended_ |= runs_[row].ended;
  }
}

void Cohort::finish_step(TrainRun& run,
                         std::span<float> theta,
                         std::span<float> gradient,
                         double loss) {
  run.summary().gradient_samples += run.batch.count;
  if (plan_.loss_is_metric && run.summary().steps == run.next_look) {
    run.plan_next_look();
    looks_.for_free(run, theta, loss);
    if (run.ended) {
      return;
    }
  }
  if (run.diverges(loss)) {
    run.end(Termination::diverged);
  } else if (run.dies(gradient)) {
    run.end(Termination::dead);
  } else {
    run.update(theta, gradient, loss);
  }
}

// Closes the gaps with the last rows.
void Cohort::remove_ended() {
  for (std::size_t row = runs_.size(); row-- > 0;) {
    if (!runs_[row].ended) {
      continue;
    }
    const std::size_t last = runs_.size() - 1;
    const TrainRows before = rows();
    if (capacity_ > 1) {
      std::ranges::copy(before.theta(row), runs_[row].job->theta.begin());
    }
    runs_[row].hand_over();
    tell_end(runs_[row]);
    if (row != last) {
      std::ranges::copy(before.theta(last), before.theta(row).begin());
      runs_[row] = std::move(runs_[last]);
    }
    runs_.pop_back();
  }
  any_ended_ = false;
}

}  // namespace

void train_in_step(TrainPlan& plan, Evaluator& evaluator, std::size_t capacity) {
  Cohort(plan, evaluator, capacity).train_all();
}

void train_alone(TrainPlan& plan, Evaluator& evaluator, std::size_t job) {
  Cohort(plan, evaluator, 1).train_one(job);
}

}  // namespace isthmus
