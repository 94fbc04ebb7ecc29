// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/sample_network.h"
#include "isthmus/certify/sample_tiles.h"

namespace isthmus {

/// Equal intervals of a segment: t0 + i width, all dyadic, at most lane_count of them.
struct SampleGrid {
  double t0 = 0.0;
  double width = 1.0;
  std::size_t parts = 1;

  double t(std::size_t i) const { return t0 + static_cast<double>(i) * width; }
};

/// The margins of one sample on the intervals of a grid, as wrong_times() takes them: lane i is
/// interval i.
struct SampleMargins {
  Rows left;
  Rows right;
  Deviation deviation;
};

/// An array that keeps its memory; what resize() leaves in it is not specified.
template <class Number>
class Buffer {
 public:
  void resize(std::size_t size) {
    if (size > numbers_.size()) {
      numbers_.resize(size);
    }
    size_ = size;
  }
  void assign(std::size_t size, Number value) {
    resize(size);
    std::fill_n(numbers_.data(), size, value);
  }

  std::size_t size() const { return size_; }
  Number* data() { return numbers_.data(); }
  const Number* data() const { return numbers_.data(); }
  Number* begin() { return data(); }
  Number* end() { return data() + size_; }
  const Number* begin() const { return data(); }
  const Number* end() const { return data() + size_; }
  Number& operator[](std::size_t i) { return numbers_[i]; }
  Number operator[](std::size_t i) const { return numbers_[i]; }

 private:
  std::vector<Number> numbers_;
  std::size_t size_ = 0;
};

/// Pushes single samples through a network whose weights move along a segment, on all intervals of
/// a grid at once: what is zero for a sample (units that are off, units without a kink) costs
/// nothing. End values in double, deviations in float32 with their rounding accounted for
/// (docs/certificate.md, One sample at a time). Owns scratch memory: one instance a thread.
class SampleEnclosure {
 public:
  explicit SampleEnclosure(const SampleNetwork& network) : network_(network) {}

  /// input (rows of the first step), of magnitude at most `largest_input`.
  void enclose(std::span<const double> input,
               double largest_input,
               std::int32_t label,
               const SampleGrid& grid,
               SampleMargins& margins);

  /// Multiplications done so far.
  double multiplications() const { return multiplications_; }

 private:
  using Numbers = Buffer<double>;
  using Floats = Buffer<float>;
  using Counts = Buffer<std::uint32_t>;

  // Columns that are multiplied together: values at points, or deviations on intervals.
  struct Group {
    bool of_points = true;
    std::size_t from = 0;
    std::size_t count = 1;
    Fetch fetch;
    Counts used;            // rows that are not zero in all columns
    Buffer<Entry> entries;  // (positions, inputs)
    Counts entry_count;     // of each position
    Numbers packed;         // (used rows, width)
    Floats packed_floats;   // the same, pairs

    std::size_t width() const { return count > 2 ? most_columns : count; }
  };

  // Of what goes into one position: the norms of middles and reaches, from their squares.
  static double norm_of(double middles, double reaches);

  // How the products of one linear step are made, and how far they may be off.
  struct Plan {
    bool second = false;  // of second differences
    bool kinks = false;   // which are few, like the deviations: in kinks_, tile by tile
    double error = 0.0;
  };

  // Second differences below this part of the largest value count as zero.
  static constexpr double no_kink = 0x1p-47;

  Plan first_products(const SampleStep& step);
  Plan multiply_all(const SampleStep& step);
  void multiply_columns(const SampleStep& step, const Plan& plan);
  bool find_bends(std::size_t rows);
  std::size_t find_deviations(std::size_t rows);
  double second_differences(bool kinks);
  void fill_columns(std::size_t rows);
  void make_kinks(const SampleStep& step);
  void place_kinks(const SampleStep& step);
  void measure_kinks(const SampleStep& step);
  void multiply_first_two(const SampleStep& step);
  void prepare_spreads(const SampleStep& step);
  template <class Number>
  void gather(const SampleStep& step, std::span<const Number* const> columns, Group& group);
  void fill_points(const SampleStep& step, Group& group);
  void fill_spreads(const SampleStep& step, Group& group);
  void run_points(const SampleStep& step, const Group& group, std::size_t panel);
  void run_spreads(const SampleStep& step, const Group& group, std::size_t panel);
  void multiply(const SampleStep& step, std::span<Group> groups);
  void linear(const SampleStep& step, bool first, bool before_margins);
  void load_tile(const SampleStep& step, const Plan& plan, std::size_t w, std::size_t panel);
  void sum_up(std::vector<Numbers>& products) const;
  void add_kinks_to_tile(const SampleStep& step, std::size_t w, std::size_t panel);
  void form_tile(const SampleStep& step, std::size_t w, std::size_t panel);
  void keep_tile(const SampleStep& step, std::size_t w, std::size_t panel);
  void margins(const SampleStep& step, std::size_t label, SampleMargins& out);
  // Margins of some interval that the forward bounds leave open.
  struct OpenMargin {
    std::size_t interval = 0;
    std::size_t output = 0;
  };
  void keep_before(std::size_t o, std::size_t outputs);
  void relax_before(std::size_t i);
  void look_back(const SampleStep& step, std::size_t label, double bend_error, SampleMargins& out);
  void look_back_at(const SampleStep& step,
                    std::size_t label,
                    std::span<const OpenMargin> open,
                    double bend_error,
                    SampleMargins& out);
  void narrow(std::size_t label,
              const OpenMargin& one,
              std::size_t j,
              std::size_t count,
              double bend_error,
              SampleMargins& out);
  double own_spread(const SampleStep& step,
                    std::size_t label,
                    const OpenMargin& one,
                    std::size_t j);
  void label_spreads(const SampleStep& step, std::size_t label);
  void unit(const SampleStep& step);
  void bound_unit(const SampleStep& step);
  void values_of_unit(const SampleStep& step,
                      const Numbers& in,
                      const Counts& winners,
                      Numbers& out) const;
  void look_at_values();
  double value_error(const SampleStep& step, double product_error) const;

