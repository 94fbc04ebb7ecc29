// SPDX-License-Identifier: MIT
#include "isthmus/study/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/study/run_directory.h"

namespace isthmus {
namespace {

// Copies the files of one folder that are not in the other, each whole or not at all. Returns how
// many.
std::size_t take_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (!std::filesystem::is_directory(from)) {
    return 0;
  }
  make_folder(to);
  std::size_t taken = 0;
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::filesystem::path file = to / entry.path().filename();
    if (std::filesystem::exists(file)) {
      continue;
    }
    const std::filesystem::path partial = file.string() + ".partial";
    std::error_code error;
    std::filesystem::copy_file(
        entry.path(), partial, std::filesystem::copy_options::overwrite_existing, error);
    if (!error) {
      std::filesystem::rename(partial, file, error);
    }
    if (error) {
      throw WriteError(fmt::format("{}: cannot be written ({})", file.string(), error.message()));
    }
    ++taken;
  }
  return taken;
}

std::size_t number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw UsageError(fmt::format("part: expected whole numbers as in 2/8, got '{}'", text));
  }
  return number;
}

}  // namespace

StudyPart StudyPart::of(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    throw UsageError(fmt::format("part: expected K/N, as 2/8, got '{}'", text));
  }
  const StudyPart part{.index = number_of(text.substr(0, slash)),
                       .count = number_of(text.substr(slash + 1))};
  if (part.index >= part.count) {
    throw UsageError(fmt::format("part: expected K/N with K from 0 to N - 1, got '{}'", text));
  }
  return part;
}

std::filesystem::path parts_folder(const std::filesystem::path& run) {
  const std::filesystem::path named = run.has_filename() ? run : run.parent_path();
  return named.string() + ".parts";
}

std::filesystem::path part_folder(const std::filesystem::path& run, const StudyPart& part) {
  return parts_folder(run) / fmt::format("{}-of-{}", part.index, part.count);
}

std::size_t take_parts(const std::filesystem::path& run, const Json& config) {
  const std::filesystem::path folder = parts_folder(run);
  if (!std::filesystem::is_directory(folder)) {
    return 0;
  }
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (std::filesystem::exists(entry.path() / run_files::config)) {
      parts.push_back(entry.path());
    }
  }
  std::ranges::sort(parts);
  std::size_t taken = 0;
  for (const std::filesystem::path& part : parts) {
    const RunDirectory locked(part, config, true);
    // Paths first: a cell that is there has its path.
    take_files(part / run_files::paths, run / run_files::paths);
    taken += take_files(part / run_files::cell_details, run / run_files::cell_details);
    take_files(part / run_files::endpoints, run / run_files::endpoints);
  }
  return taken;
}

void forget_parts(const std::filesystem::path& run) {
  std::error_code ignored;
  std::filesystem::remove_all(parts_folder(run), ignored);
}

}  // namespace isthmus
