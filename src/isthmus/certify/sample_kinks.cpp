// SPDX-License-Identifier: MIT
// Values by their second differences, and what few kinks there are behind ReLUs.
#include <algorithm>
#include <cmath>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/sample_enclosure.h"

namespace isthmus {
namespace {

double largest_of(std::span<const double> numbers) {
  double largest = 0.0;
  for (const double number : numbers) {
    largest = std::abs(number) > largest ? std::abs(number) : largest;
  }
  return largest;
}

double second_difference(double before, double here, double behind) {
  return (behind - here) - (here - before);
}

}  // namespace

// Lists the rows whose second differences count; true if the values at the points are cheaper to
// multiply by these.
bool SampleEnclosure::find_bends(std::size_t rows) {
  const std::size_t n = grid_.parts;
  bent_.count = 0;
  if (n < 3) {
    return false;
  }
  bent_.of.resize(std::max(bent_.of.size(), n));
  const double least = no_kink * largest_;
  std::size_t used = 0;
  for (std::size_t j = 1; j < n; ++j) {
    Counts& list = bent_.of[j];
    list.resize(rows + 1);
    const double* const before = points_[j - 1].data();
    const double* const here = points_[j].data();
    const double* const behind = points_[j + 1].data();
    std::uint32_t* const to = list.data();
    std::size_t count = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      to[count] = static_cast<std::uint32_t>(row);
      const double second = second_difference(before[row], here[row], behind[row]);
      count += std::abs(second) > least ? 1 : 0;
      used += here[row] != 0.0 ? 1 : 0;
    }
    list.resize(count);
    bent_.count += count;
  }
  return bent_.count < used;
}

// Lists the rows with a deviation, and says how many they are in all intervals.
std::size_t SampleEnclosure::find_deviations(std::size_t rows) {
  deviating_.of.resize(std::max(deviating_.of.size(), grid_.parts));
  deviating_.count = 0;
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    Counts& list = deviating_.of[i];
    list.resize(rows + 1);
    const double* const low = low_[i].data();
    const double* const high = high_[i].data();
    std::uint32_t* const to = list.data();
    std::size_t count = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      to[count] = static_cast<std::uint32_t>(row);
      count += low[row] != 0.0 || high[row] != 0.0 ? 1 : 0;
    }
    list.resize(count);
    deviating_.count += count;
  }
  return deviating_.count;
}

// columns_ = the second differences.
void SampleEnclosure::fill_columns(std::size_t rows) {
  const std::size_t n = grid_.parts;
  columns_.resize(std::max(columns_.size(), n));
  for (std::size_t j = 1; j < n; ++j) {
    columns_[j - 1].assign(rows, 0.0);
    for (const std::uint32_t row : bent_.of[j]) {
      columns_[j - 1][row] =
          second_difference(points_[j - 1][row], points_[j][row], points_[j + 1][row]);
    }
  }
}

// inputs_ = value and difference at the first point, second differences unless they are kinks.
// Returns a bound on the sum of the magnitudes that make up a value.
double SampleEnclosure::second_differences(bool kinks) {
  const std::size_t n = grid_.parts;
  const std::size_t rows = points_[0].size();
  columns_.resize(std::max(columns_.size(), n));
  Numbers& change = columns_[n - 1];
  change.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    change[row] = points_[1][row] - points_[0][row];
  }
  inputs_ = {points_[0].data(), change.data()};
  double slope = largest_of(change);
  for (std::size_t j = 0; j + 1 < n && !kinks; ++j) {
    inputs_.push_back(columns_[j].data());
    slope += largest_of(columns_[j]);
  }
  if (kinks) {
    std::array<double, lane_count + 2> largest{};
    for (const Kinks::Value& one : kinks_.values) {
      largest[one.column] = std::max(largest[one.column], std::abs(one.value));
    }
    for (const double size : largest) {
      slope += size;
    }
  }
  return largest_ + static_cast<double>(n) * slope;
}

// kinks_ of the rows in bent_ and deviating_, and where they are inputs.
void SampleEnclosure::make_kinks(const SampleStep& step) {
  const std::size_t n = grid_.parts;
  Counts& values = kink_values_;
  Counts& deviations = kink_deviations_;
  values.assign(step.in_rows, 0);
  deviations.assign(step.in_rows, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; i > 0 && k < bent_.of[i].size(); ++k) {
      ++values[bent_.of[i][k]];
    }
    for (const std::uint32_t row : deviating_.of[i]) {
      ++deviations[row];
    }
  }
  kinks_.first_value.assign(1, 0);
  kinks_.first_deviation.assign(1, 0);
  kink_rows_.clear();
  for (std::uint32_t row = 0; row < step.in_rows; ++row) {
    if (values[row] + deviations[row] > 0) {
      kink_rows_.push_back(row);
      const std::uint32_t before_value = kinks_.first_value.back();
      const std::uint32_t before_deviation = kinks_.first_deviation.back();
      kinks_.first_value.push_back(before_value + values[row]);
      kinks_.first_deviation.push_back(before_deviation + deviations[row]);
      values[row] = before_value;
      deviations[row] = before_deviation;
    }
  }
  kinks_.values.resize(kinks_.first_value.back());
  kinks_.deviations.resize(kinks_.first_deviation.back());
  for (std::uint32_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; i > 0 && k < bent_.of[i].size(); ++k) {
      const std::uint32_t row = bent_.of[i][k];
      kinks_.values[values[row]++] = {
          i + 1, second_difference(points_[i - 1][row], points_[i][row], points_[i + 1][row])};
    }
    for (const std::uint32_t row : deviating_.of[i]) {
      Kinks::Deviation& one = kinks_.deviations[deviations[row]++];
      one.column = i;
      form_spreads(&low_[i].data()[row], &high_[i].data()[row], 1, &one.middle, &one.reach);
    }
  }
  place_kinks(step);
  measure_kinks(step);
}

