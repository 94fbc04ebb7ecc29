// SPDX-License-Identifier: MIT
#include "isthmus/net/json_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {

JsonFields::JsonFields(const Json& object, std::string place)
    : object_(&object), place_(std::move(place)) {
  if (!object.is_object()) {
    throw DataError(fmt::format("{}: expected an object, found {}", place_, object.dump()));
  }
}

const Json* JsonFields::find(const std::string& name) {
  known_.insert(name);
  const auto found = object_->find(name);
  return found == object_->end() ? nullptr : &*found;
}

void JsonFields::finish() const {
  for (const auto& [name, value] : object_->items()) {
    if (!known_.contains(name)) {
      throw DataError(fmt::format(
          "{}: unknown field '{}' (known here: {})", place_, name, fmt::join(known_, ", ")));
    }
  }
}

void JsonFields::refuse(const std::string& name, const std::string& expected) const {
  throw DataError(fmt::format(
      "{}: field '{}': expected {}, found {}", place_, name, expected, (*object_)[name].dump()));
}

void JsonFields::refuse_missing(const std::string& name) const {
  throw DataError(fmt::format("{}: the field '{}' is missing", place_, name));
}

std::string JsonFields::listed(std::span<const std::string_view> names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace isthmus
