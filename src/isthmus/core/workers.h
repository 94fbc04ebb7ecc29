// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace isthmus {

/// A pool of worker threads for loops whose iterations are independent. Loops may be nested: an
/// iteration that starts a loop of its own works on it itself, and workers that are idle help, so
/// all threads stay busy whether there is one pair of networks or a hundred.
///
/// The order in which iterations run is not defined: a result must depend on its index alone.
class Workers {
 public:
  /// A pool of `threads` >= 1 workers, the calling thread among them (1 starts no thread).
  explicit Workers(std::size_t threads = 1);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  std::size_t size() const noexcept;

  /// Runs work(index, worker) for every index in [0, count) and returns when all have ended.
  /// `worker` in [0, size()) names the thread: use it to pick an instance of something that must
  /// not be shared. If iterations throw, no new ones start, and the exception of the lowest index
  /// that threw is rethrown here. To be called from the thread that made the pool, or from within
  /// an iteration.
  void for_each(std::size_t count,
                const std::function<void(std::size_t index, std::size_t worker)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isthmus
