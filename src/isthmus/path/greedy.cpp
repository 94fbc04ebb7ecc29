// SPDX-License-Identifier: MIT
#include "isthmus/path/greedy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/screen.h"

namespace isthmus {
namespace {

constexpr std::uint64_t bead_purpose = 0x62656164;  // "bead"

struct Node {
  std::size_t number = 0;  // order of insertion
  std::vector<float> theta;
  std::optional<double> value;   // full-split metric, where it is known
  std::vector<float> margins{};  // of all samples, where checks are screened
};

// The string while it grows: nodes in order, and what is known of the segment behind each.
class GreedyString {
 public:
  GreedyString(Evaluators& evaluators,
               const GreedyOptions& options,
               StringJournal* journal,
               const Stop* stop,
               const std::function<void(const StringProgress&)>& progress)
      : evaluators_(evaluators),
        options_(options),
        journal_(journal),
        stop_(stop),
        progress_(progress) {
    options_.grid.bound = options.tolerance * options.threshold;
    options_.grid.comparison = options.training.comparison;
    options_.grid.stop_at_failure = options.t_star == TStar::half;
    if (options.check == CheckKind::certified) {
      certifier_.emplace(evaluators.objective(), options.grid.split, options.grid.metric);
    }
    options_.training.metric = options.grid.metric;
    options_.training.split = options.grid.split;
    options_.training.keep_margins = screens();
  }

  StringSummary run(std::span<const float> a, std::span<const float> b) {
    const auto start = std::chrono::steady_clock::now();
    nodes_.push_back({.number = 0, .theta = {a.begin(), a.end()}, .value = {}});
    nodes_.push_back({.number = 1, .theta = {b.begin(), b.end()}, .value = {}});
    checks_.resize(1);
    open_segments_ = 1;
    evaluate_ends();
    if (!end_points_hold()) {
      return finish(Verdict::endpoint_not_reached, end_point_reason());
    }
    if (options_.always_insert) {
      checks_[0].emplace().worst_t = 0.5;
    } else {
      check_open();
    }
    while (count_open() > 0 || !largest_confirmed()) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (std::string limit = limit_met(elapsed.count()); !limit.empty()) {
        return finish(Verdict::not_connected, std::move(limit));
      }
      ++summary_.rounds;
      open_segments_ = count_open();
      tell({.kind = StringProgress::Kind::round_started});
      const std::vector<std::size_t> fresh = insert();
      train_beads(fresh);
      summary_.cost.forward_samples_beads += evaluate(fresh);
      if (std::string stuck = stuck_bead(fresh); !stuck.empty()) {
        return finish(Verdict::not_connected, std::move(stuck));
      }
      check_open();
    }
    return finish(Verdict::connected, "every segment passes");
  }

 private:
  bool screens() const { return options_.check == CheckKind::screened; }

  void tell(StringProgress event) const {
    if (progress_) {
      event.round = summary_.rounds;
      event.beads = nodes_.size();
      event.open_segments = open_segments_;
      progress_(event);
    }
  }

  void obey_stop() const {
    if (stop_ && stop_->requested()) {
      throw Interrupted("stopped on request: what was finished before is kept");
    }
  }

