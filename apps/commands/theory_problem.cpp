// SPDX-License-Identifier: MIT
#include "theory_problem.h"

#include "given_networks.h"
#include "isthmus/core/error.h"
#include "isthmus/study/study.h"

namespace isthmus::app {
void GivenNetworksFlags::add(Parser& parser) {
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
  add_names(parser, names_)->group(group);
}

GivenNetworks GivenNetworksFlags::read(std::uint64_t seed) const {
  if (from_.has_value() != to_.has_value()) {
    throw UsageError("--from and --to: give both end points, or neither");
  }
  if (names_ && !from_) {
    throw UsageError("--names: says what is in the files of --from and --to; give these");
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
    given.a = read_given(*from_, given.problem.network, names_).theta;
    given.b = read_given(*to_, given.problem.network, names_).theta;
  }
  return given;
}

}  // namespace isthmus::app
