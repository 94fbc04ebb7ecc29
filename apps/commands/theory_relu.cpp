// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/data/locations.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/theory_problem.h"
#include "isthmus/theory/relu_instances.h"
#include "theory.h"
#include "theory_problem.h"
#include "theory_relu_rows.h"

namespace isthmus::app {
namespace {

struct ReluCommand : SeriesFlags {
  GivenNetworksFlags networks;
  ReluTaskOptions task;
  ReluPathOptions options;
  std::string choice{name_of(ReluChoice::bound)};
  std::optional<std::string> out;
  Parser* parser = nullptr;

  bool given(const char* option) const { return parser->count(option) > 0; }
};

// The first samples of a set of images on random directions; labels as unit vectors.
ReluProblem projected_problem(const ReluCommand& command) {
  const Dataset data =
      load_dataset(find_dataset(command.networks.dataset(), command.networks.data_folder()),
                   command.networks.dataset());
  const std::size_t count = std::min(command.task.samples, data.train.count);
  ReluProblem problem{.network = {.inputs = command.task.inputs,
                                  .hidden = command.task.hidden,
                                  .outputs = data.classes,
                                  .biases = true},
                      .inputs = {},
                      .targets = {},
                      .kappa = command.task.kappa};
  check_sizes(problem.network, count);
  problem.inputs =
      projected(inputs_of(data.train), data.train.features(), command.task.inputs, command.seed);
  problem.inputs.resize(count * command.task.inputs);
  problem.targets = targets_of(data.train, data.classes);
  problem.targets.resize(count * data.classes);
  return problem;
}

// An error of a label is a squared distance of 1/2 or more from its unit vector.
void write(const std::string& file, const GivenNetworks& given, const ReluPath& path) {
  const bool labels = !given.objective->data(given.split)->labels.empty();
  const auto outputs = static_cast<double>(output_size(given.problem.network));
  // A network computes in float32: its losses are those of the proof up to some 1e-6.
  const double bound = path.bound() * (1.0 + 1e-5);
  const Metric metric = labels ? Metric::error_rate : Metric::mean_squared_error;
  const double threshold = labels ? std::min(2.0 * bound, 0.999999) : bound / outputs;
  write_path(file,
             {.path = {.dimension = given.objective->dimension(),
                       .beads = {path.points.begin(), path.points.end()}},
              .layout = given.objective->layout(),
              .metadata = path_metadata(given.problem, threshold, metric, given.split)});
}

void check(const ReluCommand& command) {
  command.SeriesFlags::check();
  if (command.networks.given()) {
    for (const char* option : {"--inputs", "--hidden", "--outputs", "--samples"}) {
      if (command.given(option)) {
        throw UsageError(
            fmt::format("{}: of random pairs; the network and its data say it", option));
      }
    }
  } else if (command.given("--from") || command.given("--to")) {
    throw UsageError("--from and --to: give a task, or --network FILE, for these networks");
  } else if (command.out) {
    throw UsageError("--out: a path file names a task or a --network, and none was given");
  }
  if (command.given("--from") && command.instances > 1) {
    throw UsageError("--instances: end points are given, there is one pair");
  }
  if (command.out && command.instances > 1) {
    throw UsageError("--out: of one pair, not of --instances");
  }
  check_count("--inputs", command.task.inputs, 1, 4096);
  check_count("--outputs", command.task.outputs, 1, 4096);
  check_count("--hidden", command.task.hidden, 2, 4096);
  check_count("--samples", command.task.samples, 1, most_numbers);
  check_count("--rounds", command.options.rounds, 1, 1'000'000);
  check_count("--starts", command.options.starts, 0, 1000);
}

// Random pairs, on `shared` data or, without, on random ones; `data` says which.
void run_series(const ReluCommand& command,
                const ReluProblem* shared,
                const std::string& data,
                const Stop& stop) {
  const auto row_on = [&](const ReluProblem& problem, std::size_t i) {
    const ReluPair pair = random_relu_pair(problem, command.seed, i);
    return relu_row(problem, pair.a, pair.b, command.options);
  };
  const auto row = [&](std::size_t i) {
    return shared != nullptr ? row_on(*shared, i) : row_on(random_relu_problem(command.task, i), i);
  };
  if (command.instances == 1) {
    print_one(row(0), command.json);
    return;
  }
  Series series{
      .what = "theory relu", .count = command.instances, .columns = {}, .name = {}, .row = {}};
  for (const auto& [heading, value] : relu_columns) {
    series.columns.push_back(heading);
  }
  series.name = [&](std::size_t i) {
    return fmt::format("relu {} kappa={:g} angles={} {} starts={} rounds={} seed={} pair={}",
                       data,
                       command.task.kappa,
                       fmt::join(command.options.angles, "/"),
                       command.choice,
                       command.options.starts,
                       command.options.rounds,
                       command.seed,
                       i);
  };
  series.row = [&](std::size_t i, std::size_t) {
    const ReluNumbers numbers = numbers_of(row(i));
    std::vector<double> list;
    list.reserve(std::size(relu_columns));
    for (const auto& [heading, value] : relu_columns) {
      list.push_back(numbers.*value);
    }
    return list;
  };
  std::vector<ReluNumbers> rows;
  for (const std::vector<double>& list : command.rows_of(series, stop)) {
    ReluNumbers& numbers = rows.emplace_back();
    for (std::size_t k = 0; k < list.size(); ++k) {
      numbers.*relu_columns[k].second = list[k];
    }
    if (command.task.kappa == 0.0) {
      numbers.a_priori = std::numeric_limits<double>::infinity();
    }
  }
  print_series(
      shared != nullptr ? *shared : random_relu_problem(command.task, 0), rows, command.json);
}

// Of a network and data that are given; its ends too, or random ones.
void run_given(const ReluCommand& command, const Stop& stop) {
  const GivenNetworks given = command.networks.read(command.seed);
  const ReluProblem problem = relu_problem(*given.objective, given.split, command.task.kappa);
  if (given.a.empty() && !command.out) {
    const std::string data = sha256(to_json(given.problem).dump()).substr(0, 16);
    run_series(command, &problem, fmt::format("{} {}", data, name_of(given.split)), stop);
    return;
  }
  const ReluPair pair = given.a.empty() ? random_relu_pair(problem, command.seed, 0)
                                        : ReluPair{.a = {given.a.begin(), given.a.end()},
                                                   .b = {given.b.begin(), given.b.end()}};
  const ReluRow row = relu_row(problem, pair.a, pair.b, command.options);
  if (command.out) {
    write(*command.out, given, row.path);
  }
  print_one(row, command.json);
}

void run_command(ReluCommand command, const Stop& stop) {
  check(command);
  command.options.choice = named<ReluChoice>(command.choice);
  command.options.seed = command.task.seed = command.seed;
  if (command.networks.given()) {
    run_given(command, stop);
    return;
  }
  const bool images = command.given("--dataset");
  if (images && command.given("--outputs")) {
    throw UsageError("--outputs: the classes of --dataset are the outputs");
  }
  const ReluTaskOptions& task = command.task;
  const std::string sizes = fmt::format("n={} m={} N={}", task.inputs, task.hidden, task.samples);
  if (images) {
    const ReluProblem shared = projected_problem(command);
    run_series(command, &shared, fmt::format("{} {}", command.networks.dataset(), sizes), stop);
    return;
  }
  run_series(command, nullptr, fmt::format("random {} outputs={}", sizes, task.outputs), stop);
}

}  // namespace

void add_theory_relu(Parser& theory, Context& context) {
  auto command = std::make_shared<ReluCommand>();
  Parser* parser = theory.add_subcommand(
      "relu",
      "Join two networks of one hidden ReLU layer by the path of Theorem 2.4.\n\n"
      "Eleven straight pieces through few units, the exact maximum of F = E|f - y|^2 + kappa sum "
      "|beta_i|\n"
      "on each, and its bound max(lambda, eps). Without a network pairs and data are random: unit "
      "columns,\n"
      "with the best output weights; --dataset alone takes images on --inputs random directions.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus theory relu --inputs 5 --hidden 32\n"
      "  isthmus theory relu --inputs 2 --hidden 8 --kappa 0.001 --instances 100 --threads 2\n"
      "  isthmus theory relu --dataset fashion-mnist --inputs 10 --hidden 64 --instances 5\n"
      "  isthmus theory relu --network net.json --dataset two-gaussians --from A.safetensors --to "
      "B.safetensors --out path.safetensors\n"
      "  isthmus verify path.safetensors\n"
      "\nA network of labels is taken with unit vectors as targets; an error is then a squared "
      "distance of at least\n"
      "1/2, so the path file's threshold is twice the bound.");
  command->networks.add(*parser);
  parser->add_option("--inputs", command->task.inputs, "n of random pairs")->capture_default_str();
  parser->add_option("--hidden", command->task.hidden, "m")->capture_default_str();
  parser->add_option("--outputs", command->task.outputs, "Of random pairs")->capture_default_str();
  parser->add_option("--samples", command->task.samples, "N")->capture_default_str();
  parser->add_option("--kappa", command->task.kappa, "Of the penalty")->capture_default_str();
  parser
      ->add_option("--angles",
                   command->options.angles,
                   "alpha: how far columns may turn, radians; ascending from 0")
      ->delimiter(',')
      ->capture_default_str();
  parser
      ->add_option(
          "--choice", command->choice, "l and alpha for the least bound, or the least maximum")
      ->capture_default_str();
  parser->add_option("--starts", command->options.starts, "Random candidates for e(l)")
      ->capture_default_str();
  parser->add_option("--rounds", command->options.rounds, "Descent of one candidate")
      ->capture_default_str();
  parser->add_option("--out", command->out, "Where to write the path");
  command->add(*parser, "Random pairs");
  command->parser = parser;
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
