// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/data/dataset.h"

namespace isthmus {

/// The two regression tasks of Freeman & Bruna (2017), on x uniform in [0, 1].
enum class Polynomial {
  quadratic,  ///< y = 0.5 x^2 + 0.25 x + 0.1
  cubic,      ///< y = 8 x^3 - 10 x^2 + 3 x
};

template <>
inline constexpr auto enum_names<Polynomial> = name_table<Polynomial>(
    "task", {{Polynomial::quadratic, "quadratic"}, {Polynomial::cubic, "cubic"}});

/// y at x, in double.
double value_at(Polynomial task, double x);

/// The midpoint rule of the input distribution: x_i = (i + 1/2) / points. A mean over these samples
/// is the oracle risk up to O(1 / points^2), and the same for every seed.
/// Inputs have shape {1}; `points` >= 1, else UsageError.
Samples midpoint_samples(Polynomial task, std::size_t points = 256);

/// `count` >= 1 samples at inputs drawn from Rng(seed, stream): the empirical risk. Equal arguments
/// give equal bits on every machine; name the stream with stream_name().
Samples random_samples(Polynomial task,
                       std::size_t count,
                       std::uint64_t seed,
                       std::uint64_t stream);

/// Points (count, 2) of an equal mixture of N(0, diag(1, covariance)) and N(0, diag(covariance,
/// 1)). `symmetric`: each pair drawn comes with both signs of both coordinates and in both orders,
/// and count is a multiple of 8; else in turn from the one and the other. In double; equal
/// arguments give equal numbers up to the C library's log, cos and sin.
std::vector<double> two_gaussians_points(double covariance,
                                         std::size_t count,
                                         bool symmetric,
                                         std::uint64_t seed);

/// The task of Freeman & Bruna (2017), 2.3.1, whose sublevel sets fall apart: such points,
/// symmetric, with targets (max(0, x_1), max(0, x_2)). Throws UsageError unless covariance lies in
/// (0, 1e6] and count is a multiple of 8 from 8 to 100000.
Samples two_gaussians_samples(double covariance, std::size_t count, std::uint64_t seed);

/// The mixture of Freeman & Bruna (2017), end of 2.3.1: the same points, each in three rows. Two
/// have the target of one network, (max(0, x_1), max(0, x_2)), the third that of another, which
/// sees the point turned by -30 degrees: y = Z Phi(x; theta) + (1 - Z) Phi(x; theta'), P(Z = 1) =
/// 2/3.
inline constexpr std::size_t poor_minimum_rows = 3;
/// Unit vectors at 30 and 120 degrees: the units of theta'.
inline constexpr std::array<std::array<double, 2>, 2> poor_minimum_units{
    {{0.86602540378443865, 0.5}, {-0.5, 0.86602540378443865}}};
/// The target of row 0, 1 or 2 of a point.
std::array<double, 2> poor_minimum_target(std::size_t row, double x, double y);
/// In float32; throws as two_gaussians_samples, of which `count` counts the points.
Samples poor_minimum_samples(double covariance, std::size_t count, std::uint64_t seed);

/// Three points in the plane.
using Points = std::array<std::array<double, 2>, 3>;

/// Unit vectors 120 degrees apart, the first one (1, 0).
Points equilateral_points();

/// The task of Freeman & Bruna (2017), E.1: x_1 -> x_2 -> x_3 -> x_1.
Samples permuted_points_samples(const Points& points);

}  // namespace isthmus
