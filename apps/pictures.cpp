// SPDX-License-Identifier: MIT
#include "pictures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/path/path_file.h"
#include "isthmus/report/page.h"
#include "isthmus/report/plane_figure.h"
#include "isthmus/report/string_figure.h"
#include "isthmus/study/problem.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

namespace fs = std::filesystem;

// Of a path between the two networks that a proof is about, in the metric of its task: the mean
// over the outputs.
std::optional<double> lower_bound_of(const fs::path& file) {
  const PathFile path = read_path(file);
  const auto text = path.metadata.find("problem");
  if (text == path.metadata.end() || path.path.dimension > 64) {
    return std::nullopt;
  }
  const Problem problem = problem_from_json(Json::parse(text->second));
  BarrierBounds bounds;
  if (problem.data == "permuted-points") {
    bounds = permuted_points_bounds({.points = problem.points});
  } else if (problem.data == "poor-minimum") {
    TwoGaussiansOptions options;
    options.covariance = problem.covariance;
    bounds = poor_minimum_bounds(options);
  }
  if (bounds.lower <= 0.0 || bounds.path.empty()) {
    return std::nullopt;
  }
  const std::size_t size = bounds.network.dimension();
  const auto is_end = [&](std::span<const float> bead, std::size_t at) {
    return bead.size() == size &&
           std::equal(bead.begin(),
                      bead.end(),
                      bounds.path.begin() + static_cast<std::ptrdiff_t>(at),
                      [](float a, double b) { return a == static_cast<float>(b); });
  };
  const std::span<const float> first = path.path.bead(0);
  const std::span<const float> last = path.path.bead(path.path.size() - 1);
  const std::size_t end = bounds.path.size() - size;
  if (!(is_end(first, 0) && is_end(last, end)) && !(is_end(first, end) && is_end(last, 0))) {
    return std::nullopt;
  }
  return bounds.lower / static_cast<double>(bounds.network.outputs);
}

// The command that made a run; of one that does not tell it, its main options.
std::string command_of(const RunRecord& run) {
  if (run.timing.is_object() && run.timing.contains("command")) {
    return run.timing.at("command").get<std::string>();
  }
  std::string thresholds;
  for (const double threshold : run.thresholds) {
    thresholds += (thresholds.empty() ? "" : ",") + format_number(threshold);
  }
  return fmt::format("isthmus sweep {} --protocol {} --thresholds {} --pairs {} --seed {}",
                     run.task,
                     run.protocol,
                     thresholds,
                     run.pairs.value_or(1),
                     run.config.value("seed", 1)) +
         "   (and what the configuration below has beyond the task's defaults)";
}

void make_tables(const RunRecord& run,
                 const CellRow& row,
                 const PageRequest& request,
                 const Stop& stop,
                 PageCell& cell) {
  const fs::path file = run.folder / run_files::paths / path_file_name(row.threshold, row.pair);
  std::error_code error;
  if (!fs::exists(file, error)) {
    cell.picture.reset();  // of a path that was there once
    cell.no_picture = "the run has no path file of it";
    return;
  }
  try {
    Workers workers(worker_count(request.threads));
    make_picture(file,
                 run.folder / picture_files::folder,
                 cell_stem(row),
                 request.picture,
                 workers,
                 &stop,
                 {.along = point_progress("the metric along the string"),
                  .curvature = point_progress("curvature", "beads")});
    cell.lower_bound = lower_bound_of(file);
  } catch (const DataError& problem) {
    cell.picture.reset();
    cell.no_picture = problem.what();
    return;
  }
  const std::optional<double> bound = cell.lower_bound;
  cell = read_page_cell(run, row);
  cell.lower_bound = bound;
}

void write_svgs(const RunRecord& run, const PageCell& cell) {
  if (!cell.picture) {
    return;
  }
  const fs::path stem = run.folder / picture_files::folder / cell_stem(cell.row);
  StringFigure figure{.picture = *cell.picture,
                      .title = fmt::format("{}: the string on its principal axes", run.task),
                      .metric = metric_label(run.metric),
                      .threshold = cell.row.threshold,
                      .lower_bound = cell.lower_bound};
  write_file(stem.string() + ".string.svg", svg_string(figure));
  if (!cell.picture->along.empty()) {
    figure.title = stages_title(run, cell.row);
    write_file(stem.string() + ".stages.svg", svg_stages(figure));
  }
}

std::string axes_text(const PathPicture& picture) {
  std::string text = "Principal axes: ";
  for (std::size_t k = 0; k < std::min<std::size_t>(picture.axes.size(), 3); ++k) {
    text += fmt::format("{}{:.1f} %", k == 0 ? "" : ", ", 100.0 * picture.axes[k].share);
  }
  return text + fmt::format("{}. {}\n",
                            picture.axes.empty() ? "none" : " of the beads' variance",
                            axes_sentence(picture));
}

}  // namespace

std::function<void(std::size_t, std::size_t)> point_progress(std::string what, std::string things) {
  using Clock = std::chrono::steady_clock;
  struct State {
    Clock::time_point start = Clock::now();
    Clock::time_point last = Clock::now();
    std::optional<std::size_t> first;
  };
  auto state = std::make_shared<State>();
  return [state, what = std::move(what), things = std::move(things)](std::size_t done,
                                                                     std::size_t all) {
    const Clock::time_point now = Clock::now();
    if (!state->first) {
      state->first = done;
    }
    // Every two seconds at first, a tenth of the time so far later on.
    const Clock::duration pause =
        std::max<Clock::duration>(std::chrono::seconds(2), (now - state->start) / 10);
    if (now - state->last < pause || done == *state->first) {
      return;
    }
    state->last = now;
    const double seconds = std::chrono::duration<double>(now - state->start).count();
    const double left = seconds * static_cast<double>(all - std::min(done, all)) /
                        static_cast<double>(done - *state->first);
    fmt::print(
        stderr, "{}: {} of {} {}, about {} left\n", what, done, all, things, human_duration(left));
  };
}

std::string write_page(const fs::path& folder, const PageRequest& request, const Stop& stop) {
  const RunRecord run = read_run(folder);
  const std::optional<CellRow> row = choose_cell(run, request.threshold, request.pair);
  std::optional<PageCell> cell;
  std::string text;
  if (row) {
    cell = read_page_cell(run, *row);
    make_tables(run, *row, request, stop, *cell);
    write_svgs(run, *cell);
  }
  const PageCell* shown = cell ? &*cell : nullptr;
  const fs::path file = folder / "report.html";
  write_file(file, page_html(run, shown, {.command = command_of(run)}));
  text += page_headline(run, shown);
  if (cell && cell->picture) {
    text += axes_text(*cell->picture);
  }
  if (request.animation) {
    if (!cell || !cell->picture) {
      throw UsageError("--animate: the run has no string to show");
    }
    text += write_animation(*cell, run, *request.animation) + "\n";
  }
  return text + fmt::format("Page:   {}\n", file.string());
}

}  // namespace isthmus::app
