// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>
#include <vector>

#include "isthmus/certify/exact_pieces.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

using Bernstein = LossPolynomial;

void subtract(LossPolynomial& sum, const LossPolynomial& term) {
  for (std::size_t k = 0; k <= loss_degree; ++k) {
    sum[k] -= term[k];
  }
}

// The Bernstein coefficients of p on [a, b]: their range contains that of p, and the outer two are
// the values at the ends.
Bernstein bernstein(const LossPolynomial& p, double a, double b) {
  static constexpr double binomial[loss_degree + 1][loss_degree + 1] = {
      {1, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 2, 1, 0, 0}, {1, 3, 3, 1, 0}, {1, 4, 6, 4, 1}};
  const Interval width = Interval(b) - Interval(a);
  Interval power = 1.0;
  Bernstein taylor;  // coefficients of p(a + width s), over the binomials of the degree
  for (std::size_t k = 0; k <= loss_degree; ++k) {
    Interval value = 0.0;
    for (std::size_t j = loss_degree + 1; j-- > k;) {
      value = value * Interval(a) + Interval(binomial[j][k]) * p[j];
    }
    taylor[k] = value * power / Interval(binomial[loss_degree][k]);
    power = power * width;
  }
  Bernstein result;
  for (std::size_t i = 0; i <= loss_degree; ++i) {
    for (std::size_t k = 0; k <= i; ++k) {
      result[i] += Interval(binomial[i][k]) * taylor[k];
    }
  }
  return result;
}

Interval value_at(const LossPolynomial& p, double t) {
  Interval value = p[loss_degree];
  for (std::size_t k = loss_degree; k-- > 0;) {
    value = value * Interval(t) + p[k];
  }
  return value;
}

// The sum over the samples on [a, b].
struct Part {
  double a = 0.0;
  double b = 1.0;
  LossPolynomial loss;
};

LossPolynomial sum_of(const std::vector<LossPolynomial>& terms) {
  LossPolynomial sum;
  for (const LossPolynomial& term : terms) {
    add(sum, term);
  }
  return sum;
}

// The numbers of the pieces in the order of their begins, and of their samples where those agree.
std::vector<std::pair<double, std::size_t>> order_of(const std::vector<LossPiece>& pieces) {
  std::vector<std::pair<double, std::size_t>> order(pieces.size());
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    order[k] = {pieces[k].begin, k};
  }
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<Part> sum_of(const std::vector<LossPiece>& pieces, std::size_t samples) {
  const auto order = order_of(pieces);
  std::vector<LossPolynomial> current(samples);
  std::vector<Part> parts;
  LossPolynomial sum;
  std::size_t updates = samples;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const LossPiece& piece = pieces[order[k].second];
    LossPolynomial& own = current[piece.sample];
    subtract(sum, own);
    own = piece.loss;
    add(sum, own);
    const double end = k + 1 < order.size() ? order[k + 1].first : 1.0;
    if (end == piece.begin) {
      ++updates;
      continue;
    }
    if (++updates >= samples) {  // what was added and taken away again leaves its rounding errors
      sum = sum_of(current);
      updates = 0;
    }
    parts.push_back({piece.begin, end, sum});
  }
  return parts;
}

// The maximum of the parts by branch and bound.
class Maximizer {
 public:
  LossMaximum run(const std::vector<Part>& parts) {
    for (const Part& part : parts) {
      look_at(part.a, value_at(part.loss, part.a).low);
    }
    std::priority_queue<Candidate> queue;
    for (const Part& part : parts) {
      enqueue(queue, part);
    }
    while (!queue.empty() && queue.top().bound > best_.lower + tolerance()) {
      const Part part = queue.top().part;
      queue.pop();
      const double middle = part.a + 0.5 * (part.b - part.a);
      if (middle <= part.a || middle >= part.b) {
        best_.upper = std::max(best_.upper, bound_of(bernstein(part.loss, part.a, part.b)));
        continue;
      }
      enqueue(queue, {part.a, middle, part.loss});
      enqueue(queue, {middle, part.b, part.loss});
    }
    if (!queue.empty()) {
      best_.upper = std::max(best_.upper, queue.top().bound);
    }
    best_.upper = std::max(best_.upper, best_.lower);
    return best_;
  }

 private:
  struct Candidate {
    double bound = 0.0;
    Part part;
    bool operator<(const Candidate& other) const {
      return bound != other.bound ? bound < other.bound : part.a > other.part.a;
    }
  };

  double tolerance() const { return 1e-13 * best_.lower; }

  static double bound_of(const Bernstein& values) {
    double bound = values[0].high;
    for (const Interval& value : values) {
      bound = std::max(bound, value.high);
    }
    return bound;
  }

  void look_at(double t, double value) {
    if (value > best_.lower) {
      best_.lower = value;
      best_.t = t;
    }
  }

  // Known to be nowhere above the best value by the value at its begin and the largest slope.
  bool hopeless(const Part& part) const {
    Interval slope = 0.0;
    for (std::size_t k = 1; k <= loss_degree; ++k) {
      slope += Interval(static_cast<double>(k)) * Interval(part.loss[k].magnitude());
    }
    const Interval width = Interval(part.b) - Interval(part.a);
    return (value_at(part.loss, part.a) + width * slope).high <= best_.lower;
  }

