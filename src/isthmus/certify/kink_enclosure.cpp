// SPDX-License-Identifier: MIT
#include "isthmus/certify/kink_enclosure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "isthmus/certify/rounding.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t most_functions = 256;
constexpr double infinity = std::numeric_limits<double>::infinity();

// The numbers of a part that a form's terms are multiplied by: s, q = s (1 - s), (s - 1/2) q, whose
// extreme values 1 / (12 sqrt 3) at 1/2 -+ 1 / sqrt 12 lie inside two of the parts, and |s - 1/2|.
struct Places {
  Parts first;
  Parts last;
  Parts least_q;
  Parts most_q;
  Parts least_skew;
  Parts most_skew;
  Parts aside;
};

constexpr Places make_places() {
  constexpr double extreme = 0.0481126;
  Places places;
  for (std::size_t part = 0; part < kink_parts; ++part) {
    const double s0 = static_cast<double>(part) / kink_parts;
    const double s1 = static_cast<double>(part + 1) / kink_parts;
    const double q0 = s0 * (1.0 - s0);
    const double q1 = s1 * (1.0 - s1);
    places.first.at[part] = s0;
    places.last.at[part] = s1;
    places.least_q.at[part] = std::min(q0, q1);
    places.most_q.at[part] = std::max(q0, q1);
    places.least_skew.at[part] = std::min((s0 - 0.5) * q0, (s1 - 0.5) * q1);
    places.most_skew.at[part] = std::max((s0 - 0.5) * q0, (s1 - 0.5) * q1);
    places.aside.at[part] = std::max(0.5 - s0, s1 - 0.5);
    if (s0 < 0.2113 && 0.2114 < s1) {
      places.least_skew.at[part] = -extreme;
    }
    if (s0 < 0.7886 && 0.7887 < s1) {
      places.most_skew.at[part] = extreme;
    }
  }
  return places;
}

constexpr Places places = make_places();

// The ends of a line on one part.
struct Stretch {
  double least;
  double most;
};

Stretch on_part(double at_0, double at_1, std::size_t part) {
  const double first = (1.0 - places.first[part]) * at_0 + places.first[part] * at_1;
  const double last = (1.0 - places.last[part]) * at_0 + places.last[part] * at_1;
  return {std::min(first, last), std::max(first, last)};
}

double larger_size(double low, double high) {
  return std::max(std::abs(low), std::abs(high));
}

// A Euclidean norm, number by number.
class Length {
 public:
  void add(double number) {
    sum_ += number * number;
    ++count_;
  }
  double bound() const { return std::sqrt(sum_) * (1.0 + gamma(count_ + 8)) + 0x1p-500; }

 private:
  double sum_ = 0.0;
  std::size_t count_ = 0;
};

}  // namespace

std::size_t kink_depth(std::span<const Step> steps) {
  if (steps.size() < 3 || steps.size() % 2 == 0) {
    return 0;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const bool fits = i % 2 == 1
                          ? step.kind == Step::Kind::relu
                          : step.kind == Step::Kind::linear && (i == 0 || step.positions() == 1);
    if (!fits) {
      return 0;
    }
  }
  return steps.size() / 2;
}

// As lengths of the errors of all units of a layer: the weights make them longer by their largest
// singular value, far less than by the sums of their rows.
double kink_radius(const std::vector<Step>& steps,
                   const EndValues& left,
                   const EndValues& right,
                   const std::vector<const WeightNorms*>& norms,
                   const std::vector<const MatrixSizes*>& sizes,
                   double largest_input) {
  double length = 0.0;
  double in = largest_input;
  for (std::size_t index = 0; index < steps.size(); index += 2) {
    const Step& step = steps[index];
    const WeightNorms& own = *norms[index];
    const double out = std::max(left.largest[index], right.largest[index]);
    const double error = gamma(step.inputs + 16) * (own.weights * in + own.bias + out);
    if (index + 1 == steps.size()) {
      return up(std::ranges::max(sizes[index]->rows) * length + error);
    }
    const double carried = index == 0 ? 0.0 : sizes[index]->spectral * length;
    length = up(carried + std::sqrt(static_cast<double>(step.out_rows)) * error);
    in = std::max(left.largest[index + 1], right.largest[index + 1]);
  }
  return length;
}

