// SPDX-License-Identifier: MIT
#include "isthmus/strings/growing_string.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/screen.h"
#include "isthmus/strings/bead_start.h"

namespace isthmus {
namespace {

constexpr std::uint64_t bead_purpose = 0x62656164;   // "bead"
constexpr std::uint64_t restart_purpose = 0x61676e;  // "agn"

// Steps without a gradient: momentum of .9 is down to 5e-3 then.
constexpr std::size_t dead_after = 50;

// The metric and the split are the same everywhere.
TrainOptions training_of(const Objective& objective,
                         const StringOptions& options,
                         TrainOptions training) {
  training.metric = options.grid.metric;
  training.split = options.grid.split;
  const bool estimated = training.looks == LookKind::estimated &&
                         training.metric != Metric::error_rate && training.batch_size > 0;
  training.keep_per_sample = (options.check == CheckKind::screened || estimated) &&
                             tells_samples(objective, training.metric);
  return training;
}

StringOptions completed(const Objective& objective, StringOptions options) {
  options.grid.bound = options.bound();
  options.grid.comparison = options.training.comparison;
  options.training = training_of(objective, options, options.training);
  return options;
}

// The summary of a training that followed another one of the same bead.
TrainSummary after(const TrainSummary& first, TrainSummary second) {
  second.first_metric = first.first_metric;
  second.best_metric = std::fmin(first.best_metric, second.best_metric);
  second.steps += first.steps;
  second.gradient_samples += first.gradient_samples;
  second.forward_samples += first.forward_samples;
  second.denied += first.denied;
  return second;
}

}  // namespace

GrowingString::GrowingString(Evaluators& evaluators,
                             const StringOptions& options,
                             StringCallbacks callbacks,
                             std::span<const std::span<const float>> beads)
    : evaluators_(evaluators),
      options_(completed(evaluators.objective(), options)),
      threshold_(options.threshold),
      callbacks_(std::move(callbacks)) {
  options.validate();
  ISTHMUS_ASSERT(beads.size() >= 2, "two end points");
  const std::size_t dimension = evaluators.objective().dimension();
  const std::span<const float> a = beads.front();
  const std::span<const float> b = beads.back();
  if (a.size() != dimension || b.size() != dimension) {
    throw UsageError(fmt::format(
        "end points: expected {} parameters each, got {} and {}", dimension, a.size(), b.size()));
  }
  if (screens()) {
    if (const auto reason = reason_not_screened(evaluators.objective(), options.grid.metric)) {
      throw UsageError(fmt::format("check: {}", *reason));
    }
  }
  if (options.check == CheckKind::certified) {
    certifier_.emplace(evaluators.objective(), options.grid.split, options.grid.metric);
  }
  for (std::size_t i = 0; i < beads.size(); ++i) {
    ISTHMUS_ASSERT(beads[i].size() == dimension, "beads of one length");
    const bool last = i + 1 == beads.size();
    const std::size_t number = i == 0 ? 0 : last ? 1 : next_number_++;
    beads_.push_back({.number = number, .theta = {beads[i].begin(), beads[i].end()}, .value = {}});
  }
  checks_.resize(beads_.size() - 1);
  open_at_start_ = checks_.size();
}

std::vector<std::size_t> GrowingString::open_segments() const {
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    if (!checks_[i] || !checks_[i]->passed) {
      open.push_back(i);
    }
  }
  return open;
}

void GrowingString::tell(StringProgress event) const {
  if (callbacks_.progress) {
    event.round = summary_.rounds;
    event.beads = beads_.size();
    event.open_segments = open_at_start_;
    callbacks_.progress(event);
  }
}

void GrowingString::obey_stop() const {
  if (callbacks_.stop && callbacks_.stop->requested()) {
    throw Interrupted("stopped on request: what was finished before is kept");
  }
}

bool GrowingString::evaluate_end_points() {
  summary_.cost.forward_samples_checks +=
      evaluate(std::array<std::size_t, 2>{0, beads_.size() - 1});
  summary_.value_a = *beads_.front().value;
  summary_.value_b = *beads_.back().value;
  return reaches(summary_.value_a, options_.grid.bound, options_.grid.comparison) &&
         reaches(summary_.value_b, options_.grid.bound, options_.grid.comparison);
}

