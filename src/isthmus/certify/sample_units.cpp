// SPDX-License-Identifier: MIT
// What is no product: units, pooling, and the margins at the end.
#include "isthmus/certify/sample_units.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/sample_enclosure.h"

namespace isthmus {
namespace {

// A sum of two numbers >= 0 times this is not above the exact one.
constexpr double no_less = 1.0 - 0x1p-48;

// A NaN wins, and stays.
void find_winners(const SampleStep& step,
                  std::span<const double> in,
                  Buffer<std::uint32_t>& winners) {
  winners.resize(step.out_rows);
  for (std::size_t p = 0; p < step.out_rows; ++p) {
    std::uint32_t best = step.window[step.first[p]];
    double top = in[best];
    for (std::size_t k = step.first[p] + 1; k < step.first[p + 1]; ++k) {
      const std::uint32_t row = step.window[k];
      const bool wins = !(in[row] <= top);
      best = wins ? row : best;
      top = wins ? in[row] : top;
    }
    winners[p] = best;
  }
}

double average(const SampleStep& step, std::size_t p, std::span<const double> in) {
  const std::size_t terms = step.first[p + 1] - step.first[p];
  const double count = step.divisor > 0.0 ? step.divisor : static_cast<double>(terms);
  double sum = 0.0;
  for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
    sum += in[step.window[k]] / count;
  }
  return sum;
}

Bounds bound_average(const SampleStep& step,
                     std::size_t p,
                     std::span<const double> low,
                     std::span<const double> high) {
  double largest = 0.0;
  for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
    const std::uint32_t row = step.window[k];
    largest = std::max({largest, std::abs(low[row]), std::abs(high[row])});
  }
  const double error = gamma(step.first[p + 1] - step.first[p] + 2) * largest;
  return {average(step, p, low) - error, average(step, p, high) + error};
}

std::size_t largest_window(const SampleStep& step) {
  std::size_t largest = 0;
  for (std::size_t p = 0; p + 1 < step.first.size(); ++p) {
    largest = std::max(largest, step.first[p + 1] - step.first[p]);
  }
  return largest;
}

}  // namespace

void bound_relu_rows(const UnitRows& rows, std::size_t count, bool flat) {
  for (std::size_t row = 0; row < count; ++row) {
    const double z0 = rows.left[row];
    const double z1 = rows.right[row];
    const bool off = z0 < 0.0;
    if (off == (z1 < 0.0)) {
      if (flat) {
        continue;
      }
      const double least = no_less * (std::abs(z0) + std::abs(z1));
      if (off && rows.high[row] <= least) {
        rows.low[row] = rows.high[row] = 0.0;
        continue;
      }
      if (!off && rows.high[row] >= -least) {
        continue;
      }
    }
    const Bounds bounds = bound_relu(z0, z1, {rows.low[row], rows.high[row]});
    rows.low[row] = bounds.low;
    rows.high[row] = bounds.high;
  }
}

RelaxedRelu relax_relu(double z0, double z1, Bounds z) {
  using unit_bounds::least_of_larger;
  using unit_bounds::widened;
  RelaxedRelu best{.slope = 0.0, .rest = bound_relu(z0, z1, z)};
  if (z0 >= 0.0 && z1 >= 0.0) {
    const double least = no_less * (std::abs(z0) + std::abs(z1));
    const double above = z.low >= -least ? 0.0 : (-least - z.low) * (1.0 + 0x1p-48);
    if (!(above >= best.rest.high - best.rest.low)) {
      best = {.slope = 1.0, .rest = {0.0, above}};
    }
    return best;
  }
  if (z0 <= 0.0 && z1 <= 0.0) {
    return best;
  }
  const double below = -std::min(z0, z1);
  const double above = std::max(z0, z1);
  const double size = std::abs(z.low) + std::abs(z.high) + below + above;
  for (const double slope : {0.25, 0.5, 0.75, 1.0}) {
    const double other = 1.0 - slope;
    const Bounds rest = widened({least_of_larger(other * z.low, below, -slope * z.high, above),
                                 std::max(other * z.high - below, -above - slope * z.low)},
                                size);
    if (rest.high - rest.low < best.rest.high - best.rest.low) {
      best = {.slope = slope, .rest = rest};
    }
  }
  return best;
}

Bounds bound_window(const UnitRows& rows,
                    std::span<const std::uint32_t> window,
                    const Winners& winners,
                    bool flat) {
  const std::uint32_t winner = winners.left;
  if (winner == winners.right && flat) {
    return {};
  }
  if (winner == winners.right) {
    const double high = rows.high[winner];
    const double left = rows.left[winner];
    const double right = rows.right[winner];
    bool below = true;
    for (const std::uint32_t row : window) {
      const double gaps = (left - rows.left[row]) + (right - rows.right[row]);
      below &= rows.high[row] - no_less * gaps <= high;
    }
    if (below) {  // by a rounding, perhaps
      return {rows.low[winner], high + 0x1p-48 * std::abs(high)};
    }
  }
  LargestUnit<1> largest;
  for (const std::uint32_t row : window) {
    largest.raise(rows.left + row, rows.right + row);
  }
  const double none = 0.0;
  for (const std::uint32_t row : window) {
    largest.add(rows.left + row,
                rows.right + row,
                flat ? &none : rows.low + row,
                flat ? &none : rows.high + row);
  }
  Bounds bounds;
  largest.bounds(&bounds.low, &bounds.high);
  return bounds;
}

