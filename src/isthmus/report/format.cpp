// SPDX-License-Identifier: MIT
#include "isthmus/report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace isthmus {

std::string human_count(double count) {
  if (!std::isfinite(count)) {
    return "-";
  }
  constexpr std::array<std::string_view, 6> units{"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  // 999.5 would be shown as 1000 of its unit.
  while (std::abs(count) >= 999.5 && unit + 1 < units.size()) {
    count /= 1000;
    ++unit;
  }
  if (unit == 0) {
    return fmt::format("{:.0f}", count);
  }
  const int decimals = count < 9.995 ? 2 : count < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", count, decimals, units.at(unit));
}

std::string human_duration(double seconds) {
  if (!std::isfinite(seconds)) {
    return "-";
  }
  if (seconds < 9.995) {
    return fmt::format("{:.2f} s", seconds);
  }
  if (seconds < 59.95) {
    return fmt::format("{:.1f} s", seconds);
  }
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 3600) {
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  }
  const long long minutes = std::llround(seconds / 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string fixed(double value, int decimals) {
  if (std::isnan(value)) {
    return "-";
  }
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) {
    text.erase(0, 1);  // no "-0.00"
  }
  return text;
}

std::string short_number(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.3g}", value);
}

std::string percentage(std::size_t part, std::size_t whole) {
  if (whole == 0) {
    return "-";
  }
  auto percent = static_cast<long>(
      std::lround(100.0 * static_cast<double>(part) / static_cast<double>(whole)));
  if (part > 0 && part < whole) {
    percent = std::clamp(percent, 1L, 99L);
  }
  return fmt::format("{} %", percent);
}

MetricLabel metric_label(std::string_view metric) {
  if (metric == "error_rate") {
    return {"error rate", "%", 100};
  }
  std::string name(metric);
  std::replace(name.begin(), name.end(), '_', ' ');
  return {name.empty() ? "loss" : name, "", 1};
}

std::string with_unit(double value, const MetricLabel& label) {
  if (std::isnan(value)) {
    return "-";
  }
  // Twelve digits: 0.07 * 100 is 7, not 7.000000000000001.
  return fmt::format(
      "{:.12g}{}{}", value * label.factor, label.unit.empty() ? "" : " ", label.unit);
}

}  // namespace isthmus
