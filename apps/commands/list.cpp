// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "context.h"
#include "isthmus/core/json.h"
#include "isthmus/study/task.h"

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

}  // namespace

void add_list(Context& context) {
  auto json = std::make_shared<bool>(false);
  CLI::App* parser = context.parser->add_subcommand(
      "list", "List the tasks: network, metric, default and published thresholds.");
  parser->add_flag("--json", *json, "Print JSON");
  parser->callback([&context, json] { context.chosen = [json] { run_command(*json); }; });
}

}  // namespace isthmus::app
