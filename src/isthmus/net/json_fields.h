// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/names.h"

namespace isthmus {

/// Reads the fields of one JSON object: each field by its name, and none left over. Every error is
/// a DataError that begins with `place`, names the field, and says what was expected and found.
class JsonFields {
 public:
  /// `object` must outlive this.
  JsonFields(const Json& object, std::string place);

  /// A bool, a double, a std::size_t, a std::string, a list of sizes, or any Json.
  template <class Value>
  Value required(const std::string& name) {
    if (find(name) == nullptr) {
      refuse_missing(name);
    }
    return optional(name, Value{});
  }

  template <class Value>
  Value optional(const std::string& name, Value fallback) {
    const Json* value = find(name);
    if (value == nullptr) {
      return fallback;
    }
    if (!is<Value>(*value)) {
      refuse(name, expected<Value>());
    }
    return value->get<Value>();
  }

  /// A size in `least`..`most`.
  std::size_t required_size(const std::string& name, std::size_t least, std::size_t most);
  std::size_t optional_size(const std::string& name,
                            std::size_t fallback,
                            std::size_t least,
                            std::size_t most);

  /// A value of an enum by its name.
  template <HasNames Enum>
  Enum choice(const std::string& name, Enum fallback) {
    const auto text = optional(name, std::string(name_of(fallback)));
    const std::optional<Enum> value = find_named<Enum>(text);
    if (!value) {
      refuse(name, "one of " + listed(names_of<Enum>()));
    }
    return *value;
  }

  /// The value of a field, null if it is not there. It counts as read.
  const Json* find(const std::string& name);

  /// Throws if a field was not read.
  void finish() const;

  const std::string& place() const { return place_; }

  [[noreturn]] void refuse(const std::string& name, const std::string& expected) const;

 private:
  static std::string listed(std::span<const std::string_view> names);
  [[noreturn]] void refuse_missing(const std::string& name) const;

  template <class Value>
  static bool is(const Json& value) {
    if constexpr (std::is_same_v<Value, std::size_t>) {
      return value.is_number_unsigned();
    } else if constexpr (std::is_same_v<Value, bool>) {
      return value.is_boolean();
    } else if constexpr (std::is_same_v<Value, double>) {
      return value.is_number();
    } else if constexpr (std::is_same_v<Value, std::string>) {
      return value.is_string();
    } else {
      static_assert(std::is_same_v<Value, std::vector<std::size_t>>);
      return value.is_array() && std::ranges::all_of(value, is<std::size_t>);
    }
  }

  template <class Value>
  static const char* expected() {
    if constexpr (std::is_same_v<Value, std::size_t>) {
      return "a whole number >= 0";
    } else if constexpr (std::is_same_v<Value, bool>) {
      return "true or false";
    } else if constexpr (std::is_same_v<Value, double>) {
      return "a number";
    } else if constexpr (std::is_same_v<Value, std::string>) {
      return "a string";
    } else {
      return "a list of whole numbers >= 0";
    }
  }

  const Json* object_;
  std::string place_;
  std::set<std::string> known_;
};

}  // namespace isthmus
