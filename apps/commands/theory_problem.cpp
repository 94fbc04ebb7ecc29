// SPDX-License-Identifier: MIT
#include "theory_problem.h"

#include <fmt/format.h>

#include <cstdio>

#include "isthmus/core/error.h"
#include "isthmus/study/endpoints.h"
#include "isthmus/study/study.h"

namespace isthmus::app {
namespace {

std::vector<float> weights_of(const std::string& file, const Network& network) {
  LoadedNetwork loaded = read_network_weights(file, network);
  for (const std::string& note : loaded.notes) {
    fmt::print(stderr, "{}\n", note);
  }
  return std::move(loaded.theta);
}

}  // namespace

void GivenNetworksFlags::add(CLI::App& parser) {
  const auto group = "Networks and data";
  parser.add_option("task", flags_.task, "A task (see `isthmus list`), or give --network");
  parser
      .add_option("--network",
                  flags_.network,
                  "A JSON file with the stack of layers of both networks (docs/networks.md)")
      ->group(group);
  parser
      .add_option(
          "--dataset", flags_.dataset, "The data set, images or generated (two-gaussians, ...)")
      ->capture_default_str()
      ->group(group);
  parser.add_option("--data", flags_.data, "Folder with data sets")->type_name("DIR")->group(group);
  parser.add_option("--split", split_, "test or train [test]")->group(group);
  parser.add_option("--from", from_, "End point A, a safetensors file")->group(group);
  parser.add_option("--to", to_, "End point B")->group(group);
}

GivenNetworks GivenNetworksFlags::read(std::uint64_t seed) const {
  if (from_.has_value() != to_.has_value()) {
    throw UsageError("--from and --to: give both end points, or neither");
  }
  StudyFlags flags = flags_;
  flags.threshold = flags.network ? std::optional(0.5) : std::nullopt;  // of no use here
  flags.preset("seed", std::to_string(seed));
  if (split_) {
    flags.preset("split", *split_);
  }
  const StudyOptions study = flags.options();
  GivenNetworks given;
  given.problem = problem_of(study, 0);
  given.split = study.string.grid.split;
  given.metric = study.string.grid.metric;
  given.objective = make_objective(given.problem, load_data(given.problem, flags.data_folder()));
  if (from_) {
    given.a = weights_of(*from_, given.problem.network);
    given.b = weights_of(*to_, given.problem.network);
  }
  return given;
}

}  // namespace isthmus::app
