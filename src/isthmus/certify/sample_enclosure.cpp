// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_enclosure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Formulas of units do not overflow up to here.
constexpr double no_overflow = 0x1p+500;

// The largest magnitude, infinity if a number is not finite.
double largest_of(std::span<const double> numbers) {
  constexpr std::size_t lanes = 8;
  std::array<double, lanes> largest{};
  std::array<double, lanes> zero{};
  std::size_t i = 0;
  for (; i + lanes <= numbers.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double size = std::abs(numbers[i + lane]);
      largest[lane] = size > largest[lane] ? size : largest[lane];
      zero[lane] += size - size;
    }
  }
  for (; i < numbers.size(); ++i) {
    largest[0] = std::max(largest[0], std::abs(numbers[i]));
    zero[0] += numbers[i] - numbers[i];
  }
  const bool finite = std::ranges::all_of(zero, [](double value) { return value == 0.0; });
  return finite ? std::ranges::max(largest) : infinity;
}

}  // namespace

void SampleEnclosure::look_at_values() {
  largest_ = 0.0;
  for (std::size_t i = 0; i < count_; ++i) {
    largest_ = std::max(largest_, largest_of(points_[i]));
  }
  if (!(largest_ <= no_overflow)) {
    radius_ = infinity;
  }
}

// Of a value (1 - t) A + t B + bias whose A and B are off by `product_error`.
double SampleEnclosure::value_error(const SampleStep& step, double product_error) const {
  const double size = step.weights.row_sum * largest_ + step.weights.bias;
  return up(step.weights.row_sum * radius_ + product_error + 0x1p-48 * (size + product_error));
}

// Lists the rows where any of some columns is not zero, and where they are inputs.
template <class Number>
void SampleEnclosure::gather(const SampleStep& step,
                             std::span<const Number* const> columns,
                             Group& group) {
  is_used_.assign(step.in_rows, 0);
  for (const Number* const column : columns) {
    for (std::size_t row = 0; row < step.in_rows; ++row) {
      is_used_[row] |= column[row] != Number{} ? 1U : 0U;
    }
  }
  group.used.resize(step.in_rows + 1);
  std::size_t used = 0;
  for (std::uint32_t row = 0; row < step.in_rows; ++row) {
    group.used[used] = row;
    used += is_used_[row];
  }
  group.used.resize(used);
  group.entries.resize(step.positions * step.inputs);
  group.entry_count.assign(step.positions, 0);
  for (std::uint32_t k = 0; k < group.used.size(); ++k) {
    for (std::size_t i = step.first[group.used[k]]; i < step.first[group.used[k] + 1]; ++i) {
      const auto [position, column] = step.places[i];
      group.entries[position * step.inputs + group.entry_count[position]++] = {column, k};
    }
  }
  for (const std::uint32_t entries : group.entry_count) {
    multiplications_ +=
        static_cast<double>((group.of_points ? 2 : 3) * group.count * entries * step.outputs);
  }
}

// Of inputs_.
void SampleEnclosure::fill_points(const SampleStep& step, Group& group) {
  const std::span<const double* const> columns(inputs_.data() + group.from, group.count);
  gather(step, columns, group);
  group.packed.resize(group.used.size() * group.width());
  for (std::size_t k = 0; k < group.used.size(); ++k) {
    for (std::size_t j = 0; j < group.width(); ++j) {
      group.packed[k * group.width() + j] = j < group.count ? columns[j][group.used[k]] : 0.0;
    }
  }
}

// Of centers_ and reaches_; with the norms of what each position takes.
void SampleEnclosure::fill_spreads(const SampleStep& step, Group& group) {
  const std::span<const Floats> centers(centers_.data() + group.from, group.count);
  std::array<const float*, most_columns> reaches{};
  for (std::size_t j = 0; j < group.count; ++j) {
    reaches[j] = reaches_[group.from + j].data();
  }
  gather<float>(step, {reaches.data(), group.count}, group);
  const std::size_t width = group.width();
  group.packed_floats.assign(2 * group.used.size() * width, 0.0F);
  for (std::size_t k = 0; k < group.used.size(); ++k) {
    for (std::size_t j = 0; j < group.count; ++j) {
      group.packed_floats[2 * (k * width + j)] = centers[j][group.used[k]];
      group.packed_floats[2 * (k * width + j) + 1] = reaches[j][group.used[k]];
    }
  }
  for (std::size_t p = 0; p < step.positions; ++p) {
    std::array<double, 2 * most_columns> squares{};
    for (std::size_t k = 0; k < group.entry_count[p]; ++k) {
      const std::size_t input = group.entries[p * step.inputs + k].input;
      const float* const pairs = group.packed_floats.data() + 2 * input * width;
      for (std::size_t j = 0; j < 2 * group.count; ++j) {
        squares[j] += static_cast<double>(pairs[j]) * static_cast<double>(pairs[j]);
      }
    }
    for (std::size_t j = 0; j < group.count; ++j) {
      norms_[group.from + j][p] = norm_of(squares[2 * j], squares[2 * j + 1]);
    }
  }
}

