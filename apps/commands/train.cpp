// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "build_info.h"
#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/study/endpoints.h"
#include "isthmus/study/study.h"
#include "progress.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct TrainCommand {
  StudyFlags flags;
  std::string out;
  std::size_t pair = 0;
  std::string side = "A";
  double checkpoint_seconds = 60.0;
  bool json = false;
};

// Trains, and shows how that goes.
TrainJob train(const TrainCommand& command,
               const StudyOptions& options,
               Evaluators& evaluators,
               const std::filesystem::path& state,
               const Stop& stop) {
  ProgressDisplay display(options);
  return train_end_point(options,
                         evaluators,
                         command.pair,
                         command.side[0],
                         TrainCheckpoint{.file = state, .seconds = command.checkpoint_seconds},
                         &stop,
                         [&](const TrainProgress& event) {
                           display.show({.kind = StudyProgress::Kind::endpoint_step,
                                         .pair = command.pair,
                                         .threshold = options.thresholds.front(),
                                         .end_point = command.side[0],
                                         .training = event});
                         });
}

// Where the state of the training is kept: a name of these options, this pair and this side, so
// that no other training is taken for this one.
std::filesystem::path state_file(const TrainCommand& command, const StudyOptions& options) {
  constexpr std::size_t digits = 12;
  const std::string what =
      fmt::format("{} {} {}", run_configuration(options).dump(), command.pair, command.side);
  return fmt::format("{}.{}.state", command.out, sha256(what).substr(0, digits));
}

void print(const TrainCommand& command, const StudyOptions& options, const TrainSummary& summary) {
  const Json result{{"file", command.out},
                    {"termination", name_of(summary.termination)},
                    {"metric", name_of(options.string.grid.metric)},
                    {"value", summary.last_metric},
                    {"threshold", options.thresholds.front()},
                    {"steps", summary.steps},
                    {"gradient_samples", summary.gradient_samples},
                    {"forward_samples", summary.forward_samples}};
  if (command.json) {
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("{}: {} {:.6g} on {} after {} steps ({}; threshold {:g})\n",
             command.out,
             name_of(options.string.grid.metric),
             shown(summary.last_metric),
             name_of(options.string.grid.split),
             summary.steps,
             name_of(summary.termination),
             options.thresholds.front());
}

void run_command(const TrainCommand& command, const Stop& stop) {
  if (command.side != "A" && command.side != "B") {
    throw UsageError(fmt::format("side: expected A or B, got '{}'", command.side));
  }
  StudyOptions options = command.flags.options();
  options.validate();
  const Problem problem = problem_of(options, command.pair);
  const std::unique_ptr<Objective> objective =
      make_objective(options, command.pair, load_data(problem, command.flags.data_folder()));
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const std::filesystem::path state = state_file(command, options);
  if (std::filesystem::exists(state)) {
    fmt::print(stderr, "going on from {}\n", state.string());
  }
  const TrainJob job = train(command, options, evaluators, state, stop);
  const TrainSummary& summary = job.summary;
  if (summary.termination == Termination::interrupted) {
    throw Interrupted(std::filesystem::exists(state)
                          ? fmt::format("interrupted: its state is kept in {}; the same command "
                                        "goes on from there",
                                        state.string())
                          : "interrupted: nothing was written; the same command starts anew");
  }
  write_network_weights(command.out,
                        job.theta,
                        problem.network,
                        {{"task", problem.task},
                         {"problem", to_json(problem).dump()},
                         {"metric", std::string(name_of(options.string.grid.metric))},
                         {"value", format_number(summary.last_metric)}});
  print(command, options, summary);
}

}  // namespace

void add_train(Context& context) {
  auto command = std::make_shared<TrainCommand>();
  Parser* parser = context.parser->add_subcommand(
      "train",
      "Train one network of a task to a threshold, and write it as safetensors.\n\n"
      "The tensors have the names and shapes of a torch.nn.Sequential of the same layers. The "
      "network\n"
      "is the one that `connect` with the same options trains for this pair and side. A budget "
      "that\n"
      "ends before the threshold is reached is told; the last network is written all the same.");
  parser->footer(
      "\nExample:\n"
      "  isthmus train mnist-mlp --threshold 0.05 --side A --out A.safetensors\n"
      "  isthmus train mnist-mlp --threshold 0.05 --side B --out B.safetensors\n"
      "  isthmus connect mnist-mlp --threshold 0.05 --from A.safetensors --to B.safetensors");
  parser->add_option("--threshold", command->flags.threshold, "L0, in the metric's unit");
  parser->add_option("--out", command->out, "The file to write")->required();
  parser->add_option("--pair", command->pair, "Which pair")->capture_default_str();
  parser->add_option("--side", command->side, "Which end point: A or B")->capture_default_str();
  parser
      ->add_option("--checkpoint-seconds",
                   command->checkpoint_seconds,
                   "How often the state is kept, in OUT.HASH.state: the same command goes on from "
                   "there, to the same network [60]")
      ->check(positive_seconds());
  parser->add_flag("--json", command->json, "Print JSON");
  command->flags.add_problem(*parser);
  command->flags.add_training(*parser);
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
