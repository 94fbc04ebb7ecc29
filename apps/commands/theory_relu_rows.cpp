// SPDX-License-Identifier: MIT
#include "theory_relu_rows.h"

#include <fmt/format.h>

#include "isthmus/core/json.h"
#include "theory.h"

namespace isthmus::app {
namespace {

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

}  // namespace

ReluRow relu_row(const ReluProblem& problem,
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

void print_one(const ReluRow& row, bool json) {
  if (json) {
    fmt::print("{}\n", to_json(row).dump(2));
  } else {
    print_row(row);
  }
}

ReluNumbers numbers_of(const ReluRow& row) {
  return {.maximum = row.maximum() / row.path.level(),
          .bound = row.path.bound() / row.maximum(),
          .a_priori = row.path.a_priori / row.maximum(),
          .line = row.line.upper / row.path.level(),
          .units = static_cast<double>(row.path.units),
          .angle = row.path.angle,
          .holds = row.holds() ? 1.0 : 0.0};
}

void print_series(const ReluProblem& problem, const std::vector<ReluNumbers>& rows, bool json) {
  const auto all = [&](double ReluNumbers::*value) {
    std::vector<double> values;
    values.reserve(rows.size());
    for (const ReluNumbers& row : rows) {
      values.push_back(row.*value);
    }
    return values;
  };
  const auto both = [&](double ReluNumbers::*value) {
    return Json{median(all(value)), std::ranges::max(all(value))};
  };
  const auto failing = std::ranges::count_if(rows, [](auto& row) { return row.holds != 1.0; });
  const auto turned = std::ranges::count_if(rows, [](auto& row) { return row.angle > 0.0; });
  if (json) {
    fmt::print("{}\n",
               Json{{"pairs", rows.size()},
                    {"failing", failing},
                    {"maximum_over_lambda", both(&ReluNumbers::maximum)},
                    {"bound_over_maximum", both(&ReluNumbers::bound)},
                    {"a_priori_over_maximum", number_or_null(median(all(&ReluNumbers::a_priori)))},
                    {"line_over_lambda", both(&ReluNumbers::line)},
                    {"oracle_units", median(all(&ReluNumbers::units))},
                    {"with_angle", turned}}
                   .dump(2));
    return;
  }
  fmt::print(
      "{} pairs, networks {}-{}-{}, N = {}, kappa = {:g}\n"
      "{:<34}{:>12}{:>12}\n",
      rows.size(),
      problem.network.inputs,
      problem.network.hidden,
      problem.network.outputs,
      problem.samples(),
      problem.kappa,
      "",
      "median",
      "largest");
  const auto print = [&](const char* name, double ReluNumbers::*value) {
    fmt::print(
        "{:<34}{:>12.5g}{:>12.5g}\n", name, median(all(value)), std::ranges::max(all(value)));
  };
  print("maximum / lambda", &ReluNumbers::maximum);
  print("bound / maximum", &ReluNumbers::bound);
  print("bound with C_1 / maximum", &ReluNumbers::a_priori);
  print("straight line / lambda", &ReluNumbers::line);
  print("l", &ReluNumbers::units);
  fmt::print("bounds that fail: {}; pairs with alpha > 0: {}\n", failing, turned);
}

}  // namespace isthmus::app
