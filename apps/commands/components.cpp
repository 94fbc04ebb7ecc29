// SPDX-License-Identifier: MIT
#include "isthmus/study/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/workers.h"
#include "isthmus/report/components_page.h"
#include "progress.h"
#include "run_flags.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct ComponentsCommand : RunFlags {
  StudyFlags flags;
  std::map<std::string, std::string> given;  // of the options of components alone
};

void run_command(ComponentsCommand& command, const Stop& stop) {
  ComponentsOptions options;
  command.flags.preset("repair", "none");
  options.study = command.flags.options();
  for (const Option<ComponentsOptions>& option : components_option_table()) {
    const auto text = command.given.find(std::string(option.text.flag));
    if (text != command.given.end()) {
      option.parse(options, text->second);
    }
  }
  if (command.flags.compare()) {
    throw UsageError("--method compare: expected one method; `connect` compares them");
  }
  options.validate();
  const std::shared_ptr<const Dataset> data =
      load_data(options.study.problem, command.flags.data_folder());
  // Everything that can be refused is, before there is a run directory.
  make_objective(options.study, 0, data);
  const Json config = run_configuration(options);
  const std::string task = options.study.problem.task;
  const std::filesystem::path folder = command.out.value_or(
      fmt::format("runs/{}-components-{}", task, sha256(config.dump()).substr(0, 8)));
  RunDirectory run(folder, config, command.resume || !command.out);
  run.set_checkpoint_seconds(command.checkpoint_seconds);
  Workers workers(command.flags.worker_count());
  ComponentsResult result;
  {
    StudyOptions shown = options.study;
    shown.pairs = options.networks * std::max<std::size_t>(1, options.widths.size());
    ProgressDisplay display(shown);
    result = run_components(options, data, run, workers, &stop, [&](const StudyProgress& event) {
      display.show(event);
    });
  }
  const ComponentsFigure figure = components_figure(folder);
  write_file(folder / run_files::figure, svg_components(figure));
  if (command.json) {
    fmt::print("{}\n", read_json(folder / "graph.json").dump(2));
    return;
  }
  fmt::print("{}{:.1f} s; {}\n",
             components_text(figure, TableForm::text),
             result.seconds,
             folder.string());
}

constexpr const char* description =
    "Count the components of a level set that some networks lie in.\n\n"
    "Trains networks of a task from different starts to each threshold and joins pairs of them by "
    "strings,\n"
    "nearest first, until all lie in one component or every pair between two was tried. A pair "
    "that fails\n"
    "proves nothing: there are at most as many components as are found. Writes components.csv, "
    "graph.json,\n"
    "a GraphML file of each graph with the barrier of each pair, and a figure.";

constexpr const char* footer =
    "\nExamples:\n"
    "  isthmus components quadratic --networks 30 --threshold 0.01\n"
    "  isthmus components quadratic --networks 30 --thresholds 0.1,0.01,0.0025 --widths 2,4,8,16\n"
    "  isthmus components two-gaussians --networks 20 --widths 2,3,4\n"
    "The run directory is described in docs/components.md. Ctrl-C keeps what is finished; the "
    "same command\n"
    "with --resume goes on and ends with the same files.";

}  // namespace

void add_components(Context& context) {
  auto command = std::make_shared<ComponentsCommand>();
  Parser* parser = context.parser->add_subcommand("components", description);
  parser->footer(footer);
  StudyFlags& flags = command->flags;
  for (const Option<ComponentsOptions>& option : components_option_table()) {
    const std::string flag(option.text.flag);
    parser
        ->add_option_function(
            "--" + flag,
            [command, flag](const std::string& text) { command->given[flag] = text; },
            option_help(option.text, option.range))
        ->type_name(std::string(option.type));
  }
  parser->add_option(
      "--threshold", flags.threshold, "L0, in the metric's unit; an error rate of 2 % is 0.02");
  parser->add_option("--thresholds", flags.thresholds, "Several: A,B,...");
  command->add_run(
      *parser, "runs/TASK-components-HASH", "more --networks and --thresholds", "graph.json");
  flags.add_problem(*parser);
  flags.add_string(*parser);
  flags.add_training(*parser);
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
