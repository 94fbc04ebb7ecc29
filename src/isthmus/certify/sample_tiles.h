// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// Some outputs of a linear step at a few positions, for all points and intervals of a grid: from
/// its products to what a maximum over the positions and a ReLU make of it, while it lies in the
/// cache. Arrays (points, places, units), or one row less of intervals; `units` fills whole panels.
struct SampleTile {
  std::size_t points = 0;
  std::size_t places = 0;
  std::size_t units = 0;

  std::vector<double> a;  ///< products of the values with the weights of both ends
  std::vector<double> b;
  std::vector<float> middle;  ///< those of deviations
  std::vector<float> turned;
  std::vector<float> spread;
  std::vector<double> values;
  std::vector<double> low;  ///< deviations, in multiples of q
  std::vector<double> high;

  // Behind the maximum: (points, units).
  std::vector<double> top;
  std::vector<double> winner;  ///< the place of the first largest value
  std::vector<double> unit_low;
  std::vector<double> unit_high;
  std::vector<double> hard;  ///< of one interval: 1 where a formula was not evaluated
  std::vector<double> slope;

  std::size_t width() const { return places * units; }
  /// Keeps its memory; the numbers are not specified.
  void resize(std::size_t new_points, std::size_t new_places, std::size_t new_units);
};

/// a and b hold a value, its difference and its second differences: puts the sums in their place.
void sum_up(SampleTile& tile);

/// values = (1 - t) a + t b + bias at point i, of the products of point `from`, and the largest of
/// all places with its place. bias_a, bias_b (units).
void form_values(SampleTile& tile,
                 std::size_t from,
                 std::size_t i,
                 double t,
                 const double* bias_a,
                 const double* bias_b);

/// What bounds of deviations are made of beside products: docs/certificate.md, One sample at a
/// time. size, change (units) of the weights; float_error (places): gamma' times the norms of what
/// goes in.
struct DeviationErrors {
  double width;        ///< of the interval
  double gamma_float;  ///< gamma'
  double bend_error;
  const double* size;
  const double* change;
  const double* float_error;
};

/// Bounds of interval i from the products of its deviations: low and high of all places, and by
/// Lemmas 6 and 7 unit_low and unit_high of the maximum over the places, and with `relu` of its
/// ReLU. Without `errors` all deviations are zero. Most units keep the bounds of one place, or
/// none; a loop in vectors sees which, and the formulas are evaluated for the others. False if a
/// bound of a place is not a number of moderate size.
bool bound_units(SampleTile& tile, std::size_t i, const DeviationErrors* errors, bool relu);

/// Deviations as products take them: the number in float32 next to the middle, and how far the
/// bounds are from that, rounded upwards.
void form_spreads(
    const double* low, const double* high, std::size_t count, float* middles, float* reaches);

}  // namespace isthmus
