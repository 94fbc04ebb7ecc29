// SPDX-License-Identifier: MIT
#include "isthmus/objective/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

constexpr std::size_t fewest_in_tensor = 4;
constexpr double smallest_share_of_scale = 1e-3;

double root_mean_square(std::span<const float> values) {
  double sum = 0.0;
  for (const float value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return values.empty() ? 0.0 : std::sqrt(sum / static_cast<double>(values.size()));
}

// Every number that the reference sees is a float.
double rounded(double value) {
  return static_cast<double>(static_cast<float>(value));
}

// F around theta.
class Neighbourhood {
 public:
  Neighbourhood(std::span<const float> theta,
                std::span<const float> gradient,
                const ReferenceLoss& reference)
      : start_(theta),
        gradient_(gradient),
        theta_(theta.begin(), theta.end()),
        reference_(reference) {
    value_ = reference_(theta_);
  }

  // F and what the gradient says of it at start + s * move and start - s * move.
  struct Sides {
    double above = 0.0;
    double below = 0.0;
    double predicted = 0.0;  // above - below by the gradient
    double distance = 0.0;   // between the two
  };

  // `indices` and `moves` say which coordinates move, and how far for s = 1.
  Sides sides(std::span<const std::size_t> indices, std::span<const double> moves, double s) {
    Sides sides;
    double travelled = 0.0;
    for (const double sign : {1.0, -1.0}) {
      for (std::size_t k = 0; k < indices.size(); ++k) {
        const std::size_t i = indices[k];
        theta_[i] = rounded(start(i) + sign * s * moves[k]);
        const double step = sign * (theta_[i] - start(i));
        sides.predicted += static_cast<double>(gradient_[i]) * step;
        travelled += step * moves[k];
      }
      (sign > 0.0 ? sides.above : sides.below) = reference_(theta_);
    }
    for (const std::size_t i : indices) {
      theta_[i] = start(i);
    }
    sides.distance =
        travelled / std::sqrt(std::inner_product(moves.begin(), moves.end(), moves.begin(), 0.0));
    return sides;
  }

  // The moves that can be made exactly when scaled by s: then moves by multiples of s keep their
  // direction, whatever the rounding.
  std::vector<double> representable(std::span<const std::size_t> indices,
                                    std::span<const double> moves,
                                    double s) const {
    std::vector<double> result(moves.begin(), moves.end());
    for (std::size_t k = 0; k < indices.size(); ++k) {
      result[k] = (rounded(start(indices[k]) + s * moves[k]) - start(indices[k])) / s;
    }
    return result;
  }

  double start(std::size_t i) const { return static_cast<double>(start_[i]); }
  double value() const { return value_; }

 private:
  std::span<const float> start_;
  std::span<const float> gradient_;
  std::vector<double> theta_;
  const ReferenceLoss& reference_;
  double value_ = 0.0;
};

enum class Outcome { agrees, wrong, kink };

struct Finding {
  Outcome outcome = Outcome::wrong;
  double error = 0.0;
  double gradient = 0.0;
  double difference = 0.0;
};

class Checker {
 public:
  Checker(const Layout& layout,
          std::span<const float> theta,
          std::span<const float> gradient,
          const ReferenceLoss& reference,
          const GradientCheckOptions& options)
      : layout_(layout),
        gradient_(gradient),
        options_(options),
        neighbourhood_(theta, gradient, reference),
        whole_scale_(root_mean_square(gradient)),
        rng_(options.seed) {}

  GradientCheck run() {
    GradientCheck result;
    result.loss = neighbourhood_.value();
    for (const Tensor& tensor : layout_.tensors()) {
      result.tensors.push_back(check_tensor(tensor));
    }
    result.passed = std::isfinite(result.loss);
    for (const TensorCheck& tensor : result.tensors) {
      result.passed = result.passed && tensor.failed == 0 && tensor.checked > 0;
    }
    if (options_.directions > 0) {
      result.tensors.push_back(check_directions());
      result.passed = result.passed && result.tensors.back().failed == 0;
    }
    return result;
  }

 private:
  // Which numbers of a tensor are looked at.
  std::vector<std::size_t> choose(const Tensor& tensor) {
    std::vector<std::uint32_t> all(tensor.size());
    std::iota(all.begin(), all.end(), std::uint32_t{0});
    std::size_t count = all.size();
    if (layout_.dimension() > options_.coordinates) {
      const double share =
          static_cast<double>(all.size()) / static_cast<double>(layout_.dimension());
      const auto fair = static_cast<std::size_t>(share * static_cast<double>(options_.coordinates));
      count = std::min(all.size(), std::max(fair, fewest_in_tensor));
      rng_.shuffle(all);
    }
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  TensorCheck check_tensor(const Tensor& tensor) {
    TensorCheck check{.name = tensor.name};
    const double scale = std::max(root_mean_square(gradient_.subspan(tensor.offset, tensor.size())),
                                  smallest_share_of_scale * whole_scale_);
    for (const std::size_t i : choose(tensor)) {
      const std::size_t index = tensor.offset + i;
      const double move = std::max(std::abs(neighbourhood_.start(index)), 1.0);
      enter(check, i, compare(std::span(&index, 1), std::span(&move, 1), scale));
    }
    return check;
  }

  TensorCheck check_directions() {
    TensorCheck check{.name = "directions"};
    const std::size_t dimension = layout_.dimension();
    std::vector<std::size_t> indices(dimension);
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    std::vector<double> moves(dimension);
    // Long enough to survive rounding in every coordinate, short enough to stay among few kinks.
    const double size = std::pow(static_cast<double>(dimension), -0.25);
    for (std::size_t k = 0; k < options_.directions; ++k) {
      for (double& move : moves) {
        move = size * rng_.normal();
      }
      enter(check, k, compare(indices, moves, whole_scale_));
    }
    return check;
  }

  Finding compare(std::span<const std::size_t> indices,
                  std::span<const double> wanted_moves,
                  double scale) {
    const std::array<double, 3> steps{options_.step, options_.step / 8.0, options_.step / 64.0};
    const std::vector<double> moves =
        neighbourhood_.representable(indices, wanted_moves, steps.back());
    const double loss = neighbourhood_.value();
    Finding best;
    double last_difference = 0.0;
    double change = 0.0;  // of the difference quotient between the last two steps, beyond noise
    double bend = 0.0;    // by how much the slopes of the two sides differ, beyond noise
    for (std::size_t attempt = 0; attempt < steps.size(); ++attempt) {
      const auto sides = neighbourhood_.sides(indices, moves, steps[attempt]);
      const double noise = 8.0 * options_.precision * std::abs(loss) / sides.distance;
      const double gradient = sides.predicted / sides.distance;
      const double difference = (sides.above - sides.below) / sides.distance;
      const double gap = std::max(std::abs(gradient - difference) - noise, 0.0);
      const double error = gap == 0.0 ? 0.0 : gap / std::max(std::abs(difference), scale);
      if (attempt == 0 || error < best.error) {
        best = {Outcome::wrong, error, gradient, difference};
      }
      if (error <= options_.tolerance) {
        best.outcome = Outcome::agrees;
        return best;
      }
      change = std::abs(difference - last_difference) - 2.0 * noise;
      bend = 2.0 * std::abs(sides.above - 2.0 * loss + sides.below) / sides.distance - 2.0 * noise;
      last_difference = difference;
    }
    if (std::max(change, bend) > options_.tolerance * scale) {
      best.outcome = Outcome::kink;
    }
    return best;
  }

  static void enter(TensorCheck& check, std::size_t index, const Finding& finding) {
    if (finding.outcome == Outcome::kink) {
      ++check.skipped;
      return;
    }
    ++check.checked;
    check.failed += finding.outcome == Outcome::wrong ? 1 : 0;
    if (check.checked == 1 || !(finding.error <= check.worst_error)) {
      check.worst_error = finding.error;
      check.worst_index = index;
      check.worst_gradient = finding.gradient;
      check.worst_difference = finding.difference;
    }
  }

  const Layout& layout_;
  std::span<const float> gradient_;
  const GradientCheckOptions& options_;
  Neighbourhood neighbourhood_;
  double whole_scale_;
  Rng rng_;
};

void require_size(std::string_view name, std::span<const float> vector, const Layout& layout) {
  if (vector.size() != layout.dimension()) {
    throw UsageError(fmt::format(
        "{}: expected P = {} numbers, got {}", name, layout.dimension(), vector.size()));
  }
}

Network without_dropout(Network network) {
  for (Layer& layer : network.layers) {
    if (auto* dropout = std::get_if<Dropout>(&layer)) {
      dropout->probability = 0.0;
    }
  }
  return network;
}

}  // namespace

void GradientCheckOptions::validate() const {
  const auto require = [](std::string_view option, double value) {
    if (!(value > 0.0) || !std::isfinite(value)) {
      throw UsageError(fmt::format("{}: expected a value > 0, got {}", option, value));
    }
  };
  require("tolerance", tolerance);
  require("step", step);
  require("precision", precision);
}

GradientCheck check_gradient(const Layout& layout,
                             std::span<const float> theta,
                             std::span<const float> gradient,
                             const ReferenceLoss& reference,
                             const GradientCheckOptions& options) {
  options.validate();
  require_size("theta", theta, layout);
  require_size("gradient", gradient, layout);
  return Checker(layout, theta, gradient, reference, options).run();
}

GradientCheck check_gradient(const Network& network,
                             Loss loss,
                             const BatchView& batch,
                             std::span<const float> theta,
                             const GradientCheckOptions& options,
                             const Penalty& penalty) {
  const Network checked = without_dropout(network);
  const Layout layout = layout_of(checked);
  require_size("theta", theta, layout);
  std::vector<float> gradient(layout.dimension());
  double value = 0.0;
  Rng unused(0);
  BatchView first = batch;
  first.state = nullptr;  // which a pass would change
  make_engine(checked, batch.count)
      ->losses_and_gradients(theta, first, loss, &unused, std::span(&value, 1), gradient);
  const PenaltyTerm term(penalty, layout);
  term.add_gradient(theta, gradient);
  const auto reference = [&](std::span<const double> x) {
    return reference_loss(checked, x, first, loss) + term.value(x);
  };
  return check_gradient(layout, theta, gradient, reference, options);
}

GradientCheck check_gradient(const Objective& objective,
                             std::span<const float> theta,
                             const GradientCheckOptions& options) {
  require_size("theta", theta, objective.layout());
  const auto evaluator = objective.evaluator();
  const auto source = objective.batches(0, 0, 0);
  const BatchView batch = source->next();
  std::vector<float> gradient(objective.dimension());
  std::vector<float> unused(objective.dimension());
  std::vector<float> point(theta.begin(), theta.end());
  double value = 0.0;
  evaluator->losses_and_gradients(point, batch, nullptr, std::span(&value, 1), gradient);
  const auto reference = [&](std::span<const double> x) {
    std::ranges::transform(
        x, point.begin(), [](double number) { return static_cast<float>(number); });
    evaluator->losses_and_gradients(point, batch, nullptr, std::span(&value, 1), unused);
    return value;
  };
  return check_gradient(objective.layout(), theta, gradient, reference, options);
}

}  // namespace isthmus
