// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <memory>

#include "context.h"
#include "isthmus/core/json.h"
#include "isthmus/report/run.h"
#include "isthmus/report/table.h"
#include "run_output.h"

namespace isthmus::app {
namespace {

struct ReportCommand {
  std::string run;
  bool json = false;
  bool markdown = false;
  bool no_figure = false;
};

void run_command(const ReportCommand& command) {
  if (!command.no_figure) {
    write_figures(command.run);
  }
  if (command.markdown && !command.json) {
    fmt::print("{}", report_text(read_run(command.run), TableForm::markdown));
    return;
  }
  print_run(command.run, command.json);
}

}  // namespace

void add_report(Context& context) {
  auto command = std::make_shared<ReportCommand>();
  CLI::App* parser = context.parser->add_subcommand(
      "report",
      "Print the tables of a run, and draw its figures again.\n\n"
      "Works on finished runs, and on those under way or interrupted: then it says what is "
      "missing.\n"
      "Published values stand beside ours where the task has some, with z values.");
  parser->footer("\nExample:\n  isthmus report runs/mnist-2 --markdown");
  parser->add_option("run", command->run, "The run directory")->required();
  parser->add_flag("--json", command->json, "Print JSON");
  parser->add_flag("--markdown", command->markdown, "Print Markdown");
  parser->add_flag("--no-figure", command->no_figure, "Write nothing into the run directory");
  parser->callback([&context, command] { context.chosen = [command] { run_command(*command); }; });
}

}  // namespace isthmus::app
