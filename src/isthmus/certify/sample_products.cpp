// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_products.h"

#include <array>
#include <cstring>

#include "isthmus/certify/products.h"
#include "isthmus/core/target.h"

namespace isthmus {
namespace {

template <std::size_t Width>
ISTHMUS_BODY void widen(const float* in, void* out) {
  std::array<double, Width> wide;
  for (std::size_t i = 0; i < Width; ++i) {
    wide[i] = static_cast<double>(in[i]);
  }
  std::memcpy(out, wide.data(), sizeof(wide));
}

// `Width` doubles in a vector.
template <std::size_t Width, std::size_t Columns>
ISTHMUS_BODY void ends_body(const float* a,
                            const float* b,
                            std::span<const Entry> entries,
                            const double* inputs,
                            double* out_a,
                            double* out_b) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  constexpr std::size_t parts = sample_panel / Width;
  Vector sums_a[Columns][parts] = {};
  Vector sums_b[Columns][parts] = {};
  for (const Entry& entry : entries) {
    const double* const in = inputs + entry.input * Columns;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < parts; ++v) {
      const float* const from_a = a + entry.column * sample_panel + v * Width;
      const float* const from_b = b + entry.column * sample_panel + v * Width;
      Vector wide_a;
      Vector wide_b;
      widen<Width>(from_a, &wide_a);
      widen<Width>(from_b, &wide_b);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < Columns; ++j) {
        const Vector value = in[j] - Vector{};
        sums_a[j][v] += wide_a * value;
        sums_b[j][v] += wide_b * value;
      }
    }
  }
  std::memcpy(out_a, sums_a, sizeof(sums_a));
  std::memcpy(out_b, sums_b, sizeof(sums_b));
}

// `Width` floats in a vector.
template <std::size_t Width, std::size_t Columns>
ISTHMUS_BODY void deviations_body(const DeviationWeights& weights,
                                  std::span<const Entry> entries,
                                  const float* inputs,
                                  const DeviationProducts& out) {
  typedef float Vector __attribute__((vector_size(Width * sizeof(float))));
  constexpr std::size_t parts = sample_panel / Width;
  Vector sums_h[Columns][parts] = {};
  Vector sums_d[Columns][parts] = {};
  Vector sums_p[Columns][parts] = {};
  for (const Entry& entry : entries) {
    const float* const in = inputs + 2 * entry.input * Columns;
#pragma GCC unroll 8
    for (std::size_t v = 0; v < parts; ++v) {
      Vector weight;
      Vector end;
      std::memcpy(&weight, weights.a + entry.column * sample_panel + v * Width, sizeof(Vector));
      std::memcpy(&end, weights.b + entry.column * sample_panel + v * Width, sizeof(Vector));
      const Vector change = end - weight;
      const Vector aside = weights.half * (change < 0.0F ? -change : change);
#pragma GCC unroll 8
      for (std::size_t j = 0; j < Columns; ++j) {
        const Vector turned = weight + change * weights.times[j];
        const Vector size = (turned < 0.0F ? -turned : turned) + aside;
        sums_h[j][v] += turned * in[2 * j];
        sums_d[j][v] += change * in[2 * j];
        sums_p[j][v] += size * in[2 * j + 1];
      }
    }
  }
  std::memcpy(out.middle, sums_h, sizeof(sums_h));
  std::memcpy(out.turned, sums_d, sizeof(sums_d));
  std::memcpy(out.spread, sums_p, sizeof(sums_p));
}

// `Width` doubles in a vector, two vectors of outputs at once.
template <std::size_t Width>
ISTHMUS_BODY void two_body(const float* a,
                           const float* b,
                           std::span<const std::uint32_t> rows_0,
                           std::span<const std::uint32_t> rows_1,
                           const double* inputs,
                           double* out_a,
                           double* out_b) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  constexpr std::size_t parts = 2;
  for (std::size_t from = 0; from < sample_panel; from += parts * Width) {
    Vector sums_a[4][parts] = {};
    Vector sums_b[4][parts] = {};
    for (std::size_t i = 0; i < rows_0.size(); ++i) {
      const double* const in_0 = inputs + 2 * std::size_t{rows_0[i]};
      const double* const in_1 = inputs + 2 * std::size_t{rows_1[i]};
      const double in[4] = {in_0[0], in_0[1], in_1[0], in_1[1]};
#pragma GCC unroll 2
      for (std::size_t v = 0; v < parts; ++v) {
        Vector wide_a;
        Vector wide_b;
        widen<Width>(a + i * sample_panel + from + v * Width, &wide_a);
        widen<Width>(b + i * sample_panel + from + v * Width, &wide_b);
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
          const Vector value = in[j] - Vector{};
          sums_a[j][v] += wide_a * value;
          sums_b[j][v] += wide_b * value;
        }
      }
    }
    for (std::size_t j = 0; j < 4; ++j) {
      std::memcpy(out_a + j * sample_panel + from, sums_a[j], sizeof(sums_a[j]));
      std::memcpy(out_b + j * sample_panel + from, sums_b[j], sizeof(sums_b[j]));
    }
  }
}

