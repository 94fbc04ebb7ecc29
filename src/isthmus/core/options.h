// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/names.h"

namespace isthmus {

/// The numbers that an option may be. Messages say it: "a number in (0, 1]", "at least 2".
struct Range {
  double least = 0.0;
  double most = std::numeric_limits<double>::infinity();
  bool above_least = false;   ///< least itself is not in it
  bool infinity_too = false;  ///< "no limit" is; config.json says null

  static Range positive() { return {.above_least = true}; }
  static Range at_least(double least) { return {.least = least}; }
  static Range between(double least, double most) { return {.least = least, .most = most}; }
  Range or_infinity() const;

  bool holds(double value) const;
  std::string text(bool whole) const;
};

/// What an option says of itself beside its member and its range.
struct OptionText {
  std::string_view flag;      ///< of the command, without "--"; "" where it has none
  std::string_view help{};    ///< one line
  std::string_view unit{};    ///< e.g. "steps"
  std::string_view preset{};  ///< the default, where it depends on the task and the protocol
  std::string_view group = "String";
};

/// One option of a struct S, said once: the command's flag and help, its key in config.json and
/// back, its range and the table in docs/options.md all come from it.
template <class S>
struct Option {
  std::string_view key;  ///< in config.json and of keywords, e.g. "max_rounds"
  OptionText text;
  std::string_view type;        ///< as the command's help has it: UINT, FLOAT, TEXT, or BOOL
  std::string range;            ///< in words
  std::vector<Json> outside{};  ///< some values out of range
  std::function<Json(const S&)> get{};
  /// Throws UsageError that names the option, its range and the value; a value of another kind is
  /// out of range.
  std::function<void(S&, const Json&)> set{};
  std::function<void(const S&)> check{};

  /// From the text behind a flag. Throws as set.
  void parse(S& options, std::string_view given) const;
};

template <class S>
using OptionTable = std::vector<Option<S>>;

/// The value that a flag's text stands for: a number where `type` is one, else the text itself.
Json option_value(std::string_view type, std::string_view name, std::string_view text);

/// Throws UsageError: "alpha: expected a number in (0, 1], got 2".
[[noreturn]] void refuse_option(std::string_view name, std::string_view range, const Json& value);

/// The text, or the flag, of a JSON value. Throws UsageError as refuse_option.
const std::string& text_value(std::string_view name, std::string_view range, const Json& value);
bool flag_value(std::string_view name, const Json& value);

/// Values that no such option takes.
std::vector<Json> wrong_texts();
std::vector<Json> wrong_flags();

/// What messages call an option: its flag, or its key where it has none.
inline std::string_view option_name(std::string_view key, const OptionText& text) {
  return text.flag.empty() ? key : text.flag;
}

template <class S>
void Option<S>::parse(S& options, std::string_view given) const {
  set(options, option_value(type, option_name(key, text), given));
}

template <class S>
std::span<const Option<S>> from_key(const OptionTable<S>& table, std::string_view key) {
  std::size_t i = 0;
  while (i < table.size() && table[i].key != key) {
    ++i;
  }
  return std::span(table).subspan(i);
}

template <class S>
std::span<const Option<S>> before_key(const OptionTable<S>& table, std::string_view key) {
  return std::span(table).first(table.size() - from_key(table, key).size());
}

/// Adds the options to a JSON object, in order.
template <class S>
void put_options(Json& json,
                 std::span<const Option<S>> options,
                 const std::type_identity_t<S>& values) {
  for (const Option<S>& option : options) {
    json[std::string(option.key)] = option.get(values);
  }
}

/// Reads those that are there; the others stay as they are. Throws UsageError.
template <class S>
void take_options(const Json& json,
                  std::span<const Option<S>> options,
                  std::type_identity_t<S>& values) {
  for (const Option<S>& option : options) {
    if (json.contains(option.key)) {
      option.set(values, json[std::string(option.key)]);
    }
  }
}

/// The command's help of an option: what it is, what it may be, its default.
std::string option_help(const OptionText& text, std::string_view range);

/// Throws UsageError for the first value that is out of its range.
template <class S>
void check_options(const OptionTable<S>& table, const std::type_identity_t<S>& values) {
  for (const Option<S>& option : table) {
    option.check(values);
  }
}

/// What a number may be: how it is written, read and refused. Defined for std::size_t and double.
template <class Value>
class NumberRule {
 public:
  NumberRule(std::string_view name, const Range& range);

