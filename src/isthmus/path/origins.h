// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/path/path_file.h"

namespace isthmus {

/// How a bead of a path came onto it: a round put it between two others, and it was trained there.
struct BeadOrigin {
  std::size_t round = 0;  ///< 0: it was there from the beginning
  double t = 0.0;         ///< where it was put in: (1 - t) left + t right
  /// Places on the path of the two that it was put between; nothing where one of them is not on the
  /// path any more, or moved since.
  std::optional<std::pair<std::size_t, std::size_t>> between{};

  bool operator==(const BeadOrigin&) const = default;
};

/// The text that path files keep as `growth`.
std::string to_text(const std::vector<BeadOrigin>& origins);

/// One origin a bead of a path file; none if it was written before they were kept. Throws DataError
/// that names `file` if what it keeps does not fit its beads.
std::vector<BeadOrigin> origins_of(const PathFile& path, const std::filesystem::path& file);

}  // namespace isthmus
