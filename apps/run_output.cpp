// SPDX-License-Identifier: MIT
#include "run_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/report/figure.h"
#include "isthmus/report/profile.h"
#include "isthmus/report/run.h"
#include "isthmus/report/table.h"

namespace isthmus::app {

void write_figures(const std::filesystem::path& folder) {
  const RunRecord run = read_run(folder);
  write_file(folder / run_files::figure, svg_figure(figure_data(run)));
  if (run.cells.size() != 1) {
    return;
  }
  const CellRow& cell = run.cells.front();
  const auto profile = read_profile(run, cell.threshold, cell.pair);
  // A path with parameters that are not finite has no place to draw it at.
  if (profile && std::ranges::all_of(profile->path, [](const ProfileSample& sample) {
        return std::isfinite(sample.arc_length);
      })) {
    write_file(folder / "profile.svg", svg_profile(*profile));
  }
}

void print_run(const std::filesystem::path& folder, bool json) {
  const RunRecord run = read_run(folder);
  if (json) {
    Json report = report_json(run);
    report["run"] = folder.string();
    fmt::print("{}\n", report.dump(2));
    return;
  }
  fmt::print("{}\nRun:    {}\nFigure: {}\n",
             report_text(run, TableForm::text),
             folder.string(),
             (folder / run_files::figure).string());
}

}  // namespace isthmus::app
