// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>

namespace isthmus {

/// JSON with its keys in the order in which they were written, so that equal runs are equal files.
using Json = nlohmann::ordered_json;

}  // namespace isthmus
