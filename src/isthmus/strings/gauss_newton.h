// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "isthmus/core/stop.h"
#include "isthmus/path/path.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// How a polyline is pulled straight by Gauss-Newton steps, where the residual of the network is a
/// smooth function of one input and so has few dimensions: each step solves for all inner beads at
/// once
///
///     (N - 1) / d^2 * sum |b_{i+1} - b_i|^2
///         + mu * sum |J delta + (1 - aim * level / F) c|^2 / level^2
///
/// over the places (two a segment) whose loss F exceeds aim * level; c are the first `moments`
/// Legendre moments of the residual there, J their Jacobian. Steps are cut to `largest_step`.
struct GaussNewtonOptions {
  double level = 0.0;  ///< of the training loss, > 0
  double mu = 0.001;
  double aim = 0.9;
  std::size_t moments = 8;
  std::size_t iterations = 200;  ///< at mu; then a quarter of them at 3, 10 and 30 times that
  double largest_step = 0.3;     ///< of a bead, in Euclidean norm
};

/// Why this does not work for an objective; nothing if it does: a network of one input that trains
/// on all samples at every step with an absolute or squared loss.
std::optional<std::string> reason_no_gauss_newton(const Objective& objective);

/// Moves the inner beads of `path`. Returns the gradient samples it took (each Jacobian counts as
/// many gradients as it has rows). The result does not depend on the number of workers. Throws
/// Interrupted between two iterations, UsageError where reason_no_gauss_newton() has one.
std::uint64_t straighten(Evaluators& evaluators,
                         Path& path,
                         const GaussNewtonOptions& options,
                         const Stop* stop = nullptr);

}  // namespace isthmus
