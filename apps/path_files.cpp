// SPDX-License-Identifier: MIT
#include "path_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "isthmus/core/error.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/path/path_file.h"

namespace isthmus::app {

std::vector<std::filesystem::path> path_files_of(const std::filesystem::path& target) {
  if (!std::filesystem::exists(target)) {
    throw MissingInput(fmt::format("{}: no such file or run directory", target.string()));
  }
  if (!std::filesystem::is_directory(target)) {
    return {target};
  }
  std::vector<std::filesystem::path> files;
  const std::filesystem::path paths = target / run_files::paths;
  if (std::filesystem::is_directory(paths)) {
    for (const auto& entry : std::filesystem::directory_iterator(paths)) {
      if (entry.path().extension() == ".safetensors") {
        files.push_back(entry.path());
      }
    }
  }
  if (files.empty()) {
    throw MissingInput(fmt::format(
        "{}: no run directory: it has no {}/*.safetensors", target.string(), run_files::paths));
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::filesystem::path> connected_files_of(const std::filesystem::path& target) {
  std::vector<std::filesystem::path> files = path_files_of(target);
  if (!std::filesystem::is_directory(target)) {
    return files;
  }
  std::erase_if(files, [](const std::filesystem::path& file) {
    const PathFile path = read_path(file);
    const auto verdict = path.metadata.find("verdict");
    return verdict == path.metadata.end() || verdict->second != name_of(Verdict::connected);
  });
  if (files.empty()) {
    throw UsageError(fmt::format("{}: none of its paths is connected", target.string()));
  }
  return files;
}

}  // namespace isthmus::app
