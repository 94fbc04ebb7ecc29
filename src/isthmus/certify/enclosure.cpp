// SPDX-License-Identifier: MIT
#include "isthmus/certify/enclosure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/certify/kernels.h"
#include "isthmus/certify/rounding.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// In all lanes.
bool all_zero(const Lanes& row) {
  return std::ranges::all_of(row.at, [](double value) { return value == 0.0; });
}

void average_pool(const Step& step, const Rows& in, Rows& out) {
  for (std::size_t p = 0; p < step.out_rows; ++p) {
    out[p] = {};
    const double count =
        step.divisor > 0.0 ? step.divisor : static_cast<double>(step.first[p + 1] - step.first[p]);
    for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
      const Lanes& row = in[step.terms[k].row];
      for (std::size_t lane = 0; lane < lane_count; ++lane) {
        out[p][lane] += row[lane] / count;
      }
    }
  }
}

std::size_t largest_window(const Step& step) {
  std::size_t largest = 0;
  for (std::size_t p = 0; p < step.positions(); ++p) {
    largest = std::max(largest, step.first[p + 1] - step.first[p]);
  }
  return largest;
}

void bound_average_pool(const Step& step, Deviation& deviation) {
  Rows low(step.out_rows);
  Rows high(step.out_rows);
  average_pool(step, deviation.low, low);
  average_pool(step, deviation.high, high);
  for (std::size_t p = 0; p < step.out_rows; ++p) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      // Terms of both signs may cancel: the error is relative to the largest of them.
      double largest = 0.0;
      for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
        const std::size_t row = step.terms[k].row;
        largest = std::max(
            {largest, std::abs(deviation.low[row][lane]), std::abs(deviation.high[row][lane])});
      }
      const double error = gamma(step.first[p + 1] - step.first[p] + 2) * largest;
      low[p][lane] -= error;
      high[p][lane] += error;
    }
  }
  deviation.low = std::move(low);
  deviation.high = std::move(high);
}

// The terms of a position whose input row is not marked.
void compact(const Step& step,
             std::size_t position,
             const std::vector<char>& zero,
             std::vector<Term>& used) {
  used.clear();
  for (std::size_t k = step.first[position]; k < step.first[position + 1]; ++k) {
    if (zero[step.terms[k].row] == 0) {
      used.push_back(step.terms[k]);
    }
  }
}

}  // namespace

std::size_t first_linear(const std::vector<Step>& steps) {
  const auto found = std::ranges::find(steps, Step::Kind::linear, &Step::kind);
  return static_cast<std::size_t>(found - steps.begin());
}

void Enclosure::sum_inputs(const Step& step,
                           const StepWeights& weights,
                           const Rows& in,
                           Rows& out) {
  Tile tile;
  const std::size_t positions = step.positions();
  zero_.resize(step.in_rows);
  for (std::size_t row = 0; row < step.in_rows; ++row) {
    zero_[row] = all_zero(in[row]) ? 1 : 0;
  }
  for (std::size_t p = 0; p < positions; ++p) {
    compact(step, p, zero_, used_);
    for (std::size_t o = 0; o < step.outputs; o += panel_width) {
      multiply(weights.weights.panel(o / panel_width), used_, in.data(), tile);
      for (std::size_t j = 0; j < std::min(panel_width, step.outputs - o); ++j) {
        Lanes& result = out[(o + j) * positions + p];
        for (std::size_t lane = 0; lane < lane_count; ++lane) {
          result[lane] = tile[j][lane] + weights.bias[o + j];
        }
      }
    }
    multiplications_ += static_cast<double>(used_.size() * step.outputs);
  }
}