  const SampleNetwork& network_;
  double multiplications_ = 0.0;

  SampleGrid grid_;
  std::size_t count_ = 1;        // points: one before the first linear step
  std::vector<Numbers> points_;  // values at the ends of the intervals
  std::vector<Numbers> next_;
  std::vector<Counts> winners_;  // of the windows of a maximum
  std::vector<Numbers> low_;     // of each interval, in multiples of q
  std::vector<Numbers> high_;
  Numbers next_low_;
  Numbers next_high_;
  double radius_ = 0.0;
  double largest_ = 0.0;  // magnitude of the values
  bool flat_ = true;      // no deviation yet

  // Of the products of one linear step.
  std::vector<Numbers> columns_;  // second differences
  std::vector<const double*> inputs_;
  std::vector<Numbers> at_a_;
  std::vector<Numbers> at_b_;
  std::vector<Floats> centers_;  // of each interval, before and behind the product
  std::vector<Floats> reaches_;
  std::vector<Floats> middle_;
  std::vector<Floats> turned_;
  std::vector<Floats> spread_;
  std::vector<Numbers> norms_;  // (interval), (position): of what enters there
  std::vector<Group> groups_;
  Counts is_used_;

  // Rows with a second difference or a deviation; and the products of few of them.
  struct SomeRows {
    std::vector<Counts> of;  // each point, or interval
    std::size_t count = 0;
  };
  SomeRows bent_;
  SomeRows deviating_;
  Kinks kinks_;
  std::vector<std::uint32_t> kink_rows_;
  Counts kink_values_;  // of each row: how many, then where the next one goes
  Counts kink_deviations_;
  Buffer<Entry> entries_;  // (positions, inputs)
  Counts entry_count_;
  Numbers first_two_;            // (rows + 1, 2)
  struct alignas(64) KinkTile {  // of one position and panel
    std::array<double, (lane_count + 1) * sample_panel> a;
    std::array<double, (lane_count + 1) * sample_panel> b;
    std::array<float, lane_count * sample_panel> middle;
    std::array<float, lane_count * sample_panel> turned;
    std::array<float, lane_count * sample_panel> spread;
  };
  KinkTile kink_tile_;
  SampleTile tile_;
  // Of a dense layer with ReLUs just before the margins: its units before the ReLU, what went into
  // it, and how far the centers of its bounds may be off. docs/certificate.md, Lemma 21.
  struct Before {
    const SampleStep* step = nullptr;
    std::vector<Numbers> values;
    std::vector<Numbers> low;
    std::vector<Numbers> high;
    std::vector<Floats> centers;  // of the inputs' deviations
    std::vector<Floats> reaches;
    std::vector<double> norms;  // of each interval: of both
    double gamma_float = 0.0;
    double bend_error = 0.0;
    // Of the interval relaxed last: the ReLU's deviation is slope times the unit's, and a rest.
    std::size_t relaxed = 0;
    Numbers slope;
    Numbers rest_low;
    Numbers rest_high;
    std::vector<std::uint32_t> rows;  // with a deviation, and their columns
    std::vector<std::uint32_t> columns;
    Floats factors;  // (margins, outputs)
    Floats at_a;     // (rows, margins)
    Floats at_b;
    std::vector<double> centers_of;  // of each margin
    std::vector<double> spreads_of;
  };
  Before before_;

  double gamma_float_ = 0.0;
  double bend_error_ = 0.0;  // of -q D dh
  std::vector<float> times_;
  std::vector<double> float_error_;
};

}  // namespace isthmus
