// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "isthmus/net/layout.h"
#include "isthmus/path/path.h"

namespace isthmus {

inline constexpr std::string_view path_format = "isthmus-path-1";

/// A path as it is kept: a safetensors file with one float32 tensor `theta` of shape (M, P), rows
/// from end point A to end point B, and metadata of strings. Its keys `format` (isthmus-path-1) and
/// `layout` (JSON) are written by write_path; the caller adds task, threshold, metric, split,
/// network and whatever else is needed to evaluate it again.
struct PathFile {
  Path path;
  Layout layout;
  std::map<std::string, std::string> metadata;
  std::string conversion{};  ///< once read: "", or what was converted to float32, with the file
};

/// Throws WriteError.
void write_path(const std::filesystem::path& file, const PathFile& path);

/// Whether a file is there that has all of what its header promises; its numbers are not read.
bool is_path_file(const std::filesystem::path& file);

/// Throws MissingInput, or DataError for a file that is no path: another format, no tensor `theta`,
/// fewer than two rows, a layout that does not fit, a number that is not finite.
PathFile read_path(const std::filesystem::path& file);

}  // namespace isthmus
