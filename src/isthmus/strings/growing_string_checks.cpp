// SPDX-License-Identifier: MIT
// What a growing string knows of its beads and segments, and how it ends.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/path/screen.h"
#include "isthmus/path/screen_losses.h"
#include "isthmus/strings/growing_string.h"

namespace isthmus {

// Looks at the beads at some places whose value is not known. Returns the samples it took. Where
// what samples add is lacking alone, of beads that train_beads() `trained`, the string goes on from
// its journal: the training had told it, and it costs nothing.
std::uint64_t GrowingString::evaluate(std::span<const std::size_t> places, bool trained) {
  const std::size_t samples = evaluators_.objective().samples(options_.grid.split);
  std::vector<Bead*> unknown;
  std::uint64_t cost = 0;
  for (const std::size_t place : places) {
    Bead& bead = beads_[place];
    const bool no_samples = keeps_per_sample() && bead.per_sample.empty();
    if (!bead.value || no_samples) {
      unknown.push_back(&bead);
    }
    cost += bead.value && (trained || !no_samples) ? 0 : samples;
  }
  evaluators_.workers().for_each(unknown.size(), [&](std::size_t i, std::size_t worker) {
    obey_stop();
    Evaluator& evaluator = evaluators_.of(worker);
    Bead& bead = *unknown[i];
    double value = 0.0;
    const Split split = options_.grid.split;
    const Metric metric = options_.grid.metric;
    if (!keeps_per_sample()) {
      evaluator.metrics(split, metric, bead.theta, {&value, 1});
    } else if (bead.per_sample.resize(samples); metric == Metric::error_rate) {
      const double never = std::numeric_limits<double>::infinity();
      value = evaluator.margins(split, bead.theta, {}, never, bead.per_sample).value;
    } else {
      value = evaluator.sample_losses(split, metric, bead.theta, {}, bead.per_sample).value;
    }
    bead.value = value;
  });
  return cost;
}

void GrowingString::evaluate_beads(std::span<const std::size_t> places) {
  summary_.cost.forward_samples_checks += evaluate(places);
}

// The larger loss of each sample at the beads before and behind; nothing where they are not known.
std::vector<float> GrowingString::losses_around(std::size_t place) const {
  if (options_.grid.metric == Metric::error_rate || place == 0 || place + 1 >= beads_.size()) {
    return {};
  }
  std::vector<float> losses = beads_[place - 1].per_sample;
  const std::vector<float>& behind = beads_[place + 1].per_sample;
  if (losses.size() != behind.size()) {
    return {};
  }
  std::ranges::transform(
      losses, behind, losses.begin(), [](float a, float b) { return std::max(a, b); });
  return losses;
}

bool GrowingString::passes() {
  return open_segments().empty() && largest_confirmed();
}

// Of screened segments the largest value counts only if a look at all samples tells the same, or of
// a loss, which takes its place, as much as its standard error allows; else the whole grid of its
// segment is looked at. Returns false if that fails.
bool GrowingString::largest_confirmed() {
  while (screens()) {
    const StringPlace worst = worst_seen();
    SegmentCheck& found = *checks_[worst.segment];
    const bool is_loss = options_.grid.metric != Metric::error_rate;
    if (worst.t == 0.0 || worst.t == 1.0 || (is_loss && found.error == 0.0)) {
      break;  // it was looked at in full
    }
    double value = 0.0;
    std::vector<float> theta(beads_[worst.segment].theta.size());
    interpolate(beads_[worst.segment].theta, beads_[worst.segment + 1].theta, worst.t, theta);
    evaluators_.workers().for_each(1, [&](std::size_t, std::size_t worker) {
      obey_stop();
      evaluators_.of(worker).metrics(options_.grid.split, options_.grid.metric, theta, {&value, 1});
    });
    summary_.cost.forward_samples_checks += evaluators_.objective().samples(options_.grid.split);
    if (value == worst.value) {
      break;
    }
    constexpr double errors = 4.0;
    if (is_loss && std::abs(value - worst.value) <= errors * found.error) {
      found.worst_value = value;
      found.error = 0.0;
      judge(found);
      if (!found.passed) {
        return false;
      }
      continue;
    }
    check(std::array{worst.segment}, options_.grid, CheckKind::sampled, nullptr);
    if (!checks_[worst.segment]->passed) {
      return false;
    }
  }
  return true;
}

// The first of the largest values; every segment was looked at.
StringPlace GrowingString::worst_seen() const {
  StringPlace worst;
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    const SegmentCheck& check = *checks_[i];
    if (i == 0 || worse(check.worst_value, worst.value)) {
      worst = {.value = check.worst_value,
               .segment = i,
               .t = check.worst_t,
               .undecided = check.undecided};
    }
  }
  return worst;
}

void GrowingString::check_segments() {
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    if (!checks_[i]) {
      unknown.push_back(i);
    }
  }
  const bool above_proofs = certifier_ && !proves();
  check(unknown, options_.grid, check_kind(), above_proofs ? samples_.get() : callbacks_.journal);
  const double largest = worst_seen().value;
  if (std::isnan(summary_.best_max_metric) || largest < summary_.best_max_metric) {
    summary_.best_max_metric = largest;
  }
}

void GrowingString::judge(SegmentCheck& check) const {
  check.passed = reaches(check.worst_value, options_.grid.bound, options_.grid.comparison);
}

void GrowingString::set_level(double level) {
  ISTHMUS_ASSERT(level >= threshold_ && !options_.grid.stop_at_failure, "whole grids down to L0");
  options_.threshold = level;
  options_.grid.bound = options_.bound();
  rounds_before_level_ = summary_.rounds;
  for (std::optional<SegmentCheck>& check : checks_) {
    if (proves()) {
      check.reset();
    } else if (check) {
      judge(*check);
    }
  }
  if (certifier_ && !proves() && callbacks_.journal && !samples_) {
    samples_ = callbacks_.journal->part("samples");
  }
}

