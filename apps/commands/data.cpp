// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/fetch.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/locations.h"

namespace isthmus::app {
namespace {

struct DataCommand {
  std::string name;
  std::optional<std::string> data;
  std::vector<std::string> mirrors;
  bool json = false;

  std::optional<std::filesystem::path> folder() const {
    return data ? std::optional<std::filesystem::path>(*data) : std::nullopt;
  }
};

// The folder of a set, or nothing if it is nowhere.
std::optional<std::filesystem::path> where(std::string_view name, const DataCommand& command) {
  try {
    return find_dataset(name, command.folder());
  } catch (const MissingInput&) {
    return std::nullopt;
  }
}

void list_sets(const DataCommand& command) {
  Json list = Json::array();
  const auto show = [&](std::string_view name,
                        std::string_view content,
                        std::size_t classes,
                        const std::optional<std::filesystem::path>& folder) {
    if (command.json) {
      list.push_back({{"name", name},
                      {"content", content},
                      {"classes", classes},
                      {"folder", folder ? Json(folder->string()) : Json(nullptr)}});
      return;
    }
    const bool fetched = folder || !known_set(name).mirrors.empty();
    fmt::print(
        "{:<16}{:<50}{}\n",
        name,
        content,
        folder ? folder->string()
               : fmt::format("not found (isthmus data {} {})", fetched ? "fetch" : "path", name));
  };
  for (const KnownSet& set : known_sets()) {
    show(set.name, set.content, set.classes, where(set.name, command));
  }
  for (const OwnSet& set : own_sets(command.folder())) {
    const std::size_t classes = set.summary.classes;
    show(set.name,
         classes == 0 || command.json ? set.summary.content
                                      : fmt::format("{}, {} classes", set.summary.content, classes),
         classes,
         set.folder);
  }
  if (command.json) {
    fmt::print("{}\n", list.dump(2));
  }
}

void print_path(const DataCommand& command) {
  fmt::print("{}\n", find_dataset(command.name, command.folder()).string());
}

void fetch(const DataCommand& command, const Stop& stop) {
  const KnownSet& set = known_set(command.name);
  const std::filesystem::path base =
      command.data ? std::filesystem::path(*command.data) : user_data_folder();
  const std::filesystem::path folder = base / set.folder;
  FetchOptions options;
  options.stop = &stop;
  for (const std::string& mirror : command.mirrors) {
    options.mirrors.push_back(mirror.ends_with('/') ? mirror : mirror + "/");
  }
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (terminal) {
    options.progress = [](const FetchProgress& progress) {
      fmt::print(stderr,
                 "\r\033[K{}: {:.1f} of {:.1f} MB",
                 progress.file,
                 static_cast<double>(progress.bytes) / 1e6,
                 static_cast<double>(progress.total) / 1e6);
      std::fflush(stderr);
    };
  }
  const FetchSummary summary = fetch_dataset(set, folder, options);
  if (terminal) {
    fmt::print(stderr, "\r\033[K");
  }
  fmt::print("{}: {} files fetched and verified, {} were there\n",
             folder.string(),
             summary.downloaded,
             summary.present);
}

}  // namespace

void add_data(Context& context) {
  Parser* parser = context.parser->add_subcommand(
      "data",
      "List, find and fetch data sets.\n\n"
      "Sets are looked for below --data, the folder ISTHMUS_DATA, the user's data folder\n"
      "($XDG_DATA_HOME/isthmus or ~/.local/share/isthmus) and the system's package folder, in "
      "this\n"
      "order. A fetched file gets its name only after its SHA-256 has proved to be the published "
      "one.");
  parser->footer(
      "\nThe text of ptb is not freely licensed and cannot be fetched: put its files into "
      "DIR/ptb.\n"
      "\nExamples:\n  isthmus data list\n  isthmus data fetch mnist\n  isthmus data path "
      "fashion-mnist\n  isthmus data fetch cifar-10 --data ~/datasets");
  parser->require_subcommand(1);
  auto command = std::make_shared<DataCommand>();

  Parser* list =
      parser->add_subcommand("list", "The known sets and IDX sets of your own, and where they are");
  list->add_option("--data", command->data, "Look here first")->type_name("DIR");
  list->add_flag("--json", command->json, "Print JSON");
  list->callback([&context, command] { context.chosen = [command] { list_sets(*command); }; });

  Parser* path = parser->add_subcommand("path", "The folder of a set");
  path->add_option("name", command->name, "The set")->required();
  path->add_option("--data", command->data, "Look here first")->type_name("DIR");
  path->callback([&context, command] { context.chosen = [command] { print_path(*command); }; });

  Parser* get = parser->add_subcommand(
      "fetch", "Download a set, verify it, put it into the user's data folder (or --data)");
  get->add_option("name", command->name, "The set")->required();
  get->add_option("--data", command->data, "Put it below this folder")->type_name("DIR");
  get->add_option(
      "--mirror", command->mirrors, "Address of a folder with the files; may be repeated");
  get->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { fetch(*command, *stop); };
  });
}

}  // namespace isthmus::app
