// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "isthmus/certify/exact.h"
#include "isthmus/core/names.h"

namespace isthmus {

/// What Theorem 2.4 of Freeman & Bruna (2017) is about: a network of one hidden ReLU layer, f(x) =
/// sum_i beta_i z(w_i) + c with z(w) = max(0, <w, x>), and
///     F = 1/N sum |f(x) - y|^2 + kappa sum_i |beta_i|,
/// summed over the outputs; |beta_i| is the Euclidean norm of unit i's output weights, which for
/// one output is the l1 norm of the theorem. Biases: of hidden units, one more input that is
/// always 1; of the output, c, not penalised.
struct ReluProblem {
  ReluNetwork network;
  std::vector<double> inputs;   ///< (N, inputs), row-major
  std::vector<double> targets;  ///< (N, outputs), row-major
  double kappa = 0.0;

  std::size_t samples() const { return targets.size() / network.outputs; }
};

/// Throws UsageError for fewer than two hidden units, data that do not fit, numbers that are NaN or
/// exceed 1e30, a kappa that is negative or not finite, or sizes that need too much memory (N times
/// hidden units above 1e7, or more than 4096 units).
void validate(const ReluProblem& problem);

/// Throws UsageError for sizes that validate() refuses, before there are samples.
void check_sizes(const ReluNetwork& network, std::size_t samples);

/// F(theta), theta as ReluNetwork has it.
double penalized_loss(const ReluProblem& problem, std::span<const double> theta);

/// The maximum of F on a straight segment, enclosed as by maximum_on_segment(); the penalty's
/// changes of sign are found. With several outputs the penalty is bounded by chords of 256 parts,
/// and `lower` is F where the bound is largest.
LossMaximum penalized_maximum(const ReluProblem& problem,
                              std::span<const double> from,
                              std::span<const double> to);

/// Which (l, alpha) is taken.
enum class ReluChoice {
  bound,    ///< the one with the least epsilon
  maximum,  ///< the one with the least maximum of F on the path, found exactly
};

template <>
inline constexpr auto enum_names<ReluChoice> = name_table<ReluChoice>(
    "choice", {{ReluChoice::bound, "bound"}, {ReluChoice::maximum, "maximum"}});

struct ReluPathOptions {
  ReluChoice choice = ReluChoice::bound;
  /// alpha: how far columns may turn, radians, ascending, the first one 0.
  std::vector<double> angles{0.0, 0.05, 0.2, 0.5};
  std::size_t starts = 2;    ///< random networks among the candidates for e(l)
  std::size_t rounds = 200;  ///< of descent of one candidate
  std::uint64_t seed = 1;
};

/// One straight piece of the path.
struct ReluPiece {
  std::string name;    ///< what moves
  double bound = 0.0;  ///< F stays below it
  std::string term;    ///< which number of the path the bound is
};

/// The path of Theorem 2.4, eleven straight pieces. `points` are numbers of float32.
struct ReluPath {
  std::vector<double> points;     ///< (12, P) row-major, from A to B
  std::vector<ReluPiece> pieces;  ///< 11
  double loss_a = 0.0;            ///< F(A)
  double loss_b = 0.0;
  std::size_t units = 0;  ///< l
  double angle = 0.0;     ///< alpha
  double oracle = 0.0;    ///< an upper bound of e(l), attained on the path; so are the next four
  double lasso_a = 0.0;   ///< of delta_A(m, 0; m)
  double lasso_b = 0.0;
  double pruned_a = 0.0;  ///< of delta_A(m - l, alpha; m)
  double pruned_b = 0.0;
  double turning_a = 0.0;  ///< what piece 2 may add to its ends, by 2 r v + v^2; 0 for alpha = 0
  double turning_b = 0.0;
  double gap_a = 0.0;  ///< lasso_a exceeds delta_A(m, 0; m) by at most this
  double gap_b = 0.0;
  double epsilon = 0.0;   ///< the largest of those: the theorem's eps for these networks
  double constant = 0.0;  ///< C_1 = (E y^2)^(3/2) sqrt |Sigma| / kappa; infinite for kappa = 0
  double a_priori = 0.0;  ///< eps with C_1 instead of `turning` at the least angle > 0

  double level() const;  ///< lambda: the larger of F(A), F(B)
  double bound() const;  ///< max(lambda, epsilon): F is nowhere larger on the path
};

/// Joins a and b (P each, numbers of float32; others are rounded to such). For l of a grid up to
/// m - 1 and the angles given: the lasso on fixed columns, by block descent; networks of l units,
/// by elimination from A, B and both together and from random starts, and descent; columns kept, by
/// elimination. Takes the best (l, alpha), or the first whose epsilon is at most lambda.
/// Deterministic. Throws UsageError as validate(), for spans of another length, or for angles that
/// do not ascend from 0 to at most pi / 2.
ReluPath connect_relu(const ReluProblem& problem,
                      std::span<const double> a,
                      std::span<const double> b,
                      const ReluPathOptions& options = {});

}  // namespace isthmus