// entries_: the kinks among the inputs of each position.
void SampleEnclosure::place_kinks(const SampleStep& step) {
  entries_.resize(step.positions * step.inputs);
  entry_count_.assign(step.positions, 0);
  std::size_t multiplied = 0;
  for (std::uint32_t k = 0; k < kink_rows_.size(); ++k) {
    const std::size_t row = kink_rows_[k];
    for (std::size_t i = step.first[row]; i < step.first[row + 1]; ++i) {
      const auto [position, column] = step.places[i];
      entries_.data()[position * step.inputs + entry_count_.data()[position]++] = {column, k};
    }
    multiplied += (step.first[row + 1] - step.first[row]) *
                  (2 * (kinks_.first_value[k + 1] - kinks_.first_value[k]) +
                   3 * (kinks_.first_deviation[k + 1] - kinks_.first_deviation[k]));
  }
  multiplications_ += static_cast<double>(multiplied * step.outputs);
}

// norms_ of the deviations that enter each position.
void SampleEnclosure::measure_kinks(const SampleStep& step) {
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    norms_[i].resize(step.positions);
  }
  std::array<double, 2 * lane_count> squares{};
  for (std::size_t p = 0; p < step.positions; ++p) {
    squares.fill(0.0);
    for (std::size_t e = 0; e < entry_count_[p]; ++e) {
      const std::uint32_t k = entries_[p * step.inputs + e].input;
      for (std::size_t i = kinks_.first_deviation[k]; i < kinks_.first_deviation[k + 1]; ++i) {
        const Kinks::Deviation& one = kinks_.deviations[i];
        const auto middle = static_cast<double>(one.middle);
        const auto reach = static_cast<double>(one.reach);
        const auto column = static_cast<std::size_t>(one.column);
        squares[2 * column] += middle * middle;
        squares[2 * column + 1] += reach * reach;
      }
    }
    for (std::size_t i = 0; i < grid_.parts; ++i) {
      norms_[i][p] = norm_of(squares[2 * i], squares[2 * i + 1]);
    }
  }
}

// at_a_, at_b_ of value and difference at the first point.
void SampleEnclosure::multiply_first_two(const SampleStep& step) {
  const double* const value = inputs_[0];
  const double* const change = inputs_[1];
  first_two_.resize(2 * (step.in_rows + 1));
  std::size_t used = 0;
  for (std::size_t row = 0; row < step.in_rows; ++row) {
    first_two_[2 * row] = value[row];
    first_two_[2 * row + 1] = change[row];
    used += value[row] != 0.0 || change[row] != 0.0 ? 1 : 0;
  }
  if (2 * used < step.in_rows) {
    groups_.resize(std::max<std::size_t>(groups_.size(), 1));
    groups_[0].of_points = true;
    groups_[0].from = 0;
    groups_[0].count = 2;
    multiply(step, {groups_.data(), 1});
    return;
  }
  first_two_[2 * step.in_rows] = first_two_[2 * step.in_rows + 1] = 0.0;
  alignas(64) std::array<double, 4 * sample_panel> tile_a;
  alignas(64) std::array<double, 4 * sample_panel> tile_b;
  for (std::size_t panel = 0; panel < step.panels(); ++panel) {
    const std::size_t weights = panel * step.inputs * sample_panel;
    const std::size_t o = panel * sample_panel;
    const std::size_t outputs = std::min(sample_panel, step.outputs - o);
    for (std::size_t p = 0; p < step.positions; p += 2) {
      const std::size_t next = std::min(p + 1, step.positions - 1);
      multiply_two(step.weights.a.data() + weights,
                   step.weights.b.data() + weights,
                   {step.rows.data() + p * step.inputs, step.inputs},
                   {step.rows.data() + next * step.inputs, step.inputs},
                   first_two_.data(),
                   tile_a.data(),
                   tile_b.data());
      for (std::size_t j = 0; j < 4; ++j) {
        const std::size_t to = (j < 2 ? p : next) * step.outputs + o;
        std::copy_n(tile_a.data() + j * sample_panel, outputs, at_a_[j % 2].data() + to);
        std::copy_n(tile_b.data() + j * sample_panel, outputs, at_b_[j % 2].data() + to);
      }
    }
  }
  multiplications_ += static_cast<double>(4 * step.places.size() * step.outputs);
}

}  // namespace isthmus
