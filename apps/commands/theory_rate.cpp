// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/workers.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/report/rate_figure.h"
#include "isthmus/strings/greedy.h"
#include "isthmus/theory/rate.h"
#include "theory.h"

namespace isthmus::app {
namespace {

struct RateCommand : SeriesFlags {
  RateOptions options;
  std::vector<std::size_t> inputs{1, 2, 3, 5};
  std::vector<std::size_t> widths{8, 16, 32, 64, 128, 256, 512};
  std::size_t greedy = 0;
  std::optional<std::string> figure;
};

// One pair: what it costs, over lambda where it is a loss.
struct RateRow {
  double perturbation = 0.0;
  double change = 0.0;
  double epsilon = 0.0;
  double maximum = 0.0;
  double line = std::numeric_limits<double>::quiet_NaN();
  double greedy = std::numeric_limits<double>::quiet_NaN();
};

// Medians of the pairs of one dimension and width.
struct RateCell {
  std::size_t inputs = 0;
  std::size_t hidden = 0;
  std::vector<RateRow> rows;

  double median_of(double RateRow::*value) const {
    std::vector<double> values;
    for (const RateRow& row : rows) {
      values.push_back(row.*value);
    }
    return median(std::move(values));
  }
};

// The largest loss on pieces whose first layer stays: on the others F is constant.
double maximum_of(const RateCase& one) {
  const std::size_t p = one.problem.network.dimension();
  const std::size_t first_layer = one.problem.network.inputs * one.problem.network.hidden;
  const std::span<const double> points = one.points;
  double largest = 0.0;
  for (std::size_t k = 0; k + 1 < points.size() / p; ++k) {
    const auto from = points.subspan(k * p, p);
    const auto to = points.subspan((k + 1) * p, p);
    if (std::ranges::equal(from.first(first_layer), to.first(first_layer))) {
      largest = std::max(largest, penalized_maximum(one.problem, from, to).upper);
    }
  }
  return largest;
}

// The largest loss of the string that greedy sampling grows at lambda, connected or not.
double greedy_maximum(const RateCase& one, std::uint64_t seed, std::size_t index) {
  const ReluProblem& problem = one.problem;
  auto data = std::make_shared<Dataset>();
  data->train.count = problem.samples();
  data->train.input_shape = {problem.network.inputs};
  data->train.values.assign(problem.inputs.begin(), problem.inputs.end());
  data->train.targets.assign(problem.targets.begin(), problem.targets.end());
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = {{problem.network.inputs},
                     {Linear{.out_features = problem.network.hidden, .bias = false},
                      Activation{Activation::Kind::relu},
                      Linear{.out_features = 1, .bias = false}}};
  options.data = data;
  const auto objective = make_network_objective(options);
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  GreedyOptions string;
  string.threshold = one.level * (1.0 + 1e-5);  // networks compute in float32
  string.grid.metric = Metric::mean_squared_error;
  string.grid.points = 21;
  string.max_rounds = 6;
  string.seed = seed;
  string.stream = index;
  string.training.optimizer = Adam{.learning_rate = 0.003};
  string.training.max_steps = 300;
  const std::size_t p = problem.network.dimension();
  const std::vector<float> points(one.points.begin(), one.points.end());
  const std::span<const float> ends = points;
  return connect_greedy(evaluators, ends.first(p), ends.last(p), string).max_metric;
}

RateRow row_of(const RateCommand& command, std::size_t inputs, std::size_t hidden, std::size_t i) {
  RateOptions options = command.options;
  options.inputs = inputs;
  options.hidden = hidden;
  options.seed = command.seed;
  const RateCase one = rate_case(options, i);
  RateRow row{.perturbation = one.perturbation,
              .change = one.change,
              .epsilon = one.epsilon / one.level,
              .maximum = maximum_of(one) / one.level};
  if (hidden <= command.greedy) {
    row.greedy = greedy_maximum(one, command.seed, i) / one.level;
    const std::size_t p = one.problem.network.dimension();
    const std::span<const double> points = one.points;
    row.line = penalized_maximum(one.problem, points.first(p), points.last(p)).upper / one.level;
  }
  return row;
}

// Slopes over all pairs of a dimension.
PowerLaw law_of(const std::vector<RateCell>& cells, std::size_t inputs, double RateRow::*value) {
  std::vector<double> x;
  std::vector<double> y;
  for (const RateCell& cell : cells) {
    for (const RateRow& row : cell.rows) {
      if (cell.inputs == inputs && row.perturbation > 0.0 && row.*value > 0.0) {
        x.push_back(static_cast<double>(cell.hidden));
        y.push_back(row.*value);
      }
    }
  }
  const bool one_width = std::ranges::adjacent_find(x, std::not_equal_to<>()) == x.end();
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  return one_width ? PowerLaw{.slope = nothing, .error = nothing} : fit_power_law(x, y);
}

std::string text_of(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.4g}", value);
}

void print_table(const RateCommand& command, const std::vector<RateCell>& cells) {
  fmt::print(
      "Medians of {} pairs, N = {}, l = m / 2; losses over lambda.\n"
      "{:>3}{:>6}{:>14}{:>14}{:>12}{:>12}{:>12}{:>12}\n",
      command.instances,
      command.options.samples,
      "n",
      "m",
      "v",
      "E(df)^2",
      "eps",
      "maximum",
      "line",
      "greedy");
  for (const RateCell& cell : cells) {
    fmt::print("{:>3}{:>6}{:>14}{:>14}{:>12}{:>12}{:>12}{:>12}\n",
               cell.inputs,
               cell.hidden,
               text_of(cell.median_of(&RateRow::perturbation)),
               text_of(cell.median_of(&RateRow::change)),
               text_of(cell.median_of(&RateRow::epsilon)),
               text_of(cell.median_of(&RateRow::maximum)),
               text_of(cell.median_of(&RateRow::line)),
               text_of(cell.median_of(&RateRow::greedy)));
  }
  fmt::print("\nSlopes in m, with standard errors:\n{:>3}{:>18}{:>12}{:>12}{:>18}{:>16}\n",
             "n",
             "v",
             "-1/(n-1)",
             "-1/n",
             "E(df)^2",
             "-1-2/(n-1)");
  for (const std::size_t n : command.inputs) {
    const PowerLaw v = law_of(cells, n, &RateRow::perturbation);
    const PowerLaw change = law_of(cells, n, &RateRow::change);
    const double sphere = n > 1 ? -1.0 / (static_cast<double>(n) - 1.0) : std::nan("");
    fmt::print("{:>3}{:>18}{:>12}{:>12}{:>18}{:>16}\n",
               n,
               std::isnan(v.slope) ? "-" : fmt::format("{:.3f} +- {:.3f}", v.slope, v.error),
               text_of(sphere),
               text_of(-1.0 / static_cast<double>(n)),
               std::isnan(change.slope)
                   ? "-"
                   : fmt::format("{:.3f} +- {:.3f}", change.slope, change.error),
               text_of(n > 1 ? -1.0 + 2.0 * sphere : sphere));
  }
}

Json to_json(const RateCommand& command, const std::vector<RateCell>& cells) {
  Json table = Json::array();
  for (const RateCell& cell : cells) {
    table.push_back({{"inputs", cell.inputs},
                     {"hidden", cell.hidden},
                     {"perturbation", cell.median_of(&RateRow::perturbation)},
                     {"change", cell.median_of(&RateRow::change)},
                     {"epsilon_over_lambda", cell.median_of(&RateRow::epsilon)},
                     {"maximum_over_lambda", cell.median_of(&RateRow::maximum)},
                     {"line_over_lambda", number_or_null(cell.median_of(&RateRow::line))},
                     {"greedy_over_lambda", number_or_null(cell.median_of(&RateRow::greedy))}});
  }
  Json slopes = Json::array();
  for (const std::size_t n : command.inputs) {
    const PowerLaw v = law_of(cells, n, &RateRow::perturbation);
    const PowerLaw change = law_of(cells, n, &RateRow::change);
    slopes.push_back({{"inputs", n},
                      {"perturbation", number_or_null(v.slope)},
                      {"perturbation_error", number_or_null(v.error)},
                      {"change", number_or_null(change.slope)},
                      {"change_error", number_or_null(change.error)}});
  }
  return {{"pairs", command.instances}, {"cells", table}, {"slopes", slopes}};
}

void write_figure(const RateCommand& command, const std::vector<RateCell>& cells) {
  std::vector<RateLine> lines;
  for (const std::size_t n : command.inputs) {
    const PowerLaw law = law_of(cells, n, &RateRow::perturbation);
    RateLine line{.inputs = n, .points = {}, .slope = law.slope, .error = law.error};
    for (const RateCell& cell : cells) {
      const double value = cell.median_of(&RateRow::perturbation);
      if (cell.inputs == n && value > 0.0) {
        line.points.emplace_back(static_cast<double>(cell.hidden), value);
      }
    }
    if (line.points.size() > 1 && !std::isnan(law.slope)) {
      lines.push_back(std::move(line));
    }
  }
  write_file(*command.figure, svg_rate(lines));
}

// All pairs in one series, dimension by dimension, width by width.
std::vector<RateCell> cells_of(const RateCommand& command, const Stop& stop) {
  std::vector<RateCell> cells;
  for (const std::size_t n : command.inputs) {
    for (const std::size_t m : command.widths) {
      cells.push_back({.inputs = n, .hidden = m, .rows = {}});
    }
  }
  const auto cell_of = [&](std::size_t i) -> RateCell& { return cells[i / command.instances]; };
  const Series series{
      .what = "theory rate",
      .count = cells.size() * command.instances,
      .columns = {"inputs", "hidden", "v", "change", "epsilon", "maximum", "line", "greedy"},
      .name =
          [&](std::size_t i) {
            return fmt::format("rate n={} m={} N={} ridge={:g}{} seed={} pair={}",
                               cell_of(i).inputs,
                               cell_of(i).hidden,
                               command.options.samples,
                               command.options.ridge,
                               cell_of(i).hidden <= command.greedy ? " greedy" : "",
                               command.seed,
                               i % command.instances);
          },
      .row =
          [&](std::size_t i, std::size_t) {
            const RateCell& cell = cell_of(i);
            const RateRow row = row_of(command, cell.inputs, cell.hidden, i % command.instances);
            return std::vector{static_cast<double>(cell.inputs),
                               static_cast<double>(cell.hidden),
                               row.perturbation,
                               row.change,
                               row.epsilon,
                               row.maximum,
                               row.line,
                               row.greedy};
          }};
  const std::vector<std::vector<double>> rows = command.rows_of(series, stop);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    cell_of(i).rows.push_back({.perturbation = rows[i][2],
                               .change = rows[i][3],
                               .epsilon = rows[i][4],
                               .maximum = rows[i][5],
                               .line = rows[i][6],
                               .greedy = rows[i][7]});
  }
  return cells;
}

