// SPDX-License-Identifier: MIT
#include "isthmus/certify/lower_bound.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <string>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/study/endpoints.h"
#include "isthmus/study/task.h"

namespace isthmus::app {
namespace {

struct LowerBoundCommand {
  std::string task;
  TwoGaussiansOptions gaussians;
  std::string target = "outputs";
  std::string sample = "symmetric";
  std::string points;
  std::optional<std::string> write;
  bool json = false;
  Parser* parser = nullptr;
};

void refuse_options(const LowerBoundCommand& command, std::initializer_list<const char*> options) {
  for (const char* option : options) {
    if (command.parser->count(option) > 0) {
      throw UsageError(fmt::format("{} is no option of the task {}", option, command.task));
    }
  }
}

BarrierBounds bounds_of(const LowerBoundCommand& command) {
  if (command.task == "two-gaussians") {
    refuse_options(command, {"--points"});
    TwoGaussiansOptions options = command.gaussians;
    options.target = named<GaussianTarget>(command.target);
    options.sample = named<GaussianSample>(command.sample);
    return two_gaussians_bounds(options);
  }
  if (command.task == "poor-minimum") {
    refuse_options(command, {"--points", "--target", "--sample"});
    return poor_minimum_bounds(command.gaussians);
  }
  if (command.task == "permuted-points") {
    refuse_options(command,
                   {"--covariance", "--samples", "--sample", "--seed", "--target", "--tolerance"});
    PermutedPointsOptions options;
    if (command.parser->count("--points") > 0) {
      options.points = read_points(command.points);
    }
    return permuted_points_bounds(options);
  }
  throw UsageError(fmt::format(
      "task: expected two-gaussians, poor-minimum or permuted-points, got '{}'", command.task));
}

// The ends of the path, as `connect TASK --from A --to B` takes them.
void write_ends(const BarrierBounds& bounds,
                const std::string& task,
                const std::filesystem::path& folder) {
  make_folder(folder);
  const Network network = task_of(task).network();
  const auto size = static_cast<std::ptrdiff_t>(bounds.network.dimension());
  const std::vector<float> a(bounds.path.begin(), bounds.path.begin() + size);
  const std::vector<float> b(bounds.path.end() - size, bounds.path.end());
  write_network_weights(folder / "A.safetensors", a, network, {{"task", task}});
  write_network_weights(folder / "B.safetensors", b, network, {{"task", task}});
}

Json to_json(const std::string& task, const BarrierBounds& bounds) {
  Json json{{"task", task},
            {"data", bounds.data},
            {"n", bounds.samples()},
            {"network",
             fmt::format("{}-{}-{}, ReLU, no biases",
                         bounds.network.inputs,
                         bounds.network.hidden,
                         bounds.network.outputs)},
            {"exchanged_units", {bounds.exchanged[0] + 1, bounds.exchanged[1] + 1}},
            {"lower", bounds.lower},
            {"upper", bounds.upper},
            {"ratio", bounds.lower > 0.0 ? Json(bounds.upper / bounds.lower) : Json()},
            {"lower_rests_on", bounds.lower_rests_on},
            {"upper_rests_on", bounds.upper_rests_on},
            {"boxes", bounds.boxes},
            {"tolerance", bounds.tolerance},
            {"path_points", bounds.path_points()}};
  if (bounds.ends) {
    json["loss_a"] = bounds.ends->a.high;
    json["loss_b"] = bounds.ends->b.high;
    json["loss_below_b"] = bounds.ends->below_b.high;
  }
  return json;
}

// Six digits, rounded towards the safe side: a bound stays one.
enum class Side { below, above };

std::string six_digits(double value, Side side) {
  if (value <= 0.0) {
    return "0";
  }
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 5.0);
  const double count = value / unit;
  double rounded = side == Side::below ? std::floor(count) : std::ceil(count);
  // The division rounds too.
  if (side == Side::below ? rounded * unit > value : rounded * unit < value) {
    rounded += side == Side::below ? -1.0 : 1.0;
  }
  return fmt::format("{:.6g}", rounded * unit);
}

void print(const BarrierBounds& bounds) {
  fmt::print("Data: {}.\nLoss: the mean over {} samples of the squared distance to the target.\n",
             bounds.data,
             bounds.samples());
  if (bounds.ends) {
    fmt::print(
        "Between network A, theta, of loss {:.6g}, and network B, theta' with its units exchanged, "
        "of loss {:.6g}:\n",
        bounds.ends->a.high,
        bounds.ends->b.high);
  } else {
    fmt::print(
        "Between a network {}-{}-{} that fits and the same with hidden units {} and {} "
        "exchanged:\n",
        bounds.network.inputs,
        bounds.network.hidden,
        bounds.network.outputs,
        bounds.exchanged[0] + 1,
        bounds.exchanged[1] + 1);
  }
  if (bounds.lower > 0.0) {
    fmt::print("  every continuous path meets a loss of at least {};\n",
               six_digits(bounds.lower, Side::below));
    fmt::print("  there is one that nowhere exceeds {} ({:.2f} % more).\n",
               six_digits(bounds.upper, Side::above),
               100.0 * (bounds.upper / bounds.lower - 1.0));
  } else {
    fmt::print("  no barrier is proven (lower bound 0); there is a path that nowhere exceeds {}.\n",
               six_digits(bounds.upper, Side::above));
  }
  if (bounds.ends) {
    fmt::print(
        "B is no local minimum: from it the loss falls all the way to {:.6g}, the best output "
        "weights for its units.\n",
        bounds.ends->below_b.high);
  }
  fmt::print("The lower bound rests on: {}", bounds.lower_rests_on);
  if (bounds.boxes > 0) {
    fmt::print(" ({} boxes, relative tolerance {:g})", bounds.boxes, bounds.tolerance);
  }
  fmt::print(".\nThe upper bound rests on: {}.\n", bounds.upper_rests_on);
}

void run_command(const LowerBoundCommand& command) {
  const BarrierBounds bounds = bounds_of(command);
  if (command.write && bounds.path.empty()) {
    throw UsageError("--write: without a lower bound there is no path whose ends could be written");
  }
  if (command.write) {
    write_ends(bounds, command.task, *command.write);
  }
  if (command.json) {
    fmt::print("{}\n", to_json(command.task, bounds).dump(2));
  } else {
    print(bounds);
  }
}

}  // namespace

