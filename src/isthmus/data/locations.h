// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/data/dataset.h"
#include "isthmus/data/idx_set.h"

namespace isthmus {

/// Where `isthmus data fetch` keeps its files: $XDG_DATA_HOME/isthmus, or ~/.local/share/isthmus.
/// Throws MissingInput if neither XDG_DATA_HOME nor HOME is set.
std::filesystem::path user_data_folder();

/// The folder that holds all files of a set, packed or not: a known one, or an IDX set of any other
/// name (see find_idx_files). Looks, in this order, below `flag_folder` (the option --data), the
/// folder ISTHMUS_DATA, the user's data folder and the system's package folder: in each first in
/// FOLDER/set, then in folders whose name is the set's but for case, hyphens and underscores
/// (torchvision's MNIST and FashionMNIST), then in FOLDER itself; of these each also in its
/// subfolder `raw` and `gzip`, where torchvision and EMNIST have their files. Of the user's data
/// folder and the system's, the folder of the set alone.
/// Throws UsageError for a name that no folder can have, and MissingInput if `flag_folder` does not
/// exist, or if the set is nowhere; the message lists every place, what was missing and what was
/// there, and what to do. Reads the environment: not while another thread changes it.
std::filesystem::path find_dataset(
    std::string_view name, const std::optional<std::filesystem::path>& flag_folder = std::nullopt);

/// An IDX set of the user's own.
struct OwnSet {
  std::string name;  ///< of its folder
  std::filesystem::path folder;
  IdxSummary summary;
};

/// The IDX sets in subfolders of the places above that are none of the known sets, in the order of
/// the places and of their names, each name once.
std::vector<OwnSet> own_sets(
    const std::optional<std::filesystem::path>& flag_folder = std::nullopt);

/// Reads a labelled set: cifar-10 as load_cifar10 does, every other name as load_idx_dataset.
/// Throws as they do, and UsageError for ptb, which is a text.
Dataset load_dataset(const std::filesystem::path& folder, std::string_view name);

}  // namespace isthmus