void SampleEnclosure::values_of_unit(const SampleStep& step,
                                     const Numbers& in,
                                     const Counts& winners,
                                     Numbers& out) const {
  out.resize(step.out_rows);
  switch (step.kind) {
    case Step::Kind::linear:
      break;  // see linear()
    case Step::Kind::relu:
      std::ranges::transform(in, out.begin(), [](double z) { return relu_of(z); });
      break;
    case Step::Kind::sigmoid:
      std::ranges::transform(in, out.begin(), [](double z) { return sigmoid_of(z); });
      break;
    case Step::Kind::tanh:
      std::ranges::transform(in, out.begin(), [](double z) { return tanh_of(z); });
      break;
    case Step::Kind::max_pool:
      for (std::size_t p = 0; p < step.out_rows; ++p) {
        out[p] = in[winners[p]];
      }
      break;
    case Step::Kind::average_pool:
      for (std::size_t p = 0; p < step.out_rows; ++p) {
        out[p] = average(step, p, in);
      }
      break;
  }
}

// The bounds of all intervals; next_ holds the values behind the step.
void SampleEnclosure::bound_unit(const SampleStep& step) {
  Numbers& low = next_low_;
  Numbers& high = next_high_;
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    if (flat_ && step.kind != Step::Kind::max_pool) {
      low_[i].assign(step.in_rows, 0.0);
      high_[i].assign(step.in_rows, 0.0);
    }
    const UnitRows rows{points_[i].data(), points_[i + 1].data(), low_[i].data(), high_[i].data()};
    if (step.kind == Step::Kind::relu) {
      bound_relu_rows(rows, step.in_rows, flat_);
      continue;
    }
    low.resize(step.out_rows);
    high.resize(step.out_rows);
    for (std::size_t row = 0; row < step.out_rows; ++row) {
      Bounds bounds;
      if (step.kind == Step::Kind::max_pool) {
        const std::size_t begin = step.first[row];
        bounds = bound_window(rows,
                              {step.window.data() + begin, step.first[row + 1] - begin},
                              {winners_[i][row], winners_[i + 1][row]},
                              flat_);
      } else if (step.kind == Step::Kind::average_pool) {
        bounds = bound_average(step, row, low_[i], high_[i]);
      } else {
        const auto bound = step.kind == Step::Kind::sigmoid ? bound_sigmoid : bound_tanh;
        bounds = bound(rows.left[row],
                       rows.right[row],
                       next_[i][row],
                       next_[i + 1][row],
                       {rows.low[row], rows.high[row]},
                       radius_);
      }
      low[row] = bounds.low;
      high[row] = bounds.high;
    }
    std::swap(low_[i], low);
    std::swap(high_[i], high);
  }
}

// Any step but a linear one; before the first of these there is one point and no interval.
void SampleEnclosure::unit(const SampleStep& step) {
  next_.resize(points_.size());
  winners_.resize(points_.size());
  for (std::size_t i = 0; i < count_; ++i) {
    if (step.kind == Step::Kind::max_pool) {
      find_winners(step, points_[i], winners_[i]);
    }
    values_of_unit(step, points_[i], winners_[i], next_[i]);
  }
  if (count_ > 1) {
    bound_unit(step);
    flat_ = false;
  }
  if (step.kind == Step::Kind::average_pool) {
    radius_ = up(radius_ + gamma(largest_window(step) + 2) * largest_);
  } else if (step.kind == Step::Kind::sigmoid || step.kind == Step::Kind::tanh) {
    radius_ = up(step.kind == Step::Kind::sigmoid ? 0.25 * radius_ : radius_) + function_error;
  }
  std::swap(points_, next_);
  if (step.kind == Step::Kind::sigmoid || step.kind == Step::Kind::tanh) {
    largest_ = 1.0;  // others do not grow
  }
}

// low_ = the reaches' products with bounds on the magnitudes of the rows' differences to the
// label's.
void SampleEnclosure::label_spreads(const SampleStep& step, std::size_t label) {
  const auto place = [&](std::size_t o, std::size_t column) {
    return (o / sample_panel * step.inputs + column) * sample_panel + o % sample_panel;
  };
  Numbers sums;
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    sums.assign(step.outputs, 0.0);
    const double time = grid_.t(i) + 0.5 * grid_.width;
    for (std::size_t row = 0; row < step.in_rows; ++row) {
      const auto reach = static_cast<double>(reaches_[i][row]);
      if (reach == 0.0) {
        continue;
      }
      const std::size_t own = place(label, row);
      for (std::size_t o = 0; o < step.outputs; ++o) {
        const std::size_t other = place(o, row);
        const double left =
            static_cast<double>(step.weights.a[other]) - static_cast<double>(step.weights.a[own]);
        const double change = static_cast<double>(step.weights.b[other]) -
                              static_cast<double>(step.weights.b[own]) - left;
        const double middle = left + time * change;
        sums[o] += (std::abs(middle) + 0.5 * grid_.width * std::abs(change)) * reach;
      }
    }
    std::swap(low_[i], sums);
  }
}

