// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/core/state_file.h"

namespace isthmus {

struct UpdateKernels;

/// theta -= lr * v, v = momentum * v + g (Nesterov: theta -= lr * (g + momentum * v)).
struct Sgd {
  double learning_rate = 0.1;
  double momentum = 0.0;
  bool nesterov = false;
};

/// s = decay * s + (1 - decay) * g^2, theta -= lr * g / (sqrt(s) + epsilon).
struct RmsProp {
  double learning_rate = 0.001;
  double decay = 0.9;
  double epsilon = 1e-8;
};

/// Kingma & Ba 2015, in the form of their section 2 that TensorFlow uses, with epsilon outside the
/// bias correction: theta -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).
struct Adam {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// For the first `steps` steps B. T. Polyak's (Zh. Vychisl. Mat. Mat. Fiz. 9, 1969), towards a loss
/// of c = aim * target: theta -= min((F - c) / |g|^2, cap / |g|) g, where F > c and |g| > 0, else
/// none. F is the loss that trains, also where the gradient is of more than that. Behind them Adam
/// from moments of zero.
struct Polyak {
  double learning_rate = 0.01;  ///< of Adam, whose other numbers are its defaults
  double cap = 0.3;             ///< largest Euclidean length of a step
  double aim = 0.999;           ///< in (0, 1]; at 1 a step may stop short of the target for ever
  std::size_t steps = 300;      ///< >= 1
};

using OptimizerOptions = std::variant<Sgd, RmsProp, Adam, Polyak>;

/// What a step is taken with besides the gradient.
struct StepInputs {
  double scale = 1.0;           ///< on the learning rate (schedule), and on Polyak's steps
  double gradient_scale = 1.0;  ///< on the gradient (clipping); Polyak's steps have their cap
  double loss = 0.0;            ///< Polyak alone: at theta
  double target = 0.0;          ///< Polyak alone: of the loss
};

/// Factor on the learning rate at step i (counted from 0).
struct Schedule {
  enum class Kind {
    constant,     ///< 1
    staircase,    ///< factor^floor(max(i - hold, 0) / every)
    exponential,  ///< factor^(max(i - hold, 0) / every)
    cosine,       ///< (1 + cos(pi * min(max(i - hold, 0) / every, 1))) / 2
  };
  Kind kind = Kind::constant;
  double factor = 1.0;
  double every = 1.0;  ///< steps
  double hold = 0.0;   ///< steps before it begins

  double at(std::size_t step) const;
};

template <>
inline constexpr auto enum_names<Schedule::Kind> =
    name_table<Schedule::Kind>("schedule",
                               {{Schedule::Kind::constant, "constant"},
                                {Schedule::Kind::staircase, "staircase"},
                                {Schedule::Kind::exponential, "exponential"},
                                {Schedule::Kind::cosine, "cosine"}});

/// The state of one optimizer for one parameter vector: moments and step count. Arithmetic is in
/// float32, element by element, with the same bits on every processor. Not safe to share between
/// threads.
class Optimizer {
 public:
  /// Throws UsageError for values outside their ranges, naming them.
  Optimizer(const OptimizerOptions& options, std::size_t dimension);

  /// One update of theta (P) from gradient (P) in one fused pass over memory. The gradient is not
  /// changed.
  void step(std::span<float> theta, std::span<const float> gradient, const StepInputs& inputs = {});

  std::size_t steps() const { return steps_; }

  /// Moments and step count; restore() is of an optimizer of the same options and dimension.
  void save(StateWriter& state) const;
  void restore(StateReader& state);

 private:
  void step_adam(const Adam& adam,
                 std::span<float> theta,
                 std::span<const float> gradient,
                 const StepInputs& inputs);
  void step_polyak(const Polyak& polyak,
                   std::span<float> theta,
                   std::span<const float> gradient,
                   const StepInputs& inputs);

  OptimizerOptions options_;
  const UpdateKernels* kernels_;
  std::size_t steps_ = 0;
  double beta1_power_ = 1.0;  // beta1^t and beta2^t after t steps of Adam, for its bias correction
  double beta2_power_ = 1.0;
  std::vector<float> first_;   // momentum, or Adam's first moment
  std::vector<float> second_;  // squares
};

/// The factor that brings a gradient to a Euclidean norm of at most `largest` (1 if it is there, or
/// `largest` is 0).
double clip_factor(std::span<const float> gradient, double largest);

Json to_json(const OptimizerOptions& options);

}  // namespace isthmus
