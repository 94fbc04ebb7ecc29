// SPDX-License-Identifier: MIT
#include "isthmus/strings/string_options.h"

#include <fmt/format.h>

#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus {

void StringOptions::validate() const {
  const auto require =
      [](bool holds, std::string_view option, double value, std::string_view range) {
        if (!holds) {
          throw UsageError(fmt::format("{}: expected {}, got {}", option, range, value));
        }
      };
  require(threshold > 0.0 && std::isfinite(threshold), "threshold", threshold, "a finite number > 0");
  require(alpha > 0.0 && alpha <= 1.0, "alpha", alpha, "a number in (0, 1]");
  require(tolerance >= 1.0 && std::isfinite(tolerance), "tolerance", tolerance, "a finite number >= 1");
  require(max_rounds >= 1, "max-rounds", static_cast<double>(max_rounds), "at least 1");
  require(max_beads >= 2, "max-beads", static_cast<double>(max_beads), "at least 2");
  require(max_seconds > 0.0, "max-seconds", max_seconds, "a number > 0");
  require(max_evaluations > 0.0 && std::isfinite(max_evaluations),
          "max-evaluations",
          max_evaluations,
          "a finite number > 0");
  grid.validate();
  training.validate();
}

}  // namespace isthmus
