// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/locations.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/theory_problem.h"
#include "isthmus/theory/relu_instances.h"
#include "theory.h"
#include "theory_problem.h"

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

// A pair, its path and what F is along it.
struct ReluRow {
  ReluNetwork network;
  std::size_t samples = 0;
  double kappa = 0.0;
  ReluPath path;
  std::vector<LossMaximum> pieces{};
  LossMaximum line{};

  double maximum() const { return std::ranges::max(pieces, {}, &LossMaximum::upper).upper; }
  // Whether no value that is attained exceeds its bound, rounding set aside. (`upper` of a maximum
  // exceeds `lower` by rounding errors of the largest terms, more than a bound near 0.)
  bool holds() const {
    constexpr double rounding = 1.0 + 1e-11;
    for (std::size_t k = 0; k < pieces.size(); ++k) {
      if (!(pieces[k].lower <= path.pieces[k].bound * rounding)) {
        return false;
      }
    }
    return true;
  }
};

ReluRow row_of(const ReluProblem& problem,
               const std::vector<double>& a,
               const std::vector<double>& b,
               const ReluPathOptions& options) {
  ReluRow row{.network = problem.network,
              .samples = problem.samples(),
              .kappa = problem.kappa,
              .path = connect_relu(problem, a, b, options)};
  const std::span<const double> points = row.path.points;
  const std::size_t p = problem.network.dimension();
  for (std::size_t k = 0; k < row.path.pieces.size(); ++k) {
    row.pieces.push_back(
        penalized_maximum(problem, points.subspan(k * p, p), points.subspan((k + 1) * p, p)));
  }
  row.line = penalized_maximum(problem, points.first(p), points.last(p));
  return row;
}

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

Json to_json(const ReluRow& row) {
  const ReluPath& path = row.path;
  Json pieces = Json::array();
  for (std::size_t k = 0; k < path.pieces.size(); ++k) {
    pieces.push_back({{"piece", path.pieces[k].name},
                      {"maximum", row.pieces[k].upper},
                      {"attained", row.pieces[k].lower},
                      {"bound", path.pieces[k].bound},
                      {"term", path.pieces[k].term}});
  }
  return {{"inputs", row.network.inputs},
          {"hidden", row.network.hidden},
          {"outputs", row.network.outputs},
          {"samples", row.samples},
          {"kappa", row.kappa},
          {"loss_a", path.loss_a},
          {"loss_b", path.loss_b},
          {"oracle_units", path.units},
          {"angle", path.angle},
          {"e", path.oracle},
          {"delta_a", path.lasso_a},
          {"delta_b", path.lasso_b},
          {"delta_a_pruned", path.pruned_a},
          {"delta_b_pruned", path.pruned_b},
          {"duality_gap_a", number_or_null(path.gap_a)},
          {"duality_gap_b", number_or_null(path.gap_b)},
          {"epsilon", path.epsilon},
          {"bound", path.bound()},
          {"maximum", row.maximum()},
          {"straight_line", row.line.upper},
          {"constant", number_or_null(path.constant)},
          {"a_priori_bound", number_or_null(path.a_priori)},
          {"holds", row.holds()},
          {"pieces", std::move(pieces)}};
}

void print_constants(const ReluPath& path, double kappa) {
  if (kappa == 0.0) {
    fmt::print(
        "kappa = 0: the theorem's own bound is infinite (C_1 has 1 / kappa). The bound above is "
        "computed and needs no C_1.\n");
    return;
  }
  fmt::print("C_1 = {:.4g}; with it in place of what was computed the bound is {:.4g}.\n",
             path.constant,
             path.a_priori);
}

void print_row(const ReluRow& row) {
  const ReluPath& path = row.path;
  fmt::print(
      "Network {}-{}-{}{}, N = {}, F = E|f - y|^2 + {:g} sum |beta_i|{}. l = {}, alpha = {:g}.\n",
      row.network.inputs,
      row.network.hidden,
      row.network.outputs,
      row.network.biases ? " with biases" : "",
      row.samples,
      row.kappa,
      row.network.outputs > 1 ? " (norms of a unit's weights: group lasso)" : "",
      path.units,
      path.angle);
  fmt::print("{:<40}{:>14}{:>14}  {}\n", "piece", "maximum of F", "bound", "largest term");
  for (std::size_t k = 0; k < path.pieces.size(); ++k) {
    fmt::print("{:<40}{:>14.9g}{:>14.9g}  {}\n",
               path.pieces[k].name,
               row.pieces[k].upper,
               path.pieces[k].bound,
               path.pieces[k].term);
  }
  fmt::print(
      "F(A) = {:.6g}, F(B) = {:.6g}, lambda the larger one; e(l) <= {:.6g}; delta_A(m, 0) <= "
      "{:.6g}, "
      "within {:.1g};\ndelta_B(m, 0) <= {:.6g}, within {:.1g}; delta(m - l, alpha) <= {:.6g} of A, "
      "{:.6g} of B.\n",
      path.loss_a,
      path.loss_b,
      path.oracle,
      path.lasso_a,
      path.gap_a,
      path.lasso_b,
      path.gap_b,
      path.pruned_a,
      path.pruned_b);
  fmt::print(
      "Path: maximum {:.9g} = {:.4f} lambda, bound max(lambda, eps) = {:.9g}: {}. Straight line: "
      "{:.6g} = {:.3g} lambda.\n",
      row.maximum(),
      row.maximum() / path.level(),
      path.bound(),
      row.holds() ? "it holds" : "it does NOT hold",
      row.line.upper,
      row.line.upper / path.level());
  print_constants(path, row.kappa);
}

