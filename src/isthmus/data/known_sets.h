// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// A file of a published data set. It may be stored unpacked under its name, or as name.gz or
/// name.xz.
struct KnownFile {
  std::string_view name;
  std::uint64_t bytes = 0;  ///< unpacked
  std::string_view sha256;  ///< unpacked
};

/// A published data set that the library can find, check and fetch.
struct KnownSet {
  std::string_view name = {};
  std::string_view folder = {};   ///< its folder inside a folder of data sets
  std::string_view content = {};  ///< of the published files, in a few words with their counts
  std::size_t classes = 0;        ///< of a classification task; 0 for text
  std::span<const KnownFile> files = {};
  /// Addresses of folders that hold `archive`, or else each file as name.gz; best first. Empty:
  /// there is none to fetch from.
  std::span<const std::string_view> mirrors = {};
  std::string_view archive = {};  ///< tar file with all files; empty: each is fetched by itself
  std::string_view system_folder = {};   ///< where the system's package puts it; may be empty
  std::string_view system_package = {};  ///< of Debian; may be empty
};

std::span<const KnownSet> known_sets();
/// The set of that name, or null.
const KnownSet* find_known_set(std::string_view name);
/// The same, but throws UsageError that lists the known names.
const KnownSet& known_set(std::string_view name);
/// "mnist, fashion-mnist, ...".
std::string known_set_names();

/// Whether the files `sources` are bit by bit the published ones of the set `name`, and all of
/// them. False for unknown names.
bool is_canonical(std::string_view name, std::span<const SourceFile> sources);
/// The same for the files that a data set was read from.
bool is_canonical(const Dataset& dataset);

/// The known set other than `name` that has a published file of this SHA-256, or null.
const KnownSet* owner_of(std::string_view sha256, std::string_view name);

}  // namespace isthmus
