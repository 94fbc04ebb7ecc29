// SPDX-License-Identifier: MIT
#include "isthmus/data/locations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "isthmus/core/error.h"
#include "isthmus/data/cifar.h"
#include "isthmus/data/idx.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view train_images = "train-images-idx3-ubyte";
constexpr std::string_view train_labels = "train-labels-idx1-ubyte";
constexpr std::string_view test_images = "t10k-images-idx3-ubyte";
constexpr std::string_view test_labels = "t10k-labels-idx1-ubyte";

// Content of the files that Y. LeCun published; their MD5 are widely quoted.
constexpr std::array<KnownFile, 4> mnist_files{{
    {train_images, 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
    {train_labels, 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
    {test_images, 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
    {test_labels, 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
}};
constexpr std::array<std::string_view, 2> mnist_mirrors{
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
};

// Computed from the unpacked files of Debian's package dataset-fashion-mnist.
constexpr std::array<KnownFile, 4> fashion_mnist_files{{
    {train_images, 47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
    {train_labels, 60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
    {test_images, 7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
    {test_labels, 10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
}};
// Zalando's own place, which has no https.
constexpr std::array<std::string_view, 1> fashion_mnist_mirrors{
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
};

// The SHA-256 of the unpacked files, whose MD5 and git blob hashes are those of A. Krizhevsky's.
constexpr std::uint64_t cifar_batch_bytes = std::uint64_t{10000} * 3073;
constexpr std::array<KnownFile, 6> cifar10_files{{
    {"data_batch_1.bin",
     cifar_batch_bytes,
     "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
    {"data_batch_2.bin",
     cifar_batch_bytes,
     "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
    {"data_batch_3.bin",
     cifar_batch_bytes,
     "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
    {"data_batch_4.bin",
     cifar_batch_bytes,
     "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
    {"data_batch_5.bin",
     cifar_batch_bytes,
     "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
    {"test_batch.bin",
     cifar_batch_bytes,
     "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
}};

// A. Krizhevsky's own place.
constexpr std::array<std::string_view, 1> cifar10_mirrors{
    "https://www.cs.toronto.edu/~kriz/",
};

// The SHA-256 of the files of the simple-examples archive, whose MD5 are widely published.
constexpr std::array<KnownFile, 3> ptb_files{{
    {"ptb.train.txt", 5101618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"},
    {"ptb.valid.txt", 399782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"},
    {"ptb.test.txt", 449945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"},
}};

constexpr std::array<KnownSet, 4> sets{{
    {.name = "mnist",
     .folder = "mnist",
     .content = "60,000 + 10,000 digits, 1 x 28 x 28",
     .classes = 10,
     .files = mnist_files,
     .mirrors = mnist_mirrors},
    {.name = "fashion-mnist",
     .folder = "fashion-mnist",
     .content = "60,000 + 10,000 pieces of clothing, 1 x 28 x 28",
     .classes = 10,
     .files = fashion_mnist_files,
     .mirrors = fashion_mnist_mirrors,
     .system_folder = "/usr/share/datasets/fashion-mnist",
     .system_package = "dataset-fashion-mnist"},
    {.name = "cifar-10",
     .folder = "cifar-10-batches-bin",
     .content = "50,000 + 10,000 photographs, 3 x 32 x 32",
     .classes = 10,
     .files = cifar10_files,
     .mirrors = cifar10_mirrors,
     .archive = "cifar-10-binary.tar.gz"},
    {.name = "ptb",
     .folder = "ptb",
     .content = "929,589 + 73,760 + 82,430 tokens of 10,000",
     .files = ptb_files},
}};

const KnownSet* find_known(std::string_view name) {
  const auto* found =
      std::find_if(sets.begin(), sets.end(), [&](const KnownSet& set) { return set.name == name; });
  return found == sets.end() ? nullptr : found;
}

// An environment variable that is set and not empty.
std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return value;
}

struct Place {
  fs::path folder;
  std::string origin;  // who named it
};

std::vector<Place> places_of(const KnownSet& set, const std::optional<fs::path>& flag_folder) {
  std::vector<Place> places;
  const auto add = [&](const fs::path& root, const std::string& origin) {
    places.push_back({root / set.folder, origin});
    places.push_back({root, origin});
  };
  if (flag_folder) {
    add(*flag_folder, "--data");
  }
  if (const auto folder = environment("ISTHMUS_DATA")) {
    add(*folder, "ISTHMUS_DATA");
  }
  if (environment("XDG_DATA_HOME") || environment("HOME")) {
    places.push_back({user_data_folder() / set.folder, "the user's data folder"});
  }
  if (!set.system_folder.empty()) {
    places.push_back({fs::path(set.system_folder), "the system's package"});
  }
  return places;
}

std::vector<std::string_view> missing_files(const KnownSet& set, const fs::path& folder) {
  std::vector<std::string_view> missing;
  for (const KnownFile& file : set.files) {
    if (!find_file(folder, file.name)) {
      missing.push_back(file.name);
    }
  }
  return missing;
}

std::string describe(const KnownSet& set, const Place& place) {
  std::error_code error;
  std::string finding = "no such folder";
  if (fs::is_directory(place.folder, error)) {
    const auto missing = missing_files(set, place.folder);
    finding = missing.size() == set.files.size()
                  ? "none of its files"
                  : fmt::format("lacks {}", fmt::join(missing, ", "));
  }
  return fmt::format("\n  {} ({}): {}", place.folder.string(), place.origin, finding);
}

std::string file_names(const KnownSet& set) {
  std::vector<std::string_view> names;
  for (const KnownFile& file : set.files) {
    names.push_back(file.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string advice(const KnownSet& set) {
  if (set.mirrors.empty()) {
    return fmt::format(
        "\nIts text is not freely licensed, so there is nothing to download it from: put {} into a "
        "folder, and name the folder with --data DIR.",
        file_names(set));
  }
  std::string text = fmt::format("\nDownload it with 'isthmus data fetch {}'", set.name);
  if (!set.system_package.empty()) {
    text += fmt::format(", or install it with 'apt-get install {}'", set.system_package);
  }
  text += fmt::format(", or name the folder that holds {}/ with --data DIR.", set.folder);
  return text;
}

// The known set other than `name` that has a file of this content.
const KnownSet* owner_of(const std::string& sha256, std::string_view name) {
  for (const KnownSet& set : sets) {
    const bool owns = std::any_of(set.files.begin(), set.files.end(), [&](const KnownFile& file) {
      return file.sha256 == sha256;
    });
    if (owns && set.name != name) {
      return &set;
    }
  }
  return nullptr;
}

void check_identity(const Dataset& dataset, const fs::path& folder) {
  if (find_known(dataset.name) == nullptr) {
    return;
  }
  for (const SourceFile& source : dataset.sources) {
    if (const KnownSet* owner = owner_of(source.sha256, dataset.name)) {
      throw DataError(
          fmt::format("{}: expected the files of {}, found those of {} ({}), which have the same "
                      "names. Name the "
                      "right folder with --data DIR.",
                      folder.string(),
                      dataset.name,
                      owner->name,
                      source.name));
    }
  }
}

std::size_t count_classes(const Samples& samples) {
  return static_cast<std::size_t>(*std::max_element(samples.labels.begin(), samples.labels.end())) +
         1;
}

}  // namespace

std::span<const KnownSet> known_sets() {
  return sets;
}

const KnownSet& known_set(std::string_view name) {
  const KnownSet* set = find_known(name);
  if (set == nullptr) {
    std::vector<std::string_view> names;
    for (const KnownSet& known : sets) {
      names.push_back(known.name);
    }
    throw UsageError(
        fmt::format("data set: expected one of {}, got '{}'", fmt::join(names, ", "), name));
  }
  return *set;
}

fs::path user_data_folder() {
  if (const auto folder = environment("XDG_DATA_HOME")) {
    return fs::path(*folder) / "isthmus";
  }
  if (const auto home = environment("HOME")) {
    return fs::path(*home) / ".local" / "share" / "isthmus";
  }
  throw MissingInput(
      "the user's data folder: expected XDG_DATA_HOME or HOME to be set, found neither. Set one of "
      "them, or name a folder with --data DIR.");
}

fs::path find_dataset(std::string_view name, const std::optional<fs::path>& flag_folder) {
  const KnownSet& set = known_set(name);
  std::error_code error;
  if (flag_folder && !fs::is_directory(*flag_folder, error)) {
    throw MissingInput(fmt::format(
        "--data {}: expected a folder of data sets, found no such folder", flag_folder->string()));
  }
  const std::vector<Place> places = places_of(set, flag_folder);
  std::string tried;
  for (const Place& place : places) {
    if (missing_files(set, place.folder).empty()) {
      return place.folder;
    }
    tried += describe(set, place);
  }
  throw MissingInput(
      fmt::format("data set {}: not found. Looked in:{}{}", name, tried, advice(set)));
}

std::optional<fs::path> find_file(const fs::path& folder, std::string_view file) {
  std::error_code error;
  const fs::path path = folder / file;
  if (fs::is_regular_file(path, error)) {
    return path;
  }
  for (const char* suffix : {".gz", ".xz"}) {
    fs::path packed = path;
    packed += suffix;
    if (fs::is_regular_file(packed, error)) {
      return packed;
    }
  }
  return std::nullopt;
}

fs::path require_file(const fs::path& folder, std::string_view file) {
  const std::optional<fs::path> path = find_file(folder, file);
  if (!path) {
    throw MissingInput(fmt::format(
        "{}: expected the file {}, {}.gz or {}.xz, found none", folder.string(), file, file, file));
  }
  return *path;
}

Dataset load_idx_dataset(const fs::path& folder, std::string_view name) {
  const KnownSet* known = find_known(name);
  Dataset dataset;
  dataset.name = name;
  dataset.classes = known != nullptr ? known->classes : 0;
  dataset.train = read_idx_samples(require_file(folder, train_images),
                                   require_file(folder, train_labels),
                                   dataset.classes,
                                   &dataset.sources);
  if (dataset.classes == 0) {
    dataset.classes = count_classes(dataset.train);
  }
  dataset.test = read_idx_samples(require_file(folder, test_images),
                                  require_file(folder, test_labels),
                                  dataset.classes,
                                  &dataset.sources);
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

Dataset load_dataset(const fs::path& folder, std::string_view name) {
  if (name == "cifar-10") {
    return load_cifar10(folder);
  }
  if (name == "ptb") {
    throw UsageError("data set ptb: expected labelled samples, it is a text (see load_ptb)");
  }
  return load_idx_dataset(folder, name);
}

bool is_canonical(std::string_view name, std::span<const SourceFile> sources) {
  const KnownSet* known = find_known(name);
  if (known == nullptr) {
    return false;
  }
  return std::all_of(known->files.begin(), known->files.end(), [&](const KnownFile& file) {
    return std::any_of(sources.begin(), sources.end(), [&](const SourceFile& source) {
      return source.sha256 == file.sha256;
    });
  });
}

bool is_canonical(const Dataset& dataset) {
  return is_canonical(dataset.name, dataset.sources);
}

}  // namespace isthmus
