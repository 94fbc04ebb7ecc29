// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"
#include "isthmus/strings/shorten.h"

namespace isthmus {

/// What shortening a saved path is told.
struct ShortenPathOptions {
  ShortenTerms terms{};
  std::uint64_t seed = 1;
  std::optional<std::filesystem::path> data_folder;
};

/// Makes a saved path shorter at its own threshold (see shorten()), with the check that it passed
/// and the training of beads that is its task's default under the strict protocol, and writes the
/// result to `out`, a path file with the metadata of `file`, `verdict` among them, and
/// `shortened_from`, the SHA-256 of `file`. Nothing is written unless the path became shorter.
/// Throws as load_path and shorten; WriteError.
Shortening shorten_path(const std::filesystem::path& file,
                        const std::filesystem::path& out,
                        const ShortenPathOptions& options,
                        Workers& workers,
                        const Stop* stop = nullptr,
                        const std::function<void(const StringProgress&)>& progress = nullptr);

}  // namespace isthmus
