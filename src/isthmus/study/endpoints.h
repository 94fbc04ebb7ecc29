// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "isthmus/net/layout.h"

namespace isthmus {

/// A network of the user's own, read from a file.
struct LoadedNetwork {
  std::vector<float> theta;  ///< (P)
  std::string conversion;    ///< "" if the file holds float32, else what was converted
};

/// Reads a flat parameter vector from a safetensors file that holds every tensor of the layout
/// under its name, in its shape, and no other. Throws DataError that names each missing, extra,
/// wrongly shaped or non-finite tensor with what was expected and found; MissingInput.
LoadedNetwork read_network_weights(const std::filesystem::path& file, const Layout& layout);

/// Writes such a file. Throws WriteError.
void write_network_weights(const std::filesystem::path& file,
                           std::span<const float> theta,
                           const Layout& layout,
                           const std::map<std::string, std::string>& metadata);

}  // namespace isthmus
