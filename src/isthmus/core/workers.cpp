// SPDX-License-Identifier: MIT
#include "isthmus/core/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

using Work = std::function<void(std::size_t, std::size_t)>;

struct Loop {
  const Work* work = nullptr;
  std::size_t count = 0;
  std::size_t next = 0;     // the first index that nobody has taken
  std::size_t running = 0;  // iterations under way
  std::size_t failed_index = std::numeric_limits<std::size_t>::max();
  std::exception_ptr failure;
};

}  // namespace

struct Workers::State {
  std::mutex mutex;
  std::condition_variable changed;  // a loop was opened, an iteration ended, or the pool closes
  std::deque<Loop*> open;           // loops with indices that nobody has taken, oldest first
  bool closing = false;
  std::vector<std::jthread> threads;

  // Which worker of which pool the current thread is.
  static thread_local const State* pool_of_thread;
  static thread_local std::size_t worker_of_thread;

  // Takes and runs one iteration of `loop`. The lock is held on entry and on return.
  void run_one(Loop& loop, std::size_t worker, std::unique_lock<std::mutex>& lock) {
    const std::size_t index = loop.next++;
    if (loop.next == loop.count) {
      std::erase(open, &loop);
    }
    ++loop.running;
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*loop.work)(index, worker);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --loop.running;
    if (failure) {
      if (index < loop.failed_index) {
        loop.failed_index = index;
        loop.failure = failure;
      }
      loop.next = loop.count;
      std::erase(open, &loop);
    }
    changed.notify_all();
  }

  // The threads end; whoever takes the state down waits for them.
  void close() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    changed.notify_all();
  }

  void serve(std::size_t worker) {
    pool_of_thread = this;
    worker_of_thread = worker;
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return closing || !open.empty(); });
      if (closing) {
        return;
      }
      run_one(*open.front(), worker, lock);
    }
  }
};

thread_local const Workers::State* Workers::State::pool_of_thread = nullptr;
thread_local std::size_t Workers::State::worker_of_thread = 0;

Workers::Workers(std::size_t threads) : state_(std::make_unique<State>()) {
  if (threads == 0) {
    throw UsageError("threads: expected at least 1, got 0");
  }
  try {
    for (std::size_t worker = 1; worker < threads; ++worker) {
      state_->threads.emplace_back([state = state_.get(), worker] { state->serve(worker); });
    }
  } catch (const std::system_error&) {
    const std::size_t made = state_->threads.size() + 1;
    state_->close();
    throw UsageError(fmt::format(
        "threads: the system gives {} of the {} asked for; use fewer --threads", made, threads));
  }
}

Workers::~Workers() {
  state_->close();
}

std::size_t Workers::size() const noexcept {
  return state_->threads.size() + 1;
}

void Workers::for_each(std::size_t count, const Work& work) {
  if (count == 0) {
    return;
  }
  const std::size_t worker =
      State::pool_of_thread == state_.get() ? State::worker_of_thread : std::size_t{0};
  Loop loop;
  loop.work = &work;
  loop.count = count;
  std::unique_lock lock(state_->mutex);
  if (count > 1) {
    state_->open.push_back(&loop);
    state_->changed.notify_all();
  }
  while (loop.next < loop.count) {
    state_->run_one(loop, worker, lock);
  }
  state_->changed.wait(lock, [&] { return loop.running == 0; });
  if (loop.failure) {
    std::rethrow_exception(loop.failure);
  }
}

}  // namespace isthmus