void Enclosure::run(std::size_t index,
                    const Rows& in,
                    const PointWeights& weights,
                    EndValues& end) {
  const Step& step = steps_[index];
  Rows& out = end.values[index];
  out.resize(step.out_rows);
  switch (step.kind) {
    case Step::Kind::linear:
      sum_inputs(step, *weights[index], in, out);
      break;
    case Step::Kind::relu:
      kernels().relu(in, out);
      break;
    case Step::Kind::sigmoid:
      kernels().sigmoid(in, out);
      break;
    case Step::Kind::tanh:
      kernels().tanh(in, out);
      break;
    case Step::Kind::max_pool:
      kernels().max_pool(step, in, out);
      break;
    case Step::Kind::average_pool:
      average_pool(step, in, out);
      break;
  }
  end.largest[index] = kernels().largest(out);
}

void Enclosure::forward(const Rows& inputs,
                        const PointWeights& weights,
                        std::size_t steps,
                        EndValues& end) {
  end.values.resize(steps_.size());
  end.largest.resize(steps_.size());
  for (std::size_t step = 0; step < steps; ++step) {
    run(step, step == 0 ? inputs : end.values[step - 1], weights, end);
  }
}

void Enclosure::forward_from(std::size_t known, const PointWeights& weights, EndValues& end) {
  end.values.resize(steps_.size());
  end.largest.resize(steps_.size());
  end.largest[known] = kernels().largest(end.values[known]);
  for (std::size_t step = known + 1; step < steps_.size(); ++step) {
    run(step, end.values[step - 1], weights, end);
  }
}

void Enclosure::linear(std::size_t index,
                       const Stretch& stretch,
                       double rounding,
                       Deviation& deviation) {
  const Kernels& loops = kernels();
  const Step& step = steps_[index];
  const StepWeights& left_weights = *stretch.weights.left[index];
  const StepWeights& right_weights = *stretch.weights.right[index];
  const StepChange& change = *stretch.weights.change[index];
  const Rows& h0 = stretch.left.values[index - 1];
  const Rows& h1 = stretch.right.values[index - 1];
  change_.resize(step.in_rows);
  center_.resize(step.in_rows);
  spread_.resize(step.in_rows);
  zero_change_.resize(step.in_rows);
  zero_.resize(step.in_rows);
  for (std::size_t row = 0; row < step.in_rows; ++row) {
    const Kernels::Zeros zeros = loops.prepare(h0[row],
                                               h1[row],
                                               deviation.low[row],
                                               deviation.high[row],
                                               change_[row],
                                               center_[row],
                                               spread_[row]);
    zero_change_[row] = zeros.change ? 1 : 0;
    zero_[row] = zeros.bounds ? 1 : 0;
  }
  low_.resize(step.out_rows);
  high_.resize(step.out_rows);
  Tile bend;
  Tile at_left;
  Tile at_right;
  Tile spread;
  const std::size_t positions = step.positions();
  for (std::size_t p = 0; p < positions; ++p) {
    compact(step, p, zero_change_, changing_);
    compact(step, p, zero_, used_);
    for (std::size_t o = 0; o < step.outputs; o += panel_width) {
      const std::size_t panel = o / panel_width;
      multiply(change.difference.panel(panel), changing_, change_.data(), bend);
      multiply(left_weights.weights.panel(panel), used_, center_.data(), at_left);
      multiply(right_weights.weights.panel(panel), used_, center_.data(), at_right);
      multiply(change.magnitude.panel(panel), used_, spread_.data(), spread);
      for (std::size_t j = 0; j < std::min(panel_width, step.outputs - o); ++j) {
        const std::size_t row = (o + j) * positions + p;
        loops.combine(bend[j], at_left[j], at_right[j], spread[j], rounding, low_[row], high_[row]);
      }
    }
    multiplications_ += static_cast<double>((changing_.size() + 3 * used_.size()) * step.outputs);
  }
  std::swap(deviation.low, low_);
  std::swap(deviation.high, high_);
}