  // Keeps a part that may exceed the best value, unless halving it could not say more.
  void enqueue(std::priority_queue<Candidate>& queue, const Part& part) {
    if (hopeless(part)) {
      return;
    }
    const Bernstein values = bernstein(part.loss, part.a, part.b);
    look_at(part.a, values[0].low);
    look_at(part.b, values[loss_degree].low);
    const double bound = bound_of(values);
    double uncertainty = 0.0;
    for (const Interval& value : values) {
      uncertainty = std::max(uncertainty, value.width());
    }
    if (bound <= best_.lower) {
      return;
    }
    if (bound - best_.lower <= 2.0 * uncertainty) {
      best_.upper = std::max(best_.upper, bound);
      return;
    }
    queue.push({bound, part});
  }

  LossMaximum best_;  // a loss is never negative
};

void check_size(const char* what, std::size_t expected, std::size_t found) {
  if (expected != found) {
    throw UsageError(
        fmt::format("exact maximum: expected {} numbers in {}, got {}", expected, what, found));
  }
}

// Below 1e30 nothing overflows: errors stay below 1e90 times sizes, their squares below 1e200.
void check_numbers(const char* what, std::span<const double> values) {
  for (const double value : values) {
    if (!(std::abs(value) <= 1e30)) {
      throw UsageError(fmt::format(
          "exact maximum: expected numbers of at most 1e30 in {}, got {}", what, value));
    }
  }
}

void check(const ReluNetwork& network, const RegressionData& data, Loss loss) {
  if (network.inputs == 0 || network.hidden == 0 || network.outputs == 0) {
    throw UsageError("exact maximum: expected a network with inputs, hidden units and outputs");
  }
  if (loss != Loss::squared && loss != Loss::absolute) {
    throw UsageError(fmt::format("exact maximum: expected the squared or absolute loss, got '{}'",
                                 name_of(loss)));
  }
  const std::size_t samples = data.targets.size() / network.outputs;
  if (samples == 0) {
    throw UsageError("exact maximum: expected at least one sample, got none");
  }
  check_size("the targets", samples * network.outputs, data.targets.size());
  check_size("the inputs", samples * network.inputs, data.inputs.size());
  check_numbers("the targets", data.targets);
  check_numbers("the inputs", data.inputs);
}

void check(std::span<const AddedLine> added) {
  double before = 0.0;
  for (std::size_t k = 0; k < added.size(); ++k) {
    const AddedLine& line = added[k];
    const bool ordered = k == 0 ? line.begin == 0.0 : line.begin >= before && line.begin <= 1.0;
    if (!ordered || !line.constant.finite() || !line.slope.finite()) {
      throw UsageError(
          fmt::format("exact maximum: expected finite lines in order from 0 to 1 in what is added, "
                      "got one at {} behind {}",
                      line.begin,
                      before));
    }
    before = line.begin;
  }
}

}  // namespace

std::size_t ReluNetwork::dimension() const {
  const std::size_t bias = biases ? 1 : 0;
  return hidden * (inputs + bias) + outputs * (hidden + bias);
}

LossMaximum maximum_on_segment(const ReluNetwork& network,
                               const RegressionData& data,
                               Loss loss,
                               std::span<const double> from,
                               std::span<const double> to,
                               std::span<const AddedLine> added) {
  check(network, data, loss);
  check_size("the first end", network.dimension(), from.size());
  check_size("the second end", network.dimension(), to.size());
  check_numbers("the first end", from);
  check_numbers("the second end", to);
  check(added);
  const std::size_t samples = data.targets.size() / network.outputs;
  std::vector<LossPiece> built = loss_pieces(network, data, loss, from, to);
  const std::size_t pieces = built.size();
  for (const AddedLine& line : added) {  // one more sample, whose loss it is
    const Interval terms(static_cast<double>(data.targets.size()));
    built.push_back({.begin = line.begin,
                     .sample = static_cast<std::uint32_t>(samples),
                     .loss = {terms * line.constant, terms * line.slope}});
  }
  LossMaximum result = Maximizer().run(sum_of(built, added.empty() ? samples : samples + 1));
  result.pieces = pieces;
  const Interval mean =
      Interval(result.lower, result.upper) / Interval(static_cast<double>(data.targets.size()));
  result.lower = std::max(0.0, mean.low);
  result.upper = mean.high;
  return result;
}

LossMaximum maximum_on_path(const ReluNetwork& network,
                            const RegressionData& data,
                            Loss loss,
                            std::span<const double> path) {
  const std::size_t dimension = network.dimension();
  const std::size_t points = dimension == 0 ? 0 : path.size() / dimension;
  if (points < 2) {
    throw UsageError("exact maximum: expected a path of at least two points");
  }
  check_size("the path", points * dimension, path.size());
  LossMaximum largest;
  for (std::size_t m = 0; m + 1 < points; ++m) {
    const LossMaximum found = maximum_on_segment(network,
                                                 data,
                                                 loss,
                                                 path.subspan(m * dimension, dimension),
                                                 path.subspan((m + 1) * dimension, dimension));
    if (found.lower > largest.lower || m == 0) {
      largest.lower = found.lower;
      largest.t = found.t;
      largest.segment = m;
    }
    largest.upper = std::max(largest.upper, found.upper);
    largest.pieces += found.pieces;
  }
  return largest;
}

}  // namespace isthmus
