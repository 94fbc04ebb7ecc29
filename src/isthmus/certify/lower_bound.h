// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/certify/exact.h"
#include "isthmus/core/names.h"
#include "isthmus/data/generated.h"

namespace isthmus {

/// Losses of two networks, each known up to rounding.
struct EndLosses {
  Interval a;
  Interval b;
  /// Of B with the best output weights for its units: the loss is convex in these, so it falls all
  /// the way from B to there, and B is no local minimum.
  Interval below_b;
};

/// What is proven of the barrier between a network and the same network with two hidden units
/// exchanged: the smallest possible maximum of the loss on a continuous path between them. The loss
/// is the mean over the samples of |output - target|^2, summed over the outputs. The mathematics is
/// in docs/lower_bounds.md.
struct BarrierBounds {
  double lower =
      0.0;  ///< every continuous path meets a loss of at least this; 0: nothing is proven
  double upper = 0.0;          ///< `path` nowhere exceeds this
  std::string lower_rests_on;  ///< the argument, in sentences
  std::string upper_rests_on;

  std::string data;  ///< what the samples are
  ReluNetwork network;
  std::vector<double> inputs;   ///< (N, inputs)
  std::vector<double> targets;  ///< (N, outputs)

  /// Asked of branch and bound: lower >= (1 - tolerance) x minimum on the set, unless the minimum
  /// is 0 or a million boxes do not suffice. The bound holds in any case.
  double tolerance = 0.0;
  std::size_t boxes = 0;  ///< intervals that it looked at; 0 where the minimum is a formula
  /// The polygon of `upper`, (M, dimension) row-major, from the network to the exchanged one. Empty
  /// if `upper` holds for every pair of networks that it names.
  std::vector<double> path;
  std::array<std::size_t, 2> exchanged{0, 1};  ///< the hidden units, from 0
  /// Where the ends of `path` are not one network and the same exchanged: their losses.
  std::optional<EndLosses> ends{};

  std::size_t samples() const { return targets.size() / network.outputs; }
  std::size_t path_points() const { return path.size() / network.dimension(); }
};

/// What the network of the two Gaussians is to compute; r is the positive part.
enum class GaussianTarget {
  outputs,     ///< two outputs, r(x_1) and r(x_2)
  difference,  ///< r(x_1) - r(x_2)
  sum,         ///< r(x_1) + r(x_2)
};

template <>
inline constexpr auto enum_names<GaussianTarget> =
    name_table<GaussianTarget>("target",
                               {{GaussianTarget::outputs, "outputs"},
                                {GaussianTarget::difference, "difference"},
                                {GaussianTarget::sum, "sum"}});

/// How the samples of the two Gaussians are drawn.
enum class GaussianSample {
  /// Each pair drawn from the first Gaussian comes with both signs of both coordinates and in both
  /// orders: the samples have the eight symmetries of the mixture. n is a multiple of 8.
  symmetric,
  independent,  ///< in turn from the one and the other; n >= 2
};

template <>
inline constexpr auto enum_names<GaussianSample> = name_table<GaussianSample>(
    "sample",
    {{GaussianSample::symmetric, "symmetric"}, {GaussianSample::independent, "independent"}});

struct TwoGaussiansOptions {
  double covariance = 0.05;   ///< the small variance eta, in (0, 1e6]
  std::size_t samples = 400;  ///< n, at most 100000
  GaussianSample sample = GaussianSample::symmetric;
  std::uint64_t seed = 1;
  GaussianTarget target = GaussianTarget::outputs;
  double tolerance = 1e-3;       ///< relative, in [1e-5, 0.5]
  std::size_t directions = 360;  ///< of the path's grid, a multiple of 4 in [24, 1440]
};

/// n samples of an equal mixture of N(0, diag(1, eta)) and N(0, diag(eta, 1)), a network 2-2-k
/// without biases whose units are the two axes (loss 0), and the same network with its units
/// exchanged.
///
/// Lower bound: det W1 changes sign on the way. Where it is 0 both units see one direction u, and
/// no output weights give less than R(u), the squared distance of the targets from the span of
/// r(u.x) and r(-u.x). The minimum of R over all directions, by branch and bound in interval
/// arithmetic. The bound holds for any two networks 2-2-k with det W1 of opposite signs on these
/// samples.
///
/// Upper bound: on a grid of the directions of both units, output weights by least squares, the
/// path whose largest loss is smallest, then a shortest one that is as good up to 1e-4; its maximum
/// over all real t is enclosed by maximum_on_path().
///
/// Throws UsageError for an option out of its range. Equal options give equal numbers (up to the C
/// library's log, cos and sin).
BarrierBounds two_gaussians_bounds(const TwoGaussiansOptions& options);

/// The squared loss R(u) / n, enclosed, minimised over the output weights, of a network 2-2-k
/// without biases whose two units see the directions u and -u; u is any vector but 0. `data` is of
/// two inputs. The minimum of it over u is that of the loss on {det W1 = 0}.
Interval loss_on_singular_set(const RegressionData& data, std::array<double, 2> direction);

/// The mixture at the end of 2.3.1 in Freeman and Bruna (2017) on the points of
/// two_gaussians_bounds (see poor_minimum_target): network A = theta fits two rows of three,
/// network B = theta' with its units exchanged fits the third, so both have a loss, and not the
/// same.
///
/// Lower bound: that of two_gaussians_bounds on these rows; det W1 has opposite signs at A and B.
/// Upper bound: its path on these rows from A to A exchanged, and straight on to B. Uses
/// covariance, samples (points), seed, tolerance and directions of the options; throws as
/// two_gaussians_bounds.
BarrierBounds poor_minimum_bounds(const TwoGaussiansOptions& options);

/// Reads three lines "x y". Throws MissingInput, or DataError naming the file if there are not
/// three lines of two finite numbers each, or the points lie on a line.
Points read_points(const std::filesystem::path& file);

struct PermutedPointsOptions {
  Points points = equilateral_points();
  /// How close the path comes to the infimum, which it cannot attain: weights grow as its inverse.
  /// In [2^-20, 2^-2].
  double offset = 0x1p-12;
};

/// Three points x_1 -> x_2 -> x_3 -> x_1 (Freeman and Bruna 2017, E.1), a network 2-3-2 without
/// biases that fits them exactly, and the same network with two hidden units exchanged.
///
/// Lower bound: det H, H = r(W1 X) the 3 x 3 matrix of hidden values, changes sign on the way.
/// Where it is 0 the loss is at least |Y n|^2 / 3 for a unit vector n, H n = 0, which is not
/// strictly of one sign. If the origin lies strictly inside the triangle the smallest such value is
/// a third of the smallest eigenvalue of a Gram matrix of two targets, enclosed in closed form;
/// otherwise nothing is proven, and `lower_rests_on` says why. The bound holds for any two networks
/// with det H of opposite signs.
///
/// Upper bound: an explicit polygon, whose maximum is the lower bound up to O(offset), enclosed by
/// maximum_on_path(). Without a lower bound: the way over output weights 0.
///
/// Throws UsageError for points on a line, numbers that are NaN or exceed 1e10 in absolute value,
/// or an offset out of its range.
BarrierBounds permuted_points_bounds(const PermutedPointsOptions& options);

}  // namespace isthmus
