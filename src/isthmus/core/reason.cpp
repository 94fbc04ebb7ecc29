// SPDX-License-Identifier: MIT
#include "isthmus/core/reason.h"

namespace isthmus {

std::string reason_of(const Error& error, const std::string& file) {
  const std::string message = error.what();
  const std::string name = file + ": ";
  return message.starts_with(name) ? message.substr(name.size()) : message;
}

}  // namespace isthmus
