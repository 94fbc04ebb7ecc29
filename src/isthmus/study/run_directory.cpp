// SPDX-License-Identifier: MIT
#include "isthmus/study/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/reason.h"
#include "isthmus/data/safetensors.h"
#include "isthmus/study/run_configuration.h"

namespace isthmus {
namespace {

Json to_json(const CellRow& row) {
  return {{"threshold", row.threshold},
          {"pair", row.pair},
          {"seed", row.seed},
          {"verdict", name_of(row.verdict)},
          {"max_metric", number_or_null(row.max_metric)},
          {"max_t", number_or_null(row.max_t)},
          {"normalized_length", number_or_null(row.normalized_length)},
          {"normalized_length_weights", number_or_null(row.normalized_length_weights)},
          {"beads", row.beads},
          {"beads_inserted", row.beads_inserted},
          {"rounds", row.rounds},
          {"gradient_samples_endpoints", row.gradient_samples_endpoints},
          {"gradient_samples_beads", row.gradient_samples_beads},
          {"forward_samples_checks", row.forward_samples_checks},
          {"max_metric_train", number_or_null(row.max_metric_train)},
          {"proof", row.proof},
          {"bound", number_or_null(row.bound)},
          {"check_evaluations", row.check_evaluations},
          {"joined", row.joined},
          {"tries", row.tries},
          {"aligned", row.aligned}};
}

CellRow row_from_json(const Json& json) {
  CellRow row;
  row.threshold = json.at("threshold").get<double>();
  row.pair = json.at("pair").get<std::size_t>();
  row.seed = json.at("seed").get<std::uint64_t>();
  const auto verdict = find_named<Verdict>(json.at("verdict").get<std::string>());
  if (!verdict) {
    throw DataError("unknown verdict " + json.at("verdict").dump());
  }
  row.verdict = *verdict;
  row.max_metric = number_or_nan(json.at("max_metric"));
  row.max_t = number_or_nan(json.at("max_t"));
  row.normalized_length = number_or_nan(json.at("normalized_length"));
  row.normalized_length_weights = number_or_nan(json.at("normalized_length_weights"));
  row.beads = json.at("beads").get<std::uint64_t>();
  row.beads_inserted = json.at("beads_inserted").get<std::uint64_t>();
  row.rounds = json.at("rounds").get<std::uint64_t>();
  row.gradient_samples_endpoints = json.at("gradient_samples_endpoints").get<std::uint64_t>();
  row.gradient_samples_beads = json.at("gradient_samples_beads").get<std::uint64_t>();
  row.forward_samples_checks = json.at("forward_samples_checks").get<std::uint64_t>();
  row.max_metric_train = number_or_nan(json.at("max_metric_train"));
  row.proof = json.at("proof").get<std::string>();
  row.bound = number_or_nan(json.at("bound"));
  row.check_evaluations = json.at("check_evaluations").get<double>();
  row.joined = json.at("joined").get<std::string>();
  row.tries = json.at("tries").get<std::uint64_t>();
  row.aligned = json.at("aligned").get<std::string>();
  return row;
}

Json to_json(const TrainSummary& summary) {
  return {{"termination", name_of(summary.termination)},
          {"first_metric", number_or_null(summary.first_metric)},
          {"last_metric", number_or_null(summary.last_metric)},
          {"best_metric", number_or_null(summary.best_metric)},
          {"steps", summary.steps},
          {"gradient_samples", summary.gradient_samples},
          {"forward_samples", summary.forward_samples},
          {"denied", summary.denied}};
}

TrainSummary train_summary_from_json(const Json& json) {
  TrainSummary summary;
  summary.termination = named<Termination>(json.at("termination").get<std::string>());
  summary.first_metric = number_or_nan(json.at("first_metric"));
  summary.last_metric = number_or_nan(json.at("last_metric"));
  summary.best_metric = number_or_nan(json.at("best_metric"));
  summary.steps = json.at("steps").get<std::size_t>();
  summary.gradient_samples = json.at("gradient_samples").get<std::uint64_t>();
  summary.forward_samples = json.at("forward_samples").get<std::uint64_t>();
  summary.denied = json.value("denied", std::uint64_t{0});
  return summary;
}

Json to_json(const SegmentCheck& check) {
  Json values = Json::array();
  for (const double value : check.values) {
    values.push_back(number_or_null(value));
  }
  Json json{{"passed", check.passed},
            {"worst_value", number_or_null(check.worst_value)},
            {"worst_t", check.worst_t},
            {"samples", check.samples},
            {"bound", number_or_null(check.bound)},
            {"values", std::move(values)}};
  if (check.undecided) {
    json["undecided"] = true;
  }
  if (check.error > 0.0) {
    json["error"] = check.error;
  }
  return json;
}

SegmentCheck check_from_json(const Json& json) {
  SegmentCheck check;
  check.passed = json.at("passed").get<bool>();
  check.worst_value = number_or_nan(json.at("worst_value"));
  check.worst_t = json.at("worst_t").get<double>();
  check.samples = json.at("samples").get<std::uint64_t>();
  check.bound = number_or_nan(json.at("bound"));
  check.undecided = json.value("undecided", false);
  check.error = json.value("error", 0.0);
  for (const Json& value : json.at("values")) {
    check.values.push_back(number_or_nan(value));
  }
  return check;
}

// Reads a piece of a run; what is wrong with it is told with its file.
template <class Read>
auto read_piece(const std::filesystem::path& file, const Read& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw DataError(fmt::format(
        "{}: damaged ({}). Delete this file to compute it again, then repeat the command "
        "with --resume.",
        file.string(),
        error.what()));
  } catch (const Error& error) {
    throw DataError(fmt::format(
        "{}: damaged ({}). Delete this file to compute it again, then repeat the command "
        "with --resume.",
        file.string(),
        reason_of(error, file.string())));
  }
}

// A parameter vector with a record of its training.
void write_theta(const std::filesystem::path& file,
                 std::span<const float> theta,
                 const TrainSummary& summary,
                 double target) {
  const NamedTensor tensor{.name = "theta", .shape = {theta.size()}, .pieces = {theta}};
  Json record = to_json(summary);
  record["target"] = target;
  write_safetensors(file, {&tensor, 1}, {{"record", record.dump()}});
}

std::optional<Snapshot> read_theta(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    return std::nullopt;
  }
  return read_piece(file, [&] {
    const SafetensorsFile tensors(file);
    const auto record = tensors.metadata().find("record");
    if (record == tensors.metadata().end()) {
      throw DataError("it has no record");
    }
    const Json json = Json::parse(record->second);
    return std::optional<Snapshot>(Snapshot{.target = json.at("target").get<double>(),
                                            .theta = tensors.read("theta"),
                                            .summary = train_summary_from_json(json)});
  });
}