// What is left of W(t) h(t) after the chord of the computed end values, and what carries on from
// the steps before.
void Enclosure::pass_linear(std::size_t index,
                            const Stretch& stretch,
                            const Magnitudes& magnitudes,
                            Deviation& deviation) {
  const Step& step = steps_[index];
  const WeightNorms& own = *stretch.weights.norms[index];
  const double sum_error = gamma(step.inputs + 16);
  const double carried = own.weights * deviation.radius;
  deviation.radius =
      up(carried + sum_error * (own.weights * magnitudes.in + own.bias + magnitudes.out));
  if (index == stretch.first) {
    deviation.low.assign(step.out_rows, Lanes{});
    deviation.high.assign(step.out_rows, Lanes{});
    return;
  }
  const double rounding = up(2.0 * sum_error *
                             (stretch.weights.width * own.difference * 2.0 * magnitudes.in +
                              2.0 * own.weights * magnitudes.spread));
  linear(index, stretch, rounding, deviation);
}

void Enclosure::pass_unit(std::size_t index,
                          const Stretch& stretch,
                          const Magnitudes& magnitudes,
                          Deviation& deviation) {
  const Kernels& loops = kernels();
  const Step& step = steps_[index];
  const BoundRows bounds{deviation.low, deviation.high};
  const bool moves = index > stretch.first;
  const auto ends = [&](std::size_t at) {
    return EndRows{stretch.left.values[at], stretch.right.values[at]};
  };
  switch (step.kind) {
    case Step::Kind::linear:
      break;  // see pass_linear
    case Step::Kind::relu:
      if (moves) {
        loops.bound_relu(ends(index - 1), bounds);
      }
      break;
    case Step::Kind::sigmoid:
      if (moves) {
        loops.bound_sigmoid(ends(index - 1), ends(index), deviation.radius, bounds);
      }
      deviation.radius = up(0.25 * deviation.radius) + function_error;
      break;
    case Step::Kind::tanh:
      if (moves) {
        loops.bound_tanh(ends(index - 1), ends(index), deviation.radius, bounds);
      }
      deviation.radius = up(deviation.radius) + function_error;
      break;
    case Step::Kind::max_pool:
      if (moves) {
        low_.resize(step.out_rows);
        high_.resize(step.out_rows);
        loops.bound_max_pool(step, ends(index - 1), deviation.low, deviation.high, {low_, high_});
        std::swap(deviation.low, low_);
        std::swap(deviation.high, high_);
      }
      break;
    case Step::Kind::average_pool:
      deviation.radius = up(deviation.radius + gamma(largest_window(step) + 2) * magnitudes.in);
      if (moves) {
        bound_average_pool(step, deviation);
      }
      break;
  }
}

void Enclosure::enclose(const EndValues& left,
                        const EndValues& right,
                        const IntervalWeights& weights,
                        double largest_input,
                        Deviation& deviation) {
  const Stretch stretch{left, right, weights, first_linear(steps_)};
  deviation.radius = 0.0;
  Magnitudes magnitudes{.in = largest_input};
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    // Before the first linear step nothing grows beyond the inputs and 1. Where the values of that
    // step are kept, none from before it are at hand.
    magnitudes.out = index < stretch.first ? std::max(magnitudes.in, 1.0)
                                           : std::max(left.largest[index], right.largest[index]);
    if (steps_[index].kind == Step::Kind::linear) {
      pass_linear(index, stretch, magnitudes, deviation);
    } else {
      pass_unit(index, stretch, magnitudes, deviation);
    }
    if (index >= stretch.first) {
      // Comparisons further on may lose a NaN.
      magnitudes.spread = kernels().largest(deviation.low) + kernels().largest(deviation.high);
      if (!std::isfinite(magnitudes.spread)) {
        deviation.radius = std::numeric_limits<double>::infinity();
      }
    }
    magnitudes.in = magnitudes.out;
  }
  if (stretch.first == steps_.size()) {
    deviation.low.assign(left.values.back().size(), Lanes{});
    deviation.high.assign(left.values.back().size(), Lanes{});
  }
}

}  // namespace isthmus
