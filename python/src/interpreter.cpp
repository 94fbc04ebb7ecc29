// SPDX-License-Identifier: MIT
#include "interpreter.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "isthmus/core/error.h"

namespace isthmus::python {

Held::~Held() {
  if (object_ && Py_IsInitialized()) {
    const nb::gil_scoped_acquire gil;
    Py_DECREF(object_);
  }
}

void refuse_forked(int started) {
  if (getpid() == started) {
    return;
  }
  std::fputs(
      "isthmus: the process forked inside of a callable, and its child came back: it ends here. A "
      "child must leave by os._exit.\n",
      stderr);
  _exit(static_cast<int>(ExitCode::internal));
}

namespace {

constexpr auto between_looks = std::chrono::milliseconds(20);

// What both threads know of the work.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::exception_ptr error;
};

void work_on(Shared& shared, const std::function<void()>& work) {
  {
    // Keeps the thread's state of the interpreter from one callable to the next.
    const nb::gil_scoped_acquire state;
    const nb::gil_scoped_release released;
    try {
      work();
    } catch (...) {
      shared.error = std::current_exception();
    }
  }
  const std::lock_guard lock(shared.mutex);
  shared.done = true;
  shared.changed.notify_one();
}

}  // namespace

void run_interruptibly(Stop& stop, const std::function<void()>& work) {
  Shared shared;
  std::exception_ptr raised;
  {
    const nb::gil_scoped_release released;
    std::thread thread([&] { work_on(shared, work); });
    std::unique_lock lock(shared.mutex);
    while (!shared.changed.wait_for(lock, between_looks, [&] { return shared.done; })) {
      lock.unlock();
      {
        const nb::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) {
          raised = std::make_exception_ptr(nb::python_error());
          stop.request();
        }
      }
      lock.lock();
    }
    lock.unlock();
    thread.join();
  }
  if (raised) {
    std::rethrow_exception(raised);
  }
  if (shared.error) {
    std::rethrow_exception(shared.error);
  }
}

}  // namespace isthmus::python