class DiskJournal final : public StringJournal {
 public:
  DiskJournal(std::filesystem::path folder, double checkpoint_seconds)
      : folder_(std::move(folder)), checkpoint_seconds_(checkpoint_seconds) {
    make_folder(folder_);
  }

  std::optional<BeadRecord> find_bead(std::size_t bead) override {
    std::optional<Snapshot> snapshot = read_theta(bead_file(bead));
    if (!snapshot) {
      return std::nullopt;
    }
    return BeadRecord{.theta = std::move(snapshot->theta), .summary = snapshot->summary};
  }

  void keep_bead(std::size_t bead, const BeadRecord& record) override {
    write_theta(bead_file(bead), record.theta, record.summary, 0.0);
  }

  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override {
    const std::filesystem::path file = check_file(left, right);
    if (!std::filesystem::exists(file)) {
      return std::nullopt;
    }
    return read_piece(
        file, [&] { return std::optional<SegmentCheck>(check_from_json(read_json(file))); });
  }

  std::optional<TrainCheckpoint> checkpoint(std::size_t bead) override {
    return TrainCheckpoint{.file = folder_ / fmt::format("bead_{}.state", bead),
                           .seconds = checkpoint_seconds_};
  }

  std::unique_ptr<StringJournal> part(std::string_view name) override {
    return std::make_unique<DiskJournal>(folder_ / name, checkpoint_seconds_);
  }

  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override {
    write_json(check_file(left, right), to_json(check));
  }