void run_command(const RateCommand& command, const Stop& stop) {
  command.check();
  check_count("--samples", command.options.samples, 1, most_numbers);
  for (const std::size_t n : command.inputs) {
    check_count("--inputs", n, 1, 4096);
  }
  for (const std::size_t m : command.widths) {
    check_count("--widths", m, 4, 4096);
  }
  const std::vector<RateCell> cells = cells_of(command, stop);
  if (command.figure) {
    write_figure(command, cells);
  }
  if (command.json) {
    fmt::print("{}\n", to_json(command, cells).dump(2));
  } else {
    print_table(command, cells);
  }
}

}  // namespace

void add_theory_rate(Parser& theory, Context& context) {
  auto command = std::make_shared<RateCommand>();
  command->instances = 10;
  Parser* parser = theory.add_subcommand(
      "rate",
      "How the error of Corollary 2.5 falls with the width.\n\n"
      "Dense networks of m random units with ridge output weights on a smooth target; half of the "
      "columns\n"
      "give their weight to near ones. v bounds what that changes; the path of Theorem 2.4 goes "
      "through\n"
      "the rest, and its maximum is exact.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus theory rate --figure rate.svg\n"
      "  isthmus theory rate --inputs 2,3 --widths 8,16,32 --instances 3 --greedy 32");
  parser->add_option("--inputs", command->inputs, "Dimensions n")
      ->delimiter(',')
      ->capture_default_str();
  parser->add_option("--widths", command->widths, "Hidden units m, even")
      ->delimiter(',')
      ->capture_default_str();
  parser->add_option("--samples", command->options.samples, "N")->capture_default_str();
  parser->add_option("--ridge", command->options.ridge, "Penalty of 8 units")
      ->capture_default_str();
  parser
      ->add_option(
          "--greedy",
          command->greedy,
          "Up to this width: greedy sampling at lambda, and the straight line, on the same "
          "pairs")
      ->capture_default_str();
  parser->add_option("--figure", command->figure, "Where to draw v, an SVG file");
  command->add(*parser, "Pairs of each dimension and width");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
