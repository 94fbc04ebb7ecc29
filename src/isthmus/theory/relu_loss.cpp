// SPDX-License-Identifier: MIT
// F of Theorem 2.4 at a point and on a segment.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/theory/relu_units.h"

namespace isthmus {
namespace {

using theory::Index;
using theory::Matrix;

constexpr double most_products = 1e7;
constexpr double most_numbers = 5e7;
constexpr std::size_t most_units = 4096;

void check_numbers(const char* what, const std::vector<double>& values, std::size_t expected) {
  if (values.size() != expected) {
    throw UsageError(fmt::format(
        "{}: expected {} numbers for these samples, got {}", what, expected, values.size()));
  }
  if (!std::ranges::all_of(values, [](double x) { return std::abs(x) <= 1e30; })) {
    throw UsageError(
        fmt::format("{}: expected numbers of at most 1e30, got NaN or a larger one", what));
  }
}

// kappa sum |beta_i(t)| for one output: between changes of sign, of which each is known up to some
// units in the last place, it is linear.
std::vector<AddedLine> absolute_lines(const Matrix& from, const Matrix& to, double kappa) {
  std::vector<double> times{0.0};
  for (Index i = 0; i < from.rows(); ++i) {
    if (from(i, 0) * to(i, 0) < 0.0) {
      times.push_back(from(i, 0) / (from(i, 0) - to(i, 0)));
    }
  }
  std::ranges::sort(times);
  const double blur = 2e-15 * kappa * (to - from).lpNorm<1>();
  std::vector<AddedLine> lines;
  for (std::size_t k = 0; k < times.size(); ++k) {
    const double end = k + 1 < times.size() ? times[k + 1] : 1.0;
    const double inside = times[k] + 0.5 * (end - times[k]);
    Interval constant(-blur, blur);
    Interval slope(0.0);
    for (Index i = 0; i < from.rows(); ++i) {
      const double sign = (1.0 - inside) * from(i, 0) + inside * to(i, 0) < 0.0 ? -kappa : kappa;
      constant += Interval(sign) * Interval(from(i, 0));
      slope += Interval(sign) * (Interval(to(i, 0)) - Interval(from(i, 0)));
    }
    lines.push_back({.begin = times[k], .constant = constant, .slope = slope});
  }
  return lines;
}

// The same of Euclidean norms, from above: they are convex, so below their chords.
std::vector<AddedLine> norm_lines(const Matrix& from, const Matrix& to, double kappa) {
  constexpr int parts = 256;
  const auto penalty = [&](double t) {
    return kappa * ((1.0 - t) * from + t * to).rowwise().norm().sum();
  };
  const double travel = kappa * (to - from).rowwise().norm().sum();
  const double blur = 1e-14 * (penalty(0.0) + penalty(1.0) + travel);
  std::vector<AddedLine> lines;
  for (int k = 0; k < parts; ++k) {
    const double begin = static_cast<double>(k) / parts;
    const double slope = parts * (penalty(static_cast<double>(k + 1) / parts) - penalty(begin));
    const double constant = penalty(begin) - slope * begin;
    lines.push_back({.begin = begin,
                     .constant = Interval(constant - blur, constant + blur),
                     .slope = Interval(slope)});
  }
  return lines;
}

std::vector<AddedLine> penalty_lines(const Matrix& from, const Matrix& to, double kappa) {
  if (from == to) {
    const double value = kappa * from.rowwise().norm().sum();
    return {{.begin = 0.0,
             .constant = Interval(value * (1.0 - 1e-12), value * (1.0 + 1e-12)),
             .slope = Interval(0.0)}};
  }
  return from.cols() == 1 ? absolute_lines(from, to, kappa) : norm_lines(from, to, kappa);
}

}  // namespace

void check_sizes(const ReluNetwork& network, std::size_t samples) {
  if (network.inputs == 0 || network.outputs == 0 || samples == 0) {
    throw UsageError("relu: expected inputs, outputs and at least one sample");
  }
  if (network.hidden < 2 || network.hidden > most_units) {
    throw UsageError(fmt::format(
        "hidden units: the theorem needs at least 2, l of them free and one left, and {} are the "
        "most, got {}",
        most_units,
        network.hidden));
  }
  const std::size_t width = std::max({network.inputs, network.hidden, network.outputs});
  if (static_cast<double>(samples) * static_cast<double>(network.hidden) > most_products ||
      static_cast<double>(samples) * static_cast<double>(width) > most_numbers) {
    throw UsageError(fmt::format(
        "samples: expected at most {:g} times hidden units and {:g} times inputs, got {} "
        "samples for a network {}-{}-{}: take fewer samples or units",
        most_products,
        most_numbers,
        samples,
        network.inputs,
        network.hidden,
        network.outputs));
  }
}

void validate(const ReluProblem& problem) {
  const ReluNetwork& network = problem.network;
  check_sizes(network, network.outputs == 0 ? 0 : problem.samples());
  check_numbers("targets", problem.targets, problem.samples() * network.outputs);
  check_numbers("inputs", problem.inputs, problem.samples() * network.inputs);
  if (!(problem.kappa >= 0.0 && problem.kappa <= 1e30)) {
    throw UsageError(fmt::format("kappa: expected a finite number >= 0, got {}", problem.kappa));
  }
}

double penalized_loss(const ReluProblem& problem, std::span<const double> theta) {
  if (theta.size() != problem.network.dimension()) {
    throw UsageError(fmt::format(
        "theta: expected {} numbers, got {}", problem.network.dimension(), theta.size()));
  }
  return value_of(theory::ReluSamples(problem), theory::units_of(problem.network, theta)).total;
}

LossMaximum penalized_maximum(const ReluProblem& problem,
                              std::span<const double> from,
                              std::span<const double> to) {
  // The loss of maximum_on_segment is the mean over outputs; F is their sum.
  const auto outputs = static_cast<double>(problem.network.outputs);
  std::vector<AddedLine> lines;
  if (problem.kappa > 0.0) {
    lines = penalty_lines(theory::units_of(problem.network, from).beta,
                          theory::units_of(problem.network, to).beta,
                          problem.kappa / outputs);
  }
  LossMaximum maximum = maximum_on_segment(
      problem.network, {problem.inputs, problem.targets}, Loss::squared, from, to, lines);
  maximum.upper *= outputs * (1.0 + 1e-15);
  maximum.lower *= outputs;
  if (problem.kappa > 0.0 && problem.network.outputs > 1) {  // chords are no lower bound: F itself
    std::vector<double> theta(from.size());
    for (std::size_t k = 0; k < theta.size(); ++k) {
      theta[k] = (1.0 - maximum.t) * from[k] + maximum.t * to[k];
    }
    maximum.lower = penalized_loss(problem, theta) * (1.0 - 1e-12);
  }
  return maximum;
}

}  // namespace isthmus
