// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/path/segment.h"
#include "isthmus/theory/linear_instances.h"
#include "isthmus/theory/linear_path.h"
#include "theory.h"

namespace isthmus::app {
namespace {

struct LinearCommand : SeriesFlags {
  LinearInstanceOptions random;
  std::size_t points = 200;
  std::string from;
  std::string to;
  std::string data;
  double ridge = 0.0;
  bool descend = false;
  bool counterexample = false;
  Parser* parser = nullptr;

  bool given(const char* option) const { return parser->count(option) > 0; }
};

// "0.weight", "1.weight", ...: a torch.nn.Sequential of Linear layers without biases.
LinearNetwork read_network(const std::string& path) {
  const SafetensorsFile file(path);
  LinearNetwork network;
  for (std::size_t k = 0; k < file.tensors().size(); ++k) {
    const std::string name = fmt::format("{}.weight", k);
    const TensorInfo& tensor = matrix_of(file, path, name);
    if (k == 0) {
      network.widths.push_back(tensor.shape[1]);
    } else if (tensor.shape[1] != network.widths.back()) {
      throw DataError(
          fmt::format("{}: {}: expected {} columns, the rows of the layer before, got {}",
                      path,
                      name,
                      network.widths.back(),
                      tensor.shape[1]));
    }
    network.widths.push_back(tensor.shape[0]);
    const std::vector<double> values = doubles_of(file, path, name);
    network.theta.insert(network.theta.end(), values.begin(), values.end());
  }
  if (network.widths.empty()) {
    throw DataError(path + ": expected matrices '0.weight', '1.weight', ..., got no tensor");
  }
  validate(network, path.c_str());
  return network;
}

void read_data(const std::string& path, LinearInstance& instance) {
  const SafetensorsFile file(path);
  const std::size_t samples = matrix_of(file, path, "inputs").shape[0];
  if (matrix_of(file, path, "targets").shape[0] != samples) {
    throw DataError(path + ": expected as many rows in 'targets' as in 'inputs'");
  }
  instance.inputs = doubles_of(file, path, "inputs");
  instance.targets = doubles_of(file, path, "targets");
}

LinearInstance instance_of(const LinearCommand& command, std::size_t index) {
  if (command.from.empty()) {
    return random_instance(command.random, index);
  }
  LinearNetwork a = read_network(command.from);
  LinearNetwork b = command.descend ? a : read_network(command.to);
  LinearInstanceOptions options = command.random;
  options.widths = a.widths;
  LinearInstance instance = random_instance(options, index);
  instance.a = std::move(a);
  instance.b = std::move(b);
  if (!command.data.empty()) {
    read_data(command.data, instance);
  }
  return instance;
}

constexpr std::array<std::string_view, 3> end_names{"generic", "deficient", "graded"};

// One path and what became of it.
struct Row {
  std::string widths;
  std::string ends;
  LinearPathLoss loss;
  double minimum = 0.0;
  double floor = 0.0;
  std::vector<std::string> pieces;
  bool at_minimum = false;  ///< of a series: nothing to descend to

