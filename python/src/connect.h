// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>

namespace isthmus::python {

/// connect, shorten, check, train and gradient_errors: what strings do with a foreign objective.
void bind_strings(nanobind::module_& module);

/// Lengths, path files, and what the command does with saved paths: verify and certify.
void bind_paths(nanobind::module_& module);

}  // namespace isthmus::python
