// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// The four files of a labelled set of images.
struct IdxFiles {
  std::filesystem::path train_images;
  std::filesystem::path train_labels;
  std::filesystem::path test_images;
  std::filesystem::path test_labels;
};

/// The names that are looked for, in words for messages.
extern const std::string_view idx_file_names;

/// Finds the four files of the set `name` in a folder, packed or not: MNIST's names
/// (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
/// t10k-labels-idx1-ubyte), also with `test` for `t10k`, a dot for the last hyphen but one (as in
/// train-images.idx3-ubyte), and idx4 or idx2 for images of other dimensions. For a set that is not
/// a known one, names that begin with "NAME-" or "emnist-NAME-" come first. Images and labels of a
/// split always belong to one spelling of it. Nothing if a file is not there; `missing` then gets
/// MNIST's name of each.
std::optional<IdxFiles> find_idx_files(const std::filesystem::path& folder,
                                       std::string_view name,
                                       std::vector<std::string>* missing = nullptr);

/// Reads these files, with their SHA-256. A known name has its known number of classes; any other
/// has one more than the largest training label, whatever the least one is. Throws MissingInput,
/// DataError for a damaged file (see read_idx), for splits that do not fit each other, and for
/// files that are those of another known set. Content that is none of the known ones is accepted:
/// see is_canonical(). Safe to call from any thread.
Dataset load_idx_dataset(const std::filesystem::path& folder, std::string_view name);

/// What such a set holds, from the headers and labels of its files alone.
struct IdxSummary {
  std::string content;      ///< "200 + 50 images, 1 x 28 x 28", or why it cannot be read
  std::size_t classes = 0;  ///< 0 if it cannot be read
};
IdxSummary summarise(const IdxFiles& files);

}  // namespace isthmus
