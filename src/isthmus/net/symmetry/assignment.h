// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// The permutation p of 0 .. n - 1 with the least sum of costs[i * n + p[i]], by shortest
/// augmenting paths (Jonker and Volgenant 1987): O(n^3) at worst, sums in double. Of several best
/// permutations always the same one. costs (n, n) row-major. Throws UsageError for another size or
/// a cost that is not finite.
std::vector<std::uint32_t> assign(std::span<const float> costs, std::size_t n);

}  // namespace isthmus
