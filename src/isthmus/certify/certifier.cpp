// SPDX-License-Identifier: MIT
#include "isthmus/certify/certifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "isthmus/certify/segment_run.h"
#include "isthmus/certify/steps.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t largest_first_level = 20;

// Whether what each kink adds goes through a network by itself, which pays from so many hidden
// layers on (results/README.md, Certificates).
bool by_kinks(std::span<const Step> steps, Metric metric) {
  return kink_depth(steps) >= (metric == Metric::error_rate ? 4 : 2);
}

// Whether samples go through one by one: what they leave zero behind the first layer is most of the
// work of a convnet, if products are most of it.
bool one_by_one(std::span<const Step> steps, std::size_t first) {
  constexpr std::size_t products_of_a_unit = 100;
  std::size_t products = 0;
  std::size_t units = 0;
  bool convolves = false;
  for (std::size_t i = first; i < steps.size(); ++i) {
    products += steps[i].multiplications();
    units += steps[i].out_rows;
    convolves |= i > first && steps[i].positions() > 1 && steps[i].kind == Step::Kind::linear;
  }
  return convolves && products > products_of_a_unit * units;
}

}  // namespace

std::optional<std::string> reason_not_covered(const Network& network, Metric metric) {
  if (std::optional<std::string> reason = layer_not_covered(network)) {
    return reason;
  }
  const std::vector<Step> steps = steps_of(network);
  if (steps.empty()) {
    return "the network has no layer";
  }
  if (loss_of(metric) == Loss::cross_entropy &&
      (steps.back().kind != Step::Kind::linear || steps.back().positions() != 1)) {
    return fmt::format("{} needs a dense last layer", name_of(metric));
  }
  return std::nullopt;
}

CertifiedProblem certified_problem(const Objective& objective, Split split, Metric metric) {
  CertifiedProblem problem;
  if (objective.network() == nullptr || !objective.supports(metric)) {
    throw UsageError(fmt::format("no proof of {}: the objective is no network whose data define it",
                                 name_of(metric)));
  }
  if (const auto reason = reason_not_covered(*objective.network(), metric)) {
    throw UsageError(fmt::format("no proof of {}: {}", name_of(metric), *reason));
  }
  if (objective.data(split) == nullptr) {
    throw UsageError(
        fmt::format("no proof of {}: the images are cut and whitened on their way into "
                    "the network",
                    name_of(metric)));
  }
  problem.data = objective.data(split);
  problem.metric = metric;
  problem.steps = steps_of(*objective.network());
  problem.first = first_linear(problem.steps);
  problem.dimension = objective.dimension();
  if (includes_penalty(metric)) {
    problem.penalty = objective.penalty();
    problem.penalized = penalized(problem.penalty, objective.layout());
  }
  const Samples& data = *problem.data;
  std::vector<std::uint32_t> order(data.count);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  if (loss_of(metric) == Loss::cross_entropy) {
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return data.labels[i]; });
  }
  problem.blocks = problem.blocks_of(order);
  problem.largest_input = 1.0;  // of bytes
  for (const float value : data.values) {
    if (!std::isfinite(value)) {
      throw UsageError(fmt::format(
          "no proof of {}: the samples hold {}; expected finite numbers", name_of(metric), value));
    }
    problem.largest_input = std::max(problem.largest_input, static_cast<double>(std::abs(value)));
  }
  for (const Step& step : problem.steps) {
    problem.multiplications += static_cast<double>(step.multiplications());
  }
  problem.multiplications = std::max(problem.multiplications, 1.0);
  problem.exact = exact_problem(objective, split, metric);
  problem.kinks = problem.margins() && by_kinks(problem.steps, metric);
  problem.one_by_one = metric == Metric::error_rate && one_by_one(problem.steps, problem.first);
  return problem;
}

Certifier::Certifier(const Objective& objective, Split split, Metric metric)
    : problem_(std::make_unique<CertifiedProblem>(certified_problem(objective, split, metric))) {
}

Certifier::~Certifier() = default;
Certifier::Certifier(Certifier&&) noexcept = default;
Certifier& Certifier::operator=(Certifier&&) noexcept = default;

SegmentProof Certifier::certify(std::span<const float> a,
                                std::span<const float> b,
                                const CertifyOptions& options,
                                Workers& workers,
                                const Stop* stop) const {
  for (const std::span<const float> theta : {a, b}) {
    if (theta.size() != problem_->dimension) {
      throw UsageError(fmt::format(
          "end points: expected {} parameters, got {}", problem_->dimension, theta.size()));
    }
    const auto bad = std::ranges::find_if(theta, [](float x) { return !std::isfinite(x); });
    if (bad != theta.end()) {
      throw UsageError(fmt::format(
          "end points: parameter {} is {}; expected finite ones", bad - theta.begin(), *bad));
    }
  }
  if (std::isnan(options.threshold) || std::isnan(options.max_evaluations)) {
    throw UsageError("a proof needs a threshold and a number of evaluations that are numbers");
  }
  if (options.first_level > largest_first_level) {
    throw UsageError(fmt::format(
        "first level: expected at most {}, got {}", largest_first_level, options.first_level));
  }
  if (options.gap && !(*options.gap >= 0.0)) {
    throw UsageError(fmt::format("gap: expected a number >= 0, got {}", *options.gap));
  }
  if (problem_->exact) {
    if (const auto proof = prove_exactly(*problem_->exact, a, b, options)) {
      return *proof;
    }
  }
  SegmentRun run(*problem_, a, b, options, workers, stop);
  // Nowhere larger than at the ends.
  const LossSums penalty = run.penalty_sums({});
  if (!std::isfinite(penalty.magnitude + penalty.error)) {
    throw UsageError(fmt::format(
        "penalty {}: it overflows at an end point; expected a smaller strength or parameters",
        text_of(problem_->penalty)));
  }
  const bool errors = problem_->metric == Metric::error_rate;
  SegmentProof proof = problem_->one_by_one ? prove_errors_one_by_one(run)
                       : errors             ? prove_errors(run)
                                            : prove_loss(run);
  proof.evaluations = run.evaluations();
  proof.samples = static_cast<std::uint64_t>(
      std::llround(proof.evaluations * static_cast<double>(problem_->samples())));
  return proof;
}

}  // namespace isthmus
