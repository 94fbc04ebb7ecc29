// SPDX-License-Identifier: MIT
#include "given_networks.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/data/safetensors.h"

namespace isthmus::app {

StudyOptions study_of(const StudyFlags& given,
                      std::vector<std::string>& files,
                      std::size_t count,
                      std::string_view command) {
  StudyFlags flags = given;
  if (!flags.task.empty()) {
    files.insert(files.begin(), std::exchange(flags.task, {}));
  }
  if (files.size() == count + 1 && !flags.network) {
    flags.task = files.front();
    files.erase(files.begin());
  }
  if (files.size() != count) {
    throw UsageError(fmt::format("{}: give a task (or --network FILE) and {} files, {}",
                                 command,
                                 count == 2 ? "two" : "three",
                                 count == 2 ? "A and B" : "A, B and C"));
  }
  if (flags.task.empty() && !flags.network) {
    const auto metadata = SafetensorsFile(files.front()).metadata();
    const auto found = metadata.find("task");
    if (found == metadata.end()) {
      throw UsageError(
          fmt::format("{}: {} does not say which task it is of; give a task or --network FILE",
                      command,
                      files.front()));
    }
    flags.task = found->second;
  }
  if (flags.network && !flags.threshold) {
    flags.threshold = 1.0;  // a study has one
  }
  return flags.options();
}

Flag add_names(Parser& parser, std::optional<std::string>& names) {
  return parser
      .add_option("--names",
                  names,
                  "Which tensor of the files is which of the network, where it cannot be told: "
                  "JSON, {\"name in the file\": \"name in the network\"} (docs/networks.md)")
      ->type_name("FILE");
}

LoadedNetwork read_given(const std::string& file,
                         const Network& network,
                         const std::optional<std::string>& names) {
  LoadedNetwork loaded =
      read_network_weights(file, network, names ? read_tensor_names(*names) : TensorNames{});
  for (const std::string& note : loaded.notes) {
    fmt::print(stderr, "{}\n", note);
  }
  return loaded;
}

}  // namespace isthmus::app
