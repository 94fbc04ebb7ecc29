// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "context.h"
#include "isthmus/core/json.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/study/components.h"
#include "isthmus/study/option_table.h"
#include "isthmus/study/task.h"
#include "isthmus/train/option_table.h"

namespace isthmus::app {
namespace {

void run_command(bool json) {
  Json list = Json::array();
  for (const Task& task : tasks()) {
    const StudyOptions options = default_options(task, Protocol::strict);
    const std::size_t parameters = layout_of(options.problem.network).dimension();
    if (json) {
      list.push_back({{"name", task.name},
                      {"summary", task.summary},
                      {"parameters", parameters},
                      {"metric", name_of(options.string.grid.metric)},
                      {"threshold", task.threshold},
                      {"published_thresholds", task.published_thresholds}});
      continue;
    }
    fmt::print("{}\n  {}\n  {} parameters; metric {}; default threshold {:g}\n",
               task.name,
               task.summary,
               parameters,
               name_of(options.string.grid.metric),
               task.threshold);
    if (!task.published_thresholds.empty()) {
      fmt::print("  published at {}\n", fmt::join(task.published_thresholds, ", "));
    }
  }
  if (json) {
    fmt::print("{}\n", list.dump(2));
  }
}

// One row for each option: the table in docs/options.md.
template <class S>
void add_rows(Json& list, std::string_view of, const OptionTable<S>& table) {
  for (const Option<S>& option : table) {
    const OptionText& text = option.text;
    list.push_back({{"key", option.key},
                    {"flag", text.flag.empty() ? "" : fmt::format("--{}", text.flag)},
                    {"of", of},
                    {"range", option.range},
                    {"unit", text.unit},
                    {"default", text.preset},
                    {"help", text.help}});
  }
}

void list_options(bool json) {
  Json list = Json::array();
  add_rows(list, "study", study_option_table());
  add_rows(list, "string", string_option_table());
  add_rows(list, "greedy string", greedy_option_table());
  add_rows(list, "string", method_option_table());
  for_each_terms(StudyOptions{}.string, [&](const auto& table, const auto&, Method method) {
    add_rows(list, fmt::format("{} string", name_of(method)), table);
  });
  add_rows(list, "shortening", shorten_option_table());
  add_rows(list, "repair", repair_option_table());
  add_rows(list, "training", train_option_table());
  add_rows(list, "training", train_flag_table());
  add_rows(list, "problem", problem_option_table());
  add_rows(list, "components", components_option_table());
  if (json) {
    fmt::print("{}\n", list.dump(2));
    return;
  }
  fmt::print(
      "# Options\n\nWhat a study may be told, as `isthmus list --options` prints it. The key is "
      "that "
      "of `config.json`; options\nof training are there twice, for `endpoints` and for `beads`.\n\n"
      "| key | flag | of | range | unit | default | what |\n|---|---|---|---|---|---|---|\n");
  for (const Json& row : list) {
    for (const auto& [name, value] : row.items()) {
      const auto text = value.get<std::string>();
      const bool code = name == "key" || (name == "flag" && !text.empty());
      fmt::print("| {0}{1}{0} ", code ? "`" : "", text);
    }
    fmt::print("|\n");
  }
}

}  // namespace

void add_list(Context& context) {
  auto json = std::make_shared<bool>(false);
  auto options = std::make_shared<bool>(false);
  Parser* parser = context.parser->add_subcommand(
      "list", "List the tasks: network, metric, default and published thresholds.");
  parser->add_flag("--json", *json, "Print JSON");
  parser->add_flag("--options", *options, "List the options of a study instead (docs/options.md)");
  parser->callback([&context, json, options] {
    context.chosen = [json, options] { *options ? list_options(*json) : run_command(*json); };
  });
}

}  // namespace isthmus::app
