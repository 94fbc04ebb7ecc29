// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// The indices of some values in ascending order, equal ones (0 and -0 among them) in their own,
/// NaN as minus infinity: as std::stable_sort has them, in time proportional to their number. Keeps
/// its memory. Not safe to share between threads.
class Ascending {
 public:
  /// Of at most 2^32 - 1 values. The view stays valid until the next call.
  std::span<const std::uint32_t> order(std::span<const float> values);

 private:
  std::vector<std::uint32_t> keys_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> other_;
};

}  // namespace isthmus
