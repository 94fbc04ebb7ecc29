// SPDX-License-Identifier: MIT
#include "isthmus/report/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

double power_of_ten(int exponent) {
  return std::pow(10.0, exponent);
}

// mantissa * 10^exponent, by one correctly rounded operation on exact numbers, so that 3 * 0.1 is
// the number 0.3.
double decimal(double mantissa, int exponent) {
  return exponent < 0 ? mantissa / power_of_ten(-exponent) : mantissa * power_of_ten(exponent);
}

// The multiples of one step (1, 2 or 5 times a power of ten) within the range, as few as asked.
std::vector<Tick> even_ticks(Range range, std::size_t at_most) {
  const double raw = (range.high - range.low) / static_cast<double>(at_most);
  for (int exponent = static_cast<int>(std::floor(std::log10(raw)));; ++exponent) {
    for (const double mantissa : {1.0, 2.0, 5.0}) {
      const double step = decimal(mantissa, exponent);
      const double slack = 1e-9 * step;
      const double first = std::ceil((range.low - slack) / step);
      const double last = std::floor((range.high + slack) / step);
      if (last - first + 1 > static_cast<double>(at_most)) {
        continue;
      }
      std::vector<Tick> ticks;
      for (int i = 0; first + i <= last; ++i) {
        const double value = decimal((first + i) * mantissa, exponent) + 0.0;  // no -0
        ticks.push_back({value, fmt::format("{:.{}f}", value, std::max(0, -exponent))});
      }
      return ticks;
    }
  }
}

std::vector<Tick> decimal_ticks(Range range, const std::vector<double>& mantissas) {
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::ceil(std::log10(range.high)));
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const double mantissa : mantissas) {
      const double value = decimal(mantissa, exponent);
      if (value >= range.low * (1 - 1e-9) && value <= range.high * (1 + 1e-9)) {
        ticks.push_back({value, fmt::format("{:.12g}", value)});
      }
    }
  }
  return ticks;
}

std::vector<Tick> log_ticks(Range range, std::size_t at_most) {
  std::vector<Tick> ticks = decimal_ticks(range, {1, 2, 5});
  if (ticks.size() < 2) {
    return even_ticks(range, at_most);
  }
  if (ticks.size() > at_most) {
    ticks = decimal_ticks(range, {1});
  }
  const std::size_t stride = (ticks.size() + at_most - 1) / at_most;
  std::vector<Tick> kept;
  for (std::size_t i = 0; i < ticks.size(); i += stride) {
    kept.push_back(ticks[i]);
  }
  return kept;
}

}  // namespace

Scale::Scale(ScaleKind kind, Range range, double first, double last)
    : kind_(kind), range_(range), first_(first), last_(last) {
  const bool ordered = std::isfinite(range.low) && std::isfinite(range.high) &&
                       range.low < range.high && (kind == ScaleKind::linear || range.low > 0);
  if (!ordered) {
    throw UsageError(fmt::format("scale: expected a finite range low < high{}, got {} to {}",
                                 kind == ScaleKind::log ? " above 0" : "",
                                 range.low,
                                 range.high));
  }
}

double Scale::at(double value) const {
  const double part = kind_ == ScaleKind::linear
                          ? (value - range_.low) / (range_.high - range_.low)
                          : std::log(value / range_.low) / std::log(range_.high / range_.low);
  return first_ + part * (last_ - first_);
}

std::vector<Tick> Scale::ticks(std::size_t at_most) const {
  at_most = std::max<std::size_t>(at_most, 2);
  return kind_ == ScaleKind::linear ? even_ticks(range_, at_most) : log_ticks(range_, at_most);
}

Range range_of(ScaleKind kind, const std::vector<double>& values) {
  const bool logarithmic = kind == ScaleKind::log;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Range range{infinity, -infinity};
  for (const double value : values) {
    if (std::isfinite(value) && (!logarithmic || value > 0)) {
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
  }
  if (range.low > range.high) {
    return logarithmic ? Range{0.1, 1} : Range{0, 1};
  }
  if (logarithmic) {
    const double air = range.high > range.low ? std::pow(range.high / range.low, 0.06) : 1.5;
    return {range.low / air, range.high * air};
  }
  const double span = range.high - range.low;
  // Values that agree to rounding are one value.
  const double air =
      span > 1e-9 * std::abs(range.high) ? 0.06 * span : std::max(0.1 * std::abs(range.high), 1e-3);
  return {range.low - air, range.high + air};
}

}  // namespace isthmus