  std::size_t count_open() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        checks_,
        [](const std::optional<SegmentCheck>& check) { return !check || !check->passed; }));
  }

  // Looks at the nodes at some places whose value is not known. Returns the samples it took.
  std::uint64_t evaluate(std::span<const std::size_t> places) {
    const std::size_t samples = evaluators_.objective().samples(options_.grid.split);
    std::vector<Node*> unknown;
    std::uint64_t cost = 0;
    for (const std::size_t place : places) {
      Node& node = nodes_[place];
      // Margins alone are lacking where a string goes on from its journal: they were there before,
      // and cost nothing.
      cost += node.value ? 0 : samples;
      if (!node.value || (screens() && node.margins.empty())) {
        unknown.push_back(&node);
      }
    }
    evaluators_.workers().for_each(unknown.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      Evaluator& evaluator = evaluators_.of(worker);
      Node& node = *unknown[i];
      double value = 0.0;
      if (screens()) {
        node.margins.resize(samples);
        const double never = std::numeric_limits<double>::infinity();
        value = evaluator.margins(options_.grid.split, node.theta, {}, never, node.margins).value;
      } else {
        evaluator.metrics(options_.grid.split, options_.grid.metric, node.theta, {&value, 1});
      }
      node.value = value;
    });
    return cost;
  }

  void evaluate_ends() {
    summary_.cost.forward_samples_checks += evaluate(std::array<std::size_t, 2>{0, 1});
    summary_.value_a = *nodes_[0].value;
    summary_.value_b = *nodes_[1].value;
  }

  // The published scripts do not look at their end points again.
  bool end_points_hold() const {
    return options_.always_insert ||
           (reaches(summary_.value_a, options_.grid.bound, options_.grid.comparison) &&
            reaches(summary_.value_b, options_.grid.bound, options_.grid.comparison));
  }

  std::string end_point_reason() const {
    return fmt::format("the end points have {} {:.6g} and {:.6g}; the threshold is {:.6g}",
                       name_of(options_.grid.metric),
                       summary_.value_a,
                       summary_.value_b,
                       options_.grid.bound);
  }

  std::string limit_met(double seconds) const {
    if (summary_.rounds >= options_.max_rounds) {
      return fmt::format("{} of {} segments exceed the threshold after {} rounds (the limit)",
                         count_open(),
                         checks_.size(),
                         summary_.rounds);
    }
    if (const std::size_t beads = nodes_.size() + count_open(); beads > options_.max_beads) {
      return fmt::format(
          "the string would need {} beads; the limit is {}", beads, options_.max_beads);
    }
    if (steps_ >= options_.max_total_steps) {
      return fmt::format(
          "{} gradient steps were spent; the limit is {}", steps_, options_.max_total_steps);
    }
    if (seconds >= options_.max_seconds) {
      return fmt::format("the limit of {} seconds is over", options_.max_seconds);
    }
    return {};
  }

  // Puts a bead into every segment that failed. Returns the places of the new nodes.
  std::vector<std::size_t> insert() {
    std::vector<Node> nodes;
    std::vector<std::optional<SegmentCheck>> checks;
    std::vector<std::size_t> fresh;
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      nodes.push_back(std::move(nodes_[i]));
      if (checks_[i]->passed) {
        checks.push_back(std::move(checks_[i]));
        continue;
      }
      const double t = options_.t_star == TStar::half ? 0.5 : checks_[i]->worst_t;
      Node bead{.number = 2 + summary_.beads_inserted++, .theta = {}, .value = {}};
      bead.theta.resize(nodes.back().theta.size());
      interpolate(nodes.back().theta, nodes_[i + 1].theta, t, bead.theta);
      fresh.push_back(nodes.size());
      nodes.push_back(std::move(bead));
      checks.resize(checks.size() + 2);
    }
    nodes.push_back(std::move(nodes_.back()));
    nodes_ = std::move(nodes);
    checks_ = std::move(checks);
    return fresh;
  }

  void train_beads(std::span<const std::size_t> places) {
    std::vector<TrainJob> jobs;
    std::vector<std::size_t> job_places;
    for (const std::size_t place : places) {
      Node& node = nodes_[place];
      if (journal_) {
        if (std::optional<BeadRecord> record = journal_->find_bead(node.number)) {
          ISTHMUS_ASSERT(record->theta.size() == node.theta.size(), "a bead of this string");
          node.theta = std::move(record->theta);
          take(node, record->summary);
          continue;
        }
      }
      TrainJob job;
      job.theta = std::move(node.theta);
      job.targets = {options_.alpha * options_.threshold};
      job.seed = options_.seed;
      job.stream = stream_name({options_.stream, bead_purpose, node.number});
      if (journal_) {
        job.on_end = [this, number = node.number](const TrainJob& ended) {
          journal_->keep_bead(number, {.theta = ended.theta, .summary = ended.summary});
        };
        job.checkpoint = journal_->checkpoint(node.number);
      }
      jobs.push_back(std::move(job));
      job_places.push_back(place);
    }
    std::function<void(const TrainProgress&)> listener;  // none costs nothing at every look
    if (progress_) {
      listener = [&](const TrainProgress& training) {
        tell({.kind = StringProgress::Kind::bead_step,
              .bead = nodes_[job_places[training.job]].number,
              .training = training});
      };
    }
    train(evaluators_, jobs, options_.training, stop_, listener);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      Node& node = nodes_[job_places[i]];
      node.theta = std::move(jobs[i].theta);
      node.margins = std::move(jobs[i].margins);
    }
    obey_stop();
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      take(nodes_[job_places[i]], jobs[i].summary);
    }
  }

  void take(Node& node, const TrainSummary& summary) {
    if (summary.termination != Termination::reached) {
      ++summary_.beads_unreached;
    } else if (options_.training.loss_window == 0) {
      node.value = summary.last_metric;  // a mean training loss is not a value of this theta
    }
    steps_ += summary.steps;
    summary_.cost.gradient_samples_beads += summary.gradient_samples;
    summary_.cost.forward_samples_beads += summary.forward_samples;
    tell({.kind = StringProgress::Kind::bead_trained, .bead = node.number, .trained = summary});
  }

  // A bead that stays above the bound itself can never be part of a path below it. (One that missed
  // its target may still lie below the bound: then the string goes on.)
  std::string stuck_bead(std::span<const std::size_t> fresh) const {
    for (const std::size_t place : fresh) {
      const Node& node = nodes_[place];
      if (!reaches(*node.value, options_.grid.bound, options_.grid.comparison)) {
        return fmt::format("bead {} stayed at {} {:.6g} (its target is {:.6g}; budget {} steps)",
                           node.number,
                           name_of(options_.grid.metric),
                           *node.value,
                           options_.alpha * options_.threshold,
                           options_.training.max_steps);
      }
    }
    return {};
  }

  // Of screened segments the largest value counts only if a look at all samples tells the same;
  // else the whole grid of its segment is looked at. Returns false if that fails.
  bool largest_confirmed() {
    while (screens()) {
      const auto worst = std::ranges::max_element(
          checks_, {}, [](const auto& check) { return check->worst_value; });
      const std::array place{static_cast<std::size_t>(worst - checks_.begin())};
      const SegmentCheck& seen = **worst;
      if (seen.worst_t == 0.0 || seen.worst_t == 1.0) {
        break;  // the beads were looked at in full
      }
      double value = 0.0;
      std::vector<float> theta(nodes_[place[0]].theta.size());
      interpolate(nodes_[place[0]].theta, nodes_[place[0] + 1].theta, seen.worst_t, theta);
      evaluators_.workers().for_each(1, [&](std::size_t, std::size_t worker) {
        obey_stop();
        evaluators_.of(worker).metrics(
            options_.grid.split, options_.grid.metric, theta, {&value, 1});
      });
      summary_.cost.forward_samples_checks += evaluators_.objective().samples(options_.grid.split);
      if (value == seen.worst_value) {
        break;
      }
      check(place, options_.grid, CheckKind::sampled, nullptr);
      if (!checks_[place[0]]->passed) {
        return false;
      }
    }
    return true;
  }

  void check_open() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      if (!checks_[i]) {
        open.push_back(i);
      }
    }
    check(open, options_.grid, options_.check, journal_);
  }

  SegmentCheck look_at(const Node& left,
                       const Node& right,
                       const SegmentGrid& grid,
                       CheckKind how,
                       Evaluator& evaluator) {
    switch (how) {
      case CheckKind::certified:
        return prove_segment(evaluator,
                             *certifier_,
                             evaluators_.workers(),
                             left.theta,
                             right.theta,
                             grid,
                             options_.max_evaluations,
                             left.value,
                             right.value,
                             stop_);
      case CheckKind::screened:
        return screen_segment(
            evaluator, left.theta, right.theta, grid, left.margins, right.margins, stop_);
      case CheckKind::sampled:
        break;
    }
    return check_segment(evaluator, left.theta, right.theta, grid, left.value, right.value, stop_);
  }

  // Checks some segments, the known values of their ends being free.
  void check(std::span<const std::size_t> places,
             const SegmentGrid& grid,
             CheckKind how,
             StringJournal* journal) {
    std::vector<std::optional<SegmentCheck>> found(places.size());
    evaluators_.workers().for_each(places.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      const Node& left = nodes_[places[i]];
      const Node& right = nodes_[places[i] + 1];
      if (journal) {
        found[i] = journal->find_check(left.number, right.number);
        ISTHMUS_ASSERT(!found[i] || found[i]->values.size() == grid.points, "a check of this grid");
      }
      if (!found[i]) {
        found[i] = look_at(left, right, grid, how, evaluators_.of(worker));
        if (journal) {
          journal->keep_check(left.number, right.number, *found[i]);
        }
      }
      tell({.kind = StringProgress::Kind::segment_checked,
            .passed = found[i]->passed,
            .worst_value = found[i]->worst_value});
    });
    for (std::size_t i = 0; i < places.size(); ++i) {
      summary_.cost.forward_samples_checks += found[i]->samples;
      checks_[places[i]] = std::move(*found[i]);
    }
  }

  // Segments whose check stopped early are looked at in full, so that the maximum that is reported
  // is that of the grid.
  void complete_checks() {
    std::vector<std::size_t> partial;
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      const bool looked = checks_[i] && !checks_[i]->values.empty();
      if (!looked || (!checks_[i]->passed && (options_.grid.stop_at_failure || certifier_))) {
        partial.push_back(i);
      }
    }
    SegmentGrid grid = options_.grid;
    grid.stop_at_failure = false;
    check(partial, grid, CheckKind::sampled, nullptr);
  }

  StringSummary finish(Verdict verdict, std::string reason) {
    complete_checks();
    summary_.verdict = verdict;
    summary_.reason = std::move(reason);
    summary_.path.dimension = nodes_.front().theta.size();
    summary_.path.beads.reserve(nodes_.size() * summary_.path.dimension);
    for (Node& node : nodes_) {
      summary_.path.beads.insert(summary_.path.beads.end(), node.theta.begin(), node.theta.end());
      summary_.bead_numbers.push_back(node.number);
      std::vector<float>().swap(node.theta);
    }
    if (std::ranges::all_of(checks_, [](const auto& check) { return check->proven(); })) {
      summary_.bound = (*std::ranges::max_element(checks_, {}, [](const auto& check) {
                         return check->bound;
                       }))->bound;
    }
    const auto segments = static_cast<double>(checks_.size());
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      const SegmentCheck& check = *checks_[i];
      if (i == 0 || worse(check.worst_value, summary_.max_metric)) {
        summary_.max_metric = check.worst_value;
        summary_.max_t = (static_cast<double>(i) + check.worst_t) / segments;
      }
      summary_.segments.push_back(check);
    }
    return std::move(summary_);
  }

  Evaluators& evaluators_;
  GreedyOptions options_;
  std::optional<Certifier> certifier_;
  StringJournal* journal_;
  const Stop* stop_;
  const std::function<void(const StringProgress&)>& progress_;
  std::vector<Node> nodes_;
  std::vector<std::optional<SegmentCheck>> checks_;  // of the segment behind node i
  std::size_t open_segments_ = 0;                    // when the round started
  std::size_t steps_ = 0;
  StringSummary summary_;
};

}  // namespace

