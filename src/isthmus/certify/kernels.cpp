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
ISTHMUS_INLINE void each(std::span<const Lanes> in, std::span<Lanes> out) {
  for (std::size_t row = 0; row < in.size(); ++row) {
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      out[row][lane] = function(in[row][lane]);
    }
  }
}

ISTHMUS_INLINE double largest_magnitude(std::span<const Lanes> rows) {
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

ISTHMUS_INLINE void bound_relu_rows(EndRows z, BoundRows deviation) {
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
ISTHMUS_INLINE void bound_smooth_rows(EndRows z, EndRows f, double radius, BoundRows deviation) {
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

ISTHMUS_INLINE void max_pool_rows(const Step& step,
                                  std::span<const Lanes> in,
                                  std::span<Lanes> out) {
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

ISTHMUS_INLINE void bound_max_pool_rows(const Step& step,
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

ISTHMUS_INLINE Kernels::Zeros prepare_row(const Lanes& left,
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

ISTHMUS_INLINE void combine_row(const Lanes& bend,
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

// One instance of every loop for the instructions that TARGET allows.
#define ISTHMUS_KERNELS(NAME, TARGET)                                                             \
  struct NAME {                                                                                   \
    TARGET static void relu(std::span<const Lanes> in, std::span<Lanes> out) {                    \
      each<relu_of>(in, out);                                                                     \
    }                                                                                             \
    TARGET static void sigmoid(std::span<const Lanes> in, std::span<Lanes> out) {                 \
      each<sigmoid_of>(in, out);                                                                  \
    }                                                                                             \
    TARGET static void tanh(std::span<const Lanes> in, std::span<Lanes> out) {                    \
      each<tanh_of>(in, out);                                                                     \
    }                                                                                             \
    TARGET static double largest(std::span<const Lanes> rows) { return largest_magnitude(rows); } \
    TARGET static void bound_relu(EndRows z, BoundRows deviation) {                               \
      bound_relu_rows(z, deviation);                                                              \
    }                                                                                             \
    TARGET static void bound_sigmoid(EndRows z, EndRows f, double radius, BoundRows deviation) {  \
      bound_smooth_rows<isthmus::bound_sigmoid>(z, f, radius, deviation);                         \
    }                                                                                             \
    TARGET static void bound_tanh(EndRows z, EndRows f, double radius, BoundRows deviation) {     \
      bound_smooth_rows<isthmus::bound_tanh>(z, f, radius, deviation);                            \
    }                                                                                             \
    TARGET static void max_pool(const Step& step,                                                 \
                                std::span<const Lanes> in,                                        \
                                std::span<Lanes> out) {                                           \
      max_pool_rows(step, in, out);                                                               \
    }                                                                                             \
    TARGET static void bound_max_pool(const Step& step,                                           \
                                      EndRows z,                                                  \
                                      std::span<const Lanes> low,                                 \
                                      std::span<const Lanes> high,                                \
                                      BoundRows out) {                                            \
      bound_max_pool_rows(step, z, low, high, out);                                               \
    }                                                                                             \
    TARGET static Kernels::Zeros prepare(const Lanes& left,                                       \
                                         const Lanes& right,                                      \
                                         const Lanes& low,                                        \
                                         const Lanes& high,                                       \
                                         Lanes& change,                                           \
                                         Lanes& center,                                           \
                                         Lanes& spread) {                                         \
      return prepare_row(left, right, low, high, change, center, spread);                         \
    }                                                                                             \
    TARGET static void combine(const Lanes& bend,                                                 \
                               const Lanes& at_left,                                              \
                               const Lanes& at_right,                                             \
                               const Lanes& spread,                                               \
                               double rounding,                                                   \
                               Lanes& low,                                                        \
                               Lanes& high) {                                                     \
      combine_row(bend, at_left, at_right, spread, rounding, low, high);                          \
    }                                                                                             \
    static constexpr Kernels all{relu,                                                            \
                                 sigmoid,                                                         \
                                 tanh,                                                            \
                                 largest,                                                         \
                                 bound_relu,                                                      \
                                 bound_sigmoid,                                                   \
                                 bound_tanh,                                                      \
                                 max_pool,                                                        \
                                 bound_max_pool,                                                  \
                                 prepare,                                                         \
                                 combine};                                                        \
  }

ISTHMUS_KERNELS(Plain, );
#ifdef __x86_64__
ISTHMUS_KERNELS(Avx2, [[gnu::target("avx2")]]);
ISTHMUS_KERNELS(Avx512, [[gnu::target(ISTHMUS_TARGET_AVX512)]]);
#endif

const Kernels& choose() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    return Avx512::all;
  }
  if (__builtin_cpu_supports("avx2")) {
    return Avx2::all;
  }
#endif
  return Plain::all;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

const Kernels& plain_kernels() {
  return Plain::all;
}

}  // namespace isthmus
