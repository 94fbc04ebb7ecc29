// SPDX-License-Identifier: MIT
#include "isthmus/core/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

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

}  // namespace isthmus