// The last step: differences to the label's output.
void SampleEnclosure::margins(const SampleStep& step, std::size_t label, SampleMargins& out) {
  const Plan plan = multiply_all(step);
  const double error = plan.error;
  if (plan.second) {
    sum_up(at_a_);
    sum_up(at_b_);
  }
  label_spreads(step, label);
  const SampleWeights& weights = step.weights;
  const double size = weights.row_sum * largest_ + error;
  const double bend_error = up(2.0 * grid_.width * (4.0 * error + 0x1p-47 * size) +
                               2.0 * float_underflow * (1.0 + weights.row_sum));
  const double gamma_float = float_gamma(step.inputs + 12);
  out.deviation.radius = up(2.0 * value_error(step, error));
  out.left.assign(step.outputs, Lanes{});
  out.right.assign(step.outputs, Lanes{});
  out.deviation.low.assign(step.outputs, Lanes{});
  out.deviation.high.assign(step.outputs, Lanes{});
  const auto value = [&](std::size_t i, std::size_t o) {
    const double t = grid_.t(i);
    return (1.0 - t) * (at_a_[i][o] + weights.bias_a[o]) + t * (at_b_[i][o] + weights.bias_b[o]);
  };
  const auto middle = [&](std::size_t i, std::size_t o) {
    const double bend =
        grid_.width * ((at_b_[i + 1][o] - at_b_[i][o]) - (at_a_[i + 1][o] - at_a_[i][o]));
    return static_cast<double>(middle_[i][o]) - bend;
  };
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    for (std::size_t o = 0; o < step.outputs; ++o) {
      out.left[o][i] = value(i, o) - value(i, label);
      out.right[o][i] = value(i + 1, o) - value(i + 1, label);
      const double center = middle(i, o) - middle(i, label);
      const auto turned_own = static_cast<double>(turned_[i][o]);
      const auto turned_label = static_cast<double>(turned_[i][label]);
      const double size_float =
          weights.size[o] + weights.size[label] + 2.0 * (weights.change[o] + weights.change[label]);
      const double spread = low_[i][o] * (1.0 + 2.0 * gamma_float) +
                            0.5 * grid_.width * std::abs(turned_own - turned_label) +
                            size_float * gamma_float * norms_[i][0] + bend_error;
      const double around =
          spread + 0x1p-48 * (spread + std::abs(middle(i, o)) + std::abs(middle(i, label)) +
                              std::abs(turned_own) + std::abs(turned_label) + size);
      out.deviation.low[o][i] = center - around;
      out.deviation.high[o][i] = center + around;
      if (!std::isfinite(around + center)) {
        out.deviation.radius = std::numeric_limits<double>::infinity();
      }
    }
  }
  if (before_.step != nullptr) {
    look_back(step, label, bend_error, out);
  }
}

void SampleEnclosure::enclose(std::span<const double> input,
                              double largest_input,
                              std::int32_t label,
                              const SampleGrid& grid,
                              SampleMargins& out) {
  grid_ = grid;
  flat_ = true;
  radius_ = 0.0;
  largest_ = largest_input;
  count_ = 1;
  for (std::vector<Numbers>* numbers : {&points_, &at_a_, &at_b_, &low_, &high_, &norms_}) {
    numbers->resize(std::max(numbers->size(), grid.parts + 1));
  }
  for (std::vector<Floats>* floats : {&centers_, &reaches_, &middle_, &turned_, &spread_}) {
    floats->resize(std::max(floats->size(), grid.parts));
  }
  points_[0].resize(input.size());
  std::ranges::copy(input, points_[0].begin());
  before_.step = nullptr;
  for (std::vector<Numbers>* numbers : {&before_.values, &before_.low, &before_.high}) {
    numbers->resize(std::max(numbers->size(), grid.parts + 1));
  }
  for (std::vector<Floats>* floats : {&before_.centers, &before_.reaches}) {
    floats->resize(std::max(floats->size(), grid.parts));
  }
  before_.norms.resize(grid.parts);
  const std::vector<SampleStep>& steps = network_.steps();
  for (std::size_t index = 0; index < steps.size(); ++index) {
    const SampleStep& step = steps[index];
    if (step.kind != Step::Kind::linear) {
      unit(step);
    } else if (index + 1 < steps.size()) {
      const bool dense_relu = index != network_.first() && step.positions == 1 && step.relu &&
                              !step.pools && index + 3 == steps.size();
      linear(step, index == network_.first(), dense_relu);
      index += step.joined();
    } else {
      margins(step, static_cast<std::size_t>(label), out);
    }
  }
}

}  // namespace isthmus
