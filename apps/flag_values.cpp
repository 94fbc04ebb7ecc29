// SPDX-License-Identifier: MIT
// What stands behind a flag, read from its text.
#include "flag_values.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <thread>

#include "isthmus/core/error.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

// Each has its own evaluator, with buffers for activations.
constexpr std::size_t max_threads = 1024;

}  // namespace

std::vector<double> numbers_of(std::string_view option, std::string_view text) {
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view field = text.substr(begin, end - begin);
    double number = 0.0;
    if (!CLI::detail::lexical_cast(std::string(field), number)) {
      throw UsageError(fmt::format(
          "{}: expected numbers with commas between, got '{}' in '{}'", option, field, text));
    }
    numbers.push_back(number);
    begin = end + 1;
  }
  return numbers;
}

Refusal positive_seconds() {
  const auto refuse = [](const std::string& text) {
    double seconds = 0.0;
    return CLI::detail::lexical_cast(text, seconds) && seconds > 0.0 && std::isfinite(seconds)
               ? std::string()
               : fmt::format("expected a finite number > 0, got '{}'", text);
  };
  return refuse;
}

Refusal thread_count() {
  const auto refuse = [](const std::string& text) {
    std::size_t count = 0;
    return CLI::detail::lexical_cast(text, count) && count <= max_threads
               ? std::string()
               : fmt::format("expected 0 (all cores) to {}, got '{}'", max_threads, text);
  };
  return refuse;
}

std::size_t worker_count(std::size_t threads) {
  return threads > 0 ? threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace isthmus::app