 private:
  std::filesystem::path bead_file(std::size_t bead) const {
    return folder_ / fmt::format("bead_{}.safetensors", bead);
  }
  std::filesystem::path check_file(std::size_t left, std::size_t right) const {
    return folder_ / fmt::format("check_{}_{}.json", left, right);
  }

  std::filesystem::path folder_;
  double checkpoint_seconds_;
};

// The stem of a cell's files.
std::string cell_name(double threshold, std::size_t pair) {
  return std::filesystem::path(path_file_name(threshold, pair)).stem().string();
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path folder, const Json& config, bool resume)
    : folder_(std::move(folder)) {
  const std::filesystem::path config_file = folder_ / run_files::config;
  std::error_code error;
  const bool exists = std::filesystem::exists(config_file, error);
  if (error && error != std::errc::not_a_directory) {
    throw WriteError(fmt::format("{}: cannot be made ({})", folder_.string(), error.message()));
  }
  if (exists && !resume) {
    throw UsageError(
        fmt::format("{}: a run is there already. Give --resume to go on with it, or another --out.",
                    folder_.string()));
  }
  if (!exists && std::filesystem::is_directory(folder_) && !std::filesystem::is_empty(folder_) &&
      !(std::filesystem::exists(folder_ / ".lock"))) {
    throw UsageError(
        fmt::format("{}: expected a new or empty folder, or a run to resume; it has other files. "
                    "Give another --out.",
                    folder_.string()));
  }
  make_folder(folder_);
  take_lock();
  if (exists) {
    compare_configuration(config);
  } else {
    write_json(config_file, config);
  }
  forget_partial_files();
}

// What a process that was killed was writing at that moment.
void RunDirectory::forget_partial_files() const {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (entry.path().extension() == ".partial") {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

void RunDirectory::obey(const Stop* stop) const {
  if (stop && stop->requested()) {
    throw Interrupted(
        fmt::format("interrupted: finished work is kept in {}; repeat the command with --resume "
                    "to go on",
                    folder_.string()));
  }
}

void RunDirectory::take_lock() {
  const std::filesystem::path file = folder_ / ".lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) {
    throw WriteError(
        fmt::format("{}: cannot be written ({})", file.string(), std::strerror(errno)));
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    lock_ = -1;
    throw UsageError(
        fmt::format("{}: another process works on this run; wait for it, or give "
                    "another --out",
                    folder_.string()));
  }
}

void RunDirectory::compare_configuration(const Json& config) const {
  const std::filesystem::path file = folder_ / run_files::config;
  const Json there = read_json(file);
  const std::string format =
      there.is_object() ? there.value("format", std::string("none")) : std::string("none");
  if (const auto expected = config.at("format").get<std::string>(); format != expected) {
    throw ConfigurationError(
        fmt::format("{}: expected format {}, found {}: the run was made by another command or "
                    "another version. Give another --out.",
                    file.string(),
                    expected,
                    format));
  }
  const std::vector<std::string> differences = differences_of(config, widened(there, config));
  if (!differences.empty()) {
    throw ConfigurationError(
        fmt::format("{}: the run there has another configuration: {}. Repeat the command with the "
                    "options of that run (it may have more pairs, more thresholds and larger "
                    "budgets), or give another --out.",
                    folder_.string(),
                    fmt::join(differences, "; ")));
  }
  if (budgets_grow(there, config)) {
    forget_cells_at_a_budget();
  }
  if (steps_grow(there, config)) {
    forget_journals();
  }
  if (there != config) {
    write_json(file, config);
  }
}

// They are computed again, as the larger budgets have them.
void RunDirectory::forget_cells_at_a_budget() const {
  const std::filesystem::path cells = folder_ / run_files::cell_details;
  if (!std::filesystem::is_directory(cells)) {
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(cells)) {
    if (entry.path().extension() == ".json" &&
        read_piece(entry.path(), [&] { return met_a_budget(read_json(entry.path())); })) {
      std::filesystem::remove(entry.path());
    }
  }
}

// Of cells under way: they have beads whose steps were over, and states of others whose next look
// was to be at the end of their steps. End points, which are files beside them, stay.
void RunDirectory::forget_journals() const {
  if (!std::filesystem::is_directory(checkpoint())) {
    return;
  }
  std::vector<std::filesystem::path> journals;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint())) {
    if (entry.is_directory()) {
      journals.push_back(entry.path());
    }
  }
  std::ranges::for_each(journals, [](const auto& path) { std::filesystem::remove_all(path); });
}

