// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace isthmus {

/// A request to stop, raised by anyone (a signal handler too: the flag is lock-free), looked at by
/// long work between steps.
class Stop {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace isthmus
