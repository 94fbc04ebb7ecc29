// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace isthmus {

/// JSON with its keys in the order in which they were written, so that equal runs are equal files.
/// Headers that only name the type include this file: the whole of it takes a second to compile.
using Json = nlohmann::ordered_json;

}  // namespace isthmus
