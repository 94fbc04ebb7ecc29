// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace isthmus {

/// Samples that go through a network together.
inline constexpr std::size_t lane_count = 32;

/// One number of each sample of a block: a row of a (units, samples) array.
struct alignas(64) Lanes {
  std::array<double, lane_count> at;

  double& operator[](std::size_t lane) { return at[lane]; }
  double operator[](std::size_t lane) const { return at[lane]; }
};

/// The numbers of all units of a layer for one block of samples.
using Rows = std::vector<Lanes>;

}  // namespace isthmus
