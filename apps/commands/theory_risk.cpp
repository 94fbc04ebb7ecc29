// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/core/workers.h"
#include "isthmus/data/generated.h"
#include "isthmus/path/segment.h"
#include "isthmus/study/saved_path.h"
#include "isthmus/theory/risk_gap.h"
#include "study_flags.h"
#include "theory.h"

namespace isthmus::app {
namespace {

constexpr std::uint64_t sample_purpose = 0x7269736b;  // "risk"

struct RiskCommand {
  std::string file;
  std::size_t samples = 1000;
  std::size_t quadrature = 2048;
  std::size_t points = 101;
  std::uint64_t seed = 1;
  std::size_t threads = 1;
  std::optional<std::string> rows;
  bool json = false;
};

// One place of the path.
struct RiskPlace {
  double at = 0.0;  // 0 at A, 1 at B, by segments
  double oracle = 0.0;
  double empirical = 0.0;
  double variation = 0.0;
};

// The loss of every sample, in order.
std::vector<double> losses_of(const Problem& problem,
                              const std::vector<double>& theta,
                              const Samples& samples) {
  std::vector<double> losses;
  for (std::size_t i = 0; i < samples.count; ++i) {
    const BatchView one{.count = 1, .inputs = &samples.values[i], .targets = &samples.targets[i]};
    losses.push_back(reference_loss(problem.network, theta, one, problem.loss));
  }
  return losses;
}

double mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

std::vector<double> point_of(const Path& path, double at) {
  const double place = at * static_cast<double>(path.segments());
  const std::size_t segment = std::min(static_cast<std::size_t>(place), path.segments() - 1);
  const double t = place - static_cast<double>(segment);
  std::vector<double> theta(path.dimension);
  for (std::size_t k = 0; k < theta.size(); ++k) {
    theta[k] = (1.0 - t) * static_cast<double>(path.bead(segment)[k]) +
               t * static_cast<double>(path.bead(segment + 1)[k]);
  }
  return theta;
}

double discrepancy_of(const Samples& samples) {
  return star_discrepancy({samples.values.begin(), samples.values.end()});
}

std::vector<RiskPlace> places_along(const RiskCommand& command,
                                    const SavedPath& saved,
                                    const Samples& oracle,
                                    const Samples& sample,
                                    const Stop& stop) {
  const std::string of = sha256(read_file(command.file)).substr(0, 16);
  const auto at = [&](std::size_t k) {
    return static_cast<double>(k) / static_cast<double>(command.points - 1);
  };
  const Series series{.what = "theory risk",
                      .count = command.points,
                      .columns = {"at", "oracle", "empirical", "variation"},
                      .name =
                          [&](std::size_t k) {
                            return fmt::format("risk {} N={} quadrature={} seed={} at={}",
                                               of,
                                               command.samples,
                                               command.quadrature,
                                               command.seed,
                                               at(k));
                          },
                      .row =
                          [&](std::size_t k, std::size_t) {
                            const std::vector<double> theta = point_of(saved.path.path, at(k));
                            const std::vector<double> losses =
                                losses_of(saved.problem, theta, oracle);
                            return std::vector{at(k),
                                               mean(losses),
                                               mean(losses_of(saved.problem, theta, sample)),
                                               variation(losses)};
                          }};
  Workers workers(worker_count(command.threads));
  std::vector<RiskPlace> places;
  for (const std::vector<double>& row : rows_of(series, command.rows, workers, stop)) {
    places.push_back({.at = row[0], .oracle = row[1], .empirical = row[2], .variation = row[3]});
  }
  return places;
}

// The task of a path, of those whose inputs' distribution is known.
Polynomial task_of(const SavedPath& saved, const std::string& file) {
  const auto task = find_named<Polynomial>(saved.problem.data);
  if (!task) {
    throw UsageError(fmt::format(
        "{}: its task is {}; the distribution of the inputs is known of quadratic and cubic alone",
        file,
        saved.problem.task));
  }
  return *task;
}

void run_command(const RiskCommand& command, const Stop& stop) {
  check_count("--samples", command.samples, 1, 1'000'000);
  check_count("--quadrature", command.quadrature, 2, 1'000'000);
  check_count("--points", command.points, 2, most_points);
  const SavedPath saved = load_path(command.file, {}, {}, {}, {});
  const Polynomial task = task_of(saved, command.file);
  const Samples oracle = midpoint_samples(task, command.quadrature);
  const Samples sample =
      random_samples(task, command.samples, command.seed, stream_name({sample_purpose}));
  const double discrepancy = discrepancy_of(sample);
  const double own = discrepancy_of(oracle);
  const std::vector<RiskPlace> places = places_along(command, saved, oracle, sample, stop);
  const auto gap = [](const RiskPlace& place) { return std::abs(place.empirical - place.oracle); };
  const auto bound = [&](const RiskPlace& place) {
    return koksma_bound(place.variation, discrepancy, own);
  };
  const RiskPlace& widest = *std::ranges::max_element(places, {}, gap);
  const double largest_bound = bound(*std::ranges::max_element(places, {}, bound));
  const bool holds = std::ranges::all_of(
      places, [&](const RiskPlace& place) { return gap(place) <= bound(place); });
  const double top = std::ranges::max(places, {}, &RiskPlace::oracle).oracle;
  const double seen = std::ranges::max(places, {}, &RiskPlace::empirical).empirical;
  if (command.json) {
    fmt::print("{}\n",
               Json{{"samples", command.samples},
                    {"quadrature", command.quadrature},
                    {"places", places.size()},
                    {"oracle_maximum", top},
                    {"empirical_maximum", seen},
                    {"largest_difference", gap(widest)},
                    {"at", widest.at},
                    {"bound_there", bound(widest)},
                    {"bound", largest_bound},
                    {"discrepancy", discrepancy},
                    {"holds", holds}}
                   .dump(2));
    return;
  }
  fmt::print(
      "{} places of the path. Oracle: a midpoint rule of {} points; empirical: {} samples of star "
      "discrepancy {:.4g}.\n"
      "Largest risk on the path: {:.6g} oracle, {:.6g} empirical.\n"
      "Largest difference: {:.4g} at {:.3f} of the path (oracle {:.6g}, empirical {:.6g}); bound "
      "there {:.4g}, on all of the path {:.4g}: {}.\n",
      places.size(),
      command.quadrature,
      command.samples,
      discrepancy,
      top,
      seen,
      gap(widest),
      widest.at,
      widest.oracle,
      widest.empirical,
      bound(widest),
      largest_bound,
      holds ? "it holds" : "it does NOT hold");
}

}  // namespace

void add_theory_risk(Parser& theory, Context& context) {
  auto command = std::make_shared<RiskCommand>();
  Parser* parser = theory.add_subcommand(
      "risk",
      "Empirical against oracle risk along a saved path of quadratic or cubic.\n\n"
      "The risk of N samples beside a quadrature of the known distribution of the inputs, and "
      "Koksma's bound\n"
      "of their difference: the variation of the loss over the inputs times the discrepancy of the "
      "samples.");
  parser->footer(
      "\nExample:\n"
      "  isthmus connect cubic --threshold 0.05 --out runs/cubic\n"
      "  isthmus theory risk runs/cubic/paths/0.05_0.safetensors --samples 1000");
  parser->add_option("path", command->file, "A path file")->required();
  parser->add_option("--samples", command->samples, "N")->capture_default_str();
  parser->add_option("--quadrature", command->quadrature, "Points of the midpoint rule")
      ->capture_default_str();
  parser->add_option("--points", command->points, "Places of the path, evenly by segments")
      ->capture_default_str();
  parser->add_option("--seed", command->seed, "Of the samples")->capture_default_str();
  parser->add_option("--threads", command->threads, "0: all cores")
      ->check(thread_count())
      ->capture_default_str();
  add_rows_option(*parser, command->rows);
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
