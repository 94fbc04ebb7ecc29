// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// JSON has no word for what is not finite: null stands for it.
inline Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
inline double number_or_nan(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace isthmus
