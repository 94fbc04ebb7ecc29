// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

#include <functional>

#include "isthmus/core/stop.h"

namespace isthmus::python {

namespace nb = nanobind;

/// A Python object that may be let go on any thread: its count is touched under the GIL alone. An
/// object that outlives the interpreter is not counted down at all.
class Held {
 public:
  Held() = default;
  explicit Held(nb::object object) : object_(object.release().ptr()) {}
  ~Held();
  Held(Held&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Held& operator=(Held&&) = delete;
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  /// Under the GIL.
  nb::handle get() const { return object_; }

 private:
  PyObject* object_ = nullptr;
};

/// Ends the process if it is another one than the one that `started`: a callable that forks is
/// welcome to, but its child must not come back into work that belongs to the parent.
void refuse_forked(int started);

/// Runs `work` on a thread of its own without the GIL, while this one, which has it, waits and
/// looks for signals. One that raises (Ctrl-C: KeyboardInterrupt) requests the stop, and is
/// rethrown when the work has come to rest; else what the work throws is rethrown.
void run_interruptibly(Stop& stop, const std::function<void()>& work);

}  // namespace isthmus::python
