// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact_pieces.h"

#include <algorithm>
#include <utility>

namespace isthmus {
namespace {

using Quadratic = std::array<Interval, 3>;  // coefficients of 1, t, t^2

Quadratic product(Interval a0, Interval a1, Interval b0, Interval b1) {
  return {a0 * b0, a0 * b1 + a1 * b0, a1 * b1};
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

  std::vector<LossPiece> build() {
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
    LossPolynomial sum;
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
    LossPolynomial sum;
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
  std::vector<LossPiece> pieces_;
};

}  // namespace

std::vector<LossPiece> loss_pieces(const ReluNetwork& network,
                                   const RegressionData& data,
                                   Loss loss,
                                   std::span<const double> from,
                                   std::span<const double> to) {
  return PieceBuilder(network, data, loss, from, to).build();
}

}  // namespace isthmus
