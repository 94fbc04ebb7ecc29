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

std::size_t JsonFields::required_size(const std::string& name,
                                      std::size_t least,
                                      std::size_t most) {
  if (find(name) == nullptr) {
    refuse_missing(name);
  }
  return optional_size(name, least, least, most);
}

std::size_t JsonFields::optional_size(const std::string& name,
                                      std::size_t fallback,
                                      std::size_t least,
                                      std::size_t most) {
  const Json* value = find(name);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_number_unsigned() || value->get<std::size_t>() < least ||
      value->get<std::size_t>() > most) {
    refuse(name, fmt::format("a whole number in {}..{}", least, most));
  }
  return value->get<std::size_t>();
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
