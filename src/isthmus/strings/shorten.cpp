// SPDX-License-Identifier: MIT
#include "isthmus/strings/shorten.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/strings/gauss_newton.h"
#include "isthmus/strings/greedy.h"
#include "isthmus/strings/hyperplane.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/strings/relax.h"

namespace isthmus {
namespace {

constexpr std::uint64_t relax_purpose = 0x72656c6178;  // "relax"
constexpr std::uint64_t mend_purpose = 0x6d656e64;     // "mend"
constexpr double low_enough = 0.97;                    // of the bound: beads above train again

std::vector<std::span<const float>> beads_of(const Path& path) {
  std::vector<std::span<const float>> beads;
  for (std::size_t i = 0; i < path.size(); ++i) {
    beads.push_back(path.bead(i));
  }
  return beads;
}

double normalised(const Path& path, const Layout& layout) {
  return length_of(path, layout, Coordinates::all).normalized;
}

class Shortener {
 public:
  Shortener(Evaluators& evaluators, const ShortenOptions& options, const StringCallbacks& callbacks)
      : evaluators_(evaluators), options_(options), callbacks_(callbacks) {
    options_.grid.stop_at_failure = true;
    if (auto* adam = std::get_if<Adam>(&options_.training.optimizer)) {
      adam->learning_rate *= 0.25;  // a bead is nearly there, and is to stay where it is
    }
  }

  // The string as it was given, with all its checks.
  StringSummary look(const Path& path) {
    const std::vector<std::span<const float>> beads = beads_of(path);
    GrowingString string(evaluators_, options_, callbacks_without_journal(), beads);
    const bool ends = string.evaluate_end_points();
    string.check_segments();
    const bool passes = ends && string.passes();
    return string.finish(string.ending(passes ? Ending::Kind::connected : Ending::Kind::rounds));
  }

  // `newton`: with Gauss-Newton steps first, where there are such.
  Path relaxed(const Path& path, bool newton, StringCost& cost) {
    Path even = resample(path,
                         options_.relax_beads > 0 ? options_.relax_beads
                                                  : std::clamp<std::size_t>(path.size(), 12, 64));
    if (newton) {
      const GaussNewtonOptions steps{.level = options_.threshold,
                                     .iterations = options_.gauss_newton_iterations};
      cost.gradient_samples_beads += straighten(evaluators_, even, steps, callbacks_.stop);
    }
    const RelaxOptions relaxation{.level = level_of_training(path, cost),
                                  .iterations = options_.relax_iterations,
                                  .batch_size = options_.training.batch_size,
                                  .seed = options_.seed,
                                  .stream = stream_name({options_.stream, relax_purpose})};
    cost.gradient_samples_beads += relax(evaluators_, even, relaxation, callbacks_.stop);
    return even;
  }

  bool has_newton() const {
    return options_.gauss_newton_iterations > 0 && !reason_no_gauss_newton(evaluators_.objective());
  }

  // Trains beads that are too high, and puts beads into segments that fail.
  StringSummary mended(const Path& path) {
    StringOptions options = static_cast<const StringOptions&>(options_);
    options.stream = stream_name({options_.stream, mend_purpose});
    const std::vector<std::span<const float>> beads = beads_of(path);
    GrowingString string(evaluators_, options, callbacks_without_journal(), beads);
    string.evaluate_end_points();
    std::vector<std::size_t> inner;
    for (std::size_t i = 1; i + 1 < string.size(); ++i) {
      inner.push_back(i);
    }
    string.evaluate_beads(inner);
    string.check_segments();
    std::vector<std::size_t> high;
    for (const std::size_t i : inner) {
      if (!reaches(*string.bead(i).value, low_enough * options.bound(), Comparison::at_most)) {
        high.push_back(i);
      }
    }
    train_across(string, high);
    string.check_segments();
    return grow_greedily(string, {}, [&](GrowingString&, std::span<const std::size_t> fresh) {
      train_across(string, fresh);
    });
  }

  // From every bead straight to the farthest one that a passing segment reaches: twice as far each
  // time while that passes, then by halves between.
  Path cut_short(const Path& path, StringCost& cost) {
    Path shorter{.dimension = path.dimension, .beads = {}};
    std::size_t at = 0;
    append(shorter, path.bead(0));
    while (at + 1 < path.size()) {
      const std::size_t rest = path.size() - 1 - at;
      std::size_t good = 1;
      std::size_t bad = rest + 1;
      while (good + 1 < bad) {
        const std::size_t step = bad > rest ? std::min(2 * good, rest) : (good + bad) / 2;
        if (bad > rest && step == good) {
          break;
        }
        (passes(path.bead(at), path.bead(at + step), cost) ? good : bad) = step;
      }
      at += good;
      append(shorter, path.bead(at));
    }
    return shorter;
  }

 private:
  // Pieces of an attempt are cheap beside the string that it begins with, and are not kept.
  StringCallbacks callbacks_without_journal() const {
    return {.journal = nullptr, .stop = callbacks_.stop, .progress = callbacks_.progress};
  }

