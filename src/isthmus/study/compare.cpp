// SPDX-License-Identifier: MIT
#include "isthmus/study/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/csv.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/study/end_point_trainer.h"

namespace isthmus {
namespace {

MethodRow row_of(Method method, double threshold, const StudyResult& result, RunDirectory& run) {
  MethodRow row{.method = method, .threshold = threshold};
  std::vector<double> lengths;
  std::vector<double> beads;
  for (const CellRow& cell : result.cells) {
    if (cell.threshold != threshold) {
      continue;
    }
    ++row.pairs;
    row.proof = row.pairs == 1 || row.proof == cell.proof ? cell.proof : "mixed";
    const double largest = cell.proof == "proven" ? cell.bound : cell.max_metric;
    row.maximum = row.pairs == 1 || worse(largest, row.maximum) ? largest : row.maximum;
    row.gradient_samples += cell.gradient_samples_beads;
    row.forward_samples += cell.forward_samples_checks;
    if (const auto record = run.find_cell(threshold, cell.pair)) {
      row.forward_samples += record->details.value("forward_samples_beads", std::uint64_t{0});
    }
    const auto spent = result.cell_seconds.find(path_file_name(threshold, cell.pair));
    if (spent != result.cell_seconds.end()) {
      row.seconds = std::isnan(row.seconds) ? spent->second : row.seconds + spent->second;
    }
    if (cell.verdict == Verdict::connected) {
      ++row.connected;
      lengths.push_back(cell.normalized_length);
      beads.push_back(static_cast<double>(cell.beads));
    }
  }
  row.length = mean_error(lengths).mean;
  row.beads = mean_error(beads).mean;
  return row;
}

}  // namespace

std::vector<MethodRow> compare_methods(
    const StudyOptions& options,
    const std::shared_ptr<const Dataset>& data,
    const std::filesystem::path& folder,
    bool resume,
    double checkpoint_seconds,
    Workers& workers,
    const Stop* stop,
    const std::function<void(Method, const StudyProgress&)>& progress) {
  if (options.string.breadth_first.from_random) {
    throw UsageError(
        "--from-random: methods are compared between the same trained end points; give it with "
        "--method breadth-first");
  }
  EndPointCache end_points;
  std::vector<MethodRow> rows;
  for (const auto& [method, name] : enum_names<Method>.all) {
    StudyOptions study = options;
    study.string.method = method;
    if (!repairs_by_default(method)) {
      study.repair.mode = RepairMode::none;
      study.string.stagnation = 0;
    }
    RunDirectory run(folder / name, run_configuration(study), resume);
    run.set_checkpoint_seconds(checkpoint_seconds);
    std::function<void(const StudyProgress&)> tell;
    if (progress) {
      tell = [&progress, of = method](const StudyProgress& event) { progress(of, event); };
    }
    try {
      const StudyResult result = run_study(study, data, run, workers, stop, tell, &end_points);
      for (const double threshold : study.thresholds) {
        rows.push_back(row_of(method, threshold, result, run));
      }
    } catch (const UsageError& error) {
      for (const double threshold : study.thresholds) {
        rows.push_back({.method = method, .threshold = threshold, .refused = error.what()});
      }
    }
  }
  std::ranges::stable_sort(rows, std::greater<>(), &MethodRow::threshold);
  return rows;
}

std::string to_csv(const std::vector<MethodRow>& rows) {
  std::string text =
      "threshold,method,pairs,connected,proof,maximum,length,beads,gradient_samples,"
      "forward_samples\n";
  for (const MethodRow& row : rows) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{}\n",
                        format_number(row.threshold),
                        name_of(row.method),
                        row.pairs,
                        row.connected,
                        row.refused.empty() ? row.proof : "refused",
                        csv_number(row.maximum),
                        csv_number(row.length),
                        csv_number(row.beads),
                        row.gradient_samples,
                        row.forward_samples);
  }
  return text;
}

}  // namespace isthmus
