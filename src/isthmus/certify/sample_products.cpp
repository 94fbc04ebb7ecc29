// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_products.h"

#include <array>
#include <cstring>

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

template <std::size_t Columns>
void ends_plain(const float* a,
                const float* b,
                std::span<const Entry> entries,
                const double* inputs,
                double* out_a,
                double* out_b) {
  ends_body<2, Columns>(a, b, entries, inputs, out_a, out_b);
}

template <std::size_t Columns>
void deviations_plain(const DeviationWeights& weights,
                      std::span<const Entry> entries,
                      const float* inputs,
                      const DeviationProducts& out) {
  deviations_body<4, Columns>(weights, entries, inputs, out);
}

constexpr Products plain{{ends_plain<1>, ends_plain<2>, ends_plain<4>},
                         {deviations_plain<1>, deviations_plain<2>, deviations_plain<4>}};

#ifdef __x86_64__
template <std::size_t Columns>
[[gnu::target("avx2,fma")]] void ends_avx2(const float* a,
                                           const float* b,
                                           std::span<const Entry> entries,
                                           const double* inputs,
                                           double* out_a,
                                           double* out_b) {
  ends_body<4, Columns>(a, b, entries, inputs, out_a, out_b);
}

template <std::size_t Columns>
[[gnu::target("avx2,fma")]] void deviations_avx2(const DeviationWeights& weights,
                                                 std::span<const Entry> entries,
                                                 const float* inputs,
                                                 const DeviationProducts& out) {
  deviations_body<8, Columns>(weights, entries, inputs, out);
}

template <std::size_t Columns>
[[gnu::target(ISTHMUS_TARGET_AVX512)]] void ends_avx512(const float* a,
                                                        const float* b,
                                                        std::span<const Entry> entries,
                                                        const double* inputs,
                                                        double* out_a,
                                                        double* out_b) {
  ends_body<8, Columns>(a, b, entries, inputs, out_a, out_b);
}

template <std::size_t Columns>
[[gnu::target(ISTHMUS_TARGET_AVX512)]] void deviations_avx512(const DeviationWeights& weights,
                                                              std::span<const Entry> entries,
                                                              const float* inputs,
                                                              const DeviationProducts& out) {
  deviations_body<16, Columns>(weights, entries, inputs, out);
}

constexpr Products avx2{{ends_avx2<1>, ends_avx2<2>, ends_avx2<4>},
                        {deviations_avx2<1>, deviations_avx2<2>, deviations_avx2<4>}};
constexpr Products avx512{{ends_avx512<1>, ends_avx512<2>, ends_avx512<4>},
                          {deviations_avx512<1>, deviations_avx512<2>, deviations_avx512<4>}};
#endif

const Products& choose() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    return avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return avx2;
  }
#endif
  return plain;
}

const Products& products() {
  static const Products& chosen = choose();
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
