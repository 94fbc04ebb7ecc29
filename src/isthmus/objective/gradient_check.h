// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "isthmus/objective/objective.h"

namespace isthmus {

/// How a gradient g is compared with central differences d = (F(x + h) - F(x - h)) / 2h of a
/// reference loss F. A coordinate, or a direction, agrees if at one of the step sizes h, h/8, h/64
///
///   |g - d| - noise  <=  tolerance * max(|d|, scale)
///
/// where noise = 4 precision |F| / h is what rounding of F can do to d, and scale is the root mean
/// square of the gradient over the tensor (over the whole vector for a direction), but at least a
/// thousandth of that over the whole vector. x +- h is rounded to float, and h is what came of it.
///
/// Where it does not agree, and F has a kink (d changes by more than tolerance * scale between h/8
/// and h/64, or the slopes on the two sides of x differ by more than that at h/64), the coordinate
/// is skipped and counted; else the gradient is wrong there.
struct GradientCheckOptions {
  double tolerance = 1e-3;
  double step = 1e-4;  ///< h, times max(|x_i|, 1) for coordinate i
  /// Every coordinate is looked at if there are at most so many, else a random sample of this size,
  /// shared among the tensors by their sizes, at least four in each (all, if it has fewer).
  std::size_t coordinates = 256;
  std::size_t directions = 4;  ///< random directions through all coordinates
  std::uint64_t seed = 0;      ///< of the sample and the directions
  /// Relative rounding error of F; about 1e-7 for a loss computed in float32, which then needs a
  /// larger step (1e-2).
  double precision = std::numeric_limits<double>::epsilon();

  /// Throws UsageError.
  void validate() const;
};

/// What was found in one tensor, or along the directions.
struct TensorCheck {
  std::string name;         ///< of the tensor; "directions" for the last entry
  std::size_t checked = 0;  ///< compared: agreed or failed
  std::size_t failed = 0;
  std::size_t skipped = 0;  ///< at a kink
  /// The largest (|g - d| - noise) / max(|d|, scale), where it was, and the two numbers there.
  double worst_error = 0.0;
  std::size_t worst_index = 0;  ///< in the tensor; number of the direction
  double worst_gradient = 0.0;
  double worst_difference = 0.0;
};

struct GradientCheck {
  double loss = 0.0;                 ///< F(x)
  std::vector<TensorCheck> tensors;  ///< one for each tensor, then one for the directions
  /// Nothing failed, and in every tensor something could be compared.
  bool passed = false;
};

/// F in double; the result depends on theta alone.
using ReferenceLoss = std::function<double(std::span<const double> theta)>;

/// Compares `gradient` (P) of a loss at theta (P) with differences of `reference`, whose arguments
/// are always representable as floats. Costs about 2 evaluations of it for each coordinate and
/// direction. A gradient or a loss that is not finite fails.
GradientCheck check_gradient(const Layout& layout,
                             std::span<const float> theta,
                             std::span<const float> gradient,
                             const ReferenceLoss& reference,
                             const GradientCheckOptions& options = {});

/// Checks the engine that make_engine chooses for a network, at theta on one batch, against
/// reference_loss, both with a penalty on top. Dropout is off (a random loss has no differences).
GradientCheck check_gradient(const Network& network,
                             Loss loss,
                             const BatchView& batch,
                             std::span<const float> theta,
                             const GradientCheckOptions& options = {},
                             const Penalty& penalty = {});

/// Checks any objective against differences of its own training loss on its first full batch
/// (seed 0, stream 0), without dropout. If it computes in float32, say so in options.precision.
GradientCheck check_gradient(const Objective& objective,
                             std::span<const float> theta,
                             const GradientCheckOptions& options = {});

}  // namespace isthmus