std::optional<Ending> GrowingString::decided_by_line() {
  if (!evaluate_end_points()) {
    return ending(Ending::Kind::end_point_not_reached);
  }
  check_segments();
  return passes() ? std::optional(ending(Ending::Kind::connected)) : std::nullopt;
}

Ending GrowingString::ending(Ending::Kind kind) const {
  return {.kind = kind,
          .metric = evaluators_.objective().metric_name(options_.grid.metric),
          .bound = options_.grid.bound,
          .segments = checks_.size(),
          .open_segments = open_segments().size(),
          .rounds = summary_.rounds,
          .steps = steps_,
          .value_a = summary_.value_a,
          .value_b = summary_.value_b};
}

std::optional<Ending> GrowingString::limit_met(std::size_t more_beads, std::size_t others) const {
  const auto met = [&](Ending::Kind kind, std::size_t limit) {
    Ending result = ending(kind);
    result.limit = limit;
    return result;
  };
  if (summary_.rounds - rounds_before_level_ >= options_.max_rounds) {
    return met(Ending::Kind::rounds, options_.max_rounds);
  }
  if (const std::size_t needed = beads_.size() + more_beads; needed > options_.max_beads) {
    Ending result = met(Ending::Kind::beads, options_.max_beads);
    result.needed = needed;
    return result;
  }
  const std::size_t trained = more_beads + others;
  if (share_of_steps(std::max(trained, std::size_t{1})) == 0) {
    Ending result = met(Ending::Kind::steps, options_.max_total_steps);
    result.needed = trained;
    return result;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  if (elapsed.count() >= options_.max_seconds) {
    Ending result = ending(Ending::Kind::seconds);
    result.limit_seconds = options_.max_seconds;
    return result;
  }
  return std::nullopt;
}

std::optional<Ending> GrowingString::stuck_among(std::span<const std::size_t> places) const {
  for (const std::size_t place : places) {
    const Bead& bead = beads_[place];
    if (!reaches(*bead.value, options_.grid.bound, options_.grid.comparison)) {
      Ending result = ending(bead.cut ? Ending::Kind::steps : Ending::Kind::stuck_bead);
      result.limit = options_.max_total_steps;
      result.needed = static_cast<std::size_t>(
          std::ranges::count_if(places, [&](std::size_t other) { return beads_[other].cut; }));
      result.bead = bead.number;
      result.value = *bead.value;
      result.target = options_.target();
      result.budget = options_.training.max_steps;
      return result;
    }
  }
  return std::nullopt;
}

void GrowingString::start_round() {
  ++summary_.rounds;
  open_at_start_ = open_segments().size();
  tell({.kind = StringProgress::Kind::round_started});
}

// The start of a bead in the string as it is.
std::vector<float> GrowingString::start_of(const Cut& cut, double bend) const {
  const auto theta_at = [this](std::size_t place) {
    return place < beads_.size() ? std::span<const float>(beads_[place].theta)
                                 : std::span<const float>();
  };
  const std::size_t left = cut.segment;
  const std::span<const float> before = left > 0 ? theta_at(left - 1) : std::span<const float>();
  std::vector<float> theta(beads_[left].theta.size());
  place_start({before, theta_at(left), theta_at(left + 1), theta_at(left + 2)}, cut.t, bend, theta);
  return theta;
}

std::vector<std::size_t> GrowingString::insert(std::span<const Cut> cuts, double bend) {
  std::vector<std::vector<float>> starts;
  for (const Cut& cut : cuts) {
    starts.push_back(start_of(cut, bend));
  }
  std::vector<Bead> beads;
  std::vector<std::optional<SegmentCheck>> checks;
  std::vector<std::size_t> fresh;
  auto cut = cuts.begin();
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    beads.push_back(std::move(beads_[i]));
    if (cut == cuts.end() || cut->segment != i) {
      checks.push_back(std::move(checks_[i]));
      continue;
    }
    Bead bead{.number = next_number_++, .theta = {}, .value = {}};
    bead.birth = {.round = summary_.rounds,
                  .left = beads.back().number,
                  .right = beads_[i + 1].number,
                  .t = cut->t};
    bead.theta = std::move(starts[fresh.size()]);
    fresh.push_back(beads.size());
    beads.push_back(std::move(bead));
    checks.resize(checks.size() + 2);
    ++cut;
  }
  ISTHMUS_ASSERT(cut == cuts.end(), "cuts in the order of the segments, one in each");
  beads.push_back(std::move(beads_.back()));
  beads_ = std::move(beads);
  checks_ = std::move(checks);
  summary_.beads_inserted += fresh.size();
  return fresh;
}

