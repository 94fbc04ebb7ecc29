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

struct Products {
  using Ends =
      void (*)(const float*, const float*, std::span<const Entry>, const double*, double*, double*);
  using Deviations = void (*)(const DeviationWeights&,
                              std::span<const Entry>,
                              const float*,
                              const DeviationProducts&);
  Ends ends[3];  // of 1, 2 and 4 columns
  Deviations deviations[3];
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
                         On<deviations_body<2 * Doubles, 4>>::run}};
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

}  // namespace isthmus
