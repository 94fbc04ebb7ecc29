// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <queue>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t degree = 4;
using Quadratic = std::array<Interval, 3>;            // coefficients of 1, t, t^2
using Polynomial = std::array<Interval, degree + 1>;  // of 1, t, ..., t^4
using Bernstein = std::array<Interval, degree + 1>;

void add(Polynomial& sum, const Polynomial& term) {
  for (std::size_t k = 0; k <= degree; ++k) {
    sum[k] += term[k];
  }
}

void subtract(Polynomial& sum, const Polynomial& term) {
  for (std::size_t k = 0; k <= degree; ++k) {
    sum[k] -= term[k];
  }
}

Quadratic product(Interval a0, Interval a1, Interval b0, Interval b1) {
  return {a0 * b0, a0 * b1 + a1 * b0, a1 * b1};
}

// The Bernstein coefficients of p on [a, b]: their range contains that of p, and the outer two are
// the values at the ends.
Bernstein bernstein(const Polynomial& p, double a, double b) {
  static constexpr double binomial[degree + 1][degree + 1] = {
      {1, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 2, 1, 0, 0}, {1, 3, 3, 1, 0}, {1, 4, 6, 4, 1}};
  const Interval width = Interval(b) - Interval(a);
  Interval power = 1.0;
  Bernstein taylor;  // coefficients of p(a + width s), over the binomials of the degree
  for (std::size_t k = 0; k <= degree; ++k) {
    Interval value = 0.0;
    for (std::size_t j = degree + 1; j-- > k;) {
      value = value * Interval(a) + Interval(binomial[j][k]) * p[j];
    }
    taylor[k] = value * power / Interval(binomial[degree][k]);
    power = power * width;
  }
  Bernstein result;
  for (std::size_t i = 0; i <= degree; ++i) {
    for (std::size_t k = 0; k <= i; ++k) {
      result[i] += Interval(binomial[i][k]) * taylor[k];
    }
  }
  return result;
}

// The range of a quadratic on [a, b], from its Bernstein coefficients, and how much of it is due to
// the coefficients being intervals.
struct QuadraticRange {
  Interval range;
  double uncertainty = 0.0;
};

QuadraticRange range_of(const Quadratic& p, double a, double b) {
  const Interval width = Interval(b) - Interval(a);
  const Interval first = p[0] + Interval(a) * (p[1] + Interval(a) * p[2]);
  const Interval last = p[0] + Interval(b) * (p[1] + Interval(b) * p[2]);
  const Interval middle =
      first + Interval(0.5) * (width * (p[1] + Interval(2.0) * (Interval(a) * p[2])));
  return {hull(hull(first, last), middle),
          std::max(std::max(first.width(), last.width()), middle.width())};
}

// Where a hidden unit is certainly on (preactivation >= 0) and certainly off (<= 0) as t goes from
// 0 to 1: intervals of t, empty if low > high.
struct UnitSigns {
  Interval from;  // preactivation at t = 0
  Interval to;    // and at t = 1
  Interval on{1.0, 0.0};
  Interval off{1.0, 0.0};
};

// The t in [0, 1] with (1 - t) from + t to >= 0, or a part of it.
Interval nonnegative_part(double from, double to) {
  const Interval zero = Interval(from) / (Interval(from) - Interval(to));
  if (from >= 0.0 && to >= 0.0) {
    return {0.0, 1.0};
  }
  if (from >= 0.0) {
    return {0.0, std::clamp(zero.low, 0.0, 1.0)};
  }
  if (to >= 0.0) {
    return {std::clamp(zero.high, 0.0, 1.0), 1.0};
  }
  return {1.0, 0.0};
}

// One sample's loss on [begin, next begin).
struct Piece {
  double begin = 0.0;
  std::uint32_t sample = 0;
  Polynomial loss;
};

// The pieces of all samples along one segment.
class PieceBuilder {
 public:
  PieceBuilder(const ReluNetwork& network,
               const RegressionData& data,
               Loss loss,
               std::span<const double> from,
               std::span<const double> to)
      : network_(network),
        data_(data),
        loss_(loss),
        from_(from),
        to_(to),
        units_(network.hidden),
        errors_(network.outputs) {}

