// SPDX-License-Identifier: MIT
#include "isthmus/report/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A JSON object, or null and an entry in `missing`.
Json read_object(RunRecord& record, std::string_view name) {
  const fs::path path = record.folder / name;
  if (!is_there(path)) {
    record.missing.emplace_back(name);
    return nullptr;
  }
  Json json = read_json(path);
  if (!json.is_object()) {
    throw DataError(fmt::format(
        "{}: expected a JSON object, found a JSON {}", path.string(), json.type_name()));
  }
  return json;
}

// A text setting of the configuration, or of its problem; empty if there is none.
std::string setting(const RunRecord& record, const Json& settings, std::string_view key) {
  const auto found = settings.find(key);
  if (found == settings.end() || found->is_null()) {
    return "";
  }
  if (!found->is_string()) {
    throw DataError(fmt::format("{}: expected a text as \"{}\", found {}",
                                (record.folder / run_files::config).string(),
                                key,
                                found->dump()));
  }
  return found->get<std::string>();
}

std::vector<double> planned_thresholds(const RunRecord& record) {
  const auto found = record.config.find("thresholds");
  if (found == record.config.end() || found->is_null()) {
    return {};
  }
  const bool numbers =
      found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& value) {
        return value.is_number();
      });
  if (!numbers) {
    throw DataError(fmt::format("{}: expected a list of numbers as \"thresholds\", found {}",
                                (record.folder / run_files::config).string(),
                                found->dump()));
  }
  auto thresholds = found->get<std::vector<double>>();
  std::sort(thresholds.begin(), thresholds.end(), std::greater<>());
  return thresholds;
}

std::optional<std::size_t> planned_pairs(const RunRecord& record) {
  const auto found = record.config.find("pairs");
  if (found == record.config.end() || found->is_null()) {
    return std::nullopt;
  }
  if (!found->is_number_unsigned()) {
    throw DataError(fmt::format("{}: expected a whole number as \"pairs\", found {}",
                                (record.folder / run_files::config).string(),
                                found->dump()));
  }
  return found->get<std::size_t>();
}

void read_config(RunRecord& record) {
  record.config = read_object(record, run_files::config);
  const std::string format = setting(record, record.config, "format");
  if (format.starts_with("isthmus-components")) {
    throw ConfigurationError(fmt::format(
        "{}: a run of `isthmus components` ({}), which has its tables in components.csv and "
        "graph.json",
        record.folder.string(),
        format));
  }
  if (format != run_format) {
    throw ConfigurationError(
        fmt::format("{}: expected the format {}, found {}: the run was made by another version. "
                    "Read it with that one.",
                    (record.folder / run_files::config).string(),
                    run_format,
                    format.empty() ? "none" : format));
  }
  record.task = setting(record, record.config, "task");
  record.metric = setting(record, record.config, "metric");
  record.split = setting(record, record.config, "split");
  record.protocol = setting(record, record.config, "protocol");
  record.align = setting(record, record.config, "align");
  const auto problem = record.config.find("problem");
  if (problem != record.config.end() && problem->is_object()) {
    record.risk = setting(record, *problem, "risk");
    record.penalty = setting(record, *problem, "penalty");
  }
  record.thresholds = planned_thresholds(record);
  record.pairs = planned_pairs(record);
}

void read_cells(RunRecord& record) {
  const fs::path path = record.folder / run_files::cells;
  if (!is_there(path)) {
    record.missing.emplace_back(run_files::cells);
    return;
  }
  record.cells = parse_cells(read_file(path), path.string());
  sort_cells(record.cells);
  for (const CellRow& cell : record.cells) {
    const bool planned =
        record.thresholds.empty() ||
        std::count(record.thresholds.begin(), record.thresholds.end(), cell.threshold) > 0;
    if (!planned || cell.pair >= record.pairs.value_or(cell.pair + 1)) {
      throw DataError(
          fmt::format("{}: expected thresholds and pairs of {}, found pair {} at "
                      "threshold {}: the two files are of different runs",
                      path.string(),
                      run_files::config,
                      cell.pair,
                      format_number(cell.threshold)));
    }
  }
}

// Equal to rounding, so that a curve made by other means than ours passes.
bool agree(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-9 * (std::abs(a) + std::abs(b));
}