// `Width` doubles in a vector, twice as many floats.
template <std::size_t Width>
ISTHMUS_BODY void kinks_body(const DeviationWeights& weights,
                             std::span<const Entry> entries,
                             const Kinks& kinks,
                             const KinkSums& out) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  typedef float Floats __attribute__((vector_size(2 * Width * sizeof(float))));
  for (const Entry& entry : entries) {
    const float* const a = weights.a + entry.column * sample_panel;
    const float* const b = weights.b + entry.column * sample_panel;
    const std::size_t k = entry.input;
    if (kinks.first_value[k] != kinks.first_value[k + 1]) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < sample_panel; v += Width) {
        Vector wide_a;
        Vector wide_b;
        widen<Width>(a + v, &wide_a);
        widen<Width>(b + v, &wide_b);
        for (std::size_t i = kinks.first_value[k]; i < kinks.first_value[k + 1]; ++i) {
          const std::size_t to = kinks.values[i].column * out.stride + v;
          const Vector value = kinks.values[i].value - Vector{};
          Vector sum_a;
          Vector sum_b;
          std::memcpy(&sum_a, out.a + to, sizeof(Vector));
          std::memcpy(&sum_b, out.b + to, sizeof(Vector));
          sum_a += wide_a * value;
          sum_b += wide_b * value;
          std::memcpy(out.a + to, &sum_a, sizeof(Vector));
          std::memcpy(out.b + to, &sum_b, sizeof(Vector));
        }
      }
    }
#pragma GCC unroll 8
    for (std::size_t v = 0; v < sample_panel; v += 2 * Width) {
      Floats weight;
      Floats end;
      std::memcpy(&weight, a + v, sizeof(Floats));
      std::memcpy(&end, b + v, sizeof(Floats));
      const Floats change = end - weight;
      const Floats aside = weights.half * (change < 0.0F ? -change : change);
      for (std::size_t i = kinks.first_deviation[k]; i < kinks.first_deviation[k + 1]; ++i) {
        const Kinks::Deviation& one = kinks.deviations[i];
        const std::size_t to = one.column * out.stride + v;
        const Floats turned = weight + change * weights.times[one.column];
        const Floats size = (turned < 0.0F ? -turned : turned) + aside;
        Floats sums[3];
        std::memcpy(&sums[0], out.middle + to, sizeof(Floats));
        std::memcpy(&sums[1], out.turned + to, sizeof(Floats));
        std::memcpy(&sums[2], out.spread + to, sizeof(Floats));
        sums[0] += turned * one.middle;
        sums[1] += change * one.middle;
        sums[2] += size * one.reach;
        std::memcpy(out.middle + to, &sums[0], sizeof(Floats));
        std::memcpy(out.turned + to, &sums[1], sizeof(Floats));
        std::memcpy(out.spread + to, &sums[2], sizeof(Floats));
      }
    }
  }
}

// `Width` floats in a vector.
template <std::size_t Width, std::size_t Count>
ISTHMUS_BODY void back_body(const BackProducts& weights,
                            std::span<const std::uint32_t> columns,
                            const float* values,
                            float* out_middle,
                            float* out_turned) {
  typedef float Vector __attribute__((vector_size(Width * sizeof(float))));
  const std::size_t outputs = weights.panels * sample_panel;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    Vector middle[Count] = {};
    Vector turned[Count] = {};
    const std::size_t from = columns[k] * sample_panel;
    for (std::size_t panel = 0; panel < weights.panels; ++panel) {
      const std::size_t at = from + panel * weights.inputs * sample_panel;
#pragma GCC unroll 8
      for (std::size_t v = 0; v < sample_panel; v += Width) {
        Vector weight;
        Vector end;
        std::memcpy(&weight, weights.a + at + v, sizeof(Vector));
        std::memcpy(&end, weights.b + at + v, sizeof(Vector));
        const Vector change = end - weight;
#pragma GCC unroll 8
        for (std::size_t j = 0; j < Count; ++j) {
          Vector value;
          std::memcpy(&value, values + j * outputs + panel * sample_panel + v, sizeof(Vector));
          middle[j] += (weight + change * weights.times[j]) * value;
          turned[j] += change * value;
        }
      }
    }
    for (std::size_t j = 0; j < Count; ++j) {
      float sums[2] = {};
      for (std::size_t lane = 0; lane < Width; ++lane) {
        sums[0] += middle[j][lane];
        sums[1] += turned[j][lane];
      }
      out_middle[k * Count + j] = sums[0];
      out_turned[k * Count + j] = sums[1];
    }
  }
}

