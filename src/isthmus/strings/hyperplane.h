// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "isthmus/path/path.h"

namespace isthmus {

/// The hyperplanes with the unit normal u = (b - a) / |b - a|. Looks at a and b (P), which are to
/// stay as they are. Where they are equal u is 0, and nothing lies off.
class NormalHyperplane {
 public:
  NormalHyperplane(std::span<const float> a, std::span<const float> b)
      : a_(a), b_(b), distance_(std::sqrt(squared_distance(a, b))) {}

  /// |b - a|
  double distance() const { return distance_; }
  /// u . vector
  double along(std::span<const float> vector) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < vector.size(); ++i) {
      sum += normal(i) * static_cast<double>(vector[i]);
    }
    return sum;
  }
  /// u . (theta - (1 - t) a - t b)
  double height(std::span<const float> theta, double t = 0.5) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      sum += normal(i) * (static_cast<double>(theta[i]) - (1.0 - t) * static_cast<double>(a_[i]) -
                          t * static_cast<double>(b_[i]));
    }
    return sum;
  }
  /// vector - amount * u
  void take_off(double amount, std::span<float> vector) const {
    for (std::size_t i = 0; i < vector.size(); ++i) {
      vector[i] = static_cast<float>(static_cast<double>(vector[i]) - amount * normal(i));
    }
  }

 private:
  double normal(std::size_t i) const {
    return distance_ > 0.0 ? (static_cast<double>(b_[i]) - static_cast<double>(a_[i])) / distance_
                           : 0.0;
  }

  std::span<const float> a_;
  std::span<const float> b_;
  double distance_;
};

}  // namespace isthmus
