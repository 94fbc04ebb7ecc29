// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/theory/kernel.h"
#include "theory.h"

namespace isthmus::app {
namespace {

struct KernelCommand : SeriesFlags {
  std::string law{name_of(InputLaw::gaussian)};
  std::size_t inputs = 8;
  std::size_t samples = 10000;
  std::string data;
  std::string weights;
  bool counterexample = false;
};

// Two units, on samples, and the law behind these where it is known.
struct Case {
  KernelBounds samples;
  std::optional<KernelBounds> law;
  double error = 0.0;   // the standard error of the samples under the law
  double active = 0.0;  // so many of them are expected to have both units active
};

// A vector of the file, as a vector or a matrix of one row.
std::vector<double> vector_of(const SafetensorsFile& file,
                              const std::string& path,
                              const std::string& name) {
  if (file.find(name) == nullptr) {
    throw DataError(fmt::format("{}: expected a tensor '{}', found none", path, name));
  }
  return doubles_of(file, path, name);
}

Case given_case(const KernelCommand& command) {
  const SafetensorsFile data(command.data);
  matrix_of(data, command.data, "inputs");
  const SafetensorsFile weights(command.weights);
  return {.samples = kernel_of_samples(doubles_of(data, command.data, "inputs"),
                                       vector_of(weights, command.weights, "w1"),
                                       vector_of(weights, command.weights, "w2")),
          .law = {}};
}

Case random_case(const KernelCommand& command, std::size_t index) {
  const KernelCase drawn = random_kernel_case(
      named<InputLaw>(command.law), command.inputs, command.samples, command.seed, index);
  return {.samples = kernel_of_samples(drawn.inputs, drawn.w1, drawn.w2),
          .law = drawn.exact,
          .error = drawn.deviation / std::sqrt(static_cast<double>(command.samples)),
          .active = drawn.active * static_cast<double>(command.samples)};
}

Json to_json(const KernelBounds& bounds) {
  return {{"angle", bounds.angle},
          {"value", bounds.value},
          {"error", bounds.error},
          {"upper", bounds.upper},
          {"lower", bounds.lower},
          {"uniform", bounds.uniform},
          {"printed", bounds.printed},
          {"false_upper", bounds.false_upper},
          {"holds", bounds.hold()}};
}

void print_bounds(const char* of, const KernelBounds& bounds) {
  fmt::print(
      "{}\n"
      "  [w1, w2]               {:.9g}{}\n"
      "  upper bound            {:.9g}   (1 + cos a)/2 E z(w_m)^2\n"
      "  lower bound            {:.9g}   upper - d^T S d\n"
      "  lower, every direction {:.9g}   upper - |S| (1 - cos a)/2\n"
      "  lower, as printed      {:.9g}   upper - 2 |S| ((1 - cos a)/2 + sin^2 a)\n"
      "  printed, and false     {:.9g}   <w1, w2> E z(w_m)^2 as an upper bound: {}\n"
      "  the bounds hold: {}\n",
      of,
      bounds.value,
      bounds.error > 0.0 ? fmt::format(" +- {:.2g}", bounds.error) : "",
      bounds.upper,
      bounds.lower,
      bounds.uniform,
      bounds.printed,
      bounds.false_upper,
      bounds.value > bounds.false_upper ? "exceeded here" : "not exceeded here",
      bounds.hold() ? "yes" : "NO");
}

void print_case(const KernelCommand& command, const Case& one) {
  if (command.json) {
    fmt::print(
        "{}\n",
        Json{{"samples", to_json(one.samples)}, {"law", one.law ? to_json(*one.law) : Json()}}.dump(
            2));
    return;
  }
  fmt::print("angle {:.6g} rad\n", one.samples.angle);
  print_bounds("samples, as a distribution of their own:", one.samples);
  if (one.law) {
    print_bounds(fmt::format("{}, in closed form:", command.law).c_str(), *one.law);
  }
}

// By how many standard errors samples tell another kernel than the law's; where the units are
// hardly active together what both tell is rounding.
double errors_apart(const Case& one) {
  const double apart = std::abs(one.samples.value - one.law->value) - 1e-9 * one.law->upper;
  return apart <= 0.0 ? 0.0 : apart / one.error;
}

// Below so many active samples their mean is far from normal.
constexpr double enough_active = 100.0;

// What a series keeps of a case.
struct KernelRow {
  double holds = 0.0;       // 1: every bound, on the law and on its samples
  double exceeds = 0.0;     // 1: the false upper bound
  double errors = 0.0;      // standard errors between samples and law
  double gap = 0.0;         // of the bounds, with d^T S d
  double uniform = 0.0;     // with |S|
  double as_printed = 0.0;  // as printed
  double active = 0.0;      // samples that are expected to have both units active
};

Series series_of(const KernelCommand& command) {
  return {.what = "theory kernel",
          .count = command.instances,
          .columns = {"holds", "exceeds", "errors", "gap", "gap_uniform", "gap_printed", "active"},
          .name =
              [&](std::size_t i) {
                return fmt::format("kernel {} n={} N={} seed={} pair={}",
                                   command.law,
                                   command.inputs,
                                   command.samples,
                                   command.seed,
                                   i);
              },
          .row =
              [&](std::size_t i, std::size_t) {
                const Case one = random_case(command, i);
                const KernelBounds& law = *one.law;
                return std::vector{one.samples.hold() && law.hold() ? 1.0 : 0.0,
                                   law.value > law.false_upper ? 1.0 : 0.0,
                                   errors_apart(one),
                                   law.upper - law.lower,
                                   law.upper - law.uniform,
                                   law.upper - law.printed,
                                   one.active};
              }};
}

void print_series(const KernelCommand& command, const std::vector<std::vector<double>>& rows) {
  std::size_t failing = 0;
  std::size_t exceeded = 0;
  std::size_t enough = 0;
  std::size_t beyond_three = 0;
  std::size_t beyond_four = 0;
  KernelRow sum;
  for (const std::vector<double>& n : rows) {
    const KernelRow row{n[0], n[1], n[2], n[3], n[4], n[5], n[6]};
    failing += row.holds == 1.0 ? 0 : 1;
    exceeded += row.exceeds == 1.0 ? 1 : 0;
    if (row.active >= enough_active) {
      ++enough;
      beyond_three += row.errors <= 3.0 ? 0 : 1;
      beyond_four += row.errors <= 4.0 ? 0 : 1;
    }
    sum.gap += row.gap;
    sum.uniform += row.uniform;
    sum.as_printed += row.as_printed;
  }
  if (command.json) {
    fmt::print("{}\n",
               Json{{"instances", rows.size()},
                    {"failing", failing},
                    {"false_upper_exceeded", exceeded},
                    {"with_enough_active", enough},
                    {"beyond_three_errors", beyond_three},
                    {"beyond_four_errors", beyond_four},
                    {"gap_uniform", number_or_null(sum.uniform / sum.gap)},
                    {"gap_printed", number_or_null(sum.as_printed / sum.gap)}}
                   .dump(2));
    return;
  }
  fmt::print(
      "{} pairs of units, inputs {}, {} samples each\n"
      "bounds that fail, on the law or on its samples: {}\n"
      "the false upper bound is exceeded: {}\n"
      "in {} pairs {:g} samples or more are expected to have both units active; there samples and "
      "closed form differ\nby more than 3 standard errors in {}, by more than 4 in {} (normal "
      "errors: "
      "{:.1f}, {:.2f})\n"
      "mean gap between the bounds, in units of that with d^T S d: {:.3g} with |S|, {:.3g} as "
      "printed\n",
      rows.size(),
      command.law,
      command.samples,
      failing,
      exceeded,
      enough,
      enough_active,
      beyond_three,
      beyond_four,
      static_cast<double>(enough) * std::erfc(3.0 / std::sqrt(2.0)),
      static_cast<double>(enough) * std::erfc(4.0 / std::sqrt(2.0)),
      sum.uniform / sum.gap,
      sum.as_printed / sum.gap);
}

void check(const KernelCommand& command) {
  if (command.data.empty() != command.weights.empty()) {
    throw UsageError("--data and --weights: give both, or neither for a random case");
  }
  command.SeriesFlags::check();
  check_count("--inputs", command.inputs, 2, 4096);
  check_count("--samples", command.samples, 1, most_numbers / command.inputs);
  named<InputLaw>(command.law);
}

void run_command(const KernelCommand& command, const Stop& stop) {
  check(command);
  if (command.counterexample) {
    // One sample (1, 1), and the two units of the coordinates: orthogonal, and active together.
    const Case one{.samples = kernel_of_samples(
                       std::vector{1.0, 1.0}, std::vector{1.0, 0.0}, std::vector{0.0, 1.0}),
                   .law = {}};
    if (!command.json) {
      fmt::print("w1 = (1, 0), w2 = (0, 1), X = (1, 1) always\n");
    }
    print_case(command, one);
    return;
  }
  if (!command.data.empty()) {
    print_case(command, given_case(command));
    return;
  }
  if (command.instances == 1) {
    print_case(command, random_case(command, 0));
  } else {
    print_series(command, command.rows_of(series_of(command), stop));
  }
}

}  // namespace

void add_theory_kernel(Parser& theory, Context& context) {
  auto command = std::make_shared<KernelCommand>();
  Parser* parser = theory.add_subcommand(
      "kernel",
      "Bound the kernel of two ReLU units (Proposition 2.3).\n\n"
      "[w1, w2] = E z(w1) z(w2) with z(w) = max(0, <w, X>), between its two bounds, beside the "
      "printed ones.\n"
      "Without --data weights and inputs are random, of a law whose kernel is known in closed "
      "form;\n"
      "--instances draws a series of them and counts.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus theory kernel --inputs 5\n"
      "  isthmus theory kernel --distribution heavy-tailed --instances 300\n"
      "  isthmus theory kernel --data D.safetensors --weights W.safetensors\n"
      "  isthmus theory kernel --counterexample\n"
      "\nFiles: inputs (N, n) of the data; w1 (n) and w2 (n) of the weights, of any length.");
  parser->add_option("--distribution", command->law, "gaussian, mixture or heavy-tailed")
      ->capture_default_str();
  parser->add_option("--inputs", command->inputs, "n")->capture_default_str();
  parser->add_option("--samples", command->samples, "N")->capture_default_str();
  parser->add_option("--data", command->data, "The samples, a safetensors file");
  parser->add_option("--weights", command->weights, "The two units, a safetensors file");
  parser->add_flag("--counterexample",
                   command->counterexample,
                   "Two orthogonal units for which the second printed inequality fails");
  command->add(*parser, "Random pairs of units");
  parser->callback([&context, command] {
    context.chosen = [command, stop = context.stop] { run_command(*command, *stop); };
  });
}

}  // namespace isthmus::app
