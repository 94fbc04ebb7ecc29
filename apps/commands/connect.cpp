// SPDX-License-Identifier: MIT
// `connect` and `sweep`: the same study, asked for in two ways.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "context.h"
#include "given_networks.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/workers.h"
#include "isthmus/report/text_table.h"
#include "isthmus/study/compare.h"
#include "isthmus/study/endpoints.h"
#include "isthmus/study/parts.h"
#include "isthmus/study/study.h"
#include "progress.h"
#include "run_flags.h"
#include "run_output.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct StudyCommand : RunFlags {
  StudyFlags flags;
  std::optional<std::string> from;
  std::optional<std::string> to;
  std::optional<std::string> names;
  bool published = false;  // without thresholds: those of the published curve
  std::optional<std::string> part;
};

void take_published_thresholds(StudyOptions& options) {
  for (const Task& task : tasks()) {
    if (task.name == options.problem.task && !task.published_thresholds.empty()) {
      options.thresholds = task.published_thresholds;
    }
  }
}

// Where a run goes that was not given a place: named by its configuration, so that repeating a
// command goes on with its run.
std::filesystem::path default_folder(const StudyOptions& options,
                                     const Json& config,
                                     std::string_view what) {
  return std::filesystem::path("runs") /
         fmt::format("{}-{}-{}", options.problem.task, what, sha256(config.dump()).substr(0, 8));
}

GivenEndPoint read_end_point(const std::string& file,
                             const Network& network,
                             const std::optional<std::string>& names) {
  LoadedNetwork loaded = read_given(file, network, names);
  return {.name = std::filesystem::path(file).filename().string(),
          .theta = std::move(loaded.theta),
          .names = std::move(loaded.names)};
}

// The table of --method compare: a line a threshold and method.
std::string text_of(const std::vector<MethodRow>& rows) {
  TextTable table({"threshold",
                   "method",
                   "connected",
                   "proof",
                   "maximum",
                   "length",
                   "beads",
                   "gradients",
                   "forward",
                   "seconds"});
  std::string refusals;
  const auto number = [](double value, int decimals) {
    return std::isnan(value) ? std::string("-") : fmt::format("{:.{}f}", value, decimals);
  };
  for (const MethodRow& row : rows) {
    if (!row.refused.empty()) {
      refusals += fmt::format("{}: {}\n", name_of(row.method), row.refused);
      continue;
    }
    table.add({format_number(row.threshold),
               std::string(name_of(row.method)),
               fmt::format("{} of {}", row.connected, row.pairs),
               row.proof,
               fmt::format("{:.4g}", row.maximum),
               number(row.length, 4),
               number(row.beads, 1),
               fmt::format("{:.3g}", static_cast<double>(row.gradient_samples)),
               fmt::format("{:.3g}", static_cast<double>(row.forward_samples)),
               number(row.seconds, 2)});
  }
  return fmt::format(
      "{}\nThe maximum is that of all pairs, length and beads are means over connected ones; "
      "gradients and forward are samples of all pairs.\n{}",
      table.str(TableForm::text),
      refusals);
}

Json to_json(const std::vector<MethodRow>& rows) {
  Json list = Json::array();
  for (const MethodRow& row : rows) {
    list.push_back({{"threshold", row.threshold},
                    {"method", name_of(row.method)},
                    {"refused", row.refused},
                    {"pairs", row.pairs},
                    {"connected", row.connected},
                    {"proof", row.proof},
                    {"maximum", number_or_null(row.maximum)},
                    {"length", number_or_null(row.length)},
                    {"beads", number_or_null(row.beads)},
                    {"gradient_samples", row.gradient_samples},
                    {"forward_samples", row.forward_samples},
                    {"seconds", number_or_null(row.seconds)}});
  }
  return list;
}

// All methods on the same end points, each with a run of its own below the folder.
void compare(const StudyCommand& command,
             const StudyOptions& options,
             const std::shared_ptr<const Dataset>& data,
             const Stop& stop) {
  const std::filesystem::path folder =
      command.out ? std::filesystem::path(*command.out)
                  : default_folder(options, run_configuration(options), "compare");
  std::error_code ignored;
  if (std::filesystem::exists(folder / run_files::config, ignored)) {
    throw UsageError(fmt::format(
        "{}: a run of one method is there; --method compare keeps one run a method in a folder of "
        "its own. Give another --out.",
        folder.string()));
  }
  Workers workers(command.flags.worker_count());
  std::optional<ProgressDisplay> display;
  std::optional<Method> shown;
  const std::vector<MethodRow> rows =
      compare_methods(options,
                      data,
                      folder,
                      command.resume || !command.out,
                      command.checkpoint_seconds,
                      workers,
                      &stop,
                      [&](Method method, const StudyProgress& event) {
                        if (shown != method) {
                          display.reset();
                          fmt::print(stderr, "{}:\n", name_of(method));
                          display.emplace(options);
                          shown = method;
                        }
                        display->show(event);
                      });
  display.reset();
  write_file(folder / "compare.csv", to_csv(rows));
  if (command.json) {
    fmt::print("{}\n", to_json(rows).dump(2));
    return;
  }
  fmt::print("{}\nRuns: {}\n", text_of(rows), folder.string());
}

// Beside the times, the one file that tells how a run was made and not what it is.
void keep_command(const std::filesystem::path& folder, const std::string& line) {
  const std::filesystem::path file = folder / run_files::timing;
  Json timing = read_json(file);
  timing["command"] = line;
  write_json(file, timing);
}

