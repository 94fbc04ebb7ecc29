// SPDX-License-Identifier: MIT
#include "isthmus/strings/curve_training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "isthmus/core/rng.h"
#include "isthmus/strings/chain_training.h"
#include "isthmus/strings/curve.h"
#include "isthmus/strings/option_table.h"

namespace isthmus {
namespace {

constexpr std::uint64_t curve_purpose = 0x6375727665;  // "curve"
constexpr std::uint64_t time_purpose = 0x74696d65;     // "time"
constexpr std::size_t looks_a_bend = 6;

// The authors' learning_rate_schedule, by steps in the place of epochs.
double rate_at(std::size_t step, std::size_t steps) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return done <= 0.5 ? 1.0 : done <= 0.9 ? 1.0 - (done - 0.5) / 0.4 * 0.99 : 0.01;
}

ChainTraining training_of(CurveShape shape, const CurveTerms& terms, const StringOptions& options) {
  const std::uint64_t stream = stream_name({options.stream, curve_purpose});
  const auto descend =
      [=, seed = options.seed, theta = std::vector<float>(), loss = 0.0](
          std::size_t step, Path& control, CommonBatches& batches, std::span<float> force) mutable {
        const double t = Rng(seed, stream_name({stream, time_purpose, step})).uniform();
        theta.resize(2 * control.dimension);
        const std::span<float> point = std::span(theta).first(control.dimension);
        const std::span<float> gradient = std::span(theta).last(control.dimension);
        curve_point(shape, control, t, point);
        const std::uint64_t samples = batches.evaluate(point, std::span(&loss, 1), gradient);
        const std::vector<double> weights = curve_weights(shape, terms.bends, t);
        for (std::size_t j = 1; j <= terms.bends; ++j) {
          const auto weight = static_cast<float>(weights[j]);
          std::ranges::transform(gradient,
                                 force.subspan((j - 1) * control.dimension).begin(),
                                 [weight](float number) { return weight * number; });
        }
        return samples;
      };
  return {.force = descend,
          .rate = [steps = terms.steps](std::size_t step) { return rate_at(step, steps); },
          .steps = terms.steps,
          .training = options.training,
          .stream = stream,
          .look_every = terms.look_every};
}

ChainLook look_at(CurveShape shape, const CurveTerms& terms, const Path& control) {
  const std::size_t pieces = looks_a_bend * (terms.bends + 1);
  ChainLook look{.thetas = std::vector<float>((pieces - 1) * control.dimension), .bead = {}};
  for (std::size_t i = 1; i < pieces; ++i) {
    curve_point(shape,
                control,
                static_cast<double>(i) / static_cast<double>(pieces),
                std::span(look.thetas).subspan((i - 1) * control.dimension, control.dimension));
  }
  for (std::size_t j = 1; j <= terms.bends; ++j) {
    look.bead.push_back(looks_a_bend * j - 1);
  }
  return look;
}

// The string of a trained curve: bends of a Bezier curve give way to its points.
StringSummary polyline_of(GrowingString& string, CurveShape shape, std::size_t bends, bool whole) {
  Path control{.dimension = string.bead(0).theta.size(), .beads = {}};
  std::vector<double> times;
  std::vector<std::size_t> inner;
  for (std::size_t i = 0; i < string.size(); ++i) {
    const std::vector<float>& theta = string.bead(i).theta;
    control.beads.insert(control.beads.end(), theta.begin(), theta.end());
    times.push_back(static_cast<double>(i) / static_cast<double>(bends + 1));
    inner.push_back(i);
  }
  inner = {inner.begin() + 1, inner.end() - 1};
  Curve curve;
  if (shape == CurveShape::bezier) {
    curve = [&control, shape](double t) {
      std::vector<float> theta(control.dimension);
      curve_point(shape, control, t, theta);
      return theta;
    };
    for (const std::size_t place : inner) {
      string.replace(place, curve(times[place]));
    }
  }
  string.evaluate_beads(inner);
  if (!whole) {
    string.check_segments();
    return string.finish(string.passes() ? string.ending(Ending::Kind::connected)
                                         : out_of_steps(string));
  }
  if (const std::optional<Ending> stuck = string.stuck_among(inner)) {
    return string.finish(*stuck);
  }
  return grow_along(string, std::move(times), curve);
}

}  // namespace

void CurveTerms::validate() const {
  check_options(curve_option_table(), *this);
}

std::vector<double> curve_weights(CurveShape shape, std::size_t bends, double t) {
  const std::size_t last = bends + 1;
  std::vector<double> weights(last + 1);
  if (shape == CurveShape::polychain) {
    for (std::size_t j = 0; j <= last; ++j) {
      const double away = std::abs(static_cast<double>(last) * t - static_cast<double>(j));
      weights[j] = std::max(0.0, 1.0 - away);
    }
    return weights;
  }
  // Bernstein's recurrence, which adds positive numbers alone.
  weights[0] = 1.0;
  for (std::size_t degree = 1; degree <= last; ++degree) {
    for (std::size_t j = degree; j > 0; --j) {
      weights[j] = (1.0 - t) * weights[j] + t * weights[j - 1];
    }
    weights[0] *= 1.0 - t;
  }
  return weights;
}

void curve_point(CurveShape shape, const Path& control, double t, std::span<float> theta) {
  const std::vector<double> weights = curve_weights(shape, control.size() - 2, t);
  for (std::size_t k = 0; k < theta.size(); ++k) {
    double sum = 0.0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      sum += weights[j] * static_cast<double>(control.beads[j * control.dimension + k]);
    }
    theta[k] = static_cast<float>(sum);
  }
}

StringSummary connect_curve(Evaluators& evaluators,
                            std::span<const float> a,
                            std::span<const float> b,
                            CurveShape shape,
                            const StringOptions& common,
                            const CurveTerms& terms,
                            const StringCallbacks& callbacks) {
  terms.validate();
  StringOptions options = common;
  options.grid.stop_at_failure = true;
  options.training.max_steps = terms.steps;
  GrowingString string(evaluators, options, callbacks, std::array{a, b});
  if (const std::optional<Ending> decided = string.decided_by_line()) {
    return string.finish(*decided);
  }
  if (const std::optional<Ending> limit = string.limit_met(terms.bends)) {
    return string.finish(*limit);
  }
  string.start_round();
  insert_evenly(string, terms.bends);
  const bool whole = train_inner_beads(
      string,
      training_of(shape, terms, string.options()),
      [&](const Path& control) { return look_at(shape, terms, control); },
      callbacks);
  return polyline_of(string, shape, terms.bends, whole);
}

}  // namespace isthmus