void GrowingString::drop_needless(std::span<const std::size_t> places) {
  SegmentGrid grid = options_.grid;
  grid.stop_at_failure = true;
  std::vector<SegmentCheck> found(places.size());
  evaluators_.workers().for_each(places.size(), [&](std::size_t i, std::size_t worker) {
    obey_stop();
    found[i] = look_at(
        beads_[places[i] - 1], beads_[places[i] + 1], grid, check_kind(), evaluators_.of(worker));
  });
  for (std::size_t i = places.size(); i-- > 0;) {
    summary_.cost.forward_samples_checks += found[i].samples;
    if (found[i].passed) {
      drop(places[i]);
      beads_[places[i] - 1].settled = true;
      beads_[places[i]].settled = true;
      checks_[places[i] - 1] = std::move(found[i]);
    }
  }
}

SegmentCheck GrowingString::look_at(const Bead& left,
                                    const Bead& right,
                                    const SegmentGrid& grid,
                                    CheckKind how,
                                    Evaluator& evaluator) {
  const Stop* stop = callbacks_.stop;
  switch (how) {
    case CheckKind::certified:
      return prove_segment(evaluator,
                           {*certifier_, evaluators_.workers(), options_.max_evaluations},
                           left.theta,
                           right.theta,
                           grid,
                           left.value,
                           right.value,
                           stop);
    case CheckKind::screened:
      if (options_.grid.metric == Metric::error_rate) {
        return screen_segment(
            evaluator, left.theta, right.theta, grid, left.per_sample, right.per_sample, stop);
      }
      return screen_losses(evaluator,
                           {left.theta, left.per_sample, *left.value},
                           {right.theta, right.per_sample, *right.value},
                           grid,
                           stop);
    case CheckKind::sampled:
      break;
  }
  return check_segment(evaluator, left.theta, right.theta, grid, left.value, right.value, stop);
}

// Checks some segments, the known values of their ends being free.
void GrowingString::check(std::span<const std::size_t> segments,
                          const SegmentGrid& grid,
                          CheckKind how,
                          StringJournal* journal) {
  std::vector<std::optional<SegmentCheck>> found(segments.size());
  evaluators_.workers().for_each(segments.size(), [&](std::size_t i, std::size_t worker) {
    obey_stop();
    const Bead& left = beads_[segments[i]];
    const Bead& right = beads_[segments[i] + 1];
    if (journal) {
      found[i] = journal->find_check(left.number, right.number);
      ISTHMUS_ASSERT(!found[i] || found[i]->values.size() == grid.points, "a check of this grid");
    }
    if (found[i] && how != CheckKind::certified) {
      judge(*found[i]);  // it may have been kept at another level
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
  for (std::size_t i = 0; i < segments.size(); ++i) {
    summary_.cost.forward_samples_checks += found[i]->samples;
    checks_[segments[i]] = std::move(*found[i]);
    beads_[segments[i]].settled = true;
    beads_[segments[i] + 1].settled = true;
  }
}

// Segments whose check stopped early are looked at in full, so that the maximum that is reported is
// that of the grid. Where all of that passes, what made the segment fail takes its place: proofs
// fail between grid points too.
void GrowingString::complete_checks() {
  std::vector<std::size_t> partial;
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    const bool looked = checks_[i] && !checks_[i]->values.empty();
    if (!looked || (!checks_[i]->passed && (options_.grid.stop_at_failure || certifier_))) {
      partial.push_back(i);
    }
  }
  std::vector<std::optional<SegmentCheck>> before;
  before.reserve(partial.size());
  for (const std::size_t i : partial) {
    before.push_back(std::move(checks_[i]));
  }
  SegmentGrid grid = options_.grid;
  grid.stop_at_failure = false;
  check(partial, grid, CheckKind::sampled, nullptr);
  for (std::size_t i = 0; i < partial.size(); ++i) {
    SegmentCheck& now = *checks_[partial[i]];
    if (before[i] && now.passed) {
      now.passed = false;
      now.worst_value = before[i]->worst_value;
      now.worst_t = before[i]->worst_t;
      now.undecided = before[i]->undecided;
    }
  }
}

StringSummary GrowingString::finish(const Ending& ending) {
  complete_checks();
  summary_.verdict = verdict_of(ending.kind);
  summary_.ending = ending;
  summary_.path.dimension = beads_.front().theta.size();
  summary_.path.beads.reserve(beads_.size() * summary_.path.dimension);
  for (Bead& bead : beads_) {
    summary_.path.beads.insert(summary_.path.beads.end(), bead.theta.begin(), bead.theta.end());
    summary_.bead_numbers.push_back(bead.number);
    summary_.births.push_back(bead.birth);
    std::vector<float>().swap(bead.theta);
  }
  summary_.worst = worst_seen();
  if (std::isnan(summary_.best_max_metric)) {
    summary_.best_max_metric = summary_.worst.value;
  }
  summary_.max_metric = summary_.worst.value;
  summary_.max_t = (static_cast<double>(summary_.worst.segment) + summary_.worst.t) /
                   static_cast<double>(checks_.size());
  if (std::ranges::all_of(checks_, [](const auto& check) { return check->proven(); })) {
    summary_.bound = (*std::ranges::max_element(checks_, {}, [](const auto& check) {
                       return check->bound;
                     }))->bound;
  }
  for (std::optional<SegmentCheck>& check : checks_) {
    summary_.segments.push_back(std::move(*check));
  }
  return std::move(summary_);
}

}  // namespace isthmus
