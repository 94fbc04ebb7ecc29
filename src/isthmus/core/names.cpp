// SPDX-License-Identifier: MIT
#include "isthmus/core/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "isthmus/core/error.h"

namespace isthmus {

std::string alternatives(std::span<const std::string_view> names) {
  if (names.size() < 2) {
    return names.empty() ? "" : std::string(names.front());
  }
  return fmt::format("{} or {}", fmt::join(names.first(names.size() - 1), ", "), names.back());
}

void refuse_name(std::string_view option,
                 std::span<const std::string_view> known,
                 std::string_view name) {
  throw UsageError(fmt::format("{}: expected {}, got '{}'", option, alternatives(known), name));
}

}  // namespace isthmus