// at_a_, at_b_ of one panel of outputs.
void SampleEnclosure::run_points(const SampleStep& step, const Group& group, std::size_t panel) {
  alignas(64) std::array<double, most_columns * sample_panel> tile_a;
  alignas(64) std::array<double, most_columns * sample_panel> tile_b;
  const std::size_t weights = panel * step.inputs * sample_panel;
  const std::size_t o = panel * sample_panel;
  const std::size_t outputs = std::min(sample_panel, step.outputs - o);
  for (std::size_t p = 0; p < step.positions; ++p) {
    multiply_ends(step.weights.a.data() + weights,
                  step.weights.b.data() + weights,
                  {group.entries.data() + p * step.inputs, group.entry_count[p]},
                  group.packed.data(),
                  group.width(),
                  group.fetch,
                  tile_a.data(),
                  tile_b.data());
    for (std::size_t j = 0; j < group.count; ++j) {
      const std::size_t to = p * step.outputs + o;
      std::copy_n(tile_a.data() + j * sample_panel, outputs, at_a_[group.from + j].data() + to);
      std::copy_n(tile_b.data() + j * sample_panel, outputs, at_b_[group.from + j].data() + to);
    }
  }
}

// middle_, turned_, spread_ of one panel of outputs.
void SampleEnclosure::run_spreads(const SampleStep& step, const Group& group, std::size_t panel) {
  using FloatTile = std::array<float, most_columns * sample_panel>;
  alignas(64) FloatTile middle;
  alignas(64) FloatTile turned;
  alignas(64) FloatTile spread;
  std::array<float, most_columns> times{};
  for (std::size_t j = 0; j < group.count; ++j) {
    times[j] = static_cast<float>(grid_.t(group.from + j) + 0.5 * grid_.width);
  }
  const std::size_t weights = panel * step.inputs * sample_panel;
  const std::size_t o = panel * sample_panel;
  const std::size_t outputs = std::min(sample_panel, step.outputs - o);
  for (std::size_t p = 0; p < step.positions; ++p) {
    multiply_deviations({step.weights.a.data() + weights,
                         step.weights.b.data() + weights,
                         times.data(),
                         static_cast<float>(0.5 * grid_.width),
                         group.fetch},
                        {group.entries.data() + p * step.inputs, group.entry_count[p]},
                        group.packed_floats.data(),
                        group.width(),
                        {middle.data(), turned.data(), spread.data()});
    for (std::size_t j = 0; j < group.count; ++j) {
      const std::size_t to = p * step.outputs + o;
      const std::size_t from = j * sample_panel;
      std::copy_n(middle.data() + from, outputs, middle_[group.from + j].data() + to);
      std::copy_n(turned.data() + from, outputs, turned_[group.from + j].data() + to);
      std::copy_n(spread.data() + from, outputs, spread_[group.from + j].data() + to);
    }
  }
}

// All groups of a step. The weights of a dense layer are many: each panel of them is taken once for
// all groups.
void SampleEnclosure::multiply(const SampleStep& step, std::span<Group> groups) {
  const auto fill = [&](Group& group) {
    group.of_points ? fill_points(step, group) : fill_spreads(step, group);
  };
  const auto run = [&](const Group& group, std::size_t panel) {
    group.of_points ? run_points(step, group, panel) : run_spreads(step, group, panel);
  };
  if (step.positions == 1) {
    std::ranges::for_each(groups, fill);
    // All groups together fetch the next panel.
    for (std::size_t g = 0; g < groups.size(); ++g) {
      groups[g].fetch = {step.inputs * sample_panel, g * 8 / groups.size()};
    }
    for (std::size_t panel = 0; panel < step.panels(); ++panel) {
      for (const Group& group : groups) {
        run(group, panel);
      }
    }
    return;
  }
  for (Group& group : groups) {
    fill(group);
    group.fetch = {};
    for (std::size_t panel = 0; panel < step.panels(); ++panel) {
      run(group, panel);
    }
  }
}

