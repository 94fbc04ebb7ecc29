// SPDX-License-Identifier: MIT
#include "isthmus/data/known_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::array<KnownFile, 4> idx_files(const std::array<std::string_view, 4>& sha256) {
  return {{{"train-images-idx3-ubyte", 47040016, sha256[0]},
           {"train-labels-idx1-ubyte", 60008, sha256[1]},
           {"t10k-images-idx3-ubyte", 7840016, sha256[2]},
           {"t10k-labels-idx1-ubyte", 10008, sha256[3]}}};
}

// Content of the files that Y. LeCun published; their MD5 are widely quoted.
constexpr auto mnist_files =
    idx_files({"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
               "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
               "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
               "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"});
constexpr std::array<std::string_view, 2> mnist_mirrors{
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
};

// Computed from the unpacked files of Debian's package dataset-fashion-mnist.
constexpr auto fashion_mnist_files =
    idx_files({"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
               "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
               "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
               "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"});
// Zalando's own place, which has no https.
constexpr std::array<std::string_view, 1> fashion_mnist_mirrors{
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
};

// The SHA-256 of the unpacked files, whose MD5 and git blob hashes are those of A. Krizhevsky's.
constexpr KnownFile cifar_batch(std::string_view name, std::string_view sha256) {
  return {name, std::uint64_t{10000} * 3073, sha256};
}
constexpr std::array<KnownFile, 6> cifar10_files{
    cifar_batch("data_batch_1.bin",
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
    cifar_batch("data_batch_2.bin",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
    cifar_batch("data_batch_3.bin",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
    cifar_batch("data_batch_4.bin",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
    cifar_batch("data_batch_5.bin",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    cifar_batch("test_batch.bin",
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")};

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

}  // namespace

std::span<const KnownSet> known_sets() {
  return sets;
}

const KnownSet* find_known_set(std::string_view name) {
  const auto* found =
      std::find_if(sets.begin(), sets.end(), [&](const KnownSet& set) { return set.name == name; });
  return found == sets.end() ? nullptr : found;
}

const KnownSet& known_set(std::string_view name) {
  const KnownSet* set = find_known_set(name);
  if (set == nullptr) {
    throw UsageError(
        fmt::format("data set: expected one of {}, got '{}'", known_set_names(), name));
  }
  return *set;
}

std::string known_set_names() {
  std::vector<std::string_view> names;
  names.reserve(std::size(sets));
  for (const KnownSet& set : sets) {
    names.push_back(set.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

bool is_canonical(std::string_view name, std::span<const SourceFile> sources) {
  const KnownSet* known = find_known_set(name);
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

const KnownSet* owner_of(std::string_view sha256, std::string_view name) {
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

}  // namespace isthmus
