// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "isthmus/certify/unit_bounds.h"

namespace isthmus {

/// End values and bounds of the units of one interval, of one sample.
struct UnitRows {
  const double* left;
  const double* right;
  double* low;
  double* high;
};

/// Lemma 6 for `count` units, in their place. Units that are on or off at both ends, which are
/// most, keep their bounds or have none where these do not reach L, which is at least the sum of
/// both magnitudes. `flat`: all bounds are zero.
void bound_relu_rows(const UnitRows& rows, std::size_t count, bool flat);

/// Lemma 6 around a multiple of what goes in: if a unit with end values z0, z1 deviates by e in
/// `z`, its ReLU deviates by slope * e and something in `rest`, slope one of 0, 1/4 ... 1 for which
/// the rest is narrow.
struct RelaxedRelu {
  double slope = 0.0;
  Bounds rest;
};
RelaxedRelu relax_relu(double z0, double z1, Bounds z);

/// Lemma 7. `winners`: the rows of a window's largest values at both ends, the first of equal ones.
/// Where that is one unit, and no other one may rise above its bound, its bounds are those (L is at
/// least the sum of both gaps). `flat`: all bounds count as zero.
struct Winners {
  std::uint32_t left;
  std::uint32_t right;
};
Bounds bound_window(const UnitRows& rows,
                    std::span<const std::uint32_t> window,
                    const Winners& winners,
                    bool flat);

}  // namespace isthmus
