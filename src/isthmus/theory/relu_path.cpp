// SPDX-License-Identifier: MIT
#include "isthmus/theory/relu_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/oracle.h"
#include "isthmus/theory/relu_nodes.h"

namespace isthmus {
namespace theory {
namespace {

constexpr std::uint64_t start_purpose = 0x6f7261636c65;  // "oracle"
constexpr std::size_t lasso_sweeps = 2000;
constexpr std::size_t support_sweeps = 400;

// Of what one end's pieces are made.
struct Side {
  Units start;
  ReluValue at_start;
  Matrix z;
  Quadratic quadratic;
  Units lasso;
  ReluValue at_lasso;
  std::vector<Index> order;  // see elimination_order()
};

// The first columns of an end, with few output weights, perhaps turned.
struct Pruned {
  Units units;
  ReluValue value;
  double turning = 0.0;
};

Side side_of(const ReluSamples& samples,
             const ReluNetwork& network,
             std::span<const double> theta) {
  Units start = rounded(units_of(network, theta));
  Matrix z = features(samples, start.w);
  Quadratic quadratic(samples, z);
  Units lasso = start;
  descend(quadratic, samples.kappa, all_places(start.count()), lasso_sweeps, lasso.beta);
  if (samples.biases) {
    lasso.c = quadratic.bias(lasso.beta);
  }
  lasso = rounded(lasso);
  const ReluValue at_start = value_of(samples, z, start);
  ReluValue at_lasso = value_of(samples, z, lasso);
  if (at_lasso.total >= at_start.total) {  // an optimum already
    lasso = start;
    at_lasso = at_start;
  }
  std::vector<Index> order = elimination_order(quadratic, samples.kappa, lasso.beta);
  return {.start = std::move(start),
          .at_start = at_start,
          .z = std::move(z),
          .quadratic = std::move(quadratic),
          .lasso = std::move(lasso),
          .at_lasso = at_lasso,
          .order = std::move(order)};
}

std::vector<Index> last_of(const std::vector<Index>& order, std::size_t count) {
  return {order.end() - static_cast<std::ptrdiff_t>(std::min(count, order.size())), order.end()};
}

// v at t = 1/2, where it is largest; v(t) is 4 t (1 - t) times this: see docs/theory.md.
double turn_of(const ReluSamples& samples, const Units& from, const Units& to) {
  double sum = 0.0;
  for (Index i = 0; i < from.count(); ++i) {
    const Vector move = (to.w.row(i) - from.w.row(i)).transpose();
    const double size = std::sqrt(std::max(0.0, move.dot(samples.sigma * move)));
    sum += (from.beta.row(i).norm() + to.beta.row(i).norm()) * size;
  }
  return 0.25 * sum;
}

// By how much F may exceed both ends where columns and weights move together: part by part, the
// chords of F and of its first term, r^2, plus 2 r v + v^2.
double turning_of(const ReluValue& from, const ReluValue& to, double turn) {
  constexpr int parts = 64;
  const auto chord = [](double one, double other, double t) { return (1.0 - t) * one + t * other; };
  double bound = std::max(from.total, to.total);
  for (int k = 0; k < parts; ++k) {
    const double begin = static_cast<double>(k) / parts;
    const double end = static_cast<double>(k + 1) / parts;
    const double nearest = end <= 0.5 ? end : begin;
    const double v = 4.0 * nearest * (1.0 - nearest) * turn;
    const double square =
        std::max(chord(from.data, to.data, begin), chord(from.data, to.data, end));
    bound =
        std::max(bound,
                 std::max(chord(from.total, to.total, begin), chord(from.total, to.total, end)) +
                     2.0 * std::sqrt(square) * v + v * v);
  }
  return bound - std::max(from.total, to.total);
}

Pruned pruned(const ReluSamples& samples,
              const Side& side,
              std::size_t count,
              double angle,
              std::size_t rounds) {
  Pruned result{.units = side.lasso, .value = side.at_lasso};
  std::vector<Index> support = last_of(side.order, count);
  if (support.size() < side.order.size()) {
    Units& units = result.units;
    Matrix beta = Matrix::Zero(units.beta.rows(), units.beta.cols());
    beta(support, Eigen::all) = units.beta(support, Eigen::all);
    descend(side.quadratic, samples.kappa, support, support_sweeps, beta);
    units.beta = std::move(beta);
    units.c = samples.biases ? side.quadratic.bias(units.beta) : units.c;
  }
  if (angle > 0.0) {
    const Units turned = polish(samples, result.units.at(support), Freedom{.angle = angle}, rounds);
    for (std::size_t k = 0; k < support.size(); ++k) {
      result.units.w.row(support[k]) = turned.w.row(static_cast<Index>(k));
      result.units.beta.row(support[k]) = turned.beta.row(static_cast<Index>(k));
    }
    result.units.c = turned.c;
  }
  result.units = rounded(result.units);
  result.value = value_of(samples, result.units);
  if (angle > 0.0) {
    result.turning =
        turning_of(side.at_lasso, result.value, turn_of(samples, side.lasso, result.units));
  }
  return result;
}

// Networks of l units for growing l: upper bounds of e(l).
class Oracle {
 public:
  Oracle(const ReluSamples& samples, const Side& a, const Side& b, const ReluPathOptions& options)
      : samples_(samples), a_(a), b_(b), options_(options) {
    const double norm =
        std::max(a.start.w.rowwise().norm().maxCoeff(), b.start.w.rowwise().norm().maxCoeff());
    freedom_.radius = std::max(1.0, norm);
    join_active();
  }

