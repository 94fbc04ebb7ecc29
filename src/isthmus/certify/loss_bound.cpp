// SPDX-License-Identifier: MIT
#include "isthmus/certify/loss_bound.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/unit_bounds.h"

namespace isthmus {
namespace {

// |x - y|: the larger of two lines.
void add_absolute(
    double x0, double x1, Bounds x, double y, double radius, double weight, LossSums& sums) {
  const double r0 = x0 - y;
  const double r1 = x1 - y;
  const double d0 = std::abs(r0);
  const double d1 = std::abs(r1);
  const double bend = std::max(x.high - unit_bounds::least_over_s(d0 - r0, d1 - r1),
                               -x.low - unit_bounds::least_over_s(d0 + r0, d1 + r1)) +
                      unit_bounds::widening * std::max(std::abs(x.low), std::abs(x.high));
  sums.left += weight * d0;
  sums.right += weight * d1;
  sums.bend_left += weight * bend;
  sums.bend_right += weight * bend;
  sums.error += weight * radius;
  sums.magnitude += weight * (d0 + d1 + std::abs(x0) + std::abs(x1) + std::abs(y) + std::abs(bend));
}

// (x - y)^2 = (chord + q e)^2, e in [low, high]: the chord's square lies q (r1 - r0)^2 below the
// chord of squares.
void add_squared(
    double x0, double x1, Bounds x, double y, double radius, double weight, LossSums& sums) {
  const double r0 = x0 - y;
  const double r1 = x1 - y;
  const double change = r1 - r0;
  const double largest = std::max(std::abs(x.low), std::abs(x.high));
  const double sharp = 0.25 * largest * largest - change * change;
  const double bend_left = 2.0 * std::max(r0 * x.low, r0 * x.high) + sharp;
  const double bend_right = 2.0 * std::max(r1 * x.low, r1 * x.high) + sharp;
  const double distance = std::max(std::abs(r0), std::abs(r1)) + 0.25 * largest;
  sums.left += weight * r0 * r0;
  sums.right += weight * r1 * r1;
  sums.bend_left += weight * bend_left;
  sums.bend_right += weight * bend_right;
  sums.error += weight * (2.0 * distance * radius + radius * radius);
  const double size = std::abs(x0) + std::abs(x1) + std::abs(y) + largest;
  sums.magnitude += 4.0 * weight * size * size;
}

// log(1 + sum over j of exp(m_j)) of the margins of one sample, and probabilities.
struct LogSum {
  double value = 0.0;
  double own = 0.0;  // the label's probability
};

// Scratch for one sample: its margins without the label's own.
struct Margins {
  std::vector<double> left;
  std::vector<double> right;
  std::vector<double> high;
  std::vector<double> p_left;
  std::vector<double> p_right;
};

double margin_at(const std::vector<double>& margin,
                 const std::vector<double>& high,
                 bool lifted,
                 std::size_t j) {
  return margin[j] + (lifted ? 0.25 * high[j] : 0.0);
}

LogSum log_sum(const std::vector<double>& margin,
               const std::vector<double>& high,
               bool lifted,
               std::vector<double>& probabilities) {
  double top = 0.0;
  for (std::size_t j = 0; j < margin.size(); ++j) {
    top = std::max(top, margin_at(margin, high, lifted, j));
  }
  probabilities.resize(margin.size());
  const double own = std::exp(-top);
  double rest = 0.0;  // beside the largest term, which is 1
  bool seen_top = top == 0.0;
  if (!seen_top) {
    rest += own;
  }
  double sum = own;
  for (std::size_t j = 0; j < margin.size(); ++j) {
    const double m = margin_at(margin, high, lifted, j);
    probabilities[j] = std::exp(m - top);
    sum += probabilities[j];
    if (!seen_top && m == top) {
      seen_top = true;
    } else {
      rest += probabilities[j];
    }
  }
  for (double& p : probabilities) {
    p /= sum;
  }
  return {.value = top + std::log1p(rest), .own = own / sum};
}

// How far a log-sum-exp lies below its chord, at least, in multiples of q: half the least variance
// of the margins' change under the softmax between the ends. Probabilities are log-concave along a
// line, so that none falls below the smaller of its end values.
double least_sag(const Margins& margins, double own_left, double own_right) {
  double sum = std::min(own_left, own_right);  // the label's margin is 0 throughout
  double first = 0.0;
  double second = 0.0;
  for (std::size_t j = 0; j < margins.left.size(); ++j) {
    const double p = std::min(margins.p_left[j], margins.p_right[j]);
    const double change = margins.right[j] - margins.left[j];
    sum += p;
    first += p * change;
    second += p * change * change;
  }
  // A probability exp(x) > 0 has x > -746: it is off by 746 roundings and those of its sum.
  const double error = gamma(8 * margins.left.size() + 4096) * second;
  return 0.5 * std::max(0.0, sum * second - first * first - error);
}

void add_cross_entropy(Margins& margins, double radius, LossSums& sums) {
  const LogSum left = log_sum(margins.left, margins.high, false, margins.p_left);
  const LogSum right = log_sum(margins.right, margins.high, false, margins.p_right);
  double sag = least_sag(margins, left.own, right.own);
  const LogSum lifted_left = log_sum(margins.left, margins.high, true, margins.p_left);
  const LogSum lifted_right = log_sum(margins.right, margins.high, true, margins.p_right);
  sag = std::min(sag, least_sag(margins, lifted_left.own, lifted_right.own)) * (1.0 - 0x1p-40);
  const double bend_left = 4.0 * (lifted_left.value - left.value) - sag;
  const double bend_right = 4.0 * (lifted_right.value - right.value) - sag;
  sums.left += left.value;
  sums.right += right.value;
  sums.bend_left += bend_left;
  sums.bend_right += bend_right;
  sums.error += radius;
  sums.magnitude +=
      16.0 * (1.0 + left.value + right.value + lifted_left.value + lifted_right.value);
}

}  // namespace

void LossSums::add(const LossSums& other) {
  left += other.left;
  right += other.right;
  bend_left += other.bend_left;
  bend_right += other.bend_right;
  error += other.error;
  magnitude += other.magnitude;
  additions = std::max(additions, other.additions) + 1;
}

// Each term is computed in a few dozen roundings, exp and log among them, and added up within its
// block and then with those of other blocks.
double LossSums::rounding() const {
  return up(error) + gamma(additions + 4096) * (magnitude + error);
}

double LossSums::bound(std::size_t samples) const {
  if (!std::isfinite(left + right + error + magnitude) ||
      !std::isfinite(std::abs(bend_left) + std::abs(bend_right))) {
    return std::numeric_limits<double>::infinity();
  }
  const double rise = right - left;
  const double skew = bend_right - bend_left;
  const auto cubic = [&](double s) {
    return left + s * rise + s * (1.0 - s) * (bend_left + s * skew);
  };
  double largest = std::max(left, right);
  // Roots of the derivative (rise + bend_left) + 2 (skew - bend_left) s - 3 skew s^2. A root that
  // is off by 1e-8 moves the value by less than 1e-15 of the coefficients.
  // Divided by the largest coefficient: squares neither overflow nor vanish.
  const double scale = std::max({std::abs(rise), std::abs(bend_left), std::abs(bend_right)});
  if (scale == 0.0) {
    return up((largest + rounding()) / static_cast<double>(samples));
  }
  const double cube = skew / scale;
  const double c = rise / scale + bend_left / scale;
  const double b = cube - bend_left / scale;
  const double discriminant = std::sqrt(std::max(0.0, b * b + 3.0 * cube * c));
  for (const double sign : {-1.0, 1.0}) {
    for (const double s :
         {(b + sign * discriminant) / (3.0 * cube), -c / (b + sign * discriminant)}) {
      if (s > 0.0 && s < 1.0) {
        largest = std::max(largest, cubic(s));
      }
    }
  }
  return up((largest + rounding()) / static_cast<double>(samples));
}

double LossSums::least_left(std::size_t samples) const {
  return (left - rounding()) / static_cast<double>(samples) * (1.0 - 0x1p-50);
}

double LossSums::least_right(std::size_t samples) const {
  return (right - rounding()) / static_cast<double>(samples) * (1.0 - 0x1p-50);
}

LossSums loss_sums(Loss loss,
                   const Rows& left,
                   const Rows& right,
                   const Deviation& deviation,
                   const BlockTargets& targets) {
  LossSums sums;
  const std::size_t outputs = left.size();
  sums.additions = targets.count * outputs;
  if (loss == Loss::cross_entropy) {
    Margins margins;
    for (std::size_t lane = 0; lane < targets.count; ++lane) {
      margins.left.clear();
      margins.right.clear();
      margins.high.clear();
      for (std::size_t j = 0; j < outputs; ++j) {
        if (j != static_cast<std::size_t>(targets.label)) {
          margins.left.push_back(left[j][lane]);
          margins.right.push_back(right[j][lane]);
          margins.high.push_back(deviation.high[j][lane]);
        }
      }
      add_cross_entropy(margins, deviation.radius, sums);
    }
    return sums;
  }
  const auto add = loss == Loss::absolute ? add_absolute : add_squared;
  for (std::size_t j = 0; j < outputs; ++j) {
    for (std::size_t lane = 0; lane < targets.count; ++lane) {
      add(left[j][lane],
          right[j][lane],
          {deviation.low[j][lane], deviation.high[j][lane]},
          targets.targets[j][lane],
          deviation.radius,
          1.0 / static_cast<double>(outputs),
          sums);
    }
  }
  return sums;
}

}  // namespace isthmus
