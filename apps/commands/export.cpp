// SPDX-License-Identifier: MIT
// `export`: networks out of saved paths, for other programs.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/data/safetensors.h"
#include "isthmus/net/network.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/endpoints.h"
#include "path_files.h"

namespace isthmus::app {
namespace {

struct ExportCommand {
  std::string target;
  std::optional<double> t;
  std::optional<std::string> out;
  std::optional<std::string> beads;
  std::optional<double> threshold;
  std::optional<std::size_t> pair;
  bool json = false;
};

// The one path that is meant.
std::filesystem::path path_of(const ExportCommand& command) {
  std::vector<std::filesystem::path> files = path_files_of(command.target);
  if (command.threshold || command.pair) {
    std::erase_if(files, [&](const std::filesystem::path& file) {
      const std::string stem = file.stem().string();
      const std::size_t line = stem.rfind('_');
      return line == std::string::npos ||
             (command.pair && stem.substr(line + 1) != std::to_string(*command.pair)) ||
             (command.threshold && stem.substr(0, line) != format_number(*command.threshold));
    });
  }
  if (files.empty()) {
    throw UsageError(
        fmt::format("{}: it has no path of that --threshold and --pair", command.target));
  }
  if (files.size() > 1) {
    throw UsageError(fmt::format(
        "{}: it has {} paths: say which by --threshold and --pair, or name a file of its paths",
        command.target,
        files.size()));
  }
  return files.front();
}

// Tensors under the names that they came with: those of the network's end points, else of a
// torch.nn.Sequential of its layers; of a path without a network as its layout has them.
void write_point(const std::filesystem::path& file,
                 const PathFile& path,
                 std::span<const float> theta,
                 double t) {
  std::map<std::string, std::string> metadata{{"format", "pt"}, {"isthmus_t", format_number(t)}};
  for (const char* key : {"task", "problem", "metric", "threshold"}) {
    if (const auto entry = path.metadata.find(key); entry != path.metadata.end()) {
      metadata.insert(*entry);
    }
  }
  if (const auto network = path.metadata.find("network"); network != path.metadata.end()) {
    std::map<std::string, std::string> names;
    if (const auto given = path.metadata.find("names"); given != path.metadata.end()) {
      names = Json::parse(given->second).get<std::map<std::string, std::string>>();
    }
    write_network_weights(
        file, theta, network_from_json(Json::parse(network->second)), metadata, names);
    return;
  }
  std::vector<NamedTensor> tensors;
  for (const Tensor& tensor : path.layout.tensors()) {
    tensors.push_back({.name = tensor.name,
                       .shape = tensor.shape,
                       .pieces = {theta.subspan(tensor.offset, tensor.size())}});
  }
  write_safetensors(file, tensors, metadata);
}

std::vector<float> point_at(const Path& path, double t) {
  const double along = t * static_cast<double>(path.segments());
  const std::size_t segment = std::min(static_cast<std::size_t>(along), path.segments() - 1);
  std::vector<float> theta(path.dimension);
  interpolate(
      path.bead(segment), path.bead(segment + 1), along - static_cast<double>(segment), theta);
  return theta;
}

void run_command(const ExportCommand& command) {
  if (command.t.has_value() != command.out.has_value() || (!command.t && !command.beads)) {
    throw UsageError("export: give --t T with --out FILE, or --beads DIR, or both");
  }
  if (command.t && !(*command.t >= 0.0 && *command.t <= 1.0)) {
    throw UsageError(
        fmt::format("--t: expected a place on the path, in [0, 1], got {}", *command.t));
  }
  const std::filesystem::path file = path_of(command);
  const PathFile path = read_path(file);
  std::vector<std::string> written;
  if (command.t) {
    write_point(*command.out, path, point_at(path.path, *command.t), *command.t);
    written.push_back(*command.out);
  }
  if (command.beads) {
    make_folder(*command.beads);
    for (std::size_t i = 0; i < path.path.size(); ++i) {
      const auto bead =
          std::filesystem::path(*command.beads) / fmt::format("bead_{:04}.safetensors", i);
      write_point(bead,
                  path,
                  path.path.bead(i),
                  static_cast<double>(i) / static_cast<double>(path.path.segments()));
      written.push_back(bead.string());
    }
  }
  if (command.json) {
    const Json result{{"path", file.string()}, {"beads", path.path.size()}, {"files", written}};
    fmt::print("{}\n", result.dump(2));
    return;
  }
  for (const std::string& name : written) {
    fmt::print("{}\n", name);
  }
}

}  // namespace

void add_export(Context& context) {
  auto command = std::make_shared<ExportCommand>();
  Parser* parser = context.parser->add_subcommand(
      "export",
      "Write networks of a saved path as safetensors.\n\n"
      "The network at t in [0, 1] (bead i of M is at i / (M - 1)), or every bead. Tensors have the "
      "names\n"
      "under which the end points came (--from), else those of a torch.nn.Sequential.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus export runs/mnist-2 --t 0.37 --out C.safetensors\n"
      "  isthmus export runs/mnist/paths/0.02_0.safetensors --beads beads");
  parser->add_option("target", command->target, "A path file or a run directory")->required();
  parser->add_option("--t", command->t, "The place on the path, 0 (A) to 1 (B)");
  parser->add_option("--out", command->out, "The file for the network at t");
  parser->add_option("--beads", command->beads, "A folder for all beads")->type_name("DIR");
  parser->add_option("--threshold", command->threshold, "Of a run with several paths: which");
  parser->add_option("--pair", command->pair, "Likewise");
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] { context.chosen = [command] { run_command(*command); }; });
}

}  // namespace isthmus::app