  // The best that was found for at most l units.
  void widen(std::size_t l) {
    take(a_.lasso.at(last_of(a_.order, l)));
    take(b_.lasso.at(last_of(b_.order, l)));
    if (!order_.empty()) {
      take(both_.at(last_of(order_, l)));
    }
    for (std::size_t k = 0; k < options_.starts; ++k) {
      take(random_start(l, k));
    }
  }

  const Units& units() const { return best_; }
  double value() const { return value_.total; }

 private:
  // The units of A and B that are in use, fitted together.
  void join_active() {
    const Units a = a_.lasso.at(last_of(a_.order, most_joined));
    const Units b = b_.lasso.at(last_of(b_.order, most_joined));
    both_ = a;
    both_.w.resize(a.count() + b.count(), a.w.cols());
    both_.w << a.w, b.w;
    both_.beta.resize(a.count() + b.count(), a.beta.cols());
    both_.beta << 0.5 * a.beta, 0.5 * b.beta;
    if (both_.count() == 0) {
      return;
    }
    const Quadratic quadratic(samples_, features(samples_, both_.w));
    descend(quadratic, samples_.kappa, all_places(both_.count()), support_sweeps, both_.beta);
    order_ = elimination_order(quadratic, samples_.kappa, both_.beta);
  }

  Units random_start(std::size_t l, std::size_t k) const {
    Rng random(options_.seed, stream_name({start_purpose, l, k}));
    Units units{.w = Matrix(static_cast<Index>(l), samples_.x.cols()),
                .beta = Matrix::Zero(static_cast<Index>(l), samples_.y.cols()),
                .c = Vector::Zero(samples_.y.cols())};
    for (Index i = 0; i < units.w.rows(); ++i) {
      for (Index j = 0; j < units.w.cols(); ++j) {
        units.w(i, j) = random.normal();
      }
      units.w.row(i).normalize();
    }
    return units;
  }

  void take(Units units) {
    units = rounded(polish(samples_, std::move(units), freedom_, options_.rounds));
    const ReluValue value = value_of(samples_, units);
    if (value.total < value_.total) {
      best_ = std::move(units);
      value_ = value;
    }
  }

  static constexpr std::size_t most_joined = 256;