// With A the chord behind the unit minus that before it and B the chord behind it, both straight
// lines >= 0, the deviation behind the unit is max(x - A, -B) for the deviation x before it.
Kink kink_of(double z0, double z1, const Parts& low, const Parts& high) {
  const double h0 = std::max(z0, 0.0);
  const double h1 = std::max(z1, 0.0);
  double size = std::abs(z0) + std::abs(z1);
  double largest = 0.0;
  for (std::size_t part = 0; part < kink_parts; ++part) {
    largest = std::max(largest, larger_size(low[part], high[part]));
  }
  size += largest;
  const double error = 0x1p-47 * size + 0x1p-1000;
  Kink kink;
  std::size_t on = 0;
  std::size_t off = 0;
  double weight = 0.0;
  double weights = 0.0;
  for (std::size_t part = 0; part < kink_parts; ++part) {
    const Stretch chord = on_part(z0, z1, part);
    const bool is_on = chord.least + low[part] > error;
    const bool is_off = chord.most + high[part] < -error;
    const double q = places.least_q[part] + places.most_q[part];
    on += is_on ? 1 : 0;
    off += is_off ? 1 : 0;
    weight += is_on ? q : is_off ? 0.0 : 0.5 * q;
    weights += q;
  }
  if (on == kink_parts || off == kink_parts) {
    kink.simple = true;
    kink.slope = on == kink_parts ? 1.0 : 0.0;
    kink.reach = on == kink_parts ? largest : 0.0;
    return kink;
  }
  const double slope = weight / weights;
  kink.slope = slope;
  for (std::size_t part = 0; part < kink_parts; ++part) {
    const Stretch a = on_part(h0 - z0, h1 - z1, part);
    const Stretch b = on_part(h0, h1, part);
    const Stretch both = on_part(
        slope * (h0 - z0) + (1.0 - slope) * h0, slope * (h1 - z1) + (1.0 - slope) * h1, part);
    kink.high[part] = std::max((1.0 - slope) * high[part] - a.least, -slope * low[part] - b.least);
    kink.low[part] =
        std::max({(1.0 - slope) * low[part] - a.most, -slope * high[part] - b.most, -both.most});
    kink.high[part] += error;
    kink.low[part] -= error;
    const double behind_high = std::max(high[part] - a.least, -b.least);
    const double behind_low = std::max(low[part] - a.most, -b.most);
    kink.reach = std::max(kink.reach, larger_size(behind_low, behind_high) + error);
  }
  return kink;
}

void KinkEnclosure::begin(std::size_t units) {
  low_.clear();
  high_.clear();
  size_.clear();
  largest_.clear();
  lengths_ = {};
  kept_.resize(units);
  std::iota(kept_.begin(), kept_.end(), 0U);
  plain_.clear();
  turned_.clear();
  middle_.assign(units, 0.0);
  skew_.assign(units, 0.0);
  unit_low_.assign(units, Parts{});
  unit_high_.assign(units, Parts{});
  unit_turned_.assign(units, 0.0);
  unit_size_.assign(units, 0.0);
}

