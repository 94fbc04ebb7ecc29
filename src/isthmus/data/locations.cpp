// SPDX-License-Identifier: MIT
#include "isthmus/data/locations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "isthmus/core/error.h"
#include "isthmus/data/cifar.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/packed_file.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

// An environment variable that is set and not empty.
std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return value;
}

// What a name is but for case, hyphens and underscores.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char letter : name) {
    if (letter != '-' && letter != '_') {
      plain += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    }
  }
  return plain;
}

// The folders directly below a folder, in the order of their names.
std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code unreadable;
    if (entry.is_directory(unreadable)) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// A set that is looked for.
struct Wanted {
  std::string name;
  std::string folder;
  const KnownSet* known = nullptr;  // null: an IDX set of the user's own

  bool is_idx() const {
    return known == nullptr || known->files.front().name == "train-images-idx3-ubyte";
  }
};

Wanted wanted_of(std::string_view name) {
  const KnownSet* known = find_known_set(name);
  if (known == nullptr &&
      (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos)) {
    throw UsageError(
        fmt::format("data set: expected the name of a set ({}, or the name of a folder of your own "
                    "IDX files), got '{}'. Name the folder around it with --data DIR.",
                    known_set_names(),
                    name));
  }
  return {std::string(name), std::string(known != nullptr ? known->folder : name), known};
}

std::vector<std::string> missing_files(const Wanted& set, const fs::path& folder) {
  std::vector<std::string> missing;
  if (set.is_idx()) {
    find_idx_files(folder, set.name, &missing);
    return missing;
  }
  for (const KnownFile& file : set.known->files) {
    if (!find_file(folder, file.name)) {
      missing.emplace_back(file.name);
    }
  }
  return missing;
}

struct Place {
  fs::path folder;
  std::string origin;    // who named it
  bool expected = true;  // told of even if there is no such folder
};

// A folder of data sets.
struct Root {
  fs::path folder;
  std::string origin;
  bool itself = true;  // it may hold the files of a set
};

std::vector<Root> roots_of(const std::optional<fs::path>& flag_folder) {
  std::error_code error;
  if (flag_folder && !fs::is_directory(*flag_folder, error)) {
    throw MissingInput(fmt::format(
        "--data {}: expected a folder of data sets, found no such folder", flag_folder->string()));
  }
  std::vector<Root> roots;
  if (flag_folder) {
    roots.push_back({*flag_folder, "--data"});
  }
  if (const auto folder = environment("ISTHMUS_DATA")) {
    roots.push_back({*folder, "ISTHMUS_DATA"});
  }
  if (environment("XDG_DATA_HOME") || environment("HOME")) {
    roots.push_back({user_data_folder(), "the user's data folder", false});
  }
  return roots;
}

void add_place(std::vector<Place>& places, const Wanted& set, const Place& place) {
  places.push_back(place);
  if (set.is_idx()) {
    for (const char* inner : {"raw", "gzip"}) {
      places.push_back({place.folder / inner, place.origin, false});
    }
  }
}

std::vector<Place> places_of(const Wanted& set, const std::vector<Root>& roots) {
  std::vector<Place> places;
  const std::string plain = plain_name(set.name);
  for (const Root& root : roots) {
    add_place(places, set, {root.folder / set.folder, root.origin});
    for (const fs::path& folder : subfolders(root.folder)) {
      const std::string name = folder.filename().string();
      const bool emnist = set.known == nullptr && plain_name(name) == "emnist";
      if (name != set.folder && (plain_name(name) == plain || emnist)) {
        add_place(places, set, {folder, root.origin});
      }
    }
    if (root.itself) {
      add_place(places, set, {root.folder, root.origin});
    }
  }
  if (set.known != nullptr && !set.known->system_folder.empty()) {
    places.push_back({fs::path(set.known->system_folder), "the system's package"});
  }
  return places;
}

