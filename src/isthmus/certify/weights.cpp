// SPDX-License-Identifier: MIT
#include "isthmus/certify/weights.h"

#include <algorithm>
#include <cmath>

#include "isthmus/certify/rounding.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

double lerp(double a, double b, double t) {
  return (1.0 - t) * a + t * b;
}

}  // namespace

SegmentWeights::SegmentWeights(const std::vector<Step>& steps,
                               std::span<const float> a,
                               std::span<const float> b,
                               bool margins)
    : steps_(steps), a_(a), b_(b), margins_(margins), norms_(steps.size()) {
  ISTHMUS_ASSERT(!margins || (!steps.empty() && steps.back().kind == Step::Kind::linear),
                 "margins of a linear last step");
  for (std::size_t step = 0; step < steps.size(); ++step) {
    if (steps[step].kind != Step::Kind::linear) {
      continue;
    }
    for (std::size_t variant = 0; variant < variants(step); ++variant) {
      WeightNorms& norms = norms_[step].emplace_back();
      std::vector<double> sums(2 * steps[step].outputs, 0.0);
      each_weight(step, variant, [&](std::size_t o, std::size_t i, double wa, double wb) {
        const double magnitude = std::max(std::abs(wa), std::abs(wb));
        if (i == steps_[step].inputs) {
          norms.bias = std::max(norms.bias, magnitude);
          return;
        }
        sums[2 * o] += magnitude;
        sums[2 * o + 1] += std::abs(wb - wa);
        norms.weights = std::max(norms.weights, sums[2 * o]);
        norms.difference = std::max(norms.difference, sums[2 * o + 1]);
      });
      // Sums of rounded numbers may be below the exact ones.
      const double error = 1.0 + gamma(2 * steps[step].inputs + 8);
      norms.weights *= error;
      norms.difference *= error;
      norms.bias *= error;
    }
  }
}

std::size_t SegmentWeights::variants(std::size_t step) const {
  return margins_ && step + 1 == steps_.size() ? steps_[step].outputs : 1;
}

const WeightNorms& SegmentWeights::norms(std::size_t step, std::size_t variant) const {
  return norms_[step][variant];
}

// Calls visit(output, input, a, b) for every weight and, as input number `inputs`, every bias.
template <class Visit>
void SegmentWeights::each_weight(std::size_t step, std::size_t variant, Visit visit) const {
  const Step& linear = steps_[step];
  const bool margin = margins_ && step + 1 == steps_.size();
  const auto take = [&](std::size_t o, std::size_t i, std::size_t own, std::size_t label) {
    double wa = static_cast<double>(a_[own]);
    double wb = static_cast<double>(b_[own]);
    if (margin) {
      wa -= static_cast<double>(a_[label]);
      wb -= static_cast<double>(b_[label]);
    }
    visit(o, i, wa, wb);
  };
  for (std::size_t o = 0; o < linear.outputs; ++o) {
    const std::size_t own = linear.weight_offset + o * linear.inputs;
    const std::size_t label = linear.weight_offset + variant * linear.inputs;
    for (std::size_t i = 0; i < linear.inputs; ++i) {
      take(o, i, own + i, label + i);
    }
    if (linear.bias_offset) {
      take(o, linear.inputs, *linear.bias_offset + o, *linear.bias_offset + variant);
    }
  }
}

void SegmentWeights::fill(double t,
                          std::size_t step,
                          std::size_t variant,
                          StepWeights& weights) const {
  const Step& linear = steps_[step];
  weights.weights.resize(linear.outputs, linear.inputs);
  weights.bias.assign(linear.outputs, 0.0);
  each_weight(step, variant, [&](std::size_t o, std::size_t i, double wa, double wb) {
    (i == linear.inputs ? weights.bias[o] : weights.weights.at(o, i)) = lerp(wa, wb, t);
  });
}

void SegmentWeights::fill(
    double t0, double t1, std::size_t step, std::size_t variant, StepChange& change) const {
  const Step& linear = steps_[step];
  change.difference.resize(linear.outputs, linear.inputs);
  change.magnitude.resize(linear.outputs, linear.inputs);
  each_weight(step, variant, [&](std::size_t o, std::size_t i, double wa, double wb) {
    if (i < linear.inputs) {
      change.difference.at(o, i) = (t1 - t0) * (wb - wa);
      change.magnitude.at(o, i) = std::max(std::abs(lerp(wa, wb, t0)), std::abs(lerp(wa, wb, t1)));
    }
  });
}

void SegmentWeights::fill(
    double t0, double t1, std::size_t step, std::size_t variant, MiddleWeights& weights) const {
  const Step& linear = steps_[step];
  weights.middle.resize(linear.outputs * linear.inputs);
  weights.difference.resize(linear.outputs * linear.inputs);
  const double middle = 0.5 * (t0 + t1);
  const double width = t1 - t0;
  each_weight(step, variant, [&](std::size_t o, std::size_t i, double wa, double wb) {
    if (i < linear.inputs) {
      weights.middle[o * linear.inputs + i] = lerp(wa, wb, middle);
      weights.difference[o * linear.inputs + i] = width * (wb - wa);
    }
  });
}

MatrixSizes SegmentWeights::sizes(std::size_t step, std::size_t variant, bool spectral) const {
  const Step& linear = steps_[step];
  std::vector<double> a(linear.outputs * linear.inputs);
  std::vector<double> b(a.size());
  each_weight(step, variant, [&](std::size_t o, std::size_t i, double wa, double wb) {
    if (i < linear.inputs) {
      a[o * linear.inputs + i] = wa;
      b[o * linear.inputs + i] = wb;
    }
  });
  return matrix_sizes(a, b, linear.outputs, linear.inputs, spectral);
}

}  // namespace isthmus
