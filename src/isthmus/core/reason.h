// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "isthmus/core/error.h"

namespace isthmus {

/// The message without "FILE: " at its beginning, for one that names the file itself.
std::string reason_of(const Error& error, const std::string& file);

}  // namespace isthmus
