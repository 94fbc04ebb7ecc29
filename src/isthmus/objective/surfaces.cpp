// SPDX-License-Identifier: MIT
#include "isthmus/objective/surfaces.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

void require_dimension(std::string_view name, std::size_t dimension, std::size_t least) {
  if (dimension < least) {
    throw UsageError(
        fmt::format("{}: dimension: expected at least {}, got {}", name, least, dimension));
  }
}

void set(std::span<float> gradient, std::size_t i, double value) {
  if (!gradient.empty()) {
    gradient[i] = static_cast<float>(value);
  }
}

// |y|^2 of the coordinates from `first` on, with its gradient.
double bowl(std::span<const float> theta, std::size_t first, std::span<float> gradient) {
  double sum = 0.0;
  for (std::size_t i = first; i < theta.size(); ++i) {
    const auto y = static_cast<double>(theta[i]);
    sum += y * y;
    set(gradient, i, 2.0 * y);
  }
  return sum;
}

double double_well_loss(std::span<const float> theta, std::span<float> gradient) {
  const auto x = static_cast<double>(theta[0]);
  const double excess = x * x - 1.0;
  set(gradient, 0, 4.0 * x * excess);
  return excess * excess + bowl(theta, 1, gradient);
}

double ring_loss(std::span<const float> theta, std::span<float> gradient) {
  const auto x = static_cast<double>(theta[0]);
  const auto y = static_cast<double>(theta[1]);
  const double excess = x * x + y * y - 1.0;
  set(gradient, 0, 4.0 * x * excess);
  set(gradient, 1, 4.0 * y * excess);
  return excess * excess + bowl(theta, 2, gradient);
}

// One Gaussian of the Mueller-Brown surface:
// height * exp(xx (x - x0)^2 + xy (x - x0)(y - y0) + yy (y - y0)^2).
struct Hill {
  double height, xx, xy, yy, x0, y0;
};

constexpr std::array<Hill, 4> hills{{{-200.0, -1.0, 0.0, -10.0, 1.0, 0.0},
                                     {-100.0, -1.0, 0.0, -10.0, 0.0, 0.5},
                                     {-170.0, -6.5, 11.0, -6.5, -0.5, 1.5},
                                     {15.0, 0.7, 0.6, 0.7, -1.0, 1.0}}};
constexpr double lowest_energy = -146.69951720995402;
constexpr double energy_scale = 100.0;

double mueller_brown_loss(std::span<const float> theta, std::span<float> gradient) {
  double energy = 0.0;
  double slope_x = 0.0;
  double slope_y = 0.0;
  for (const Hill& hill : hills) {
    const double x = static_cast<double>(theta[0]) - hill.x0;
    const double y = static_cast<double>(theta[1]) - hill.y0;
    const double value =
        hill.height * std::exp(hill.xx * x * x + hill.xy * x * y + hill.yy * y * y);
    energy += value;
    slope_x += value * (2.0 * hill.xx * x + hill.xy * y);
    slope_y += value * (hill.xy * x + 2.0 * hill.yy * y);
  }
  set(gradient, 0, slope_x / energy_scale);
  set(gradient, 1, slope_y / energy_scale);
  return (energy - lowest_energy) / energy_scale;
}

// The unit vector along axis 0, times `x`.
std::vector<float> on_first_axis(std::size_t dimension, float x) {
  std::vector<float> theta(dimension);
  theta[0] = x;
  return theta;
}

}  // namespace

Surface double_well(std::size_t dimension) {
  require_dimension("double_well", dimension, 1);
  return {.name = "double_well",
          .dimension = dimension,
          .loss = double_well_loss,
          .from = {on_first_axis(dimension, -1.0F), 0.0},
          .to = {on_first_axis(dimension, 1.0F), 0.0},
          .straight_barrier = 1.0,
          .pass_value = 1.0};
}

Surface mueller_brown() {
  // Stationary points by Newton's method from the published ones, in double; values scaled.
  return {.name = "mueller_brown",
          .dimension = 2,
          .loss = mueller_brown_loss,
          .from = {{-0.55822363F, 1.44172584F}, 0.0},
          .to = {{0.6234994F, 0.02803776F}, 0.3853279309310160},
          .straight_barrier = 1.5937550836,
          .pass_value = 1.0603467370129663};
}

Surface ring(std::size_t dimension) {
  require_dimension("ring", dimension, 2);
  return {.name = "ring",
          .dimension = dimension,
          .loss = ring_loss,
          .from = {on_first_axis(dimension, -1.0F), 0.0},
          .to = {on_first_axis(dimension, 1.0F), 0.0},
          .straight_barrier = 1.0,
          .pass_value = 0.0};
}

std::unique_ptr<Objective> make_surface_objective(const Surface& surface, std::size_t population) {
  CallableOptions options{.loss = surface.loss, .safety = CallSafety::concurrent};
  options.layout.add("theta", {surface.dimension}, Role::weight);
  options.population = population;
  return make_callable_objective(std::move(options));
}

}  // namespace isthmus
