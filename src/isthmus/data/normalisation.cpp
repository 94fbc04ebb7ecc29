// SPDX-License-Identifier: MIT
#include "isthmus/data/normalisation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t bytes = 256;

[[noreturn]] void refuse(std::string_view text) {
  throw UsageError(fmt::format(
      "normalise: expected MEAN:DEVIATION, each a number, or one for every channel with commas "
      "between (0.1307:0.3081), got '{}'",
      text));
}

std::vector<double> numbers_of(std::string_view list, std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view part = list.substr(0, comma);
    double number = 0.0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) {
      refuse(text);
    }
    numbers.push_back(number);
    if (comma == list.size()) {
      return numbers;
    }
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

Normalisation normalisation_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    refuse(text);
  }
  Normalisation normalisation{.mean = numbers_of(text.substr(0, colon), text),
                              .deviation = numbers_of(text.substr(colon + 1), text)};
  validate(normalisation);
  return normalisation;
}

void validate(const Normalisation& normalisation) {
  const auto& [mean, deviation] = normalisation;
  const auto is_finite = [](double number) { return std::isfinite(number); };
  const auto is_positive = [](double number) { return std::isfinite(number) && number > 0.0; };
  if (mean.empty() || mean.size() != deviation.size() || !std::ranges::all_of(mean, is_finite) ||
      !std::ranges::all_of(deviation, is_positive)) {
    throw UsageError(fmt::format(
        "normalise: expected as many finite means as deviations > 0, got means {} and deviations "
        "{}",
        fmt::join(mean, ", "),
        fmt::join(deviation, ", ")));
  }
}

std::vector<float> byte_values(const Normalisation& normalisation, std::size_t channels) {
  const auto& [mean, deviation] = normalisation;
  if (mean.size() != 1 && mean.size() != channels) {
    throw UsageError(fmt::format(
        "normalise: expected 1 mean and deviation, or one for each of {} channels, got {}",
        channels,
        mean.size()));
  }
  std::vector<float> values(channels * bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = mean.size() == 1 ? 0 : i / bytes;
    const double value = static_cast<double>(i % bytes) / 255.0;
    values[i] = static_cast<float>((value - mean[channel]) / deviation[channel]);
  }
  return values;
}

}  // namespace isthmus
