// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/objective/gradient_check.h"
#include "isthmus/study/study.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct CheckCommand {
  StudyFlags flags;
  std::size_t samples = 8;
  GradientCheckOptions check;
  bool json = false;
};

Json to_json(const GradientCheck& result) {
  Json tensors = Json::array();
  for (const TensorCheck& tensor : result.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"checked", tensor.checked},
                       {"failed", tensor.failed},
                       {"skipped", tensor.skipped},
                       {"worst_error", tensor.worst_error}});
  }
  return {{"passed", result.passed}, {"loss", result.loss}, {"tensors", std::move(tensors)}};
}

void print(const GradientCheck& result) {
  fmt::print(
      "{:<14}{:>9}{:>8}{:>9}{:>14}\n", "tensor", "checked", "failed", "at kinks", "worst error");
  for (const TensorCheck& tensor : result.tensors) {
    fmt::print("{:<14}{:>9}{:>8}{:>9}{:>14.3g}\n",
               tensor.name,
               tensor.checked,
               tensor.failed,
               tensor.skipped,
               tensor.worst_error);
  }
  fmt::print(
      "loss {:.9g}: the gradient {}\n", shown(result.loss), result.passed ? "agrees" : "is WRONG");
}

void run_command(const CheckCommand& command) {
  StudyFlags flags = command.flags;
  if (flags.network) {
    flags.threshold = 1.0;  // of no use here, but a study has one
  }
  const StudyOptions options = flags.options();
  Problem problem = problem_of(options, 0);
  if (problem.is_text()) {
    problem.streams = 1;
    problem.window = std::max<std::size_t>(command.samples, 1);
  }
  const std::shared_ptr<const Dataset> data = load_data(problem, command.flags.data_folder());
  const std::unique_ptr<Objective> objective = make_objective(problem, data);
  std::vector<float> theta(objective->dimension());
  objective->initialise(options.seed, stream_name({0x636865636bU}), theta);
  const std::size_t samples = std::min(command.samples, objective->samples(Split::train));
  if (samples == 0) {
    throw UsageError("samples: expected at least 1, got 0");
  }
  const auto batches = objective->batches(options.seed, 0, samples);
  const GradientCheck result = check_gradient(
      problem.network, problem.loss, batches->next(), theta, command.check, problem.penalty);
  if (command.json) {
    fmt::print("{}\n", to_json(result).dump(2));
  } else {
    print(result);
  }
  if (!result.passed) {
    throw InternalError("the gradient does not agree with differences of the loss");
  }
}

}  // namespace

void add_check_gradient(Context& context) {
  auto command = std::make_shared<CheckCommand>();
  Parser* parser = context.parser->add_subcommand(
      "check-gradient",
      "Compare the gradient of a task with differences of its loss in double precision.\n\n"
      "The reference evaluates the network sample by sample straight from its definition. "
      "Coordinates\n"
      "at a kink (ReLU, max pooling, absolute loss) are skipped and counted. Exit code 70 if they "
      "do\n"
      "not agree.");
  parser->footer("\nExample:\n  isthmus check-gradient mnist --samples 4");
  command->flags.add_problem(*parser);
  parser->add_option("--samples", command->samples, "Training samples of the batch")
      ->capture_default_str();
  parser->add_option("--coordinates", command->check.coordinates, "Most coordinates to look at")
      ->capture_default_str();
  parser->add_option("--tolerance", command->check.tolerance, "Relative error that passes")
      ->capture_default_str();
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] { context.chosen = [command] { run_command(*command); }; });
}

}  // namespace isthmus::app
