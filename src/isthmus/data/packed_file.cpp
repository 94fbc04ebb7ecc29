// SPDX-License-Identifier: MIT
#include "isthmus/data/packed_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {

namespace fs = std::filesystem;

std::optional<fs::path> find_file(const fs::path& folder, std::string_view file) {
  std::error_code error;
  for (const char* suffix : {"", ".gz", ".xz"}) {
    fs::path path = folder / file;
    path += suffix;
    if (fs::is_regular_file(path, error)) {
      return path;
    }
  }
  return std::nullopt;
}

fs::path require_file(const fs::path& folder, std::string_view file) {
  const std::optional<fs::path> path = find_file(folder, file);
  if (!path) {
    throw MissingInput(fmt::format("{}: expected the file {}, {}.gz or {}.xz, found {}",
                                   folder.string(),
                                   file,
                                   file,
                                   file,
                                   contents_of(folder)));
  }
  return *path;
}

std::string contents_of(const fs::path& folder) {
  constexpr std::size_t shown = 8;
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code unreadable;
    names.push_back(entry.path().filename().string() + (entry.is_directory(unreadable) ? "/" : ""));
  }
  if (names.empty()) {
    return "nothing";
  }
  std::sort(names.begin(), names.end());
  const std::size_t more = names.size() > shown ? names.size() - shown : 0;
  names.resize(names.size() - more);
  return fmt::format(
      "{}{}", fmt::join(names, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace isthmus
