// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// The two regression tasks of Freeman & Bruna (2017), on x uniform in [0, 1].
enum class Polynomial {
  quadratic,  ///< y = 0.5 x^2 + 0.25 x + 0.1
  cubic,      ///< y = 8 x^3 - 10 x^2 + 3 x
};

std::string_view name_of(Polynomial task);

/// y at x, in double.
double value_at(Polynomial task, double x);

/// The midpoint rule of the input distribution: x_i = (i + 1/2) / points. A mean over these samples
/// is the oracle risk up to O(1 / points^2), and the same for every seed.
/// Inputs have shape {1}; `points` >= 1, else UsageError.
Samples midpoint_samples(Polynomial task, std::size_t points = 256);

/// `count` >= 1 samples at inputs drawn from Rng(seed, stream): the empirical risk. Equal arguments
/// give equal bits on every machine; name the stream with stream_name().
Samples random_samples(Polynomial task,
                       std::size_t count,
                       std::uint64_t seed,
                       std::uint64_t stream);

}  // namespace isthmus
