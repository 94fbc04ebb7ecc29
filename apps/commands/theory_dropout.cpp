// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/workers.h"
#include "isthmus/path/measures.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/dropout_search.h"
#include "isthmus/study/theory_problem.h"
#include "theory.h"
#include "theory_problem.h"

namespace isthmus::app {
namespace {

struct DropoutCommand {
  GivenNetworksFlags networks;
  DropoutSearchOptions search;
  std::size_t points = 21;
  std::size_t threads = 1;
  std::optional<std::string> rows;
  std::optional<std::string> out;
  bool json = false;
};

std::string bytes_hash(const std::vector<float>& values) {
  return sha256({reinterpret_cast<const char*>(values.data()),  // NOLINT(*-reinterpret-cast)
                 values.size() * sizeof(float)});
}

// The largest value of a metric at the points of a grid.
double largest_on(Evaluators& evaluators, const Path& path, const SegmentGrid& grid) {
  double largest = 0.0;
  for (const SegmentCheck& check : check_path(evaluators, path, grid)) {
    largest = std::max(largest, check.worst_value);
  }
  return largest;
}

void print(const Json& result, const DropoutJoin& join, const GivenNetworks& given, Metric loss) {
  fmt::print(
      "{} straight pieces, no gradient step; factors {:g} (A) and {:g} (B), best of {} draws:\n",
      join.path.names.size(),
      join.factor_a,
      join.factor_b,
      result["draws"].get<std::size_t>());
  const std::size_t width = std::ranges::max(join.path.names, {}, &std::string::size).size();
  for (std::size_t k = 0; k < join.path.names.size(); ++k) {
    fmt::print("  {:<{}}  {:.6g}\n", join.path.names[k], width, join.values[k + 1]);
  }
  fmt::print(
      "(the {} at the end of each piece, on {}; A has {:.6g}). On each piece the outputs stay or "
      "the last layer moves\nalone, so the loss is convex.\n"
      "Path: at most {:.6g} by its nodes, {:.6g} seen. Straight line: {:.6g}.\n",
      name_of(loss),
      name_of(given.split),
      join.values.front(),
      join.bound,
      result["maximum"].get<double>(),
      result["straight_line"].get<double>());
  if (result.contains("other_metric")) {
    fmt::print("{}: {:.6g} on the path, {:.6g} on the line.\n",
               name_of(given.metric),
               result["other_maximum"].get<double>(),
               result["other_straight_line"].get<double>());
  }
}

// A row a try; equal end points, data and options, equal rows.
DropoutJoin join_in_tries(const DropoutCommand& command,
                          const GivenNetworks& given,
                          Evaluators& evaluators,
                          const Stop& stop) {
  const DropoutSearch search(evaluators.objective(),
                             given.split,
                             evaluators.objective().loss_metric(),
                             given.a,
                             given.b,
                             command.search);
  const std::string of =
      sha256(to_json(given.problem).dump() + bytes_hash(given.a) + bytes_hash(given.b))
          .substr(0, 16);
  const Series series{
      .what = "theory dropout",
      .count = search.tries(),
      .columns = {"draw", "factor", "value_a", "value_b"},
      .name =
          [&](std::size_t i) {
            return fmt::format("dropout {} {} seed={} draw={} factor={}",
                               of,
                               name_of(given.split),
                               command.search.seed,
                               search.draw_of(i),
                               search.factor_of(i));
          },
      .row =
          [&](std::size_t i, std::size_t worker) {
            const auto [a, b] = search.value(evaluators.of(worker), i);
            return std::vector{static_cast<double>(search.draw_of(i)), search.factor_of(i), a, b};
          }};
  std::vector<std::array<double, 2>> values;
  for (const std::vector<double>& row : rows_of(series, command.rows, evaluators.workers(), stop)) {
    values.push_back({row[2], row[3]});
  }
  return search.best(evaluators, values);
}

void run_command(const DropoutCommand& command, const Stop& stop) {
  check_count("--draws", command.search.draws, 1, most_instances);
  check_count("--points", command.points, 2, most_points);
  const GivenNetworks given = command.networks.read(command.search.seed);
  if (given.a.empty()) {
    throw UsageError(
        "--from and --to: give two networks. `isthmus train` of a --network with dropout layers "
        "makes such that lose little without half of their units");
  }
  const Objective& objective = *given.objective;
  Workers workers(worker_count(command.threads));
  Evaluators evaluators(objective, workers);
  const Metric loss = objective.loss_metric();
  const DropoutJoin join = join_in_tries(command, given, evaluators, stop);
  const Path path{.dimension = objective.dimension(), .beads = join.path.points};
  Path line{.dimension = path.dimension, .beads = given.a};
  line.beads.insert(line.beads.end(), given.b.begin(), given.b.end());
  SegmentGrid grid{.points = command.points, .split = given.split, .metric = loss};
  grid.bound = std::numeric_limits<double>::infinity();
  grid.stop_at_failure = false;
  Json result{{"loss", name_of(loss)},
              {"split", name_of(given.split)},
              {"draws", command.search.draws},
              {"factor_a", join.factor_a},
              {"factor_b", join.factor_b},
              {"nodes", join.values},
              {"bound", join.bound},
              {"maximum", largest_on(evaluators, path, grid)},
              {"straight_line", largest_on(evaluators, line, grid)}};
  if (given.metric != loss) {
    grid.metric = given.metric;
    result["other_metric"] = name_of(given.metric);
    result["other_maximum"] = largest_on(evaluators, path, grid);
    result["other_straight_line"] = largest_on(evaluators, line, grid);
  }
  if (command.out) {
    // A network computes in float32, and so did the bound.
    write_path(
        *command.out,
        {.path = path,
         .layout = objective.layout(),
         .metadata = path_metadata(given.problem, join.bound * (1.0 + 1e-5), loss, given.split)});
  }
  if (command.json) {
    result["pieces"] = join.path.names;
    fmt::print("{}\n", result.dump(2));
    return;
  }
  print(result, join, given, loss);
}

}  // namespace

void add_theory_dropout(Parser& theory, Context& context) {
  auto command = std::make_shared<DropoutCommand>();
  Parser* parser = theory.add_subcommand(
      "dropout",
      "Join two networks that lose little without half of their units, with no gradient step.\n\n"
      "Kuditipudi et al. (2019), for hidden ReLU layers: straight pieces on which the outputs "
      "stay,\n"
      "or the last layer moves alone. The loss at the nodes bounds the path. Random halves are "
      "tried, the best\n"
      "are taken.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus train --network dropout.json --dataset mnist --threshold 0.03 --side A --out "
      "A.safetensors\n"
      "  isthmus train --network dropout.json --dataset mnist --threshold 0.03 --side B --out "
      "B.safetensors\n"
      "  isthmus theory dropout --network dropout.json --from A.safetensors --to B.safetensors "
      "--out path.safetensors\n"
      "  isthmus verify path.safetensors");
  command->networks.add(*parser);
  parser->add_option("--draws", command->search.draws, "Random halves that are tried")
      ->capture_default_str();
  parser->add_option("--factors", command->search.factors, "Of the weights behind a dropped half")
      ->delimiter(',')
      ->capture_default_str();
  parser->add_option("--points", command->points, "Grid points of a piece, and of the line")
      ->capture_default_str();
  parser->add_option("--seed", command->search.seed, "Of the halves")->capture_default_str();
  add_rows_option(*parser, command->rows);
  parser->add_option("--out", command->out, "Where to write the path");
  parser->add_option("--threads", command->threads, "0: all cores")
      ->check(thread_count())
      ->capture_default_str();
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