  std::vector<Piece> build() {
    const std::size_t samples = data_.targets.size() / network_.outputs;
    for (std::size_t i = 0; i < samples; ++i) {
      add_sample(i);
    }
    return std::move(pieces_);
  }

 private:
  void add_sample(std::size_t sample) {
    cuts_.assign({0.0, 1.0});
    for (std::size_t j = 0; j < network_.hidden; ++j) {
      units_[j] = signs_of(j, sample);
      // The ends of an empty part are 0 and 1, which are there anyway.
      const auto& [from, to, on, off] = units_[j];
      cuts_.insert(cuts_.end(), {on.low, on.high, off.low, off.high});
    }
    std::sort(cuts_.begin(), cuts_.end());
    cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
    for (std::size_t k = 0; k + 1 < cuts_.size(); ++k) {
      set_errors(sample, cuts_[k], cuts_[k + 1]);
      if (loss_ == Loss::squared) {
        add_squares(sample, cuts_[k]);
      } else {
        signs_.clear();
        add_absolutes(sample, cuts_[k], cuts_[k + 1]);
      }
    }
  }

  UnitSigns signs_of(std::size_t unit, std::size_t sample) const {
    UnitSigns signs;
    signs.from = preactivation(from_, unit, sample);
    signs.to = preactivation(to_, unit, sample);
    signs.on = nonnegative_part(signs.from.low, signs.to.low);
    signs.off = nonnegative_part(-signs.from.high, -signs.to.high);
    return signs;
  }

  Interval preactivation(std::span<const double> theta,
                         std::size_t unit,
                         std::size_t sample) const {
    const std::size_t inputs = network_.inputs;
    Interval sum = network_.biases ? theta[network_.hidden * inputs + unit] : 0.0;
    for (std::size_t k = 0; k < inputs; ++k) {
      sum += Interval(theta[unit * inputs + k]) * Interval(data_.inputs[sample * inputs + k]);
    }
    return sum;
  }

  // output - target on [a, b], where every unit is on, off or nearly 0.
  void set_errors(std::size_t sample, double a, double b) {
    const std::size_t hidden = network_.hidden;
    const std::size_t weights = hidden * (network_.inputs + (network_.biases ? 1 : 0));
    for (std::size_t k = 0; k < network_.outputs; ++k) {
      Quadratic error{-Interval(data_.targets[sample * network_.outputs + k]), 0.0, 0.0};
      if (network_.biases) {
        const std::size_t bias = weights + network_.outputs * hidden + k;
        error[0] += from_[bias];
        error[1] += Interval(to_[bias]) - Interval(from_[bias]);
      }
      for (std::size_t j = 0; j < hidden; ++j) {
        add_unit(error, weights + k * hidden + j, units_[j], {a, b});
      }
      errors_[k] = error;
    }
  }

  void add_unit(Quadratic& error, std::size_t weight, const UnitSigns& unit, Interval part) const {
    if (unit.off.low <= part.low && part.high <= unit.off.high) {
      return;
    }
    Interval value = unit.from;
    Interval slope = unit.to - unit.from;
    if (part.low < unit.on.low || unit.on.high < part.high) {
      const Interval range =
          hull(value + Interval(part.low) * slope, value + Interval(part.high) * slope);
      value = {0.0, relu(range).high};
      slope = 0.0;
    }
    const Quadratic term =
        product(from_[weight], Interval(to_[weight]) - Interval(from_[weight]), value, slope);
    for (std::size_t k = 0; k < term.size(); ++k) {
      error[k] += term[k];
    }
  }

  void add_squares(std::size_t sample, double begin) {
    Polynomial sum;
    for (const Quadratic& e : errors_) {
      const Interval two = 2.0;
      add(sum,
          {square(e[0]),
           two * (e[0] * e[1]),
           two * (e[0] * e[2]) + square(e[1]),
           two * (e[1] * e[2]),
           square(e[2])});
    }
    pieces_.push_back({begin, static_cast<std::uint32_t>(sample), sum});
  }

