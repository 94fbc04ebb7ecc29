// SPDX-License-Identifier: MIT
#include "isthmus/study/disk_journal.h"

#include <fmt/format.h>

#include <utility>

#include "isthmus/core/files.h"
#include "isthmus/data/safetensors.h"

namespace isthmus {
namespace {

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

}  // namespace

DataError damaged_piece(const std::filesystem::path& file, std::string_view reason) {
  return DataError(
      fmt::format("{}: damaged ({}). Delete this file to compute it again, then repeat the command "
                  "with --resume.",
                  file.string(),
                  reason));
}

void write_theta(const std::filesystem::path& file, const Snapshot& snapshot) {
  const NamedTensor tensor{
      .name = "theta", .shape = {snapshot.theta.size()}, .pieces = {snapshot.theta}};
  Json record = to_json(snapshot.summary);
  record["target"] = snapshot.target;
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

DiskJournal::DiskJournal(std::filesystem::path folder, double checkpoint_seconds)
    : folder_(std::move(folder)), checkpoint_seconds_(checkpoint_seconds) {
  make_folder(folder_);
}

std::optional<BeadRecord> DiskJournal::find_bead(std::size_t bead) {
  std::optional<Snapshot> snapshot = read_theta(bead_file(bead));
  if (!snapshot) {
    return std::nullopt;
  }
  return BeadRecord{.theta = std::move(snapshot->theta), .summary = snapshot->summary};
}

void DiskJournal::keep_bead(std::size_t bead, const BeadRecord& record) {
  write_theta(bead_file(bead), {.theta = record.theta, .summary = record.summary});
}

std::optional<SegmentCheck> DiskJournal::find_check(std::size_t left, std::size_t right) {
  const std::filesystem::path file = check_file(left, right);
  if (!std::filesystem::exists(file)) {
    return std::nullopt;
  }
  return read_piece(file,
                    [&] { return std::optional<SegmentCheck>(check_from_json(read_json(file))); });
}

void DiskJournal::keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) {
  write_json(check_file(left, right), to_json(check));
}

std::unique_ptr<StringJournal> DiskJournal::part(std::string_view name) {
  return std::make_unique<DiskJournal>(folder_ / name, checkpoint_seconds_);
}

std::optional<TrainCheckpoint> DiskJournal::checkpoint(std::size_t bead) {
  return TrainCheckpoint{.file = folder_ / fmt::format("bead_{}.state", bead),
                         .seconds = checkpoint_seconds_};
}

std::filesystem::path DiskJournal::bead_file(std::size_t bead) const {
  return folder_ / fmt::format("bead_{}.safetensors", bead);
}

std::filesystem::path DiskJournal::check_file(std::size_t left, std::size_t right) const {
  return folder_ / fmt::format("check_{}_{}.json", left, right);
}

}  // namespace isthmus