void run_command(const StudyCommand& command, const std::string& line, const Stop& stop) {
  StudyOptions options = command.flags.options();
  if (command.published && !command.flags.threshold && !command.flags.thresholds) {
    take_published_thresholds(options);
  }
  if (command.from.has_value() != command.to.has_value()) {
    throw UsageError("--from and --to: give both end points, or neither");
  }
  if (command.from) {
    command.flags.refuse_training_of_end_points();
    options.from = read_end_point(*command.from, options.problem.network, command.names);
    options.to = read_end_point(*command.to, options.problem.network, command.names);
  } else if (command.names) {
    throw UsageError("--names: says what is in the files of --from and --to; give these");
  }
  options.validate();
  const std::shared_ptr<const Dataset> data =
      load_data(options.problem, command.flags.data_folder());
  // Everything that can be refused is, before there is a run directory.
  make_objective(options, 0, data);
  if (command.flags.compare()) {
    compare(command, options, data, stop);
    return;
  }
  const Json config = run_configuration(options);
  const bool named = command.out.has_value();
  const std::filesystem::path whole =
      named ? std::filesystem::path(*command.out)
            : default_folder(options, config, name_of(options.protocol));
  const StudyPart part = command.part ? StudyPart::of(*command.part) : StudyPart{};
  const std::filesystem::path folder = part.whole() ? whole : part_folder(whole, part);
  RunDirectory run(folder, config, command.resume || !named || !part.whole());
  run.set_checkpoint_seconds(command.checkpoint_seconds);
  const std::size_t taken = part.whole() ? take_parts(folder, config) : 0;
  Workers workers(command.flags.worker_count());
  {
    ProgressDisplay display(options);
    run_study(
        options,
        data,
        run,
        workers,
        &stop,
        [&](const StudyProgress& event) { display.show(event); },
        nullptr,
        part);
  }
  if (!part.whole()) {
    fmt::print("Part {} of {}: {}\n", part.index, part.count, folder.string());
    return;
  }
  if (taken > 0) {
    forget_parts(folder);
  }
  keep_command(folder, line);
  write_figures(folder);
  print_run(folder, command.json);
}

void add_study(Context& context,
               const char* name,
               const char* description,
               const char* footer,
               bool end_points) {
  auto command = std::make_shared<StudyCommand>();
  command->published = !end_points;
  Parser* parser = context.parser->add_subcommand(name, description);
  parser->footer(footer);
  StudyFlags& flags = command->flags;
  parser->add_option(
      "--threshold", flags.threshold, "L0, in the metric's unit; an error rate of 2 % is 0.02");
  parser->add_option("--thresholds", flags.thresholds, "Several: A,B,...");
  flags.add_pairs(*parser);
  if (end_points) {
    parser->add_option(
        "--from", command->from, "End point A: a safetensors file (docs/networks.md)");
    parser->add_option("--to", command->to, "End point B");
    add_names(*parser, command->names);
  }
  command->add_run(
      *parser,
      "runs/TASK-PROTOCOL-HASH",
      "more --pairs, more --thresholds and larger budgets (--max-rounds, --max-beads, "
      "--max-total-steps, --max-seconds, --max-steps, --repair-tries): pairs that failed are then "
      "tried again",
      "the summary as JSON");
  if (!end_points) {
    parser
        ->add_option(
            "--part",
            command->part,
            "Pairs k with k mod N = K alone, into RUN.parts: for several machines; the same "
            "command without it takes the parts in and ends the run (docs/python.md)")
        ->type_name("K/N");
  }
  flags.add_problem(*parser);
  flags.add_string(*parser);
  flags.add_training(*parser);
  parser->callback([&context, command] {
    context.chosen = [command, &context] { run_command(*command, context.line, *context.stop); };
  });
}

}  // namespace

void add_connect(Context& context) {
  add_study(context,
            "connect",
            "Join two networks below a threshold, and measure the path.\n\n"
            "Trains two end points of a task from different starts to the threshold L0 (or takes "
            "two given\n"
            "ones), joins them by greedy string sampling, and writes a run directory with the "
            "path, tables\n"
            "and figures. Lengths are over all parameters, and over weights alone as published; "
            "beads count\n"
            "both end points.",
            "\nExamples:\n"
            "  isthmus connect quadratic --threshold 0.01 --pairs 10\n"
            "  isthmus connect mnist --threshold 0.02 --out runs/mnist-2\n"
            "  isthmus connect mnist-mlp --from A.safetensors --to B.safetensors --threshold 0.05\n"
            "  isthmus connect --network net.json --dataset fashion-mnist --threshold 0.15\n"
            "The run directory is described in docs/run_directory.md. Ctrl-C keeps what is "
            "finished; the same\n"
            "command with --resume goes on and ends with the same files.",
            true);
}

void add_sweep(Context& context) {
  add_study(context,
            "sweep",
            "Connect many pairs at many thresholds: the curves of length and beads.\n\n"
            "Without --thresholds those of the published curve are taken. Under the strict "
            "protocol each\n"
            "end point is trained once, and kept as it passes each threshold (--endpoints-of).",
            "\nExamples:\n"
            "  isthmus sweep quadratic --pairs 100\n"
            "  isthmus sweep cubic --pairs 300 --protocol paper --risk oracle --out runs/cubic\n"
            "  isthmus sweep mnist --thresholds 0.04,0.02,0.015 --pairs 5 --out runs/mnist\n"
            "The figure draws the published points beside these (docs/published).",
            false);
}

}  // namespace isthmus::app