  static void append(Path& path, std::span<const float> bead) {
    path.beads.insert(path.beads.end(), bead.begin(), bead.end());
  }

  bool passes(std::span<const float> left, std::span<const float> right, StringCost& cost) {
    GrowingString segment(evaluators_,
                          options_,
                          {.journal = nullptr, .stop = callbacks_.stop, .progress = {}},
                          std::array{left, right});
    segment.evaluate_end_points();
    segment.check_segments();
    const bool passes = segment.passes();
    cost += segment.finish(segment.ending(passes ? Ending::Kind::connected : Ending::Kind::rounds))
                .cost;
    return passes;
  }

  // The threshold itself where it bounds a loss of the kind that trains; else, for error rates say,
  // the largest training loss of the beads: they have reached the threshold with it.
  double level_of_training(const Path& path, StringCost& cost) {
    const Objective& objective = evaluators_.objective();
    if (objective.training_loss_is(options_.grid.metric, options_.grid.split)) {
      return options_.threshold;
    }
    const Metric metric = objective.loss_metric();
    if (metric == options_.grid.metric && options_.grid.split == Split::train) {
      return options_.threshold;
    }
    std::vector<double> losses(path.size());
    evaluators_.workers().for_each(path.size(), [&](std::size_t i, std::size_t worker) {
      evaluators_.of(worker).metrics(Split::train, metric, path.bead(i), {&losses[i], 1});
    });
    cost.forward_samples_checks += path.size() * objective.samples(Split::train);
    return *std::ranges::max_element(losses);
  }

  // Beads train inside the hyperplane normal to the string: they do not slide along it.
  void train_across(GrowingString& string, std::span<const std::size_t> places) {
    string.train_beads(places, [&](std::size_t place, TrainJob& job) {
      const NormalHyperplane across(string.bead(place - 1).theta, string.bead(place + 1).theta);
      job.modify_gradient = [across](
                                std::size_t, std::span<const float>, std::span<float> gradient) {
        across.take_off(across.along(gradient), gradient);
      };
    });
  }

  Evaluators& evaluators_;
  ShortenOptions options_;
  const StringCallbacks& callbacks_;
};

}  // namespace

void ShortenOptions::validate() const {
  StringOptions::validate();
  check_options(shorten_option_table(), static_cast<const ShortenTerms&>(*this));
  if (relax_beads == 1 || relax_beads == 2) {
    throw UsageError(fmt::format("relax-beads: expected 0 or at least 3, got {}", relax_beads));
  }
}

Shortening shorten(Evaluators& evaluators,
                   const Path& path,
                   const ShortenOptions& options,
                   const StringCallbacks& callbacks) {
  options.validate();
  const Layout& layout = evaluators.objective().layout();
  Shortener shortener(evaluators, options, callbacks);
  Shortening result;
  result.string = shortener.look(path);
  if (result.string.verdict != Verdict::connected) {
    throw UsageError(
        fmt::format("path: expected one that stays at or below {:.6g}, its {} reaches {:.6g}",
                    options.bound(),
                    evaluators.objective().metric_name(options.grid.metric),
                    result.string.max_metric));
  }
  result.length_before = result.length_after = normalised(path, layout);
  result.beads_before = result.beads_after = path.size();
  if (path.size() == 2) {
    return result;
  }
  StringSummary mended;
  for (const bool newton : {true, false}) {
    if (newton && !shortener.has_newton()) {
      continue;
    }
    mended = shortener.mended(shortener.relaxed(path, newton, result.cost));
    result.cost += mended.cost;
    if (mended.verdict == Verdict::connected) {
      break;
    }
  }
  // Where nothing passed, the path as it was may still be cut short.
  const Path& best = mended.verdict == Verdict::connected ? mended.path : path;
  StringSummary now = shortener.look(shortener.cut_short(best, result.cost));
  result.cost += now.cost;
  const double length = normalised(now.path, layout);
  if (now.verdict == Verdict::connected && length < result.length_before) {
    result.shorter = true;
    result.length_after = length;
    result.beads_after = now.path.size();
    result.string = std::move(now);
  }
  result.estimate = estimate_length(evaluators, result.string.path, options, {}, callbacks.stop);
  result.cost.gradient_samples_beads += result.estimate ? result.estimate->gradient_samples : 0;
  return result;
}

Shortening shorten_grown(Evaluators& evaluators,
                         StringSummary& string,
                         const ShortenOptions& options,
                         const StringCallbacks& callbacks) {
  Shortening result = shorten(evaluators, string.path, options, callbacks);
  StringSummary now = std::exchange(result.string, {});
  string.cost += result.cost;
  if (result.shorter) {
    now.value_a = string.value_a;
    now.value_b = string.value_b;
    now.ending = string.ending;
    now.ending.segments = now.path.segments();
    if (now.ending.kind == Ending::Kind::symmetry) {
      now.ending.kind = Ending::Kind::connected;  // its beads are that network no more
    }
    now.beads_inserted += string.beads_inserted;
    now.beads_unreached += string.beads_unreached;
    now.rounds = string.rounds;
    now.cost = string.cost;
    string = std::move(now);
  }
  return result;
}

}  // namespace isthmus