void GrowingString::replace(std::size_t place, std::vector<float> theta) {
  ISTHMUS_ASSERT(theta.size() == evaluators_.objective().dimension(), "beads of one length");
  const bool inner = place > 0 && place + 1 < beads_.size();
  ISTHMUS_ASSERT(inner || (ends_are_free_ && place < beads_.size()), "an inner bead");
  beads_[place] = {.number = next_number_++,
                   .theta = std::move(theta),
                   .value = {},
                   .birth = beads_[place].birth};
  if (place > 0) {
    checks_[place - 1].reset();
  }
  if (place < checks_.size()) {
    checks_[place].reset();
  }
}

void GrowingString::drop(std::size_t place) {
  ISTHMUS_ASSERT(place > 0 && place + 1 < beads_.size(), "an inner bead");
  beads_.erase(beads_.begin() + static_cast<std::ptrdiff_t>(place));
  checks_.erase(checks_.begin() + static_cast<std::ptrdiff_t>(place));
  checks_[place - 1].reset();
}

// Of the gradient steps that are left, for each of some beads.
std::size_t GrowingString::share_of_steps(std::size_t beads) const {
  return steps_ >= options_.max_total_steps ? 0 : (options_.max_total_steps - steps_) / beads;
}

// `lost`: the training of this bead before, which came to nothing.
TrainJob GrowingString::job_of(std::size_t place,
                               std::size_t max_steps,
                               const std::optional<TrainSummary>& lost) {
  const Bead& bead = beads_[place];
  TrainJob job;
  job.theta = bead.theta;  // the bead's own stays for those that look at their neighbours
  job.targets = {options_.target()};
  job.seed = options_.seed;
  job.stream = stream_name({options_.stream, bead_purpose, bead.number});
  if (options_.training.looks == LookKind::estimated) {
    job.expected = losses_around(place);
  }
  if (!lost) {
    job.dead_after = options_.restart_dead ? dead_after : 0;
  }
  if (StringJournal* journal = callbacks_.journal) {
    const bool short_of_steps = max_steps < options_.training.max_steps;
    job.on_end = [=, this, number = bead.number](const TrainJob& ended) {
      const bool cut = short_of_steps && ended.summary.termination == Termination::budget;
      if (lost && !cut) {
        journal->keep_bead(number, {.theta = ended.theta, .summary = after(*lost, ended.summary)});
      } else if (!cut && !starts_again(ended.summary)) {
        journal->keep_bead(number, {.theta = ended.theta, .summary = ended.summary});
      }
    };
    job.checkpoint = journal->checkpoint(bead.number);
  }
  return job;
}

void GrowingString::train_beads(std::span<const std::size_t> places,
                                const std::function<void(std::size_t place, TrainJob&)>& prepare) {
  if (places.empty()) {
    return;
  }
  const std::size_t share = share_of_steps(places.size());
  TrainOptions options = options_.training;
  options.max_steps = std::min(options.max_steps, share);
  ISTHMUS_ASSERT(options.max_steps > 0, "a round that limit_met() lets start");
  std::vector<TrainJob> jobs;
  std::vector<std::size_t> job_places;
  for (const std::size_t place : places) {
    if (begin_training(place)) {
      continue;
    }
    jobs.push_back(job_of(place, options.max_steps));
    job_places.push_back(place);
    if (prepare) {
      prepare(place, jobs.back());
    }
  }
  std::function<void(const TrainProgress&)> listener;  // none costs nothing at every look
  if (callbacks_.progress) {
    listener = [&](const TrainProgress& news) {
      tell({.kind = StringProgress::Kind::bead_step,
            .bead = beads_[job_places[news.job]].number,
            .training = news});
    };
  }
  train(evaluators_, jobs, options, callbacks_.stop, listener);
  std::vector<std::size_t> budgets(jobs.size(), options.max_steps);
  restart(jobs, job_places, share, budgets, prepare);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Bead& bead = beads_[job_places[i]];
    bead.theta = std::move(jobs[i].theta);
    bead.per_sample = std::move(jobs[i].per_sample);
    bead.cut = budgets[i] < options_.training.max_steps &&
               jobs[i].summary.termination == Termination::budget;
  }
  obey_stop();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    take(beads_[job_places[i]], jobs[i].summary);
  }
  summary_.cost.forward_samples_beads += evaluate(places, true);
}

