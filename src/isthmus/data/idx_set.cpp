// SPDX-License-Identifier: MIT
#include "isthmus/data/idx_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/data/idx.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/packed_file.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

struct SplitFiles {
  std::optional<fs::path> images;
  std::optional<fs::path> labels;
};

// The first that is there of the spellings of one file, such as "train-images".
std::optional<fs::path> find_spelling(const fs::path& folder,
                                      const std::string& stem,
                                      std::string_view dimensions) {
  for (const char count : dimensions) {
    for (const char separator : {'-', '.'}) {
      if (auto path = find_file(folder, fmt::format("{}{}idx{}-ubyte", stem, separator, count))) {
        return path;
      }
    }
  }
  return std::nullopt;
}

// Of several spellings of a split the first that is whole; else the first that has a file.
SplitFiles find_split(const fs::path& folder, const std::vector<std::string>& spellings) {
  SplitFiles part;
  for (const std::string& split : spellings) {
    SplitFiles files{find_spelling(folder, split + "-images", "342"),
                     find_spelling(folder, split + "-labels", "1")};
    if (files.images && files.labels) {
      return files;
    }
    if (!part.images && !part.labels) {
      part = std::move(files);
    }
  }
  return part;
}

std::vector<std::string> spellings_of(std::string_view set, std::vector<std::string> split) {
  if (find_known_set(set) != nullptr) {
    return split;
  }
  std::vector<std::string> all;
  for (const std::string& prefix : {fmt::format("{}-", set), fmt::format("emnist-{}-", set)}) {
    for (const std::string& spelling : split) {
      all.push_back(prefix + spelling);
    }
  }
  all.insert(all.end(), split.begin(), split.end());
  return all;
}

// The file names of two sets may be the same.
void check_identity(const Dataset& dataset, const fs::path& folder) {
  if (find_known_set(dataset.name) == nullptr) {
    return;
  }
  for (const SourceFile& source : dataset.sources) {
    if (const KnownSet* owner = owner_of(source.sha256, dataset.name)) {
      throw DataError(
          fmt::format("{}: expected the files of {}, found those of {} ({}), which have the same "
                      "names. Name the right folder with --data DIR.",
                      folder.string(),
                      dataset.name,
                      owner->name,
                      source.name));
    }
  }
}

template <typename Labels>
std::size_t count_classes(const Labels& labels) {
  return static_cast<std::size_t>(*std::max_element(labels.begin(), labels.end())) + 1;
}

}  // namespace

const std::string_view idx_file_names =
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte (or test-..., or with a dot, as train-images.idx3-ubyte), each plain, "
    ".gz or .xz";

std::optional<IdxFiles> find_idx_files(const fs::path& folder,
                                       std::string_view name,
                                       std::vector<std::string>* missing) {
  const SplitFiles train = find_split(folder, spellings_of(name, {"train"}));
  const SplitFiles test = find_split(folder, spellings_of(name, {"t10k", "test"}));
  if (train.images && train.labels && test.images && test.labels) {
    return IdxFiles{*train.images, *train.labels, *test.images, *test.labels};
  }
  if (missing != nullptr) {
    const auto note = [&](const std::optional<fs::path>& path, const char* file) {
      if (!path) {
        missing->emplace_back(file);
      }
    };
    note(train.images, "train-images-idx3-ubyte");
    note(train.labels, "train-labels-idx1-ubyte");
    note(test.images, "t10k-images-idx3-ubyte");
    note(test.labels, "t10k-labels-idx1-ubyte");
  }
  return std::nullopt;
}

Dataset load_idx_dataset(const fs::path& folder, std::string_view name) {
  std::vector<std::string> missing;
  const std::optional<IdxFiles> files = find_idx_files(folder, name, &missing);
  if (!files) {
    throw MissingInput(fmt::format("{}: expected {}; it lacks {}, and holds {}",
                                   folder.string(),
                                   idx_file_names,
                                   fmt::join(missing, ", "),
                                   contents_of(folder)));
  }
  const KnownSet* known = find_known_set(name);
  Dataset dataset;
  dataset.name = name;
  dataset.classes = known != nullptr ? known->classes : 0;
  dataset.train =
      read_idx_samples(files->train_images, files->train_labels, dataset.classes, &dataset.sources);
  if (dataset.classes == 0) {
    dataset.classes = count_classes(dataset.train.labels);
  }
  dataset.test =
      read_idx_samples(files->test_images, files->test_labels, dataset.classes, &dataset.sources);
  if (dataset.test.input_shape != dataset.train.input_shape) {
    throw DataError(
        fmt::format("{}: expected test images of the shape of the training images ({}), found ({})",
                    folder.string(),
                    fmt::join(dataset.train.input_shape, ", "),
                    fmt::join(dataset.test.input_shape, ", ")));
  }
  check_identity(dataset, folder);
  return dataset;
}

IdxSummary summarise(const IdxFiles& files) {
  try {
    std::vector<std::size_t> shape = read_idx_shape(files.train_images);
    const std::size_t count = shape.front();
    shape.erase(shape.begin());
    if (shape.size() == 2) {
      shape.insert(shape.begin(), 1);
    }
    return {.content = fmt::format("{} + {} images, {}",
                                   count,
                                   read_idx_shape(files.test_images).front(),
                                   fmt::join(shape, " x ")),
            .classes = count_classes(read_idx(files.train_labels).bytes)};
  } catch (const Error& error) {
    return {.content = fmt::format("cannot be read: {}", error.what())};
  }
}

}  // namespace isthmus
