// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "isthmus/core/picture_tables.h"
#include "isthmus/core/stop.h"
#include "isthmus/path/path.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// The ends of a spectrum, as Lanczos found them. An error is the residual ||H v - lambda v|| of
/// the unit Ritz vector v (some eigenvalue of a symmetric H lies so near to lambda), and on top of
/// it how far v' H v changes when the differences behind the products take twice the step.
struct SpectrumEnds {
  double smallest = 0.0;
  double smallest_error = 0.0;
  double largest = 0.0;
  double largest_error = 0.0;
  std::size_t products = 0;
};

/// Extreme eigenvalues of the Hessian of the training loss at theta (P): Lanczos with full
/// reorthogonalisation from a random vector of `seed`, `products` steps at most, each H v by a
/// central difference of two gradients, a step of 1e-3 ||theta|| (at least 1e-3) to either side.
/// The loss is that of all training samples up to 4096 of them, else of 1000 that `seed` draws,
/// without dropout. Takes `products` vectors of P floats and more. Where a ReLU has its kink
/// between two gradients, their difference is of a smoothed loss. Throws UsageError for products <
/// 1, Interrupted.
SpectrumEnds spectrum_ends(Evaluator& evaluator,
                           const Objective& objective,
                           std::span<const float> theta,
                           std::size_t products,
                           std::uint64_t seed,
                           const Stop* stop = nullptr);

/// At every bead of a path, in parallel. What is there when `stop` is raised, and every few
/// seconds, is kept in the file `unfinished`, with `key`, as values_at() does; `progress` is told
/// of beads.
std::vector<CurvatureRow> curvature_along(
    Evaluators& evaluators,
    const Path& path,
    std::size_t products,
    const std::filesystem::path& unfinished = {},
    const std::string& key = {},
    const Stop* stop = nullptr,
    const std::function<void(std::size_t done)>& progress = {});

}  // namespace isthmus