  const ReluSamples& samples_;
  const Side& a_;
  const Side& b_;
  const ReluPathOptions& options_;
  Freedom freedom_;
  Units both_;
  std::vector<Index> order_;
  Units best_;
  ReluValue value_{.data = 0.0, .total = std::numeric_limits<double>::infinity()};
};

// What was found for one (l, alpha).
struct Choice {
  std::size_t units = 0;
  double angle = 0.0;
  Units oracle;
  double oracle_value = 0.0;
  Pruned a;
  Pruned b;
  double epsilon = std::numeric_limits<double>::infinity();
  double score = std::numeric_limits<double>::infinity();  // what is to be least
};

// The largest F where columns and weights of an end move together.
double turning_maximum(const ReluProblem& problem, const Side& side, const Pruned& pruned) {
  return penalized_maximum(problem,
                           theta_of(problem.network, side.lasso),
                           theta_of(problem.network, pruned.units))
      .upper;
}

Choice choice_of(const ReluProblem& problem,
                 const ReluSamples& samples,
                 const Side& a,
                 const Side& b,
                 const Oracle& oracle,
                 std::size_t l,
                 double angle,
                 const ReluPathOptions& options) {
  const std::size_t rounds = options.rounds;
  const auto left = static_cast<std::size_t>(a.start.count()) - l;
  Choice choice{.units = l,
                .angle = angle,
                .oracle = oracle.units(),
                .oracle_value = oracle.value(),
                .a = pruned(samples, a, left, angle, rounds),
                .b = pruned(samples, b, left, angle, rounds)};
  choice.epsilon = std::max({choice.oracle_value,
                             std::max(a.at_lasso.total, choice.a.value.total) + choice.a.turning,
                             std::max(b.at_lasso.total, choice.b.value.total) + choice.b.turning});
  choice.score = choice.epsilon;
  if (options.choice == ReluChoice::maximum && angle > 0.0) {
    choice.score = std::max({choice.oracle_value,
                             turning_maximum(problem, a, choice.a),
                             turning_maximum(problem, b, choice.b)});
  }
  return choice;
}

Choice best_choice(const ReluProblem& problem,
                   const ReluSamples& samples,
                   const Side& a,
                   const Side& b,
                   const ReluPathOptions& options) {
  const auto m = static_cast<std::size_t>(a.start.count());
  const double level = std::max(a.at_start.total, b.at_start.total);
  Oracle oracle(samples, a, b, options);
  Choice best;
  // 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: delta grows with l, so it ends where that exceeds the best.
  for (std::size_t l = 1, step = 1; l < m && best.score > level; l += step) {
    step = l == 1 || l == 2 ? 1 : (l & (l - 1)) == 0 ? l / 2 : l - (l / 3) * 2;
    oracle.widen(l);
    double least_delta = std::numeric_limits<double>::infinity();
    for (const double angle : options.angles) {
      Choice choice = choice_of(problem, samples, a, b, oracle, l, angle, options);
      least_delta = std::min(least_delta, std::max(choice.a.value.total, choice.b.value.total));
      if (choice.score < best.score) {
        best = std::move(choice);
      }
      if (best.score <= level) {
        break;
      }
    }
    if (least_delta > best.score) {
      break;
    }
  }
  return best;
}

// A number of the path, by the name that the table has for it.
struct Term {
  double value;
  const char* name;
};

Term larger(const Term& one, const Term& other) {
  return other.value > one.value ? other : one;
}

struct NamedTerms {
  Term start, lasso, pruned;
  double turning;
};

NamedTerms terms_of(const Side& side, const Pruned& pruned, bool first) {
  return {.start = {side.at_start.total, first ? "F(A)" : "F(B)"},
          .lasso = {side.at_lasso.total, first ? "delta_A(m, 0)" : "delta_B(m, 0)"},
          .pruned = {pruned.value.total, first ? "delta_A(m - l, a)" : "delta_B(m - l, a)"},
          .turning = pruned.turning};
}

// Of the first four pieces of an end, from the outside.
std::vector<ReluPiece> side_pieces(const NamedTerms& terms, const Term& oracle, const char* end) {
  const auto piece = [&](const char* what, const Term& term, double more = 0.0) {
    return ReluPiece{.name = fmt::format("{}: {}", end, what),
                     .bound = term.value + more,
                     .term = fmt::format("{}{}", term.name, more > 0.0 ? " + turning" : "")};
  };
  return {piece("beta and the lasso's", larger(terms.start, terms.lasso)),
          piece("few output weights", larger(terms.lasso, terms.pruned), terms.turning),
          piece("free slots and the oracle's columns", terms.pruned),
          piece("beta and the oracle's", larger(terms.pruned, oracle))};
}

std::vector<ReluPiece> pieces_of(const Side& a, const Side& b, const Choice& choice) {
  const Term oracle{choice.oracle_value, "e(l)"};
  std::vector<ReluPiece> pieces = side_pieces(terms_of(a, choice.a, true), oracle, "A");
  for (const char* name : {"oracle: copies in B's slots",
                           "oracle: output weights to the copies",
                           "oracle: other columns to B's"}) {
    pieces.push_back({.name = name, .bound = oracle.value, .term = oracle.name});
  }
  std::vector<ReluPiece> last = side_pieces(terms_of(b, choice.b, false), oracle, "B");
  std::ranges::reverse(last);
  pieces.insert(pieces.end(), last.begin(), last.end());
  return pieces;
}

// C_1, and eps by it at the least angle that is not 0.
void set_constants(const ReluSamples& samples,
                   const std::vector<double>& angles,
                   const Choice& choice,
                   ReluPath& path) {
  const double square = samples.y.squaredNorm() / static_cast<double>(samples.y.rows());
  const double root = std::sqrt(std::max(0.0, largest_eigenvalue(samples.sigma)));
  const double infinity = std::numeric_limits<double>::infinity();
  path.constant = samples.kappa > 0.0 ? std::pow(square, 1.5) * root / samples.kappa : infinity;
  const double angle = angles.size() > 1 ? angles[1] : 0.0;
  const double v = samples.kappa > 0.0 ? 0.5 * square / samples.kappa * angle * root : infinity;
  path.a_priori = std::max({path.lasso_a,
                            path.lasso_b,
                            choice.oracle_value,
                            choice.a.value.total,
                            choice.b.value.total}) +
                  2.0 * std::sqrt(square) * v + v * v;
}

}  // namespace
}  // namespace theory

double ReluPath::level() const {
  return std::max(loss_a, loss_b);
}

double ReluPath::bound() const {
  return std::max(level(), epsilon);
}

ReluPath connect_relu(const ReluProblem& problem,
                      std::span<const double> a,
                      std::span<const double> b,
                      const ReluPathOptions& options) {
  validate(problem);
  for (const auto& end : {a, b}) {
    if (end.size() != problem.network.dimension()) {
      throw UsageError(fmt::format("end points: expected {} numbers each, got {} and {}",
                                   problem.network.dimension(),
                                   a.size(),
                                   b.size()));
    }
    if (!std::ranges::all_of(end, [](double x) { return std::abs(x) <= 1e30; })) {
      throw UsageError("end points: expected numbers of at most 1e30, got NaN or a larger one");
    }
  }
  const std::vector<double>& angles = options.angles;
  if (angles.empty() || angles.front() != 0.0 ||
      !std::ranges::is_sorted(angles, std::less_equal<>()) ||
      !(angles.back() <= 0.5 * std::numbers::pi)) {
    throw UsageError("angles: expected an ascending list from 0 to at most pi / 2");
  }
  const theory::ReluSamples samples(problem);
  const theory::Side from = theory::side_of(samples, problem.network, a);
  const theory::Side to = theory::side_of(samples, problem.network, b);
  const theory::Choice choice = theory::best_choice(problem, samples, from, to, options);
  ReluPath path{.points = theory::path_nodes(
                    problem.network,
                    {.start = from.start, .lasso = from.lasso, .pruned = choice.a.units},
                    {.start = to.start, .lasso = to.lasso, .pruned = choice.b.units},
                    choice.oracle,
                    choice.units),
                .pieces = theory::pieces_of(from, to, choice),
                .loss_a = from.at_start.total,
                .loss_b = to.at_start.total,
                .units = choice.units,
                .angle = choice.angle,
                .oracle = choice.oracle_value,
                .lasso_a = from.at_lasso.total,
                .lasso_b = to.at_lasso.total,
                .pruned_a = choice.a.value.total,
                .pruned_b = choice.b.value.total,
                .turning_a = choice.a.turning,
                .turning_b = choice.b.turning,
                .gap_a = theory::duality_gap(samples, from.z, from.lasso),
                .gap_b = theory::duality_gap(samples, to.z, to.lasso),
                .epsilon = choice.epsilon};
  theory::set_constants(samples, angles, choice, path);
  return path;
}

}  // namespace isthmus
