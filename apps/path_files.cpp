// SPDX-License-Identifier: MIT
#include "path_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/path/path_file.h"

namespace isthmus::app {
namespace {

// Every row of the run has its path.
void require_paths(const std::filesystem::path& run) {
  const std::filesystem::path cells = run / run_files::cells;
  if (!std::filesystem::exists(cells)) {
    return;
  }
  for (const CellRow& row : parse_cells(read_file(cells), cells.string())) {
    const std::filesystem::path file =
        run / run_files::paths / path_file_name(row.threshold, row.pair);
    if (!std::filesystem::exists(file)) {
      throw MissingInput(fmt::format(
          "{}: no such file, but {} has its pair. Repeat the command of the run with --resume: it "
          "makes the path again.",
          file.string(),
          run_files::cells));
    }
  }
}

// Folders in it that are run directories, as --method compare and --widths make them.
std::string runs_inside(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (std::filesystem::exists(entry.path() / run_files::config)) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names.empty()
             ? ""
             : fmt::format(". It has runs inside: name one of {}", fmt::join(names, ", "));
}

}  // namespace

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
    throw MissingInput(fmt::format("{}: no run directory: it has no {}/*.safetensors{}",
                                   target.string(),
                                   run_files::paths,
                                   runs_inside(target)));
  }
  require_paths(target);
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