void print_series(const std::vector<ReluRow>& rows, bool json) {
  std::vector<double> maximum, bound, a_priori, line, units;
  std::size_t failing = 0;
  std::size_t turned = 0;
  for (const ReluRow& row : rows) {
    failing += row.holds() ? 0 : 1;
    turned += row.path.angle > 0.0 ? 1 : 0;
    maximum.push_back(row.maximum() / row.path.level());
    bound.push_back(row.path.bound() / row.maximum());
    a_priori.push_back(row.path.a_priori / row.maximum());
    line.push_back(row.line.upper / row.path.level());
    units.push_back(static_cast<double>(row.path.units));
  }
  const ReluRow& first = rows.front();
  if (json) {
    fmt::print("{}\n",
               Json{{"pairs", rows.size()},
                    {"failing", failing},
                    {"maximum_over_lambda", {median(maximum), std::ranges::max(maximum)}},
                    {"bound_over_maximum", {median(bound), std::ranges::max(bound)}},
                    {"a_priori_over_maximum", number_or_null(median(a_priori))},
                    {"line_over_lambda", {median(line), std::ranges::max(line)}},
                    {"oracle_units", median(units)},
                    {"with_angle", turned}}
                   .dump(2));
    return;
  }
  fmt::print(
      "{} pairs, networks {}-{}-{}, N = {}, kappa = {:g}\n"
      "{:<34}{:>12}{:>12}\n",
      rows.size(),
      first.network.inputs,
      first.network.hidden,
      first.network.outputs,
      first.samples,
      first.kappa,
      "",
      "median",
      "largest");
  const auto print = [](const char* name, const std::vector<double>& values) {
    fmt::print("{:<34}{:>12.5g}{:>12.5g}\n", name, median(values), std::ranges::max(values));
  };
  print("maximum / lambda", maximum);
  print("bound / maximum", bound);
  print("bound with C_1 / maximum", a_priori);
  print("straight line / lambda", line);
  print("l", units);
  fmt::print("bounds that fail: {}; pairs with alpha > 0: {}\n", failing, turned);
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

void print_rows(const std::vector<ReluRow>& rows, bool json) {
  if (rows.size() > 1) {
    print_series(rows, json);
  } else if (json) {
    fmt::print("{}\n", to_json(rows.front()).dump(2));
  } else {
    print_row(rows.front());
  }
}

void run_command(ReluCommand command) {
  check(command);
  command.options.choice = named<ReluChoice>(command.choice);
  command.options.seed = command.task.seed = command.seed;
  std::vector<ReluRow> rows(command.instances);
  if (command.networks.given()) {
    const GivenNetworks given = command.networks.read(command.seed);
    const ReluProblem problem = relu_problem(*given.objective, given.split, command.task.kappa);
    command.for_each([&](std::size_t i) {
      ReluPair pair = given.a.empty() ? random_relu_pair(problem, command.seed, i)
                                      : ReluPair{.a = {given.a.begin(), given.a.end()},
                                                 .b = {given.b.begin(), given.b.end()}};
      rows[i] = row_of(problem, pair.a, pair.b, command.options);
    });
    if (command.out) {
      write(*command.out, given, rows.front().path);
    }
    print_rows(rows, command.json);
    return;
  }
  const bool images = command.given("--dataset");
  if (images && command.given("--outputs")) {
    throw UsageError("--outputs: the classes of --dataset are the outputs");
  }
  const ReluProblem shared = images ? projected_problem(command) : ReluProblem{};
  command.for_each([&](std::size_t i) {
    const ReluProblem problem = images ? shared : random_relu_problem(command.task, i);
    const ReluPair pair = random_relu_pair(problem, command.seed, i);
    rows[i] = row_of(problem, pair.a, pair.b, command.options);
  });
  print_rows(rows, command.json);
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
  parser->callback([&context, command] { context.chosen = [command] { run_command(*command); }; });
}

}  // namespace isthmus::app