bool GrowingString::starts_again(const TrainSummary& summary) const {
  const bool lost =
      summary.termination == Termination::dead || summary.termination == Termination::diverged;
  return lost && options_.restart_dead && options_.training.clip_norm == 0.0;
}

// Trains those of some jobs that are lost once more, for what they left of their `share` of the
// steps. Where that is nothing their steps are over. `budgets`: what each job may take; out, the
// second time.
void GrowingString::restart(std::span<TrainJob> jobs,
                            std::span<const std::size_t> places,
                            std::size_t share,
                            std::span<std::size_t> budgets,
                            const std::function<void(std::size_t, TrainJob&)>& prepare) {
  std::vector<TrainJob> again;
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!starts_again(jobs[i].summary)) {
      continue;
    }
    budgets[i] = std::min(options_.training.max_steps, share - jobs[i].summary.steps);
    if (budgets[i] == 0) {
      jobs[i].summary.termination = Termination::budget;
      continue;
    }
    again.push_back(job_of(places[i], budgets[i], jobs[i].summary));
    which.push_back(i);
    if (prepare) {
      prepare(places[i], again.back());
    }
    // Behind `prepare`, which may name streams: the state of one training is never taken for that
    // of the other.
    again.back().stream = stream_name({again.back().stream, restart_purpose});
  }
  // One by one: each has a budget of its own.
  evaluators_.workers().for_each(again.size(), [&](std::size_t k, std::size_t) {
    TrainOptions options = options_.training;
    options.max_steps = budgets[which[k]];
    options.clip_norm = 1.0;  // a step of the learning rate, at most
    train(evaluators_, {&again[k], 1}, options, callbacks_.stop);
  });
  for (std::size_t k = 0; k < again.size(); ++k) {
    again[k].summary = after(jobs[which[k]].summary, again[k].summary);
    jobs[which[k]] = std::move(again[k]);
  }
}

void GrowingString::set_training(const TrainOptions& training) {
  training.validate();
  options_.training = training_of(evaluators_.objective(), options_, training);
}

bool GrowingString::begin_training(std::size_t place) {
  if (beads_[place].settled) {
    replace(place, std::move(beads_[place].theta));
  }
  Bead& bead = beads_[place];
  std::optional<BeadRecord> record;
  if (callbacks_.journal) {
    record = callbacks_.journal->find_bead(bead.number);
  }
  if (!record) {
    return false;
  }
  ISTHMUS_ASSERT(record->theta.size() == bead.theta.size(), "a bead of this string");
  bead.theta = std::move(record->theta);
  take(bead, record->summary);
  return true;
}

void GrowingString::end_training(std::size_t place, BeadRecord record, bool cut) {
  Bead& bead = beads_[place];
  ISTHMUS_ASSERT(!bead.settled, "a training that was begun");
  ISTHMUS_ASSERT(record.theta.size() == bead.theta.size(), "beads of one length");
  if (callbacks_.journal && !cut) {
    callbacks_.journal->keep_bead(bead.number, record);
  }
  bead.cut = cut;
  bead.theta = std::move(record.theta);
  take(bead, record.summary);
}

void GrowingString::take(Bead& bead, const TrainSummary& summary) {
  bead.settled = true;
  if (summary.termination != Termination::reached) {
    ++summary_.beads_unreached;
  } else if (options_.training.loss_window == 0) {
    bead.value = summary.last_metric;  // a mean training loss is not a value of this theta
  }
  steps_ += summary.steps;
  summary_.cost.gradient_samples_beads += summary.gradient_samples;
  summary_.cost.forward_samples_beads += summary.forward_samples;
  tell({.kind = StringProgress::Kind::bead_trained, .bead = bead.number, .trained = summary});
}

}  // namespace isthmus
