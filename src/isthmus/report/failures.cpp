// SPDX-License-Identifier: MIT
#include "isthmus/report/failures.h"

#include <fmt/format.h>

#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/report/format.h"

namespace isthmus {
namespace {

// Why a cell ended as it did; empty where its file is not there or does not say.
std::string reason_of(const RunRecord& run, const CellRow& cell) {
  const std::filesystem::path file =
      run.folder / run_files::cell_details /
      std::filesystem::path(path_file_name(cell.threshold, cell.pair)).replace_extension(".json");
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return "";
  }
  const Json json = read_json(file);
  return json.contains("details") ? json["details"].value("reason", "") : "";
}

}  // namespace

std::vector<std::string> failure_lines(const RunRecord& run) {
  constexpr std::size_t most_told = 10;
  const MetricLabel metric = metric_label(run.metric);
  std::vector<std::string> lines;
  std::size_t failed = 0;
  for (const CellRow& cell : run.cells) {
    if (cell.verdict == Verdict::connected || ++failed > most_told) {
      continue;
    }
    const std::string reason = reason_of(run, cell);
    if (!reason.empty()) {
      lines.push_back(
          fmt::format("pair {} at {}: {}", cell.pair, with_unit(cell.threshold, metric), reason));
    }
  }
  if (failed > most_told) {
    lines.push_back(fmt::format("and {} more; the reason of each stands in {}/",
                                failed - most_told,
                                run_files::cell_details));
  }
  return lines;
}

}  // namespace isthmus
