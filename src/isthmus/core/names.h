// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace isthmus {

/// One value of an enum with the name that it has in files, options and messages.
template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};

template <class Enum, std::size_t N>
struct NameTable {
  std::string_view option;  ///< what messages call a value, e.g. "metric"
  std::array<Named<Enum>, N> all;
};

template <class Enum, std::size_t N>
constexpr NameTable<Enum, N> name_table(std::string_view option, const Named<Enum> (&all)[N]) {
  return {option, std::to_array(all)};
}

/// An enum has names where this is specialised, beside its declaration:
///
///     template <>
///     inline constexpr auto enum_names<Split> =
///         name_table<Split>("split", {{Split::train, "train"}, {Split::test, "test"}});
///
/// name_of(), find_named() and named() are then there; messages list the names in this order.
template <class Enum>
inline constexpr std::nullptr_t enum_names = nullptr;

template <class Enum>
concept HasNames = requires {
  enum_names<Enum>.all;
};

/// "train" for Split::train; "?" for what is no value of the enum.
template <HasNames Enum>
constexpr std::string_view name_of(Enum value) {
  for (const Named<Enum>& known : enum_names<Enum>.all) {
    if (known.value == value) {
      return known.name;
    }
  }
  return "?";
}

/// The value of that name, nothing if there is none.
template <HasNames Enum>
constexpr std::optional<Enum> find_named(std::string_view name) {
  for (const Named<Enum>& known : enum_names<Enum>.all) {
    if (known.name == name) {
      return known.value;
    }
  }
  return std::nullopt;
}

/// "a, b or c".
std::string alternatives(std::span<const std::string_view> names);

/// Throws UsageError: "split: expected train or test, got 'x'".
[[noreturn]] void refuse_name(std::string_view option,
                              std::span<const std::string_view> known,
                              std::string_view name);

template <HasNames Enum>
constexpr auto names_of() {
  std::array<std::string_view, enum_names<Enum>.all.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = enum_names<Enum>.all[i].name;
  }
  return names;
}

/// The value of that name. Throws UsageError that lists the known ones.
template <HasNames Enum>
Enum named(std::string_view name) {
  const std::optional<Enum> value = find_named<Enum>(name);
  if (!value) {
    refuse_name(enum_names<Enum>.option, names_of<Enum>(), name);
  }
  return *value;
}

}  // namespace isthmus
