// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "context.h"
#include "isthmus/core/component_rows.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/report/components_page.h"
#include "isthmus/report/run.h"
#include "isthmus/report/table.h"
#include "pictures.h"
#include "run_output.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct ReportCommand {
  std::string run;
  PageRequest page;
  std::string evaluate = std::string(name_of(Evaluate::automatic));
  bool json = false;
  bool markdown = false;
  bool no_figure = false;
  bool no_page = false;
  bool no_tables = false;
};

bool is_components(const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / run_files::config;
  std::error_code error;
  if (!std::filesystem::exists(config, error)) {
    return false;
  }
  const Json json = read_json(config);
  return json.is_object() && json.value("format", Json()) == components_format;
}

// A run of components: its figure, its page, and its tables.
void report_components(const ReportCommand& command) {
  const std::filesystem::path folder = command.run;
  const ComponentsFigure figure = components_figure(folder);
  const Json json = command.json ? components_json(folder) : Json();
  std::string page;
  if (!command.no_figure) {
    write_file(folder / run_files::figure, svg_components(figure));
    if (!command.no_page) {
      const ComponentsReport report = components_report(folder);
      if (!report.tree.empty()) {
        write_file(folder / "tree.svg", report.tree);
      }
      write_file(folder / "report.html", report.html);
      page = fmt::format("{}\nPage:   {}\n", report.headline, (folder / "report.html").string());
    }
  }
  if (command.json) {
    fmt::print("{}\n", json.dump(2));
    return;
  }
  if (command.markdown) {
    fmt::print("{}", components_text(figure, TableForm::markdown));
    return;
  }
  if (!command.no_tables) {
    fmt::print("{}Run:    {}\n", components_text(figure, TableForm::text), command.run);
  }
  fmt::print("{}{}", page.empty() || command.no_tables ? "" : "\n", page);
}

void run_command(ReportCommand command, const Stop& stop) {
  if (is_components(command.run)) {
    report_components(command);
    return;
  }
  command.page.picture.evaluate = named<Evaluate>(command.evaluate);
  if (command.no_figure && command.page.animation) {
    throw UsageError("--animate writes a figure: do not give --no-figure with it");
  }
  std::string page;
  if (!command.no_figure) {
    write_figures(command.run);
    if (!command.no_page) {
      page = write_page(command.run, command.page, stop);
    }
  }
  if (command.markdown && !command.json) {
    fmt::print("{}", report_text(read_run(command.run), TableForm::markdown));
    return;
  }
  if (!command.no_tables) {
    print_run(command.run, command.json);
  }
  if (!command.json) {
    fmt::print("{}{}", page.empty() || command.no_tables ? "" : "\n", page);
  }
}

void add_page_options(Parser& parser, ReportCommand& command) {
  const auto group = "Page";
  PageRequest& page = command.page;
  parser.add_flag("--no-page", command.no_page, "Write the figures alone")->group(group);
  parser
      .add_option("--threshold",
                  page.threshold,
                  "The string that is shown: of this threshold [the lowest that connects]")
      ->group(group);
  parser.add_option("--pair", page.pair, "And of this pair, from 0 [the one with most beads]")
      ->group(group);
  parser
      .add_option("--evaluate",
                  command.evaluate,
                  "What is computed for the pictures: all (both splits, loss and error, however "
                  "long it takes), auto (what is cheap), or none")
      ->capture_default_str()
      ->group(group);
  parser.add_option("--points", page.picture.points, "Points on each segment that is evaluated")
      ->capture_default_str()
      ->group(group);
  parser
      .add_option("--curvature",
                  page.picture.curvature,
                  "Extreme Hessian eigenvalues at the beads, by so many products of Lanczos each; "
                  "0: none")
      ->capture_default_str()
      ->group(group);
  parser
      .add_option("--animate",
                  page.animation,
                  "The growing string as a moving picture: a .gif, .mp4 or .apng (ffmpeg; without "
                  "it, its frames as SVG)")
      ->type_name("FILE")
      ->group(group);
  parser.add_option("--data", page.picture.data_folder, "Folder with data sets")
      ->type_name("DIR")
      ->group(group);
  parser.add_option("--threads", page.threads, "Worker threads; 0: all cores")
      ->check(thread_count())
      ->group(group);
}

}  // namespace

void add_report(Context& context) {
  auto command = std::make_shared<ReportCommand>();
  Parser* parser = context.parser->add_subcommand(
      "report",
      "Print the tables of a run, draw its figures, and write its page.\n\n"
      "Works on finished runs, and on those under way or interrupted: then it says what is "
      "missing.\n"
      "Published values stand beside ours where the task has some, with z values. "
      "RUN/report.html tells\n"
      "the run on one page that needs no network: the verdict in words, the string on its "
      "principal "
      "axes\n"
      "round by round, the metric along it, tables and configuration (docs/pictures.md).");
  parser->footer(
      "\nExamples:\n"
      "  isthmus report runs/mnist-2 --markdown\n"
      "  isthmus report runs/quadratic --threshold 0.01 --pair 3\n"
      "  isthmus report runs/quadratic --animate string.gif");
  parser->add_option("run", command->run, "The run directory")->required();
  parser->add_flag("--json", command->json, "Print JSON");
  parser->add_flag("--markdown", command->markdown, "Print Markdown");
  parser->add_flag("--no-figure", command->no_figure, "Write nothing into the run directory");
  parser->add_flag("--no-tables", command->no_tables, "Print the first lines of the page alone");
  add_page_options(*parser, *command);
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
