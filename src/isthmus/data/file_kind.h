// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace isthmus {

/// What a file that is not of the expected format is, told by its first bytes, with the line that
/// mends it: "It is a Git LFS pointer: fetch the content with 'git lfs pull'." Knows pointers of
/// Git LFS, HTML and XML pages, JSON (the index of a sharded model apart), archives of PyTorch and
/// NumPy, pickles, HDF5, GGUF, ONNX, gzip and other packers, tar, IDX and UTF-16. Empty for
/// anything else, safetensors among it, and for a file that cannot be read.
std::string kind_of_file(const std::filesystem::path& path);

/// The same of a file that may be packed with gzip or xz: of its content.
std::string kind_of_content(const std::filesystem::path& path);

/// The same of the first bytes of a file, 4 KiB or what there is.
std::string kind_of_bytes(std::string_view start);

/// The same, but only what can pass for a text: a pointer of Git LFS, or a page.
std::string kind_of_text(std::string_view start);

}  // namespace isthmus
