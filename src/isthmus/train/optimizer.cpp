// SPDX-License-Identifier: MIT
#include "isthmus/train/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/train/update_kernels.h"

namespace isthmus {
namespace {

[[noreturn]] void refuse(std::string_view option, double value, std::string_view range) {
  throw UsageError(fmt::format("{}: expected a {}value {}, got {}",
                               option,
                               std::isfinite(value) ? "" : "finite ",
                               range,
                               format_number(value)));
}

void require_rate(std::string_view option, double value) {
  if (!(value > 0.0) || !std::isfinite(value)) {
    refuse(option, value, "> 0");
  }
}

void require_fraction(std::string_view option, double value) {
  if (!(value >= 0.0 && value < 1.0)) {
    refuse(option, value, "in [0, 1)");
  }
}

// A smaller one would round to a subnormal float or to 0, and 0 / 0 is not a number.
void require_epsilon(std::string_view option, double value) {
  constexpr double smallest = 1.2e-38;
  if (!(value >= smallest) || !std::isfinite(value)) {
    refuse(option, value, fmt::format(">= {}", smallest));
  }
}

void validate(const Sgd& sgd) {
  require_rate("sgd learning_rate", sgd.learning_rate);
  require_fraction("sgd momentum", sgd.momentum);
  if (sgd.nesterov && sgd.momentum == 0.0) {
    throw UsageError("sgd nesterov: expected a momentum > 0 with it, got momentum 0");
  }
}

void validate(const RmsProp& rms_prop) {
  require_rate("rms_prop learning_rate", rms_prop.learning_rate);
  require_fraction("rms_prop decay", rms_prop.decay);
  require_epsilon("rms_prop epsilon", rms_prop.epsilon);
}

void validate(const Adam& adam) {
  require_rate("adam learning_rate", adam.learning_rate);
  require_fraction("adam beta1", adam.beta1);
  require_fraction("adam beta2", adam.beta2);
  require_epsilon("adam epsilon", adam.epsilon);
}

void validate(const Polyak& polyak) {
  require_rate("polyak learning_rate", polyak.learning_rate);
  require_rate("polyak cap", polyak.cap);
  if (!(polyak.aim > 0.0 && polyak.aim <= 1.0)) {
    refuse("polyak aim", polyak.aim, "in (0, 1]");
  }
  if (polyak.steps == 0) {
    refuse("polyak steps", 0.0, ">= 1");
  }
}

float narrow(double value) {
  return static_cast<float>(value);
}

}  // namespace

double Schedule::at(std::size_t step) const {
  const double position = std::max(static_cast<double>(step) - hold, 0.0) / every;
  switch (kind) {
    case Kind::constant:
      return 1.0;
    case Kind::staircase:
      return std::pow(factor, std::floor(position));
    case Kind::exponential:
      return std::pow(factor, position);
    case Kind::cosine:
      return (1.0 + std::cos(std::numbers::pi * std::min(position, 1.0))) / 2.0;
  }
  return 1.0;
}

Optimizer::Optimizer(const OptimizerOptions& options, std::size_t dimension)
    : options_(options), kernels_(&update_kernels()) {
  std::visit([](const auto& kind) { validate(kind); }, options_);
  const auto* sgd = std::get_if<Sgd>(&options_);
  if (sgd != nullptr ? sgd->momentum > 0.0 : !std::holds_alternative<RmsProp>(options_)) {
    first_.resize(dimension);
  }
  if (sgd == nullptr) {
    second_.resize(dimension);
  }
}

// Part of step(): a call costs as much as the update of a small network.
[[gnu::always_inline]] inline void Optimizer::step_adam(const Adam& adam,
                                                        std::span<float> theta,
                                                        std::span<const float> gradient,
                                                        const StepInputs& inputs) {
  beta1_power_ *= adam.beta1;
  beta2_power_ *= adam.beta2;
  const double correction = std::sqrt(1.0 - beta2_power_) / (1.0 - beta1_power_);
  const AdamFactors factors{.rate = narrow(adam.learning_rate * inputs.scale * correction),
                            .beta1 = narrow(adam.beta1),
                            .one_minus_beta1 = narrow(1.0 - adam.beta1),
                            .beta2 = narrow(adam.beta2),
                            .one_minus_beta2 = narrow(1.0 - adam.beta2),
                            .epsilon = narrow(adam.epsilon),
                            .gradient_scale = narrow(inputs.gradient_scale)};
  kernels_->adam(
      theta.data(), gradient.data(), first_.data(), second_.data(), theta.size(), factors);
}

void Optimizer::step_polyak(const Polyak& polyak,
                            std::span<float> theta,
                            std::span<const float> gradient,
                            const StepInputs& inputs) {
  const double excess = inputs.loss - polyak.aim * inputs.target;
  const double squares = kernels_->sum_of_squares(gradient.data(), gradient.size());
  if (excess <= 0.0 || squares == 0.0) {
    return;
  }
  const double length = std::min(excess / squares, polyak.cap / std::sqrt(squares));
  // Of a gradient of subnormal numbers alone it would be infinite as a float.
  constexpr double largest = std::numeric_limits<float>::max();
  kernels_->sgd_plain(theta.data(),
                      gradient.data(),
                      theta.size(),
                      {.rate = narrow(std::min(length * inputs.scale, largest))});
}

void Optimizer::step(std::span<float> theta,
                     std::span<const float> gradient,
                     const StepInputs& inputs) {
  const std::size_t count = theta.size();
  ISTHMUS_ASSERT(gradient.size() == count && (first_.empty() || first_.size() == count) &&
                     (second_.empty() || second_.size() == count),
                 "theta, gradient and the optimizer's state have one dimension");
  ++steps_;
  if (const auto* adam = std::get_if<Adam>(&options_)) {
    step_adam(*adam, theta, gradient, inputs);
  } else if (const auto* polyak = std::get_if<Polyak>(&options_)) {
    if (steps_ <= polyak->steps) {
      step_polyak(*polyak, theta, gradient, inputs);
    } else {
      step_adam({.learning_rate = polyak->learning_rate}, theta, gradient, inputs);
    }
  } else if (const auto* rms_prop = std::get_if<RmsProp>(&options_)) {
    const RmsPropFactors factors{.rate = narrow(rms_prop->learning_rate * inputs.scale),
                                 .decay = narrow(rms_prop->decay),
                                 .one_minus_decay = narrow(1.0 - rms_prop->decay),
                                 .epsilon = narrow(rms_prop->epsilon),
                                 .gradient_scale = narrow(inputs.gradient_scale)};
    kernels_->rms_prop(theta.data(), gradient.data(), second_.data(), count, factors);
  } else {
    const Sgd& sgd = std::get<Sgd>(options_);
    const SgdFactors factors{.rate = narrow(sgd.learning_rate * inputs.scale),
                             .momentum = narrow(sgd.momentum),
                             .gradient_scale = narrow(inputs.gradient_scale)};
    if (first_.empty()) {
      kernels_->sgd_plain(theta.data(), gradient.data(), count, factors);
    } else {
      const auto update = sgd.nesterov ? kernels_->sgd_nesterov : kernels_->sgd_momentum;
      update(theta.data(), gradient.data(), first_.data(), count, factors);
    }
  }
}

void Optimizer::save(StateWriter& state) const {
  state.put(steps_);
  state.put(beta1_power_);
  state.put(beta2_power_);
  state.put_all(std::span<const float>(first_));
  state.put_all(std::span<const float>(second_));
}

void Optimizer::restore(StateReader& state) {
  steps_ = state.get<std::size_t>();
  beta1_power_ = state.get<double>();
  beta2_power_ = state.get<double>();
  state.get_all(std::span(first_));
  state.get_all(std::span(second_));
}

double clip_factor(std::span<const float> gradient, double largest) {
  if (largest == 0.0) {
    return 1.0;
  }
  const double norm = std::sqrt(update_kernels().sum_of_squares(gradient.data(), gradient.size()));
  return norm <= largest ? 1.0 : largest / norm;
}

Json to_json(const OptimizerOptions& options) {
  return std::visit(
      [](const auto& kind) -> Json {
        using Kind = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Kind, Sgd>) {
          return {{"kind", "sgd"},
                  {"learning_rate", kind.learning_rate},
                  {"momentum", kind.momentum},
                  {"nesterov", kind.nesterov}};
        } else if constexpr (std::is_same_v<Kind, RmsProp>) {
          return {{"kind", "rms_prop"},
                  {"learning_rate", kind.learning_rate},
                  {"decay", kind.decay},
                  {"epsilon", kind.epsilon}};
        } else if constexpr (std::is_same_v<Kind, Polyak>) {
          return {{"kind", "polyak"},
                  {"learning_rate", kind.learning_rate},
                  {"cap", kind.cap},
                  {"aim", kind.aim},
                  {"steps", kind.steps}};
        } else {
          return {{"kind", "adam"},
                  {"learning_rate", kind.learning_rate},
                  {"beta1", kind.beta1},
                  {"beta2", kind.beta2},
                  {"epsilon", kind.epsilon}};
        }
      },
      options);
}

}  // namespace isthmus