  const std::string& words() const { return words_; }
  Json json(Value value) const;
  /// Throws UsageError for what is no such number or out of range.
  Value read(const Json& json) const;
  void check(Value value) const;
  /// Some values that read() refuses.
  std::vector<Json> outside() const;

 private:
  bool holds(Value value) const;

  std::string_view name_;
  Range range_;
  std::string words_;
};

/// Where an option lies in its struct, of a lambda [](auto& s) -> auto& { return s.grid.points; }
/// without captures: one type for all options of a kind, so that one code serves them all.
template <class S, class Member>
auto member_of(Member) {
  using Reference = decltype(std::declval<Member>()(std::declval<S&>()));
  return +[](const S& values) -> Reference {
    return Member{}(
        const_cast<S&>(values));  // written through by set() alone, whose S is not const
  };
}

template <class S, class Value>
Option<S> number_at(std::string_view key,
                    Value& (*member)(const S&),
                    const Range& range,
                    OptionText text) {
  const NumberRule<Value> rule(option_name(key, text), range);
  Option<S> option{.key = key,
                   .text = text,
                   .type = std::is_integral_v<Value> ? "UINT" : "FLOAT",
                   .range = rule.words(),
                   .outside = rule.outside()};
  option.get = [member, rule](const S& values) { return rule.json(member(values)); };
  option.set = [member, rule](S& values, const Json& json) { member(values) = rule.read(json); };
  option.check = [member, rule](const S& values) { rule.check(member(values)); };
  return option;
}

/// Numbers: `member` gives a reference, [](auto& s) -> auto& { return s.grid.points; }.
template <class S, class Member>
Option<S> number_option(std::string_view key, Member member, const Range& range, OptionText text) {
  return number_at<S>(key, member_of<S>(member), range, text);
}

/// Anything that has a text: `print` and `parse` go both ways, `parse` throws UsageError.
template <class S>
Option<S> text_option(std::string_view key,
                      std::function<std::string(const S&)> print,
                      std::function<void(S&, std::string_view)> parse,
                      std::string_view range,
                      OptionText text) {
  Option<S> option{.key = key, .text = text, .type = "TEXT", .range = std::string(range)};
  option.get = [print = std::move(print)](const S& values) { return Json(print(values)); };
  option.set = [parse = std::move(parse), name = option_name(key, text), range](
                   S& values, const Json& json) { parse(values, text_value(name, range, json)); };
  option.check = [](const S&) {};
  option.outside = wrong_texts();
  return option;
}

template <class S, class Value>
Option<S> name_at(std::string_view key, Value& (*member)(const S&), OptionText text) {
  Option<S> option = text_option<S>(
      key,
      [member](const S& values) { return std::string(name_of(member(values))); },
      [member](S& values, std::string_view name) { member(values) = named<Value>(name); },
      "",
      text);
  option.range = alternatives(names_of<Value>());
  return option;
}

/// One of an enum's values, by name.
template <class S, class Member>
Option<S> name_option(std::string_view key, Member member, OptionText text) {
  return name_at<S>(key, member_of<S>(member), text);
}

template <class S>
Option<S> flag_at(std::string_view key, bool& (*member)(const S&), OptionText text) {
  Option<S> option{.key = key, .text = text, .type = "BOOL", .range = "true or false"};
  option.get = [member](const S& values) { return Json(member(values)); };
  option.set = [member, name = option_name(key, text)](S& values, const Json& json) {
    member(values) = flag_value(name, json);
  };
  option.check = [](const S&) {};
  option.outside = wrong_flags();
  return option;
}

template <class S, class Member>
Option<S> flag_option(std::string_view key, Member member, OptionText text) {
  return flag_at<S>(key, member_of<S>(member), text);
}

}  // namespace isthmus
