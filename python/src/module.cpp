// SPDX-License-Identifier: MIT
// isthmus._core: what the package of Python calls. Its functions take and give plain values; the
// package has the classes that people see.
#include <nanobind/nanobind.h>

#include "build_info.h"
#include "connect.h"
#include "isthmus/core/error.h"

namespace isthmus::python {
namespace {

namespace nb = nanobind;

// The class of isthmus.errors for what was thrown.
const char* class_of(ExitCode code) {
  switch (code) {
    case ExitCode::usage:
      return "UsageError";
    case ExitCode::bad_data:
      return "DataError";
    case ExitCode::missing_input:
      return "MissingInput";
    case ExitCode::cannot_write:
      return "WriteError";
    case ExitCode::configuration:
      return "ConfigurationError";
    case ExitCode::interrupted:
      return "Interrupted";
    default:
      return "InternalError";
  }
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    const nb::object kind = nb::module_::import_("isthmus.errors").attr(class_of(error.code()));
    PyErr_SetString(kind.ptr(), error.what());
  }
}

}  // namespace
}  // namespace isthmus::python

NB_MODULE(_core, module) {
  using namespace isthmus::python;
  nb::register_exception_translator(&translate);
  module.attr("__version__") = ISTHMUS_VERSION;
  module.attr("commit") = ISTHMUS_COMMIT;
  bind_strings(module);
  bind_paths(module);
}
