// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace isthmus {

/// Numbers and names for people. All give the same text for the same value, in any locale.

/// With three digits and a unit: "0", "640", "1.20 k", "31.4 M", "2.05 G", "1.00 T".
std::string human_count(double count);

/// "0.42 s", "12.3 s", "4 min 05 s", "2 h 03 min".
std::string human_duration(double seconds);

/// With so many decimals; "-" if there is no value (NaN).
std::string fixed(double value, int decimals);

/// With three significant digits, as short as that allows: "0.0249", "1.5"; "-" for NaN.
std::string short_number(double value);

/// "64 %"; rounded so that only 0 of n is 0 % and only n of n is 100 %.
std::string percentage(std::size_t part, std::size_t whole);

/// How a metric is shown: a value times `factor` is in `unit`.
struct MetricLabel {
  std::string name;  ///< "mean absolute error"
  std::string unit;  ///< "%" or empty
  double factor = 1;
};
/// For the metric's name in the files ("mean_absolute_error"); an unknown one keeps its name.
MetricLabel metric_label(std::string_view metric);

/// A threshold or value of that metric, shortest form with its unit: "0.01", "1.5 %".
std::string with_unit(double value, const MetricLabel& label);

}  // namespace isthmus
