// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace isthmus {

/// The curves of figure 1 of Freeman & Bruna, "Topology and geometry of half-rectified network
/// optimization" (ICLR 2017, arXiv 1611.01540), read from its vector graphics. docs/published holds
/// the numbers and says how they were taken and what is doubtful about them.

/// One table of docs/published, as it stands there.
struct PublishedTable {
  std::string_view name;  ///< file name without ".csv", e.g. "cubic_length"
  std::string_view csv;   ///< columns threshold,value,err_low,err_high,half_width
};
const std::vector<PublishedTable>& published_tables();

struct PublishedPoint {
  double threshold = 0;       ///< in the metric's own unit (printed in percent for error rates)
  double value = 0;           ///< mean over the connected pairs; the others were dropped
  double half_width = 0;      ///< of the bar as printed
  double standard_error = 0;  ///< of the mean, see published_curve
};

struct PublishedCurve {
  std::vector<PublishedPoint> length;  ///< normalised length over the weights alone
  std::vector<PublishedPoint> beads;   ///< both end points counted
};

/// The published curve of a task ("quadratic", "cubic", "mnist", "cifar10", "ptb"), thresholds as
/// in the tables; nothing if none was published for it, or not for this metric and split (level
/// sets of the test metric alone were published). An empty metric or split means that it is not
/// known and is not compared.
///
/// standard_error is half_width for the image tasks, whose bars fit standard deviation / sqrt(n).
/// The polynomial tasks print the error of one job of ten pairs, averaged over about ten jobs, so
/// that theirs is half_width / sqrt(10).
std::optional<PublishedCurve> published_curve(std::string_view task,
                                              std::string_view metric,
                                              std::string_view split);

/// The point of a threshold, to a part in 10^9; nullptr if there is none.
const PublishedPoint* find_point(const std::vector<PublishedPoint>& points, double threshold);

}  // namespace isthmus
