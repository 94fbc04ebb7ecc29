// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "context.h"
#include "given_networks.h"
#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/workers.h"
#include "isthmus/path/measures.h"
#include "isthmus/study/alignment.h"
#include "isthmus/study/endpoints.h"
#include "isthmus/study/study.h"

namespace isthmus::app {
namespace {

struct AlignCommand {
  StudyFlags flags;
  std::vector<std::string> files;
  std::string method = "weights";
  AlignOptions align;
  std::optional<std::string> names;
  std::optional<std::string> out;
  bool json = false;
};

// The straight line between two networks.
struct Line {
  double distance = 0.0;
  double largest = 0.0;
  Barrier barrier;
};

Line line_between(Evaluators& evaluators,
                  std::span<const float> a,
                  std::span<const float> b,
                  const SegmentGrid& grid,
                  const Stop& stop) {
  Path path{.dimension = a.size(), .beads = {a.begin(), a.end()}};
  path.beads.insert(path.beads.end(), b.begin(), b.end());
  const Layout& layout = evaluators.objective().layout();
  const std::vector<SegmentCheck> checks = check_path(evaluators, path, grid, &stop);
  const double length = length_of(path, layout, Coordinates::all).length;
  const std::vector<double>& values = checks.front().values;
  return {.distance = length,
          .largest = checks.front().worst_value,
          .barrier = barrier_of(
              profile_of(path, layout, checks, grid), length, values.front(), values.back())};
}

Json to_json(const Line& line) {
  return {{"distance", line.distance},
          {"max_metric", line.largest},
          {"barrier", line.barrier.over_max},
          {"barrier_over_mean", line.barrier.over_mean},
          {"barrier_over_linear", line.barrier.over_linear}};
}

void print(const Json& result, std::string_view metric) {
  for (const Json& dimension : result["dimensions"]) {
    fmt::print("hidden dimension {}\n", dimension.get<std::string>());
  }
  if (result["twins"].get<bool>()) {
    fmt::print("twins: B is A with its units moved and scaled\n");
  }
  fmt::print("{} units of B moved, {} of other sign, factors {:.4g} to {:.4g}; {:.3f} s\n",
             result["moved"].get<std::size_t>(),
             result["flipped"].get<std::size_t>(),
             result["least_factor"].get<double>(),
             result["largest_factor"].get<double>(),
             result["seconds"].get<double>());
  fmt::print("{:<26}{:>14}{:>14}\n", "", "as they are", "aligned");
  const auto row = [&](const std::string& name, const char* key) {
    fmt::print("{:<26}{:>14.6g}{:>14.6g}\n",
               name,
               result["before"][key].get<double>(),
               result["after"][key].get<double>());
  };
  row("distance", "distance");
  row(fmt::format("largest {}", metric), "max_metric");
  row("above the worse end", "barrier");
  row("above the line of ends", "barrier_over_linear");
}

Json result_of(const StudyOptions& study,
               const SymmetryGroup& group,
               const Alignment& alignment,
               double seconds) {
  Json dimensions = Json::array();
  for (const HiddenDimension& dimension : group.dimensions) {
    dimensions.push_back(describe(dimension));
  }
  Json result{{"task", study.problem.task},
              {"metric", name_of(study.string.grid.metric)},
              {"split", name_of(study.string.grid.split)},
              {"dimensions", std::move(dimensions)},
              {"twins", alignment.twins}};
  result.update(isthmus::to_json(extent_of(alignment.symmetry)));
  result["seconds"] = seconds;
  return result;
}

void run_command(AlignCommand command, const Stop& stop) {
  command.align.method = named<AlignMethod>(command.method);
  const StudyOptions study = study_of(command.flags, command.files, 2, "align");
  for (const std::string& file : command.files) {
    std::error_code none;
    if (command.out && std::filesystem::equivalent(file, *command.out, none)) {
      throw UsageError(
          fmt::format("--out {}: it is one of the two networks; give another file", *command.out));
    }
  }
  command.align.seed = study.seed;
  const std::unique_ptr<Objective> objective =
      make_objective(study, 0, load_data(problem_of(study, 0), command.flags.data_folder()));
  const std::vector<float> a =
      read_given(command.files[0], study.problem.network, command.names).theta;
  const std::vector<float> b =
      read_given(command.files[1], study.problem.network, command.names).theta;
  const auto start = std::chrono::steady_clock::now();
  const Alignment alignment = align(*objective, a, b, command.align, &stop);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (command.out) {
    write_network_weights(*command.out,
                          alignment.theta,
                          study.problem.network,
                          {{"task", study.problem.task},
                           {"problem", isthmus::to_json(study.problem).dump()},
                           {"aligned", command.files[1]},
                           {"aligned_to", command.files[0]},
                           {"align_method", command.method}});
  }
  Workers workers(command.flags.worker_count());
  Evaluators evaluators(*objective, workers);
  const SymmetryGroup group = symmetries_of(study.problem.network);
  Json result = result_of(study, group, alignment, took.count());
  SegmentGrid grid = study.string.grid;
  grid.include_end = true;
  grid.stop_at_failure = false;
  result["points"] = grid.points;
  result["before"] = to_json(line_between(evaluators, a, b, grid, stop));
  result["after"] = to_json(line_between(evaluators, a, alignment.theta, grid, stop));
  if (command.out) {
    result["file"] = *command.out;
  }
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    print(result, name_of(grid.metric));
  }
}

}  // namespace

void add_align(Context& context) {
  auto command = std::make_shared<AlignCommand>();
  Parser* parser = context.parser->add_subcommand(
      "align",
      "Move the units of a network B to where it is closest to A, its function unchanged.\n\n"
      "Permutes hidden units, scales them where a ReLU allows it, and changes signs where tanh, "
      "sigmoid\n"
      "or an LSTM does (docs/symmetry.md). Two networks that are equal up to that are recognised. "
      "Prints\n"
      "the distance and the straight line's largest metric before and after.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus align A.safetensors B.safetensors --out aligned.safetensors\n"
      "  isthmus align mnist-mlp A.safetensors B.safetensors --method activations\n"
      "  isthmus align --network net.json --dataset mnist A.safetensors B.safetensors\n"
      "Files that `isthmus train` wrote say which task they are of.");
  command->flags.add_problem(*parser);
  parser->add_option("files", command->files, "A and B: safetensors files (docs/networks.md)");
  add_names(*parser, command->names);
  parser
      ->add_option(
          "--method",
          command->method,
          "weights: the least distance, by assignments layer after layer; activations: the "
          "largest correlation of what units compute on training data")
      ->capture_default_str();
  parser
      ->add_option("--restarts",
                   command->align.restarts,
                   "weights: starts of the search, most of them random")
      ->capture_default_str();
  parser
      ->add_option("--samples", command->align.samples, "activations: training samples to look at")
      ->capture_default_str();
  command->flags.add_points(*parser, "Points of the straight lines [the task's]");
  parser->add_option("--out", command->out, "Where to write the aligned copy of B");
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
