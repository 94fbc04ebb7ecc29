// SPDX-License-Identifier: MIT
#include "isthmus/study/plane.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "context.h"
#include "given_networks.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/report/page_cell.h"
#include "isthmus/report/plane_figure.h"
#include "isthmus/study/saved_path.h"
#include "isthmus/study/study.h"
#include "pictures.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

namespace fs = std::filesystem;

struct PlaneCommand {
  StudyFlags flags;
  std::vector<std::string> files;
  std::optional<std::string> names;
  std::optional<std::size_t> pair;
  std::optional<std::size_t> bead;
  std::optional<std::string> out;
  PlaneOptions options;
  bool json = false;
};

// Where the tables go, and what they are called.
struct Place {
  fs::path folder;
  std::string stem;
};

void show(const PlaneCommand& command, const Place& place, const Json& info) {
  const fs::path stem = place.folder / place.stem;
  const auto table = [&](std::string_view ending) {
    return read_file(stem.string() + std::string(ending));
  };
  PathPicture picture;
  picture.plane_info = info;
  picture.plane = parse_plane(table(picture_files::plane), stem.string());
  picture.plane_points = parse_plane_points(table(picture_files::plane_points), stem.string());
  const PlaneFigure figure =
      plane_figure(picture, metric_label(info.at("metric").get<std::string>()));
  const fs::path svg = stem.string() + ".plane.svg";
  write_file(svg, svg_plane(figure));
  fs::path second;
  if (const std::optional<PlaneFigure> companion = companion_plane(picture)) {
    second = stem.string() + ".plane_companion.svg";
    write_file(second, svg_plane(*companion));
  }
  if (command.json) {
    Json points = Json::array();
    for (const PlanePointRow& row : picture.plane_points) {
      points.push_back({{"name", row.name},
                        {"x", row.x},
                        {"y", row.y},
                        {"off", row.off},
                        {"metric", number_or_null(row.metric)}});
    }
    Json result = info;
    result.erase("key");
    result["points_on_it"] = std::move(points);
    result["figure"] = svg.string();
    result["companion_figure"] = second.empty() ? Json() : Json(second.string());
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("{}\nTables: {}{{{},{}}}\nFigure: {}{}\n",
             plane_sentence(figure),
             stem.string(),
             picture_files::plane,
             picture_files::plane_points,
             svg.string(),
             second.empty() ? "" : ", " + second.string());
}

void draw(const PlaneCommand& command,
          const Objective& objective,
          const std::array<std::span<const float>, 3>& networks,
          const Path& path,
          const Place& place,
          const Stop& stop) {
  Workers workers(command.flags.worker_count());
  Evaluators evaluators(objective, workers);
  const Json info = make_plane(evaluators,
                               networks,
                               path,
                               command.options,
                               place.folder,
                               place.stem,
                               &stop,
                               point_progress("the plane"));
  show(command, place, info);
}

fs::path path_of_run(const PlaneCommand& command, const fs::path& folder, Place& place) {
  const RunRecord run = read_run(folder);
  const std::optional<CellRow> row = choose_cell(run, command.flags.threshold, command.pair);
  if (!row) {
    throw MissingInput(
        fmt::format("{}: no pair is finished, so there is no path", folder.string()));
  }
  place = {.folder = folder / picture_files::folder, .stem = cell_stem(*row)};
  return folder / run_files::paths / path_file_name(row->threshold, row->pair);
}

void plane_of_path(PlaneCommand command, const Stop& stop) {
  const fs::path target = command.files.front();
  Place place{.folder = target.parent_path(), .stem = target.stem().string()};
  const bool is_run = fs::is_directory(target);
  const fs::path file = is_run ? path_of_run(command, target, place) : target;
  if (command.out) {
    place.folder = *command.out;
  }
  const SavedPath saved = load_path(file,
                                    {},
                                    {},
                                    is_run ? std::optional<double>() : command.flags.threshold,
                                    command.flags.data_folder());
  const Path& path = saved.path.path;
  const std::size_t bead = command.bead ? *command.bead : farthest_bead(path);
  if (bead == 0 || bead + 1 >= path.size()) {
    throw UsageError(
        fmt::format("--bead: expected one between the ends, from 1 and below {}, got {}",
                    path.size() - 1,
                    bead));
  }
  command.options.split = saved.split;
  command.options.metric = saved.metric;
  command.options.threshold = saved.threshold;
  command.options.title =
      fmt::format("{}: the plane through both ends and bead {}", saved.problem.task, bead);
  command.options.names = fmt::format("1 is network A, 2 network B, 3 bead {} of the path", bead);
  draw(command,
       *saved.objective,
       {path.bead(0), path.bead(path.size() - 1), path.bead(bead)},
       path,
       place,
       stop);
}

void plane_of_files(PlaneCommand command, const Stop& stop) {
  const StudyOptions study = study_of(command.flags, command.files, 3, "plane");
  const std::unique_ptr<Objective> objective =
      make_objective(study, 0, load_data(problem_of(study, 0), command.flags.data_folder()));
  std::vector<std::vector<float>> thetas;
  for (const std::string& file : command.files) {
    thetas.push_back(read_given(file, study.problem.network, command.names).theta);
  }
  const auto name = [&](std::size_t i) { return fs::path(command.files[i]).stem().string(); };
  command.options.split = study.string.grid.split;
  command.options.metric = study.string.grid.metric;
  command.options.threshold = study.thresholds.back();
  command.options.title = fmt::format("{}: the plane through three networks", study.problem.task);
  command.options.names = fmt::format("1 is {}, 2 {}, 3 {}", name(0), name(1), name(2));
  const Place place{.folder = command.out.value_or("."),
                    .stem = fmt::format("{}-{}-{}", name(0), name(1), name(2))};
  draw(command,
       *objective,
       {thetas[0], thetas[1], thetas[2]},
       Path{.dimension = thetas[0].size(), .beads = {}},
       place,
       stop);
}

void run_command(const PlaneCommand& command, const Stop& stop) {
  PlaneCommand given = command;
  if (!given.flags.task.empty() && given.files.empty() && !given.flags.network) {
    given.files = {given.flags.task};
    if (given.names) {
      throw UsageError("--names is of three files of networks; a path has the network's own");
    }
    plane_of_path(given, stop);
    return;
  }
  if (given.pair || given.bead) {
    throw UsageError("--pair and --bead are of a run or a path file; three files have neither");
  }
  plane_of_files(given, stop);
}

}  // namespace