void add_lower_bound(Context& context) {
  auto command = std::make_shared<LowerBoundCommand>();
  Parser* parser = context.parser->add_subcommand(
      "lower-bound",
      "Prove that two networks are islands: a loss that no path between them avoids.\n\n"
      "Bounds from both sides the barrier between a small network and the same network with two "
      "hidden\n"
      "units exchanged. Every continuous path meets a set where a determinant is 0; the least loss "
      "on\n"
      "that set is enclosed in interval arithmetic. A path with a proven maximum gives the other "
      "side.\n\n"
      "  two-gaussians    a network 2-2-2 on samples of two Gaussians along the axes\n"
      "  poor-minimum     a network 2-2-2 on two networks' targets, mixed 2 to 1, and both of "
      "them\n"
      "  permuted-points  a network 2-3-2 that maps three points in a circle x1 -> x2 -> x3 -> x1");
  parser->footer(
      "\nExamples:\n"
      "  isthmus lower-bound two-gaussians --covariance 0.05\n"
      "  isthmus lower-bound permuted-points --json\n"
      "  isthmus lower-bound permuted-points --points FILE     three lines \"x y\"\n"
      "  isthmus lower-bound poor-minimum --write ends         and then, to look for a path:\n"
      "  isthmus connect poor-minimum --from ends/A.safetensors --to ends/B.safetensors "
      "--threshold 0.05");
  parser->add_option("task", command->task, "two-gaussians, poor-minimum or permuted-points")
      ->required();
  parser
      ->add_option("--covariance",
                   command->gaussians.covariance,
                   "The small variance eta: covariances diag(1, eta), diag(eta, 1)")
      ->capture_default_str();
  parser->add_option("--samples", command->gaussians.samples, "How many samples")
      ->capture_default_str();
  parser
      ->add_option("--sample",
                   command->sample,
                   "symmetric (all signs, both orders of each draw) or independent")
      ->capture_default_str();
  parser->add_option("--seed", command->gaussians.seed, "Of the samples")->capture_default_str();
  parser
      ->add_option("--target",
                   command->target,
                   "Of the positive parts: outputs (one each), difference or sum")
      ->capture_default_str();
  parser
      ->add_option("--tolerance",
                   command->gaussians.tolerance,
                   "Relative gap of branch and bound on the separating set")
      ->capture_default_str();
  parser->add_option("--points", command->points, "The three points, a line \"x y\" each");
  parser->add_option("--write",
                     command->write,
                     "A folder: write the ends of the path, A.safetensors and B.safetensors");
  parser->add_flag("--json", command->json, "Print JSON");
  command->parser = parser;
  parser->callback([&context, command] { context.chosen = [command] { run_command(*command); }; });
}

}  // namespace isthmus::app