// Sums of second differences, in the place of these.
void SampleEnclosure::sum_up(std::vector<Numbers>& products) const {
  Numbers slope;
  slope.resize(products[1].size());
  std::ranges::copy(products[1], slope.begin());
  for (std::size_t i = 1; i <= grid_.parts; ++i) {
    Numbers& here = products[i];
    const Numbers& before = products[i - 1];
    for (std::size_t row = 0; row < slope.size(); ++row) {
      slope[row] += i == 1 ? 0.0 : here[row];
      here[row] = before[row] + slope[row];
    }
  }
}

double SampleEnclosure::norm_of(double middles, double reaches) {
  return (std::sqrt(middles) + std::sqrt(reaches)) * (1.0 + 0x1p-30);
}

// The deviations as products take them.
void SampleEnclosure::prepare_spreads(const SampleStep& step) {
  const std::size_t rows = step.positions * step.outputs;
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    centers_[i].resize(step.in_rows);
    reaches_[i].resize(step.in_rows);
    middle_[i].resize(rows);
    turned_[i].resize(rows);
    spread_[i].resize(rows);
    norms_[i].resize(step.positions);
    form_spreads(
        low_[i].data(), high_[i].data(), step.in_rows, centers_[i].data(), reaches_[i].data());
  }
}

// All products of a step: at_a_, at_b_ of the values at the points with the weights at both ends of
// the segment, and those of the deviations; only the first two of those where the others are kinks.
SampleEnclosure::Plan SampleEnclosure::multiply_all(const SampleStep& step) {
  constexpr std::size_t few = 4;
  const std::size_t n = grid_.parts;
  Plan plan;
  plan.second = find_bends(step.in_rows);
  plan.kinks = plan.second && step.positions > 1 && few * bent_.count <= n * step.in_rows &&
               few * find_deviations(step.in_rows) <= n * step.in_rows;
  const std::size_t columns = plan.kinks ? 2 : n + 1;
  for (std::size_t i = 0; i < columns; ++i) {
    at_a_[i].resize(step.positions * step.outputs);
    at_b_[i].resize(step.positions * step.outputs);
  }
  double magnitude = largest_;
  if (plan.kinks) {
    make_kinks(step);
    magnitude = second_differences(true);
    multiply_first_two(step);
  } else {
    prepare_spreads(step);
    if (plan.second) {
      fill_columns(step.in_rows);
      magnitude = second_differences(false);
    }
    multiply_columns(step, plan);
  }
  if (!plan.second) {
    plan.error = up(step.weights.row_sum * gamma(step.inputs + 8) * magnitude);
    return plan;
  }
  const auto points = static_cast<double>(n);
  plan.error = up(step.weights.row_sum * (gamma(step.inputs + 2 * n + 8) * magnitude +
                                          points * points * no_kink * largest_));
  return plan;
}

// Columns of values (or second differences) and deviations, in groups.
void SampleEnclosure::multiply_columns(const SampleStep& step, const Plan& plan) {
  const std::size_t n = grid_.parts;
  std::size_t used = 0;
  const auto add = [&](bool of_points, std::size_t from, std::size_t count) {
    groups_.resize(std::max(groups_.size(), used + 1));
    groups_[used].of_points = of_points;
    groups_[used].from = from;
    groups_[used++].count = count;
  };
  if (plan.second) {
    add(true, 0, 2);
    for (std::size_t j = 2; j <= n; ++j) {
      add(true, j, 1);
    }
  } else {
    inputs_.clear();
    for (std::size_t i = 0; i <= n; ++i) {
      inputs_.push_back(points_[i].data());
    }
    for (std::size_t i = 0; i <= n; i += most_columns) {
      add(true, i, std::min(most_columns, n + 1 - i));
    }
  }
  // Kinks of different intervals are in different rows as long as they are few.
  const std::size_t width = step.positions == 1 ? most_columns : 1;
  for (std::size_t i = 0; i < n; i += width) {
    add(false, i, std::min(width, n - i));
  }
  multiply(step, {groups_.data(), used});
}

// Of the first linear step: its values are affine in t.
SampleEnclosure::Plan SampleEnclosure::first_products(const SampleStep& step) {
  at_a_[0].resize(step.positions * step.outputs);
  at_b_[0].resize(step.positions * step.outputs);
  inputs_ = {points_[0].data()};
  groups_.resize(std::max<std::size_t>(groups_.size(), 1));
  groups_[0].of_points = true;
  groups_[0].from = 0;
  groups_[0].count = 1;
  multiply(step, {groups_.data(), 1});
  Plan plan;
  plan.error = up(step.weights.row_sum * gamma(step.inputs + 8) * largest_);
  return plan;
}

}  // namespace isthmus