void add_plane(Context& context) {
  auto command = std::make_shared<PlaneCommand>();
  Parser* parser = context.parser->add_subcommand(
      "plane",
      "Draw loss and error on the plane through three networks.\n\n"
      "Of a run or a path file: through both ends and a bead, with the path's projection and how "
      "far it\n"
      "leaves the plane. Of three files: through these. Writes the numbers as CSV and a figure, in "
      "which\n"
      "the level L0 is drawn strong. An interrupted grid goes on where it stopped.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus plane runs/quadratic --pair 3\n"
      "  isthmus plane runs/mnist-2/paths/0.02_0.safetensors --bead 2 --grid 21\n"
      "  isthmus plane mnist-mlp A.safetensors B.safetensors C.safetensors --threshold 0.05\n"
      "isthmus report draws the plane of a run on its page, once it is there.");
  command->flags.add_problem(*parser);
  parser->add_option("files",
                     command->files,
                     "A run directory or a path file; or (a task and) three files of networks");
  add_names(*parser, command->names);
  parser->add_option("--threshold",
                     command->flags.threshold,
                     "The level L0 that is drawn; of a run, the path of this threshold [the file's "
                     "own; the lowest]");
  parser->add_option("--pair", command->pair, "Of a run: the path of this pair");
  parser->add_option("--bead",
                     command->bead,
                     "Of a path: the third network [the bead farthest from the line of the ends]");
  parser->add_option("--grid", command->options.points, "Points along each side")
      ->capture_default_str();
  parser
      ->add_option("--margin",
                   command->options.margin,
                   "Air around what is on the plane, in parts of its larger side")
      ->capture_default_str();
  parser
      ->add_option("--out",
                   command->out,
                   "Folder for tables and figure [RUN/pictures; the "
                   "path's own; this one]")
      ->type_name("DIR");
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
