// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "isthmus/data/fetch.h"
#include "isthmus/data/partial_file.h"

namespace isthmus {

/// What a download must be: its name at a mirror, a size that it cannot pass, and its check.
struct Wanted {
  std::string_view name;    ///< to be shown
  std::string remote_name;  ///< behind the address of a mirror
  std::uint64_t bytes = 0;  ///< unpacked; what packing and an archive add comes on top
  /// Nothing if the file is right.
  std::function<std::optional<std::string>(const std::filesystem::path&)> problem;
};

/// Completes the partial file from the first mirror that can. Throws as fetch_dataset.
void download(const Wanted& wanted,
              std::span<const std::string> mirrors,
              const FetchOptions& options,
              PartialFile& partial);

}  // namespace isthmus
