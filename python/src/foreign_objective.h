// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "isthmus/objective/objective.h"

namespace isthmus::python {

/// The Objective that a Python object is (isthmus.objective.Objective says what it must have). Made
/// under the GIL; used from any thread without it. What Python raises comes out of the calls of the
/// evaluators as nanobind::python_error. Throws UsageError for a description that does not fit.
std::unique_ptr<Objective> make_foreign_objective(nanobind::object described);

}  // namespace isthmus::python
