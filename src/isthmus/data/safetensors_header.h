// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/data/safetensors.h"

namespace isthmus {

/// What the header of a safetensors file says.
struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
};

/// Reads the text of a header and checks it against the number of bytes behind it. The bytes of a
/// tensor are checked where its dtype is one of safetensors 0.8; others are handed on as they are.
/// Throws DataError, which names `path`.
SafetensorsHeader parse_safetensors_header(const std::string& path,
                                           const std::string& text,
                                           std::uint64_t data_bytes);

/// The text of a header, padded with spaces to a multiple of 8 bytes. Throws UsageError for a name
/// that occurs twice or pieces that do not fit a shape.
std::string safetensors_header(std::span<const NamedTensor> tensors,
                               const std::map<std::string, std::string>& metadata);

/// Throws DataError: the file `path` is none, and what it is instead if that can be told.
[[noreturn]] void refuse_safetensors(const std::string& path, const std::string& what);

}  // namespace isthmus
