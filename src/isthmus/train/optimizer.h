// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/state_file.h"
#include "isthmus/train/update_kernels.h"

namespace isthmus {

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

using OptimizerOptions = std::variant<Sgd, RmsProp, Adam>;

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

/// The state of one optimizer for one parameter vector: moments and step count. Arithmetic is in
/// float32, element by element, with the same bits on every processor. Not safe to share between
/// threads.
class Optimizer {
 public:
  /// Throws UsageError for values outside their ranges, naming them.
  Optimizer(const OptimizerOptions& options, std::size_t dimension);

  /// One update of theta (P) from gradient (P) in one fused pass over memory. `scale` multiplies
  /// the learning rate (schedule), `gradient_scale` the gradient (clipping). The gradient is not
  /// changed.
  void step(std::span<float> theta,
            std::span<const float> gradient,
            double scale = 1.0,
            double gradient_scale = 1.0);

  std::size_t steps() const { return steps_; }

  /// Moments and step count; restore() is of an optimizer of the same options and dimension.
  void save(StateWriter& state) const;
  void restore(StateReader& state);

 private:
  OptimizerOptions options_;
  const UpdateKernels* kernels_;
  std::size_t steps_ = 0;
  double beta1_power_ = 1.0;  // beta1^steps and beta2^steps, for Adam's bias correction
  double beta2_power_ = 1.0;
  std::vector<float> first_;   // momentum, or Adam's first moment
  std::vector<float> second_;  // squares
};

/// The factor that brings a gradient to a Euclidean norm of at most `largest` (1 if it is there, or
/// `largest` is 0).
double clip_factor(std::span<const float> gradient, double largest);

Json to_json(const OptimizerOptions& options);

}  // namespace isthmus