  // Halves [a, b] until every error has one sign on it or is as good as 0. Equal neighbours are one
  // piece, so what remains are a tiny piece at each zero and the pieces between them.
  void add_absolutes(std::size_t sample, double a, double b) {
    constexpr double smallest_width = 0x1p-46;
    std::vector<int> signs;
    Polynomial sum;
    bool decided = true;
    for (const Quadratic& e : errors_) {
      const QuadraticRange found = range_of(e, a, b);
      const int sign = found.range.low >= 0.0 ? 1 : found.range.high <= 0.0 ? -1 : 0;
      signs.push_back(sign);
      if (sign == 0) {
        sum[0] += Interval(0.0, found.range.magnitude());
        decided &= found.range.magnitude() <= 4.0 * found.uncertainty || b - a <= smallest_width;
      }
      for (std::size_t k = 0; sign != 0 && k < e.size(); ++k) {
        sum[k] += sign > 0 ? e[k] : -e[k];
      }
    }
    if (!decided) {
      const double middle = a + 0.5 * (b - a);
      add_absolutes(sample, a, middle);
      add_absolutes(sample, middle, b);
      return;
    }
    // A constant interval holds on its own part alone.
    const bool signed_everywhere = std::find(signs.begin(), signs.end(), 0) == signs.end();
    if (!signed_everywhere || signs != signs_) {
      pieces_.push_back({a, static_cast<std::uint32_t>(sample), sum});
    }
    signs_ = std::move(signs);
  }

  const ReluNetwork& network_;
  const RegressionData& data_;
  Loss loss_;
  std::span<const double> from_;
  std::span<const double> to_;
  std::vector<UnitSigns> units_;  // of one sample
  std::vector<double> cuts_;
  std::vector<Quadratic> errors_;  // of one piece, an output each
  std::vector<int> signs_;         // of the errors on the piece before
  std::vector<Piece> pieces_;
};

// The sum over the samples on [a, b].
struct Part {
  double a = 0.0;
  double b = 1.0;
  Polynomial loss;
};

Polynomial sum_of(const std::vector<Polynomial>& terms) {
  Polynomial sum;
  for (const Polynomial& term : terms) {
    add(sum, term);
  }
  return sum;
}

std::vector<Part> sum_of(std::vector<Piece> pieces, std::size_t samples) {
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& one, const Piece& other) {
    return one.begin < other.begin;
  });
  std::vector<Polynomial> current(samples);
  std::vector<Part> parts;
  Polynomial sum;
  std::size_t updates = samples;
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    Polynomial& own = current[pieces[k].sample];
    subtract(sum, own);
    own = pieces[k].loss;
    add(sum, own);
    const double end = k + 1 < pieces.size() ? pieces[k + 1].begin : 1.0;
    if (end == pieces[k].begin) {
      ++updates;
      continue;
    }
    if (++updates >= samples) {  // what was added and taken away again leaves its rounding errors
      sum = sum_of(current);
      updates = 0;
    }
    parts.push_back({pieces[k].begin, end, sum});
  }
  return parts;
}

// The maximum of the parts by branch and bound.
class Maximizer {
 public:
  LossMaximum run(const std::vector<Part>& parts) {
    for (const Part& part : parts) {
      look_at(part, bernstein(part.loss, part.a, part.b));
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

  void look_at(const Part& part, const Bernstein& values) {
    for (const bool last : {false, true}) {
      const double value = values[last ? degree : 0].low;
      if (value > best_.lower) {
        best_.lower = value;
        best_.t = last ? part.b : part.a;
      }
    }
  }

  // Keeps a part that may exceed the best value, unless halving it could not say more.
  void enqueue(std::priority_queue<Candidate>& queue, const Part& part) {
    const Bernstein values = bernstein(part.loss, part.a, part.b);
    look_at(part, values);
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

}  // namespace

std::size_t ReluNetwork::dimension() const {
  const std::size_t bias = biases ? 1 : 0;
  return hidden * (inputs + bias) + outputs * (hidden + bias);
}

LossMaximum maximum_on_segment(const ReluNetwork& network,
                               const RegressionData& data,
                               Loss loss,
                               std::span<const double> from,
                               std::span<const double> to) {
  check(network, data, loss);
  check_size("the first end", network.dimension(), from.size());
  check_size("the second end", network.dimension(), to.size());
  check_numbers("the first end", from);
  check_numbers("the second end", to);
  const std::size_t samples = data.targets.size() / network.outputs;
  std::vector<Piece> built = PieceBuilder(network, data, loss, from, to).build();
  const std::size_t pieces = built.size();
  LossMaximum result = Maximizer().run(sum_of(std::move(built), samples));
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