bool agree(const CurveRow& a, const CurveRow& b) {
  return agree(a.threshold, b.threshold) && a.pairs == b.pairs && a.connected == b.connected &&
         agree(a.length_mean, b.length_mean) && agree(a.length_sem, b.length_sem) &&
         agree(a.length_weights_mean, b.length_weights_mean) &&
         agree(a.length_weights_sem, b.length_weights_sem) && agree(a.beads_mean, b.beads_mean) &&
         agree(a.beads_sem, b.beads_sem);
}

void read_curve(RunRecord& record) {
  record.curve = curve_of(record.cells);
  const fs::path path = record.folder / run_files::curve;
  if (!is_there(path)) {
    record.missing.emplace_back(run_files::curve);
    return;
  }
  std::vector<CurveRow> written = parse_curve(read_file(path), path.string());
  std::sort(written.begin(), written.end(), [](const CurveRow& a, const CurveRow& b) {
    return a.threshold > b.threshold;
  });
  if (!is_there(record.folder / run_files::cells)) {
    record.curve = std::move(written);  // all that was kept of a finished run
    return;
  }
  const bool same = std::equal(written.begin(),
                               written.end(),
                               record.curve.begin(),
                               record.curve.end(),
                               [](const CurveRow& a, const CurveRow& b) { return agree(a, b); });
  if (!same) {
    record.notes.push_back(
        fmt::format("{} is not the curve of {}; what is shown is computed from "
                    "the cells. --resume writes both anew.",
                    run_files::curve,
                    run_files::cells));
  }
}

// Cells finished since the tables were last written.
std::size_t untabled_cells(const RunRecord& record) {
  std::error_code error;
  const fs::directory_iterator files(record.folder / run_files::cell_details, error);
  const auto finished = static_cast<std::size_t>(
      std::count_if(fs::begin(files), fs::end(files), [](const fs::directory_entry& entry) {
        return entry.path().extension() == ".json";
      }));
  return finished > record.cells.size() ? finished - record.cells.size() : 0;
}

void note_progress(RunRecord& record) {
  if (!record.complete()) {
    const std::optional<std::size_t> planned = record.planned_cells();
    record.notes.push_back(
        fmt::format("Unfinished: {}{} pairs and thresholds are done; --resume "
                    "goes on.",
                    record.cells.size(),
                    planned ? fmt::format(" of {}", *planned) : ""));
  }
  if (const std::size_t more = untabled_cells(record); more > 0) {
    record.notes.push_back(fmt::format(
        "{} more finished since {} was last written; --resume adds them.", more, run_files::cells));
  }
  // What is kept of a finished run (scripts/keep-result) may lack its times and its pairs.
  std::vector<std::string> missed = record.missing;
  if (record.complete()) {
    std::erase(missed, run_files::timing);
    std::erase(missed, run_files::cells);
  }
  if (!missed.empty()) {
    record.notes.push_back(fmt::format("Not there: {}.", fmt::join(missed, ", ")));
  }
}

}  // namespace

std::optional<std::size_t> RunRecord::planned_cells() const {
  if (thresholds.empty() || !pairs) {
    return std::nullopt;
  }
  return thresholds.size() * *pairs;
}

bool RunRecord::complete() const {
  if (cells.empty() && !curve.empty() && summary.is_object()) {
    return true;
  }
  const std::optional<std::size_t> planned = planned_cells();
  return planned ? cells.size() >= *planned : summary.is_object();
}

RunRecord read_run(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    throw MissingInput(fmt::format("{}: no such folder. Name a run directory, as --out made it.",
                                   folder.string()));
  }
  if (!fs::is_directory(folder, error)) {
    throw DataError(fmt::format("{}: expected a run directory, found a file", folder.string()));
  }
  if (!is_there(folder / run_files::config)) {
    throw MissingInput(
        fmt::format("{}: not a run directory: expected {} in it. Name the folder that --out made.",
                    folder.string(),
                    run_files::config));
  }
  RunRecord record;
  record.folder = folder;
  read_config(record);
  record.manifest = read_object(record, run_files::manifest);
  read_cells(record);
  read_curve(record);
  record.summary = read_object(record, run_files::summary);
  record.timing = read_object(record, run_files::timing);
  note_progress(record);
  return record;
}

}  // namespace isthmus
