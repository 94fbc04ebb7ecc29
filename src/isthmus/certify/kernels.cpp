// SPDX-License-Identifier: MIT
#include "isthmus/certify/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/certify/unit_bounds.h"
#include "isthmus/core/target.h"

namespace isthmus {
namespace {

using Function = double (*)(double);

template <Function function>
ISTHMUS_BODY void each(std::span<const Lanes> in, std::span<Lanes> out) {
  for (std::size_t row = 0; row < in.size(); ++row) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      out[row][lane] = function(in[row][lane]);
    }
  }
}

ISTHMUS_BODY double largest_magnitude(std::span<const Lanes> rows) {
  Lanes largest{};
  Lanes sum{};  // of zeros; NaN once a number is not finite
  for (const Lanes& row : rows) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      largest[lane] = unit_bounds::larger(std::abs(row[lane]), largest[lane]);
      sum[lane] += row[lane] - row[lane];
    }
  }
  const bool finite = std::ranges::all_of(sum.at, [](double value) { return value == 0.0; });
  return finite ? std::ranges::max(largest.at) : std::numeric_limits<double>::infinity();
}

ISTHMUS_BODY void bound_relu_rows(EndRows z, BoundRows deviation) {
  for (std::size_t row = 0; row < z.left.size(); ++row) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      const Bounds bounds = bound_relu(z.left[row][lane],
                                       z.right[row][lane],
                                       {deviation.low[row][lane], deviation.high[row][lane]});
      deviation.low[row][lane] = bounds.low;
      deviation.high[row][lane] = bounds.high;
    }
  }
}

using SmoothBound = Bounds (*)(double, double, double, double, Bounds, double);

template <SmoothBound bound>
ISTHMUS_BODY void bound_smooth_rows(EndRows z, EndRows f, double radius, BoundRows deviation) {
  for (std::size_t row = 0; row < z.left.size(); ++row) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      const Bounds bounds = bound(z.left[row][lane],
                                  z.right[row][lane],
                                  f.left[row][lane],
                                  f.right[row][lane],
                                  {deviation.low[row][lane], deviation.high[row][lane]},
                                  radius);
      deviation.low[row][lane] = bounds.low;
      deviation.high[row][lane] = bounds.high;
    }
  }
}

ISTHMUS_BODY void max_pool_rows(const Step& step, std::span<const Lanes> in, std::span<Lanes> out) {
  for (std::size_t p = 0; p < step.out_rows; ++p) {
    Lanes top = in[step.terms[step.first[p]].row];
    for (std::size_t k = step.first[p] + 1; k < step.first[p + 1]; ++k) {
      const Lanes& row = in[step.terms[k].row];
      for (std::size_t lane = 0; lane < lane_count; ++lane) {
        top[lane] = unit_bounds::larger(row[lane], top[lane]);
      }
    }
    out[p] = top;
  }
}

ISTHMUS_BODY void bound_max_pool_rows(const Step& step,
                                      EndRows z,
                                      std::span<const Lanes> low,
                                      std::span<const Lanes> high,
                                      BoundRows out) {
  for (std::size_t p = 0; p < step.out_rows; ++p) {
    LargestUnit<lane_count> largest;
    for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
      const std::size_t row = step.terms[k].row;
      largest.raise(z.left[row].at.data(), z.right[row].at.data());
    }
    for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
      const std::size_t row = step.terms[k].row;
      largest.add(
          z.left[row].at.data(), z.right[row].at.data(), low[row].at.data(), high[row].at.data());
    }
    largest.bounds(out.low[p].at.data(), out.high[p].at.data());
  }
}

ISTHMUS_BODY Kernels::Zeros prepare_row(const Lanes& left,
                                        const Lanes& right,
                                        const Lanes& low,
                                        const Lanes& high,
                                        Lanes& change,
                                        Lanes& center,
                                        Lanes& spread) {
  double any_change = 0.0;  // or NaN
  double any_bound = 0.0;
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    const double middle = 0.5 * (low[lane] + high[lane]);
    change[lane] = right[lane] - left[lane];
    center[lane] = middle;
    spread[lane] = unit_bounds::larger(high[lane] - middle, middle - low[lane]);
  }
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    any_change = change[lane] == 0.0 ? any_change : 1.0;
    any_bound = center[lane] == 0.0 && spread[lane] == 0.0 ? any_bound : 1.0;
  }
  return {.change = any_change == 0.0, .bounds = any_bound == 0.0};
}

ISTHMUS_BODY void combine_row(const Lanes& bend,
                              const Lanes& at_left,
                              const Lanes& at_right,
                              const Lanes& spread,
                              double rounding,
                              Lanes& low,
                              Lanes& high) {
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    const double around = spread[lane] + rounding;
    low[lane] = unit_bounds::smaller(at_left[lane], at_right[lane]) - bend[lane] - around;
    high[lane] = unit_bounds::larger(at_left[lane], at_right[lane]) - bend[lane] + around;
  }
}

// The loops as `On` compiles them.
template <template <auto> class On>
constexpr Kernels kernels_on{.relu = On<each<relu_of>>::run,
                             .sigmoid = On<each<sigmoid_of>>::run,
                             .tanh = On<each<tanh_of>>::run,
                             .largest = On<largest_magnitude>::run,
                             .bound_relu = On<bound_relu_rows>::run,
                             .bound_sigmoid = On<bound_smooth_rows<bound_sigmoid>>::run,
                             .bound_tanh = On<bound_smooth_rows<bound_tanh>>::run,
                             .max_pool = On<max_pool_rows>::run,
                             .bound_max_pool = On<bound_max_pool_rows>::run,
                             .prepare = On<prepare_row>::run,
                             .combine = On<combine_row>::run};

const Kernels& choose() {
#if defined(__x86_64__)
  switch (usable_targets()) {
    case 3:
      return kernels_on<OnAvx512>;
    case 2:
      return kernels_on<OnAvx2>;
    default:
      break;
  }
#endif
  return kernels_on<OnBaseline>;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

const Kernels& plain_kernels() {
  return kernels_on<OnBaseline>;
}

}  // namespace isthmus