std::string_view name_of(TStar t_star) {
  return t_star == TStar::half ? "half" : "argmax";
}

std::string_view name_of(CheckKind check) {
  switch (check) {
    case CheckKind::sampled:
      return "sampled";
    case CheckKind::screened:
      return "screened";
    case CheckKind::certified:
      return "certified";
  }
  return "?";
}

CheckKind check_kind_of(std::string_view name) {
  for (const CheckKind check : {CheckKind::sampled, CheckKind::screened, CheckKind::certified}) {
    if (name == name_of(check)) {
      return check;
    }
  }
  throw UsageError(fmt::format("check: expected certified, screened or sampled, got '{}'", name));
}

TStar t_star_of(std::string_view name) {
  for (const TStar t_star : {TStar::half, TStar::argmax}) {
    if (name == name_of(t_star)) {
      return t_star;
    }
  }
  throw UsageError(fmt::format("t-star: expected half or argmax, got '{}'", name));
}

void GreedyOptions::validate() const {
  const auto require =
      [](bool holds, std::string_view option, double value, std::string_view range) {
        if (!holds) {
          throw UsageError(fmt::format("{}: expected {}, got {}", option, range, value));
        }
      };
  require(threshold > 0.0 && std::isfinite(threshold), "threshold", threshold, "a number > 0");
  require(alpha > 0.0 && alpha <= 1.0, "alpha", alpha, "a number in (0, 1]");
  require(tolerance >= 1.0 && std::isfinite(tolerance), "tolerance", tolerance, "a number >= 1");
  require(max_rounds >= 1, "max-rounds", static_cast<double>(max_rounds), "at least 1");
  require(max_beads >= 2, "max-beads", static_cast<double>(max_beads), "at least 2");
  require(max_seconds > 0.0, "max-seconds", max_seconds, "a number > 0");
  require(max_evaluations > 0.0, "max-evaluations", max_evaluations, "a number > 0");
  grid.validate();
  training.validate();
}

StringSummary connect_greedy(Evaluators& evaluators,
                             std::span<const float> a,
                             std::span<const float> b,
                             const GreedyOptions& options,
                             StringJournal* journal,
                             const Stop* stop,
                             const std::function<void(const StringProgress&)>& progress) {
  options.validate();
  const std::size_t dimension = evaluators.objective().dimension();
  if (a.size() != dimension || b.size() != dimension) {
    throw UsageError(fmt::format(
        "end points: expected {} parameters each, got {} and {}", dimension, a.size(), b.size()));
  }
  if (options.check == CheckKind::screened) {
    if (const auto reason = reason_not_screened(evaluators.objective(), options.grid.metric)) {
      throw UsageError(fmt::format("check: {}", *reason));
    }
  }
  return GreedyString(evaluators, options, journal, stop, progress).run(a, b);
}

}  // namespace isthmus
