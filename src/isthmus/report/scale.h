// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace isthmus {

struct Range {
  double low = 0;
  double high = 0;
};

enum class ScaleKind { linear, log };

struct Tick {
  double value = 0;
  std::string label;
};

/// Maps values to places on the page, and chooses round values to mark.
class Scale {
 public:
  /// `range.low` is drawn at `first` and `range.high` at `last` (pixels, either may be the larger).
  /// Throws UsageError unless low < high, both finite, and 0 < low on a logarithmic scale.
  Scale(ScaleKind kind, Range range, double first, double last);

  /// The place of a value.
  double at(double value) const;

  /// Ascending round values within the range, at most `at_most` (2 or more). On a logarithmic scale
  /// 1, 2, 5 times powers of ten, powers alone where these are too many, and evenly stepped values
  /// where they are fewer than two.
  std::vector<Tick> ticks(std::size_t at_most) const;

 private:
  ScaleKind kind_;
  Range range_;
  double first_;
  double last_;
};

/// The smallest range with some air around all values that are not NaN (and, on a logarithmic
/// scale, positive); a range of its own around a single value, {0, 1} or {0.1, 1} for none.
Range range_of(ScaleKind kind, const std::vector<double>& values);

}  // namespace isthmus
