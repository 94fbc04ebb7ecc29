// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/data/known_sets.h"

namespace isthmus {

/// How far the download of one file is.
struct FetchProgress {
  std::string_view file;
  std::uint64_t bytes = 0;  ///< on disk, those of earlier attempts included
  std::uint64_t total = 0;  ///< of the packed file; 0 while the server has not said
};

struct FetchOptions {
  /// Addresses of folders that hold the set's archive, or each of its files as name.gz; each ends
  /// in '/', tried in this order for every file; empty: those of the set. Only http and https,
  /// redirects included.
  std::vector<std::string> mirrors;
  /// Called many times a second, on the calling thread; may be empty. What it throws ends the
  /// fetch.
  std::function<void(const FetchProgress&)> progress;
  /// Looked at about once a second and with every piece received; may be null.
  const Stop* stop = nullptr;
  std::chrono::seconds connect_timeout{20};
  /// A transfer that stays below 1 kB/s for this long is given up.
  std::chrono::seconds stall_timeout{30};
  /// How often a cut transfer is resumed at the same mirror, while every attempt brings new bytes.
  int resumptions = 5;
};

struct FetchSummary {
  std::size_t downloaded = 0;  ///< files, also out of an archive
  std::size_t present = 0;     ///< files that were already there, with the published content
};

/// Brings the files of a known set into `folder` (made if needed): each as name.gz, or, where the
/// set is published as one archive, unpacked under its name. A file appears under its name only
/// after the SHA-256 of its unpacked content has proved to be the published one. Until then what
/// came of the download is name.gz.partial (or archive.partial), which is kept when a transfer is
/// cut and resumed by the next, here or in a later call, and deleted when its content is wrong or
/// it has been unpacked. A file already there, plain or packed, is left alone if its content is
/// right.
///
/// Throws UsageError if the set has no mirror and none is given, MissingInput if no mirror has a
/// file (the message gives each mirror's reason), DataError if all that came had the wrong content,
/// or a wrong unpacked file is in the way, WriteError, and Interrupted. May be called from several
/// threads and processes at once; two that want the same file exclude each other: the second one
/// gets a WriteError.
FetchSummary fetch_dataset(const KnownSet& set,
                           const std::filesystem::path& folder,
                           const FetchOptions& options = {});

/// The same by name. Throws UsageError that lists the known names.
FetchSummary fetch_dataset(std::string_view name,
                           const std::filesystem::path& folder,
                           const FetchOptions& options = {});

}  // namespace isthmus
