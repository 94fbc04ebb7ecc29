// SPDX-License-Identifier: MIT
#include "isthmus/report/published.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "isthmus/core/csv.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// How the tables of one task are to be read.
struct Reading {
  std::string_view task;
  std::string_view prefix;  ///< of the tables' names
  std::string_view metric;
  double divisor;        ///< printed threshold / divisor is the metric's own unit
  double jobs_averaged;  ///< by how many independent parts of the printed bar's size
};

constexpr std::array readings{Reading{"quadratic", "quadratic", "mean_absolute_error", 1, 10},
                              Reading{"cubic", "cubic", "mean_absolute_error", 1, 10},
                              Reading{"mnist", "mnist", "error_rate", 100, 1},
                              Reading{"cifar10", "cifar", "error_rate", 100, 1},
                              Reading{"ptb", "ptb", "perplexity", 1, 1}};

constexpr std::array<std::string_view, 5> table_columns{
    "threshold", "value", "err_low", "err_high", "half_width"};

std::vector<PublishedPoint> read_table(const Reading& reading, std::string_view quantity) {
  const std::string name = std::string(reading.prefix) + "_" + std::string(quantity);
  const auto& tables = published_tables();
  const auto table = std::find_if(
      tables.begin(), tables.end(), [&](const PublishedTable& t) { return t.name == name; });
  ISTHMUS_ASSERT(table != tables.end(), "a published table is missing from the build");
  const CsvTable csv = CsvTable::parse(table->csv, name + ".csv", table_columns);
  std::vector<PublishedPoint> points;
  for (std::size_t i = 0; i < csv.rows(); ++i) {
    const double half_width = csv.number(i, 4);
    points.push_back({.threshold = csv.number(i, 0) / reading.divisor,
                      .value = csv.number(i, 1),
                      .half_width = half_width,
                      .standard_error = half_width / std::sqrt(reading.jobs_averaged)});
  }
  return points;
}

}  // namespace

std::optional<PublishedCurve> published_curve(std::string_view task,
                                              std::string_view metric,
                                              std::string_view split) {
  const auto reading = std::find_if(
      readings.begin(), readings.end(), [&](const Reading& r) { return r.task == task; });
  if (reading == readings.end() || (!metric.empty() && metric != reading->metric) ||
      (!split.empty() && split != "test")) {
    return std::nullopt;
  }
  return PublishedCurve{.length = read_table(*reading, "length"),
                        .beads = read_table(*reading, "beads")};
}

const PublishedPoint* find_point(const std::vector<PublishedPoint>& points, double threshold) {
  for (const PublishedPoint& point : points) {
    if (std::abs(point.threshold - threshold) <= 1e-9 * std::abs(threshold)) {
      return &point;
    }
  }
  return nullptr;
}

}  // namespace isthmus
