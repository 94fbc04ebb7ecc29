// SPDX-License-Identifier: MIT
#include "isthmus/core/error.h"

#include <fmt/format.h>

namespace isthmus {

void fail_invariant(const char* condition, const char* why, const char* file, int line) {
  throw InternalError(fmt::format(
      "internal error at {}:{}: {} ({}). This is a fault of isthmus: please report it with the "
      "command that led here.",
      file,
      line,
      why,
      condition));
}

}  // namespace isthmus
