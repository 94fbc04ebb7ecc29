// SPDX-License-Identifier: MIT
#include "parser.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace isthmus::app {

Flag Flag::capture_default_str() {
  return Flag(option_->capture_default_str());
}

Flag Flag::group(const std::string& name) {
  return Flag(option_->group(name));
}

Flag Flag::type_name(const std::string& name) {
  return Flag(option_->type_name(name));
}

Flag Flag::delimiter(char between) {
  return Flag(option_->delimiter(between));
}

Flag Flag::required() {
  return Flag(option_->required());
}

Flag Flag::check(const Refusal& refusal) {
  return Flag(option_->check(CLI::Validator(refusal, "")));
}

template <class T>
Flag Parser::add_option(const std::string& name, T& value, const std::string& help) {
  return Flag(app_.add_option(name, value, help));
}

Flag Parser::add_option_function(const std::string& name,
                                 const std::function<void(const std::string&)>& use,
                                 const std::string& help) {
  return Flag(app_.add_option_function<std::string>(name, use, help));
}

Flag Parser::add_flag(const std::string& name, bool& value, const std::string& help) {
  return Flag(app_.add_flag(name, value, help));
}

Flag Parser::add_flag_callback(const std::string& name,
                               const std::function<void()>& use,
                               const std::string& help) {
  return Flag(app_.add_flag_callback(name, use, help));
}

Parser* Parser::add_subcommand(const std::string& name, const std::string& help) {
  commands_.push_back(std::make_unique<Parser>(*app_.add_subcommand(name, help)));
  return commands_.back().get();
}

void Parser::require_subcommand(int count) {
  app_.require_subcommand(count);
}

void Parser::footer(const std::string& text) {
  app_.footer(text);
}

void Parser::callback(const std::function<void()>& use) {
  app_.callback(use);
}

std::size_t Parser::count(const std::string& name) const {
  return app_.count(name);
}

#define ISTHMUS_OPTION_OF(...)                   \
  template Flag Parser::add_option<__VA_ARGS__>( \
      const std::string&, __VA_ARGS__&, const std::string&)
ISTHMUS_OPTION_OF(std::string);
ISTHMUS_OPTION_OF(double);
ISTHMUS_OPTION_OF(std::size_t);
ISTHMUS_OPTION_OF(std::optional<std::string>);
ISTHMUS_OPTION_OF(std::optional<double>);
ISTHMUS_OPTION_OF(std::optional<std::size_t>);
ISTHMUS_OPTION_OF(std::optional<std::filesystem::path>);
ISTHMUS_OPTION_OF(std::vector<std::string>);
ISTHMUS_OPTION_OF(std::vector<double>);
ISTHMUS_OPTION_OF(std::vector<std::size_t>);
#undef ISTHMUS_OPTION_OF

}  // namespace isthmus::app