// What goes on behind a ReLU, and the functions that it adds; false where they are too many.
bool KinkEnclosure::pass_relu(const Rows& z0, const Rows& z1, std::size_t lane) {
  old_ = low_.size();
  stride_ = 3 + 2 * old_ + kink_margin;
  active_.clear();
  kinked_.clear();
  in_.clear();
  Length turned;
  Length carried;
  Length change;
  Length size;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const std::uint32_t unit = kept_[i];
    const double left = z0[unit][lane];
    const double right = z1[unit][lane];
    const Kink kink = kink_of(left, right, unit_low_[i], unit_high_[i]);
    if (kink.simple && kink.slope == 0.0) {
      continue;
    }
    double own_size = kink.slope * unit_size_[i];
    if (!kink.simple) {
      Parts sizes;
      double largest = 0.0;
      for (std::size_t part = 0; part < kink_parts; ++part) {
        sizes[part] = larger_size(kink.low[part], kink.high[part]);
        largest = std::max(largest, sizes[part]);
      }
      low_.push_back(kink.low);
      high_.push_back(kink.high);
      size_.push_back(sizes);
      largest_.push_back(largest);
      kinked_.push_back(unit);
      own_size += largest;
    }
    const double moved = std::max(right, 0.0) - std::max(left, 0.0);
    turned.add(kink.slope * unit_turned_[i]);
    carried.add(kink.reach);
    change.add(moved);
    size.add(own_size);
    active_.push_back(unit);
    in_.push_back(moved);
    in_.push_back(kink.slope * middle_[i]);
    for (std::size_t k = 0; k < old_; ++k) {
      in_.push_back(kink.slope * plain_[i * old_ + k]);
    }
    in_.push_back(kink.slope * skew_[i]);
    for (std::size_t k = 0; k < old_; ++k) {
      in_.push_back(kink.slope * turned_[i * old_ + k]);
    }
    in_.resize(active_.size() * stride_, 0.0);
  }
  lengths_.turned = turned.bound();
  lengths_.carried = carried.bound();
  lengths_.change = change.bound();
  lengths_.size = size.bound();
  return low_.size() <= most_functions;
}

// The rows of a linear step that are wanted: all margins but the label's, and hidden units that are
// not surely off.
void KinkEnclosure::pick_rows(const Step& step,
                              const MatrixSizes& sizes,
                              double width,
                              const EndValues* left,
                              const EndValues* right,
                              std::size_t index,
                              std::size_t lane,
                              std::optional<std::size_t> zero) {
  kept_.clear();
  for (std::size_t unit = 0; unit < step.outputs; ++unit) {
    if (left == nullptr) {
      if (zero != unit) {
        kept_.push_back(static_cast<std::uint32_t>(unit));
      }
      continue;
    }
    const double away = up(sizes.rows[unit] * lengths_.carried +
                           0.25 * width * sizes.row_changes[unit] * lengths_.change);
    const double top = std::max(left->values[index][unit][lane], right->values[index][unit][lane]);
    if (!(top + away < 0.0)) {
      kept_.push_back(static_cast<std::uint32_t>(unit));
    }
  }
}

// The new coefficients. Those of functions that the last ReLU added are the weights themselves.
void KinkEnclosure::multiply(const Step& step, const MiddleWeights& between) {
  const std::size_t all = low_.size();
  const std::size_t middle_width = 2 + 2 * old_;
  const std::size_t change_width = 2 + old_;
  by_middle_.resize(kept_.size() * stride_);
  by_change_.resize(kept_.size() * stride_);
  if (!active_.empty() && !kept_.empty()) {
    multiply_picked({between.middle.data(), step.inputs, kept_, active_},
                    in_.data() + 1,
                    by_middle_.data(),
                    stride_,
                    middle_width);
    multiply_picked({between.difference.data(), step.inputs, kept_, active_},
                    in_.data(),
                    by_change_.data(),
                    stride_,
                    change_width);
  } else {
    std::ranges::fill(by_middle_, 0.0);
    std::ranges::fill(by_change_, 0.0);
  }
  multiplications_ +=
      static_cast<double>(kept_.size() * active_.size() * (middle_width + change_width));
  middle_.resize(kept_.size());
  skew_.resize(kept_.size());
  plain_.resize(kept_.size() * all);
  turned_.resize(kept_.size() * all);
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const double* const middle = by_middle_.data() + i * stride_;
    const double* const change = by_change_.data() + i * stride_;
    middle_[i] = middle[0] - change[0];
    skew_[i] = middle[1 + old_] + change[1];
    for (std::size_t k = 0; k < old_; ++k) {
      plain_[i * all + k] = middle[1 + k];
      turned_[i * all + k] = middle[2 + old_ + k] + change[2 + k];
    }
    for (std::size_t k = old_; k < all; ++k) {
      const std::size_t weight = kept_[i] * step.inputs + kinked_[k - old_];
      plain_[i * all + k] = between.middle[weight];
      turned_[i * all + k] = between.difference[weight];
    }
  }
}