std::filesystem::path RunDirectory::cell_file(double threshold, std::size_t pair) const {
  return folder_ / "cells" / (cell_name(threshold, pair) + ".json");
}

std::optional<CellRecord> RunDirectory::find_cell(double threshold, std::size_t pair) const {
  const std::filesystem::path file = cell_file(threshold, pair);
  const std::filesystem::path path = folder_ / run_files::paths / path_file_name(threshold, pair);
  if (!std::filesystem::exists(file) || !is_path_file(path)) {
    return std::nullopt;
  }
  return read_piece(file, [&] {
    const Json json = read_json(file);
    CellRecord record{.row = row_from_json(json.at("row")), .details = json.at("details")};
    if (record.row.threshold != threshold || record.row.pair != pair) {
      throw DataError(fmt::format("expected pair {} at {}, found pair {} at {}",
                                  pair,
                                  threshold,
                                  record.row.pair,
                                  record.row.threshold));
    }
    return std::optional<CellRecord>(std::move(record));
  });
}

void RunDirectory::keep_cell(const CellRecord& record, const PathFile& path) {
  const double threshold = record.row.threshold;
  const std::size_t pair = record.row.pair;
  make_folder(folder_ / "cells");
  make_folder(folder_ / run_files::paths);
  // The path first: a cell that is there has its path.
  write_path(folder_ / run_files::paths / path_file_name(threshold, pair), path);
  write_json(cell_file(threshold, pair),
             {{"row", to_json(record.row)}, {"details", record.details}});
  std::error_code ignored;
  std::filesystem::remove_all(checkpoint() / cell_name(threshold, pair), ignored);
}

std::optional<Snapshot> RunDirectory::find_endpoint(const std::string& name) const {
  return read_theta(checkpoint() / (name + ".safetensors"));
}

void RunDirectory::keep_endpoint(const std::string& name, const Snapshot& snapshot) {
  make_folder(checkpoint());
  write_theta(
      checkpoint() / (name + ".safetensors"), snapshot.theta, snapshot.summary, snapshot.target);
}

TrainCheckpoint RunDirectory::endpoint_state(const std::string& name) const {
  make_folder(folder_ / run_files::endpoints);
  return {.file = folder_ / run_files::endpoints / (name + ".state"),
          .seconds = checkpoint_seconds_,
          .keep_last = true};
}

std::unique_ptr<StringJournal> RunDirectory::journal(double threshold, std::size_t pair) {
  return std::make_unique<DiskJournal>(checkpoint() / cell_name(threshold, pair),
                                       checkpoint_seconds_);
}

void RunDirectory::write_tables(const std::vector<CellRow>& rows) const {
  write_file(folder_ / run_files::cells, to_csv(rows));
  write_file(folder_ / run_files::curve, to_csv(curve_of(rows)));
}

void RunDirectory::write(std::string_view file, const Json& value) const {
  write_json(folder_ / file, value);
}

void RunDirectory::forget_checkpoints() {
  std::error_code ignored;
  std::filesystem::remove_all(checkpoint(), ignored);
}

}  // namespace isthmus