struct Products {
  using Ends =
      void (*)(const float*, const float*, std::span<const Entry>, const double*, double*, double*);
  using Deviations = void (*)(const DeviationWeights&,
                              std::span<const Entry>,
                              const float*,
                              const DeviationProducts&);
  Ends ends[3];  // of 1, 2 and 4 columns
  Deviations deviations[3];
  void (*two)(const float*,
              const float*,
              std::span<const std::uint32_t>,
              std::span<const std::uint32_t>,
              const double*,
              double*,
              double*);
  void (*kinks)(const DeviationWeights&, std::span<const Entry>, const Kinks&, const KinkSums&);
  using Back = void (*)(const BackProducts&,
                        std::span<const std::uint32_t>,
                        const float*,
                        float*,
                        float*);
  Back back[3];  // of 1, 2 and 4 rows
};

// As OnAvx2, with fused products.
#ifdef __x86_64__
template <auto body>
struct OnFused;

template <class Result, class... Arguments, Result (*body)(Arguments...)>
struct OnFused<body> {
  [[gnu::target("avx2,fma")]] static Result run(Arguments... arguments) {
    return body(arguments...);
  }
};
#endif

template <template <auto> class On, std::size_t Doubles>
constexpr Products products_on() {
  return {.ends = {On<ends_body<Doubles, 1>>::run,
                   On<ends_body<Doubles, 2>>::run,
                   On<ends_body<Doubles, 4>>::run},
          .deviations = {On<deviations_body<2 * Doubles, 1>>::run,
                         On<deviations_body<2 * Doubles, 2>>::run,
                         On<deviations_body<2 * Doubles, 4>>::run},
          .two = On<two_body<Doubles>>::run,
          .kinks = On<kinks_body<Doubles>>::run,
          .back = {On<back_body<2 * Doubles, 1>>::run,
                   On<back_body<2 * Doubles, 2>>::run,
                   On<back_body<2 * Doubles, 4>>::run}};
}

constexpr Products all_products[] = {products_on<OnBaseline, 2>(),
#ifdef __x86_64__
                                     products_on<OnFused, 4>(),
                                     products_on<OnAvx512, 8>()
#endif
};

const Products& products() {
  static const Products& chosen = all_products[fused_targets() - 1];
  return chosen;
}

}  // namespace

void multiply_ends(const float* a,
                   const float* b,
                   std::span<const Entry> entries,
                   const double* inputs,
                   std::size_t columns,
                   double* out_a,
                   double* out_b) {
  products().ends[columns / 2](a, b, entries, inputs, out_a, out_b);
}

void multiply_deviations(const DeviationWeights& weights,
                         std::span<const Entry> entries,
                         const float* inputs,
                         std::size_t columns,
                         const DeviationProducts& out) {
  products().deviations[columns / 2](weights, entries, inputs, out);
}

void multiply_two(const float* a,
                  const float* b,
                  std::span<const std::uint32_t> rows_0,
                  std::span<const std::uint32_t> rows_1,
                  const double* inputs,
                  double* out_a,
                  double* out_b) {
  products().two(a, b, rows_0, rows_1, inputs, out_a, out_b);
}

void multiply_back(const BackProducts& weights,
                   std::span<const std::uint32_t> columns,
                   const float* values,
                   std::size_t count,
                   float* out_middle,
                   float* out_turned) {
  products().back[count / 2](weights, columns, values, out_middle, out_turned);
}

void add_kinks(const DeviationWeights& weights,
               std::span<const Entry> entries,
               const Kinks& kinks,
               const KinkSums& out) {
  products().kinks(weights, entries, kinks, out);
}

}  // namespace isthmus
