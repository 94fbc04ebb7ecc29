// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace isthmus {

/// The path of `file` in `folder`: the first that is there of file, file.gz and file.xz, or
/// nothing.
std::optional<std::filesystem::path> find_file(const std::filesystem::path& folder,
                                               std::string_view file);
/// The same, but throws MissingInput, which lists what is there, if it is not.
std::filesystem::path require_file(const std::filesystem::path& folder, std::string_view file);

/// What lies in a folder, for messages: the first names in the order of their bytes, folders with a
/// slash, "nothing" if it is empty.
std::string contents_of(const std::filesystem::path& folder);

}  // namespace isthmus
