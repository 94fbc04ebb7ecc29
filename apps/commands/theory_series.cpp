// SPDX-License-Identifier: MIT
#include "theory_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>

#include "isthmus/core/csv.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "pictures.h"
#include "study_flags.h"
#include "theory.h"

namespace isthmus::app {
namespace {

using Clock = std::chrono::steady_clock;

// What is known of a series, and where it is kept.
class SeriesRows {
 public:
  SeriesRows(const Series& series, const std::optional<std::string>& file)
      : series_(series), file_(file), progress_(point_progress(series.what, "rows")) {
    for (std::size_t i = 0; i < series.count; ++i) {
      names_.push_back(series.name(i));
    }
    rows_.resize(series.count);
    if (file_ && std::filesystem::exists(*file_)) {
      take_up();
    }
    progress_(done_, series.count);
  }

  bool known(std::size_t i) const { return !rows_[i].empty(); }

  void keep(std::size_t i, std::vector<double> row) {
    for (double& value : row) {
      value = std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
    }
    const std::lock_guard lock(mutex_);
    rows_[i] = std::move(row);
    progress_(++done_, series_.count);
    if (Clock::now() - last_ > std::chrono::seconds(5)) {
      write();
    }
  }

  void write() {
    if (!file_) {
      return;
    }
    std::vector<std::string_view> headings{"of"};
    headings.insert(headings.end(), series_.columns.begin(), series_.columns.end());
    std::string text = csv_line(headings);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (known(i)) {
        text += line_of(names_[i], rows_[i]);
      }
    }
    for (const auto& [name, row] : others_) {
      text += line_of(name, row);
    }
    write_file(*file_, text);
    last_ = Clock::now();
  }

  std::vector<std::vector<double>> take() { return std::move(rows_); }

 private:
  static std::string line_of(const std::string& name, const std::vector<double>& row) {
    std::string line = name;
    for (const double value : row) {
      line += ',' + csv_number(value);
    }
    return line + '\n';
  }

  void take_up() {
    std::vector<std::string_view> headings{"of"};
    headings.insert(headings.end(), series_.columns.begin(), series_.columns.end());
    const CsvTable table = CsvTable::parse(read_file(*file_), *file_, headings);
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      places.emplace(names_[i], i);
    }
    for (std::size_t i = 0; i < table.rows(); ++i) {
      std::vector<double> row;
      for (std::size_t k = 0; k < series_.columns.size(); ++k) {
        row.push_back(table.number(i, k + 1));
      }
      const auto place = places.find(table.text(i, 0));
      if (place == places.end()) {
        others_.emplace_back(table.text(i, 0), std::move(row));
      } else {
        rows_[place->second] = std::move(row);
      }
    }
    done_ = static_cast<std::size_t>(
        std::ranges::count_if(rows_, [](const auto& row) { return !row.empty(); }));
  }

  const Series& series_;
  const std::optional<std::string>& file_;
  std::function<void(std::size_t, std::size_t)> progress_;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> rows_;  // empty: not there yet
  std::vector<std::pair<std::string, std::vector<double>>> others_;
  std::size_t done_ = 0;
  std::mutex mutex_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace

std::vector<std::vector<double>> rows_of(const Series& series,
                                         const std::optional<std::string>& file,
                                         Workers& workers,
                                         const Stop& stop) {
  SeriesRows rows(series, file);
  try {
    workers.for_each(series.count, [&](std::size_t i, std::size_t worker) {
      if (rows.known(i)) {
        return;
      }
      if (stop.requested()) {
        throw Interrupted(file
                              ? "stopped on request: repeat the command to go on"
                              : "stopped on request (with --rows FILE the command goes on where it "
                                "was stopped)");
      }
      rows.keep(i, series.row(i, worker));
    });
  } catch (const Interrupted&) {
    rows.write();
    throw;
  }
  rows.write();
  return rows.take();
}

void add_rows_option(Parser& parser, std::optional<std::string>& file) {
  parser
      .add_option("--rows",
                  file,
                  "Keep the rows of the series in this CSV file, and take from it those it has: "
                  "an interrupted series goes on")
      ->type_name("FILE");
}

void SeriesFlags::add(Parser& parser, const char* what) {
  parser.add_option("--instances", instances, what)->capture_default_str();
  parser.add_option("--seed", seed, "Of what is random")->capture_default_str();
  parser.add_option("--threads", threads, "For series; 0: all cores")
      ->check(thread_count())
      ->capture_default_str();
  add_rows_option(parser, rows);
  parser.add_flag("--json", json, "Print JSON");
}

void SeriesFlags::check() const {
  check_count("--instances", instances, 1, most_instances);
}

std::vector<std::vector<double>> SeriesFlags::rows_of(const Series& series,
                                                      const Stop& stop) const {
  Workers workers(worker_count(threads));
  return app::rows_of(series, rows, workers, stop);
}

}  // namespace isthmus::app
