// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact_pieces.h"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

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
        near_(network.hidden),
        states_(network.hidden),
        errors_(network.outputs) {}

  std::vector<LossPiece> build() {
    const std::size_t samples = data_.targets.size() / network_.outputs;
    for (std::size_t i = 0; i < samples; ++i) {
      add_sample(i);
    }
    return std::move(pieces_);
  }

 private:
  // A unit's part of the errors changes only where it goes on or off: from a piece to the next the
  // errors change by the terms of a unit or two, and are summed anew now and then, so that what was
  // added and taken away again does not leave many rounding errors.
  void add_sample(std::size_t sample) {
    constexpr std::size_t renewal = 16;
    turns_.clear();
    for (std::size_t j = 0; j < network_.hidden; ++j) {
      units_[j] = signs_of(j, sample);
      begin_unit(j);
    }
    std::sort(turns_.begin(), turns_.end());
    std::size_t age = renewal;
    double begin = 0.0;
    for (std::size_t k = 0; begin < 1.0;) {
      for (; k < turns_.size() && turns_[k].at <= begin; ++k, ++age) {
        turn(turns_[k]);
      }
      if (age >= renewal) {
        sum_errors(sample);
        age = 0;
      }
      const double end = k < turns_.size() ? turns_[k].at : 1.0;
      if (loss_ == Loss::squared) {
        add_squares(sample, begin);
      } else {
        signs_.clear();
        add_absolutes(sample, begin, end);
      }
      begin = end;
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

  // What a unit adds to the outputs: nothing while it is off, its value while it is on, and between
  // the two, where its sign is not known, an interval of values that are nearly 0.
  enum class State : std::uint8_t { off, near, on };

  struct Turn {
    double at = 0.0;
    std::uint32_t unit = 0;
    State into = State::off;
    auto operator<=>(const Turn&) const = default;  // NOLINT(modernize-use-nullptr): none
  };

  struct Stretch {
    Interval part;
    State state = State::near;
  };

  // The state of a unit at 0, and its turns behind it.
  void begin_unit(std::size_t unit) {
    std::array<Stretch, 2> known{Stretch{units_[unit].on, State::on},
                                 Stretch{units_[unit].off, State::off}};
    if (known[0].part.low > known[1].part.low) {
      std::swap(known[0], known[1]);
    }
    near_[unit] = {0.0, 0.0};
    double reached = 0.0;
    for (const Stretch& next : known) {
      const double begin = std::max(next.part.low, reached);
      if (begin >= next.part.high) {
        continue;  // empty, a point, or known by the other
      }
      if (begin > reached) {
        stay_near(unit, {reached, begin});
      }
      enter(unit, begin, next.state);
      reached = next.part.high;
    }
    if (reached < 1.0) {
      stay_near(unit, {reached, 1.0});
    }
  }

  void stay_near(std::size_t unit, Interval part) {
    enter(unit, part.low, State::near);
    const Interval slope = units_[unit].to - units_[unit].from;
    for (const double t : {part.low, part.high}) {
      near_[unit] = hull(near_[unit], relu(units_[unit].from + Interval(t) * slope));
    }
  }

  void enter(std::size_t unit, double at, State state) {
    if (at <= 0.0) {
      states_[unit] = state;
    } else {
      turns_.push_back({at, static_cast<std::uint32_t>(unit), state});
    }
  }

  void turn(const Turn& turn) {
    const State before = std::exchange(states_[turn.unit], turn.into);
    for (std::size_t k = 0; k < network_.outputs; ++k) {
      const Quadratic old = term(k, turn.unit, before);
      const Quadratic now = term(k, turn.unit, turn.into);
      for (std::size_t i = 0; i < old.size(); ++i) {
        errors_[k][i] = (errors_[k][i] - old[i]) + now[i];
      }
    }
  }

  // output - target in the states of now.
  void sum_errors(std::size_t sample) {
    for (std::size_t k = 0; k < network_.outputs; ++k) {
      Quadratic error{-Interval(data_.targets[sample * network_.outputs + k]), 0.0, 0.0};
      if (network_.biases) {
        const std::size_t bias = second_layer() + network_.outputs * network_.hidden + k;
        error[0] += from_[bias];
        error[1] += Interval(to_[bias]) - Interval(from_[bias]);
      }
      for (std::size_t j = 0; j < network_.hidden; ++j) {
        if (states_[j] == State::off) {
          continue;
        }
        const Quadratic unit = term(k, j, states_[j]);
        for (std::size_t i = 0; i < unit.size(); ++i) {
          error[i] += unit[i];
        }
      }
      errors_[k] = error;
    }
  }

  // Of a unit in an output.
  Quadratic term(std::size_t output, std::size_t unit, State state) const {
    if (state == State::off) {
      return {};
    }
    const std::size_t weight = second_layer() + output * network_.hidden + unit;
    const bool on = state == State::on;
    return product(from_[weight],
                   Interval(to_[weight]) - Interval(from_[weight]),
                   on ? units_[unit].from : near_[unit],
                   on ? units_[unit].to - units_[unit].from : Interval(0.0));
  }

  std::size_t second_layer() const {
    return network_.hidden * (network_.inputs + (network_.biases ? 1 : 0));
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
  std::vector<Interval> near_;    // its values where its sign is not known
  std::vector<State> states_;     // on the piece of now
  std::vector<Turn> turns_;
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
