// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "isthmus/theory/relu_instances.h"

namespace isthmus::app {

/// A pair, its path and what F is along it.
struct ReluRow {
  ReluNetwork network;
  std::size_t samples = 0;
  double kappa = 0.0;
  ReluPath path;
  std::vector<LossMaximum> pieces{};
  LossMaximum line{};

  double maximum() const { return std::ranges::max(pieces, {}, &LossMaximum::upper).upper; }
  /// Whether no value that is attained exceeds its bound, rounding set aside. (`upper` of a maximum
  /// exceeds `lower` by rounding errors of the largest terms, more than a bound near 0.)
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

/// The path of Theorem 2.4 between a and b, and the exact maxima on its pieces.
ReluRow relu_row(const ReluProblem& problem,
                 const std::vector<double>& a,
                 const std::vector<double>& b,
                 const ReluPathOptions& options);

/// As text or JSON.
void print_one(const ReluRow& row, bool json);

/// What a series keeps of a pair: numbers over lambda, or over the maximum.
struct ReluNumbers {
  double maximum = 0.0;
  double bound = 0.0;
  double a_priori = 0.0;
  double line = 0.0;
  double units = 0.0;
  double angle = 0.0;
  double holds = 0.0;  ///< 1: every piece
};

inline constexpr std::array<std::pair<std::string_view, double ReluNumbers::*>, 7> relu_columns{
    {{"maximum_over_lambda", &ReluNumbers::maximum},
     {"bound_over_maximum", &ReluNumbers::bound},
     {"a_priori_over_maximum", &ReluNumbers::a_priori},
     {"line_over_lambda", &ReluNumbers::line},
     {"units", &ReluNumbers::units},
     {"angle", &ReluNumbers::angle},
     {"holds", &ReluNumbers::holds}}};

ReluNumbers numbers_of(const ReluRow& row);

/// Medians and largest values of pairs on data such as those of `problem`.
void print_series(const ReluProblem& problem, const std::vector<ReluNumbers>& rows, bool json);

}  // namespace isthmus::app
