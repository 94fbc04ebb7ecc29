// SPDX-License-Identifier: MIT
#include "isthmus/core/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

std::string text_of(const Json& value) {
  if (value.is_string()) {
    return fmt::format("'{}'", value.get<std::string>());
  }
  // JSON itself has no word for what is not finite.
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : value.dump();
}

}  // namespace

Range Range::or_infinity() const {
  Range range = *this;
  range.infinity_too = true;
  return range;
}

bool Range::holds(double value) const {
  if (std::isinf(value)) {
    return value > 0.0 && infinity_too;
  }
  return (above_least ? value > least : value >= least) && value <= most;
}

std::string Range::text(bool whole) const {
  if (whole) {
    const std::string text = fmt::format("at least {:.0f}", least);
    return std::isfinite(most) ? fmt::format("{} and at most {:.0f}", text, most) : text;
  }
  if (std::isfinite(most)) {
    return fmt::format("a number in {}{}, {}]", above_least ? '(' : '[', least, most);
  }
  return fmt::format(
      "a {}number {} {}", infinity_too ? "" : "finite ", above_least ? ">" : ">=", least);
}

Json option_value(std::string_view type, std::string_view name, std::string_view text) {
  const std::string copy(text);
  if (type == "UINT") {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
      throw UsageError(fmt::format("--{}: expected a whole number >= 0, got '{}'", name, text));
    }
    return number;
  }
  if (type == "FLOAT") {
    char* end = nullptr;
    const double number = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != '\0') {
      throw UsageError(fmt::format("--{}: expected a number, got '{}'", name, text));
    }
    return number;
  }
  if (type == "BOOL" && (text == "true" || text == "false")) {
    return text == "true";
  }
  return copy;
}

std::string option_help(const OptionText& text, std::string_view range) {
  std::string help(text.help);
  for (const std::string_view part : {text.unit, range}) {
    help += part.empty() ? "" : fmt::format("; {}", part);
  }
  return text.preset.empty() ? help : fmt::format("{} [{}]", help, text.preset);
}

void refuse_option(std::string_view name, std::string_view range, const Json& value) {
  throw UsageError(fmt::format("{}: expected {}, got {}", name, range, text_of(value)));
}

const std::string& text_value(std::string_view name, std::string_view range, const Json& value) {
  if (!value.is_string()) {
    refuse_option(name, range, value);
  }
  return value.get_ref<const std::string&>();
}

bool flag_value(std::string_view name, const Json& value) {
  if (!value.is_boolean()) {
    refuse_option(name, "true or false", value);
  }
  return value.get<bool>();
}

std::vector<Json> wrong_texts() {
  return {Json("?"), Json(1.5)};
}

std::vector<Json> wrong_flags() {
  return {Json("yes"), Json(1)};
}

template <class Value>
NumberRule<Value>::NumberRule(std::string_view name, const Range& range)
    : name_(name), range_(range), words_(range.text(std::is_integral_v<Value>)) {
}

// The largest whole number stands for "no limit".
template <class Value>
bool NumberRule<Value>::holds(Value value) const {
  if (std::is_integral_v<Value> && value == std::numeric_limits<Value>::max()) {
    return range_.infinity_too || range_.most >= static_cast<double>(value);
  }
  return range_.holds(static_cast<double>(value));
}

template <class Value>
Json NumberRule<Value>::json(Value value) const {
  constexpr bool whole = std::is_integral_v<Value>;
  constexpr Value unlimited =
      whole ? std::numeric_limits<Value>::max() : std::numeric_limits<Value>::infinity();
  return range_.infinity_too && value == unlimited ? Json(nullptr) : Json(value);
}

template <class Value>
Value NumberRule<Value>::read(const Json& json) const {
  constexpr bool whole = std::is_integral_v<Value>;
  if (json.is_null() && range_.infinity_too) {
    return whole ? std::numeric_limits<Value>::max() : std::numeric_limits<Value>::infinity();
  }
  const bool natural = json.is_number_integer() && (json.is_number_unsigned() || json >= 0);
  if (whole ? !natural : !json.is_number()) {
    refuse_option(name_, words_, json);
  }
  const Value value = json.get<Value>();
  if (!holds(value)) {
    refuse_option(name_, words_, json);
  }
  return value;
}

template <class Value>
void NumberRule<Value>::check(Value value) const {
  if (!holds(value)) {
    refuse_option(name_, words_, Json(value));
  }
}

template <class Value>
std::vector<Json> NumberRule<Value>::outside() const {
  constexpr bool whole = std::is_integral_v<Value>;
  std::vector<Json> list;
  if (range_.least > 0.0 || (range_.above_least && !whole)) {
    if constexpr (whole) {
      list.emplace_back(static_cast<Value>(range_.least) - 1);
    } else {
      list.emplace_back(range_.above_least ? range_.least : range_.least / 2);
    }
  }
  if (std::isfinite(range_.most)) {
    if constexpr (whole) {
      list.emplace_back(static_cast<Value>(range_.most) + 1);
    } else {
      list.emplace_back(range_.most * 2.0);
    }
  }
  if (!whole) {
    list.emplace_back(std::numeric_limits<double>::quiet_NaN());
    if (!range_.infinity_too) {
      list.emplace_back(std::numeric_limits<double>::infinity());
    }
  }
  list.emplace_back("some");
  return list;
}

template class NumberRule<std::size_t>;
template class NumberRule<double>;

}  // namespace isthmus