// What the forms of the kept rows, their rest and rounding come to.
void KinkEnclosure::bound_units(const MatrixSizes& sizes, double width, double rounding) {
  const std::size_t all = low_.size();
  unit_low_.resize(kept_.size());
  unit_high_.resize(kept_.size());
  unit_turned_.resize(kept_.size());
  unit_size_.resize(kept_.size());
  KinkSums sums;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    sum_tables(plain_.data() + i * all, turned_.data() + i * all, tables(), sums);
    const double middle = middle_[i];
    const double skew = skew_[i];
    const double size = 0.25 * std::abs(middle) + std::abs(skew) + sums.magnitude;
    const double rest = up(sizes.rows[kept_[i]] * (lengths_.rest + rounding) +
                           width * sizes.row_changes[kept_[i]] * (lengths_.turned + rounding));
    const double around = up(rest + gamma(2 * all + 64) * size);
    double turned = 0.0;
    for (std::size_t part = 0; part < kink_parts; ++part) {
      const double aside = places.aside[part];
      const double spread = around + aside * sums.turned[part];
      unit_low_[i][part] = std::min(middle * places.least_q[part], middle * places.most_q[part]) +
                           std::min(skew * places.least_skew[part], skew * places.most_skew[part]) +
                           sums.low[part] - spread;
      unit_high_[i][part] =
          std::max(middle * places.least_q[part], middle * places.most_q[part]) +
          std::max(skew * places.least_skew[part], skew * places.most_skew[part]) +
          sums.high[part] + spread;
      const double skews = larger_size(places.least_skew[part], places.most_skew[part]);
      turned = std::max(turned, aside * (std::abs(skew) * skews + aside * sums.turned[part]));
    }
    unit_turned_[i] = turned * (1.0 + gamma(2 * all + 64));
    unit_size_[i] = size * (1.0 + gamma(2 * all + 64));
  }
  multiplications_ += static_cast<double>(kept_.size() * all * (3 * kink_parts + 1));
}

void KinkEnclosure::enclose(const EndValues& left,
                            const EndValues& right,
                            std::size_t lane,
                            const KinkWeights& weights,
                            KinkBounds& bounds) {
  const std::size_t outputs = steps_.back().outputs;
  Parts all_low;
  Parts all_high;
  all_low.at.fill(-infinity);
  all_high.at.fill(infinity);
  bounds.low.assign(outputs, all_low);
  bounds.high.assign(outputs, all_high);
  begin(steps_.front().out_rows);
  for (std::size_t index = 2; index < steps_.size(); index += 2) {
    if (!pass_relu(left.values[index - 2], right.values[index - 2], lane)) {
      return;
    }
    const Step& step = steps_[index];
    const MatrixSizes& sizes = *weights.sizes[index];
    const bool last = index + 1 == steps_.size();
    pick_rows(step,
              sizes,
              weights.width,
              last ? nullptr : &left,
              last ? nullptr : &right,
              index,
              lane,
              weights.zero);
    multiply(step, *weights.between[index]);
    const double rounding = up(4.0 * gamma(step.inputs + 64) * (lengths_.size + lengths_.change));
    bound_units(sizes, weights.width, rounding);
    const double width = weights.width;
    lengths_.rest =
        up(sizes.spectral * lengths_.rest + width * sizes.spectral_change * lengths_.turned +
           (sizes.all_rows + width * sizes.all_changes) * rounding);
    // Comparisons further on may lose a NaN.
    const double sum = std::accumulate(unit_size_.begin(), unit_size_.end(), lengths_.rest);
    if (!std::isfinite(sum + lengths_.carried + lengths_.change)) {
      return;
    }
  }
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    bounds.low[kept_[i]] = unit_low_[i];
    bounds.high[kept_[i]] = unit_high_[i];
  }
  if (weights.zero) {
    bounds.low[*weights.zero] = {};
    bounds.high[*weights.zero] = {};
  }
}

}  // namespace isthmus