// What is wrong with a place; nothing to say of one that nobody expects.
std::string describe(const Wanted& set, const Place& place) {
  std::error_code error;
  std::string finding = "no such folder";
  if (fs::is_directory(place.folder, error)) {
    const std::vector<std::string> missing = missing_files(set, place.folder);
    const std::size_t all = set.is_idx() ? 4 : set.known->files.size();
    finding = fmt::format("{}; it holds {}",
                          missing.size() == all ? std::string("none of its files")
                                                : fmt::format("lacks {}", fmt::join(missing, ", ")),
                          contents_of(place.folder));
  } else if (!place.expected) {
    return {};
  }
  return fmt::format("\n  {} ({}): {}", place.folder.string(), place.origin, finding);
}

// CIFAR-10 as pickles, or an archive that nobody has unpacked, in a place.
std::string cifar_hint(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "data_batch_1", error) ||
      fs::exists(folder / "cifar-10-batches-py", error) ||
      fs::exists(folder / "cifar-10-python.tar.gz", error)) {
    return fmt::format(
        "\n{} has the Python version of CIFAR-10 (pickles, as torchvision keeps it); isthmus reads "
        "the binary version, data_batch_1.bin and the others.",
        folder.string());
  }
  if (fs::exists(folder / "cifar-10-binary.tar.gz", error)) {
    return fmt::format("\nUnpack the archive in {0}: tar -xzf {0}/cifar-10-binary.tar.gz -C {0}",
                       folder.string());
  }
  return {};
}

std::string advice_for_own(const Wanted& set) {
  for (const KnownSet& known : known_sets()) {
    if (plain_name(known.name) == plain_name(set.name)) {
      return fmt::format("\nDid you mean {}?", known.name);
    }
  }
  return fmt::format(
      "\nIt is none of the known sets ({}). An IDX set of your own is a folder {}/ with the files "
      "{}; name the folder that holds {}/ with --data DIR.",
      known_set_names(),
      set.folder,
      idx_file_names,
      set.folder);
}

std::string advice(const Wanted& set, const std::vector<Place>& places) {
  if (set.known == nullptr) {
    return advice_for_own(set);
  }
  const KnownSet& known = *set.known;
  std::vector<std::string_view> names;
  for (const KnownFile& file : known.files) {
    names.push_back(file.name);
  }
  const std::string files =
      set.is_idx() ? std::string(idx_file_names) : fmt::format("{}", fmt::join(names, ", "));
  if (known.mirrors.empty()) {
    return fmt::format(
        "\nIts text is not freely licensed, so there is nothing to download it from: put {} into a "
        "folder, and name the folder with --data DIR.",
        files);
  }
  std::string text = fmt::format("\nExpected {}.", files);
  if (known.name == "cifar-10") {
    for (const Place& place : places) {
      const std::string hint = cifar_hint(place.folder);
      text += text.find(hint) == std::string::npos ? hint : "";
    }
  }
  text += fmt::format("\nDownload it with 'isthmus data fetch {}'", known.name);
  if (!known.system_package.empty()) {
    text += fmt::format(", or install it with 'apt-get install {}'", known.system_package);
  }
  return text + fmt::format(", or name the folder that holds {}/ with --data DIR.", known.folder);
}

}  // namespace

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
  const Wanted set = wanted_of(name);
  const std::vector<Place> places = places_of(set, roots_of(flag_folder));
  std::string tried;
  for (const Place& place : places) {
    if (missing_files(set, place.folder).empty()) {
      return place.folder;
    }
    tried += describe(set, place);
  }
  throw MissingInput(
      fmt::format("data set {}: not found. Looked in:{}{}", name, tried, advice(set, places)));
}

std::vector<OwnSet> own_sets(const std::optional<fs::path>& flag_folder) {
  std::vector<OwnSet> sets;
  for (const Root& root : roots_of(flag_folder)) {
    for (const fs::path& folder : subfolders(root.folder)) {
      const std::string name = folder.filename().string();
      const auto same = [&](const auto& set) { return plain_name(set.name) == plain_name(name); };
      if (std::any_of(known_sets().begin(), known_sets().end(), same) ||
          std::any_of(sets.begin(), sets.end(), same)) {
        continue;
      }
      for (const fs::path& place : {folder, folder / "raw", folder / "gzip"}) {
        if (const auto files = find_idx_files(place, name)) {
          sets.push_back({name, place, summarise(*files)});
          break;
        }
      }
    }
  }
  return sets;
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

}  // namespace isthmus