  // Beyond the larger end by more than 1e-9 of it, the floor set aside.
  bool bare_failure() const { return loss.excess() > 1e-9 * std::max(loss.first, loss.last); }
  bool failure(bool descend) const {
    const double rise = descend ? loss.rise : loss.excess();
    const bool missed = descend && std::abs(loss.last - minimum) > 1e-8 * minimum + floor;
    return !(rise <= 1e-9 * std::max(loss.first, loss.last) + floor) || missed;
  }
};

Row row_of(const LinearCommand& command, std::size_t index) {
  const LinearInstance instance = instance_of(command, index);
  const LinearLoss loss(instance.a.widths, {instance.inputs, instance.targets}, command.ridge);
  Row row;
  row.widths = fmt::format("{}", fmt::join(instance.a.widths, "-"));
  row.ends = command.from.empty() ? std::string(name_of(instance.kind)) : "given";
  row.minimum = loss.minimum();
  // One of many that begins at a minimum is counted; asked for alone it is a wrong question.
  row.at_minimum = command.instances > 1 && command.descend &&
                   loss(instance.a.theta) - row.minimum <= 1000.0 * loss.rounding(instance.a.theta);
  if (row.at_minimum) {
    return row;
  }
  const LinearPath path = command.descend       ? descend_linear(instance.a, loss)
                          : command.ridge > 0.0 ? connect_ridge(instance.a, instance.b)
                                                : connect_linear(instance.a, instance.b);
  row.loss = measure(path, loss, command.points);
  row.floor = 1000.0 * row.loss.rounding;
  for (std::size_t i = 0; i < path.pieces(); ++i) {
    row.pieces.push_back(path.name(i));
  }
  return row;
}

// What a series keeps of a path: one of LinearEnds, whether it began at a minimum, and its losses.
std::vector<double> numbers_of(const Row& row) {
  const auto ends = std::ranges::find(end_names, row.ends) - end_names.begin();
  return {static_cast<double>(ends),
          row.at_minimum ? 1.0 : 0.0,
          row.loss.first,
          row.loss.last,
          row.loss.maximum,
          row.loss.rise,
          row.loss.rounding,
          row.floor,
          row.minimum};
}

Row row_of(const std::vector<double>& numbers) {
  Row row;
  row.ends = end_names[static_cast<std::size_t>(numbers[0])];
  row.at_minimum = numbers[1] == 1.0;
  row.loss.first = numbers[2];
  row.loss.last = numbers[3];
  row.loss.maximum = numbers[4];
  row.loss.rise = numbers[5];
  row.loss.rounding = numbers[6];
  row.floor = numbers[7];
  row.minimum = numbers[8];
  return row;
}

Series series_of(const LinearCommand& command) {
  const LinearInstanceOptions& random = command.random;
  return {.what = "theory linear",
          .count = command.instances,
          .columns = {"ends",
                      "at_minimum",
                      "first",
                      "last",
                      "maximum",
                      "rise",
                      "rounding",
                      "floor",
                      "minimum"},
          .name =
              [&](std::size_t i) {
                return fmt::format(
                    "linear{} widths={} layers={} N={} points={} ridge={:g} seed={} instance={}",
                    command.descend ? " descend" : "",
                    fmt::join(random.widths, "-"),
                    random.layers,
                    random.samples,
                    command.points,
                    command.ridge,
                    command.seed,
                    i);
              },
          .row = [&](std::size_t i, std::size_t) { return numbers_of(row_of(command, i)); }};
}

Json to_json(const LinearCommand& command, const Row& row) {
  return {{"widths", row.widths},
          {"ends", row.ends},
          {"pieces", row.pieces},
          {"loss_a", row.loss.first},
          {"loss_b", row.loss.last},
          {"maximum", row.loss.maximum},
          {"excess", row.loss.excess()},
          {"largest_rise", row.loss.rise},
          {"rounding_floor", row.floor},
          {"global_minimum_without_ridge", row.minimum},
          {"holds", !row.failure(command.descend)}};
}

void print_row(const LinearCommand& command, const Row& row) {
  fmt::print("Network {}, end points: {}. {} pieces, {} points on each:\n",
             row.widths,
             row.ends,
             row.pieces.size(),
             command.points);
  for (const std::string& piece : row.pieces) {
    fmt::print("  {}\n", piece);
  }
  fmt::print("Loss {:.9g} at the start, {:.9g} at the end; the largest on the way is {:.9g}.\n",
             row.loss.first,
             row.loss.last,
             row.loss.maximum);
  if (command.descend) {
    fmt::print(
        "Global minimum by reduced-rank regression: {:.9g}. Largest rise on the way: {:.2g}.\n",
        row.minimum,
        row.loss.rise);
  }
  fmt::print("{} (rounding floor {:.2g}).\n",
             row.failure(command.descend) ? "The level is NOT kept" : "The level is kept",
             row.floor);
}

struct Total {
  std::string ends;
  std::size_t count = 0, failures = 0, bare = 0, at_minimum = 0;
  double excess = 0.0, over_floor = 0.0, gap = 0.0;
};

std::vector<Total> totals_of(const LinearCommand& command, const std::vector<Row>& rows) {
  std::vector<Total> totals;
  for (const char* ends : {"generic", "deficient", "graded", "all"}) {
    Total total{.ends = ends};
    for (const Row& row : rows) {
      if (total.ends != "all" && row.ends != total.ends) {
        continue;
      }
      ++total.count;
      total.at_minimum += row.at_minimum;
      if (row.at_minimum) {
        continue;
      }
      const double excess = command.descend ? row.loss.rise : std::max(row.loss.excess(), 0.0);
      total.failures += row.failure(command.descend);
      total.bare += row.bare_failure();
      total.excess = std::max(total.excess, excess / std::max(row.loss.first, row.loss.last));
      total.over_floor = std::max(total.over_floor, excess / row.loss.rounding);
      total.gap = std::max(total.gap,
                           std::max(0.0, std::abs(row.loss.last - row.minimum) - row.floor) /
                               std::max(row.minimum, 1e-300));
    }
    totals.push_back(total);
  }
  return totals;
}

void print_series(const LinearCommand& command, const std::vector<Row>& rows) {
  const std::vector<Total> totals = totals_of(command, rows);
  if (command.json) {
    Json list = Json::array();
    for (const Total& total : totals) {
      list.push_back({{"ends", total.ends},
                      {"instances", total.count},
                      {"failures", total.failures},
                      {"beyond_1e-9_without_floor", total.bare},
                      {"largest_relative_excess", total.excess},
                      {"largest_excess_in_roundings", total.over_floor},
                      {"starts_at_minimum", total.at_minimum},
                      {"largest_relative_gap_to_minimum", total.gap}});
    }
    fmt::print("{}\n", list.dump(2));
    return;
  }
  fmt::print("{} {} paths, {} points a piece. Floor: 1000 roundings (docs/theory.md).\n",
             rows.size(),
             command.descend       ? "descending"
             : command.ridge > 0.0 ? "ridge"
                                   : "connecting",
             command.points);
  fmt::print("{:<11}{:>10}{:>10}{:>18}{:>18}{:>20}",
             "ends",
             "instances",
             "failing",
             "1e-9, no floor",
             "largest excess",
             "excess, roundings");
  fmt::print("{}\n", command.descend ? fmt::format("{:>12}{:>12}", "at minimum", "gap to F*") : "");
  for (const Total& total : totals) {
    fmt::print("{:<11}{:>10}{:>10}{:>18}{:>18.2g}{:>20.3g}",
               total.ends,
               total.count,
               total.failures,
               total.bare,
               total.excess,
               total.over_floor);
    fmt::print("{}\n",
               command.descend ? fmt::format("{:>12}{:>12.2g}", total.at_minimum, total.gap) : "");
  }
}

void check(const LinearCommand& command) {
  const auto exclude = [&](const char* option, std::initializer_list<const char*> others) {
    for (const char* other : others) {
      if (command.given(option) && command.given(other)) {
        throw UsageError(fmt::format("{} and {}: give one of them", option, other));
      }
    }
  };
  exclude("--descend", {"--ridge", "--to"});
  exclude("--from", {"--widths", "--instances", "--layers"});
  exclude("--widths", {"--layers"});
  exclude("--counterexample",
          {"--from", "--to", "--data", "--widths", "--instances", "--ridge", "--descend"});
  if (command.given("--to") && !command.given("--from")) {
    throw UsageError("--to: give --from as well");
  }
  if (command.given("--from") && !command.given("--to") && !command.descend) {
    throw UsageError("--from: give --to as well, or --descend");
  }
  if (command.given("--data") && !command.given("--from")) {
    throw UsageError("--data: give end points (--from, --to) for the data");
  }
  check_count("--points", command.points, 2, most_points);
  command.SeriesFlags::check();
  if (command.given("--layers")) {
    check_count("--layers", command.random.layers, 1, 64);
  }
  constexpr std::size_t most_width = 4096;  // layers are dense matrices of doubles
  std::size_t widest = 1;
  for (const std::size_t width : command.random.widths) {
    check_count("--widths", width, 1, most_width);
    widest = std::max(widest, width);
  }
  check_count("--samples", command.random.samples, 1, most_numbers / widest);
}

void run_command(LinearCommand command, const Stop& stop) {
  check(command);
  if (command.counterexample) {
    print_linear_counterexample(command.points, command.json);
    return;
  }
  if (command.ridge > 0.0 && command.random.layers == 0) {
    command.random.layers = 2;
  }
  command.random.seed = command.seed;
  if (command.instances > 1) {
    std::vector<Row> rows;
    for (const std::vector<double>& numbers : command.rows_of(series_of(command), stop)) {
      rows.push_back(row_of(numbers));
    }
    print_series(command, rows);
    return;
  }
  const Row row = row_of(command, 0);
  if (command.json) {
    fmt::print("{}\n", to_json(command, row).dump(2));
  } else {
    print_row(command, row);
  }
}

}  // namespace

void add_theory_linear(Parser& theory, Context& context) {
  auto command = std::make_shared<LinearCommand>();
  Parser* parser = theory.add_subcommand(
      "linear",
      "Join two deep linear networks without exceeding the larger loss (Proposition 2.2).\n\n"
      "The loss is the mean over samples of the squared distance of W_K ... W_1 x to y. Every "
      "hidden\n"
      "layer must have more than min(inputs, outputs) units. Without --from end points and data "
      "are\n"
      "random; --instances runs a series of them and prints a table.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus theory linear --widths 3,5,4,2\n"
      "  isthmus theory linear --instances 1000 --threads 2\n"
      "  isthmus theory linear --from A.safetensors --to B.safetensors --data D.safetensors\n"
      "  isthmus theory linear --ridge 0.1 --widths 3,4,3\n"
      "  isthmus theory linear --counterexample\n"
      "\nFiles: matrices 0.weight, 1.weight, ... (out, in) of the networks; inputs (N, in) and "
      "targets (N, out)\n"
      "of the data.");
  parser->add_option("--from", command->from, "End point A, a safetensors file");
  parser->add_option("--to", command->to, "End point B");
  parser->add_option("--data", command->data, "The samples; without them they are random");
  parser->add_option("--widths", command->random.widths, "Inputs, hidden widths, outputs")
      ->delimiter(',');
  parser->add_option("--layers", command->random.layers, "K of random widths");
  parser->add_option("--samples", command->random.samples, "Of random data")->capture_default_str();
  parser->add_option("--points", command->points, "Where the loss is computed, on every piece")
      ->capture_default_str();
  parser->add_option("--ridge", command->ridge, "kappa: adds kappa ||theta||^2; two layers alone")
      ->capture_default_str();
  parser->add_flag("--descend", command->descend, "From A down to a global minimum");
  parser->add_flag("--counterexample",
                   command->counterexample,
                   "The network 1-1-1, for which the printed statement fails");
  command->add(*parser, "How many random instances");
  command->parser = parser;
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
