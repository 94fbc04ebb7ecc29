// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"
#include "parser.h"

namespace isthmus::app {

/// Rows of numbers that take long together and do not depend on each other.
struct Series {
  std::string what;                       ///< as progress calls it
  std::size_t count = 0;                  ///< of rows
  std::vector<std::string_view> columns;  ///< headings of the numbers
  /// Everything that decides row i, as text without commas: equal names, equal numbers.
  std::function<std::string(std::size_t i)> name;
  std::function<std::vector<double>(std::size_t i, std::size_t worker)> row;
};

/// The rows of a series, in order, computed in parallel and told on standard error. Numbers that
/// are not finite are NaN. With `file`, a CSV of a name and numbers a line, rows that it has are
/// taken from there; it is written every few seconds, at the end, and when `stop` is raised, and
/// keeps what else it had behind the rows of this series. Whether rows came from it, and on how
/// many threads, changes no bit. Throws Interrupted; DataError for a file of something else.
std::vector<std::vector<double>> rows_of(const Series& series,
                                         const std::optional<std::string>& file,
                                         Workers& workers,
                                         const Stop& stop);

/// --rows FILE.
void add_rows_option(Parser& parser, std::optional<std::string>& file);

/// The options that end every subcommand of `isthmus theory`: random instances in series.
struct SeriesFlags {
  std::size_t instances = 1;
  std::uint64_t seed = 1;
  std::size_t threads = 1;
  std::optional<std::string> rows;
  bool json = false;

  /// --instances, --seed, --threads, --rows and --json; `what` is a random one of.
  void add(Parser& parser, const char* what);
  /// Throws UsageError that names the option.
  void check() const;
  /// rows_of() on the workers asked for.
  std::vector<std::vector<double>> rows_of(const Series& series, const Stop& stop) const;
};

}  // namespace isthmus::app
