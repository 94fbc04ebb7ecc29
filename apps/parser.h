// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
class Option;
}  // namespace CLI

namespace isthmus::app {

/// What is wrong with the text behind a flag; empty if nothing is.
using Refusal = std::function<std::string(const std::string& text)>;

/// A flag or a positional argument, to be described: add_option(...)->group("Data")->required().
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}
  Flag* operator->() { return this; }

  Flag capture_default_str();
  Flag group(const std::string& name);
  Flag type_name(const std::string& name);
  Flag delimiter(char between);
  Flag required();
  Flag check(const Refusal& refusal);

 private:
  CLI::Option* option_;
};

/// What a command is told, as CLI11's App of the same calls. CLI11 is headers alone: files that see
/// no more of it than this compile in a third of the time.
class Parser {
 public:
  /// `app` outlives it.
  explicit Parser(CLI::App& app) : app_(app) {}

  /// T: a text, a number, a list of them, or an optional one; those that are used are instantiated
  /// in parser.cpp.
  template <class T>
  Flag add_option(const std::string& name, T& value, const std::string& help);
  Flag add_option_function(const std::string& name,
                           const std::function<void(const std::string&)>& use,
                           const std::string& help);
  Flag add_flag(const std::string& name, bool& value, const std::string& help);
  Flag add_flag_callback(const std::string& name,
                         const std::function<void()>& use,
                         const std::string& help);
  Parser* add_subcommand(const std::string& name, const std::string& help);
  void require_subcommand(int count);
  void footer(const std::string& text);
  /// Called after parsing, if this is the command that was asked for.
  void callback(const std::function<void()>& use);
  /// How often a flag was given.
  std::size_t count(const std::string& name) const;

 private:
  CLI::App& app_;
  std::vector<std::unique_ptr<Parser>> commands_;
};

}  // namespace isthmus::app
