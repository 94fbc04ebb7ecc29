// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <vector>

namespace isthmus::app {

/// The path file that is named, or all those of the run directory that is, sorted. Throws
/// MissingInput.
std::vector<std::filesystem::path> path_files_of(const std::filesystem::path& target);

/// The same, of a run those alone whose verdict is connected; none is a UsageError.
std::vector<std::filesystem::path> connected_files_of(const std::filesystem::path& target);

}  // namespace isthmus::app
