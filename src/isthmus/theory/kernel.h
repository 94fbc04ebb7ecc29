// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/core/names.h"

namespace isthmus {

/// The kernel of two ReLU units, [w1, w2] = E z(w1) z(w2) with z(w) = max(0, <w, X>), |w1| = |w2| =
/// 1, and what Proposition 2.3 of Freeman & Bruna (2017) says about it. With a the angle between
/// them, w_m their normalised mean, d = (w2 - w1) / 2 and S = E X X^T:
///     upper - d^T S d <= [w1, w2] <= upper = (1 + cos a) / 2 E z(w_m)^2.
struct KernelBounds {
  double angle = 0.0;  ///< a, in [0, pi]
  double value = 0.0;  ///< [w1, w2]
  double error = 0.0;  ///< standard error of value as that of the distribution sampled; 0 if exact
  double upper = 0.0;
  double lower = 0.0;        ///< upper - d^T S d
  double uniform = 0.0;      ///< upper - |S| (1 - cos a) / 2: the same for every pair of this angle
  double printed = 0.0;      ///< upper - 2 |S| ((1 - cos a) / 2 + sin^2 a)
  double false_upper = 0.0;  ///< <w1, w2> E z(w_m)^2, printed as an upper bound, which it is not

  /// printed <= uniform <= lower <= value <= upper, up to `slack` times the largest term.
  bool hold(double slack = 1e-12) const;
};

/// Of the distribution that has mass 1 / N at each of N >= 1 samples. inputs (N, n); w1, w2 (n),
/// scaled to length 1 here. Throws UsageError for sizes that do not fit, a weight of length 0, or
/// numbers that are NaN or exceed 1e30.
KernelBounds kernel_of_samples(std::span<const double> inputs,
                               std::span<const double> w1,
                               std::span<const double> w2);

/// A centred distribution whose kernel is known.
enum class InputLaw {
  gaussian,
  mixture,       ///< of two centred Gaussians, half and half
  heavy_tailed,  ///< Student's t with 6 degrees of freedom in every direction
};

template <>
inline constexpr auto enum_names<InputLaw> = name_table<InputLaw>("distribution",
                                                                  {{InputLaw::gaussian, "gaussian"},
                                                                   {InputLaw::mixture, "mixture"},
                                                                   {InputLaw::heavy_tailed,
                                                                    "heavy-tailed"}});

/// Two units and a law of the inputs, drawn at random, and samples of it.
struct KernelCase {
  InputLaw law = InputLaw::gaussian;
  std::vector<double> w1;
  std::vector<double> w2;
  std::vector<double> inputs;  ///< (N, n)
  KernelBounds exact;          ///< of the law, by the arc-cosine kernel
  /// Of z(w1) z(w2) under the law, its standard deviation, by the arc-cosine kernel of order 2: the
  /// standard error of N samples is this over sqrt(N). Their own estimate is too small where the
  /// few that have both units active happen to be small.
  double deviation = 0.0;
  double active = 0.0;  ///< probability that both units are active
};

/// Case `index`: the angle uniform in [0, pi], covariances of random rank from 1 to n. The closed
/// form is |u| |v| / (2 pi) (sin b + (pi - b) cos b) with u, v the weights times a root of the
/// covariance and b their angle (Cho & Saul 2009), averaged over the mixture or times the mean
/// square of the scale. Equal arguments give equal numbers. Throws UsageError for sizes of 0 or
/// fewer than two inputs.
KernelCase random_kernel_case(
    InputLaw law, std::size_t inputs, std::size_t samples, std::uint64_t seed, std::size_t index);

}  // namespace isthmus
