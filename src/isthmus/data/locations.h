// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
/// Throws UsageError that lists the known names.
const KnownSet& known_set(std::string_view name);

/// Where `isthmus data fetch` keeps its files: $XDG_DATA_HOME/isthmus, or ~/.local/share/isthmus.
/// Throws MissingInput if neither XDG_DATA_HOME nor HOME is set.
std::filesystem::path user_data_folder();

/// The folder that holds all files of a known set, packed or not. Looks, in this order, below
/// `flag_folder` (the option --data), the folder ISTHMUS_DATA, the user's data folder and the
/// system's package folder; in each, in FOLDER/set and then in FOLDER itself.
/// Throws UsageError for an unknown name, and MissingInput if `flag_folder` does not exist, or if
/// the set is nowhere; the message lists every place and what to do. Reads the environment: not
/// while another thread changes it.
std::filesystem::path find_dataset(
    std::string_view name, const std::optional<std::filesystem::path>& flag_folder = std::nullopt);

/// The path of `file` in `folder`: the first that is there of file, file.gz and file.xz, or
/// nothing.
std::optional<std::filesystem::path> find_file(const std::filesystem::path& folder,
                                               std::string_view file);
/// The same, but throws MissingInput if it is not there.
std::filesystem::path require_file(const std::filesystem::path& folder, std::string_view file);

/// Reads the four files of an image set in MNIST's names (train-images-idx3-ubyte, ...) from a
/// folder, packed or not, with their SHA-256. A known name has its known number of classes; any
/// other has one more than the largest training label. Throws MissingInput, DataError for a damaged
/// file (see read_idx), for splits that do not fit each other, and for files that are those of
/// another known set. Content that is none of the known ones is accepted: see is_canonical(). Safe
/// to call from any thread.
Dataset load_idx_dataset(const std::filesystem::path& folder, std::string_view name);

/// Reads a labelled set: cifar-10 as load_cifar10 does, every other name as load_idx_dataset.
/// Throws as they do, and UsageError for ptb, which is a text.
Dataset load_dataset(const std::filesystem::path& folder, std::string_view name);

/// Whether the files `sources` are bit by bit the published ones of the set `name`, and all of
/// them. False for unknown names.
bool is_canonical(std::string_view name, std::span<const SourceFile> sources);
/// The same for the files that a data set was read from.
bool is_canonical(const Dataset& dataset);

}  // namespace isthmus
