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
                            const Fetch& fetch,
                            double* out_a,
                            double* out_b) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  constexpr std::size_t parts = sample_panel / Width;
  Vector sums_a[Columns][parts] = {};
  Vector sums_b[Columns][parts] = {};
  const Fetch next = fetch;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const Entry entry = entries[e];
    const double* const in = inputs + entry.input * Columns;
    if (e % 8 == next.phase) {
      __builtin_prefetch(a + entry.column * sample_panel + next.ahead, 0, 2);
      __builtin_prefetch(b + entry.column * sample_panel + next.ahead, 0, 2);
    }
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
  const Fetch next = weights.fetch;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    const Entry entry = entries[e];
    const float* const in = inputs + 2 * entry.input * Columns;
    if (e % 8 == next.phase) {
      __builtin_prefetch(weights.a + entry.column * sample_panel + next.ahead, 0, 2);
      __builtin_prefetch(weights.b + entry.column * sample_panel + next.ahead, 0, 2);
    }
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

// `Width` doubles in a vector.
template <std::size_t Width>
ISTHMUS_BODY void add_values(const float* a,
                             const float* b,
                             std::span<const Kinks::Value> values,
                             double* sums_a,
                             double* sums_b) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  constexpr std::size_t parts = sample_panel / Width;
  Vector wide_a[parts];
  Vector wide_b[parts];
#pragma GCC unroll 8
  for (std::size_t v = 0; v < parts; ++v) {
    widen<Width>(a + v * Width, &wide_a[v]);
    widen<Width>(b + v * Width, &wide_b[v]);
  }
  for (const Kinks::Value& one : values) {
    double* const to_a = sums_a + one.column * sample_panel;
    double* const to_b = sums_b + one.column * sample_panel;
    const Vector value = one.value - Vector{};
#pragma GCC unroll 8
    for (std::size_t v = 0; v < parts; ++v) {
      Vector sum_a;
      Vector sum_b;
      std::memcpy(&sum_a, to_a + v * Width, sizeof(Vector));
      std::memcpy(&sum_b, to_b + v * Width, sizeof(Vector));
      sum_a += wide_a[v] * value;
      sum_b += wide_b[v] * value;
      std::memcpy(to_a + v * Width, &sum_a, sizeof(Vector));
      std::memcpy(to_b + v * Width, &sum_b, sizeof(Vector));
    }
  }
}

// `Width` floats in a vector.
template <std::size_t Width>
ISTHMUS_BODY void add_deviations(const float* a,
                                 const float* b,
                                 const float* times,
                                 float half,
                                 std::span<const Kinks::Deviation> deviations,
                                 const SampleSums& out) {
  typedef float Vector __attribute__((vector_size(Width * sizeof(float))));
#pragma GCC unroll 8
  for (std::size_t v = 0; v < sample_panel; v += Width) {
    Vector weight;
    Vector end;
    std::memcpy(&weight, a + v, sizeof(Vector));
    std::memcpy(&end, b + v, sizeof(Vector));
    const Vector change = end - weight;
    const Vector beside = half * (change < 0.0F ? -change : change);
    for (const Kinks::Deviation& one : deviations) {
      const std::size_t to = one.column * sample_panel + v;
      const Vector turned = weight + change * times[one.column];
      const Vector size = (turned < 0.0F ? -turned : turned) + beside;
      Vector sums[3];
      std::memcpy(&sums[0], out.middle + to, sizeof(Vector));
      std::memcpy(&sums[1], out.turned + to, sizeof(Vector));
      std::memcpy(&sums[2], out.spread + to, sizeof(Vector));
      sums[0] += turned * one.middle;
      sums[1] += change * one.middle;
      sums[2] += size * one.reach;
      std::memcpy(out.middle + to, &sums[0], sizeof(Vector));
      std::memcpy(out.turned + to, &sums[1], sizeof(Vector));
      std::memcpy(out.spread + to, &sums[2], sizeof(Vector));
    }
  }
}

// `Width` doubles in a vector, twice as many floats.
template <std::size_t Width>
ISTHMUS_BODY void kinks_body(const DeviationWeights& weights,
                             std::span<const Entry> entries,
                             const Kinks& kinks,
                             const SampleSums& out) {
  const SampleSums sums = out;  // which no store changes
  const DeviationWeights from = weights;
  const Kinks::Value* const values = kinks.values.data();
  const Kinks::Deviation* const deviations = kinks.deviations.data();
  const std::uint32_t* const first_value = kinks.first_value.data();
  const std::uint32_t* const first_deviation = kinks.first_deviation.data();
  for (const Entry& entry : entries) {
    const float* const a = from.a + entry.column * sample_panel;
    const float* const b = from.b + entry.column * sample_panel;
    const std::uint32_t* const value = first_value + entry.input;
    const std::uint32_t* const deviation = first_deviation + entry.input;
    add_values<Width>(a, b, {values + value[0], values + value[1]}, sums.a, sums.b);
    add_deviations<2 * Width>(
        a, b, from.times, from.half, {deviations + deviation[0], deviations + deviation[1]}, sums);
  }
}

// `Width` floats in a vector.
template <std::size_t Width, std::size_t Count>
ISTHMUS_BODY void back_body(const BackWeights& weights,
                            std::span<const std::uint32_t> columns,
                            const float* values,
                            float* out_a,
                            float* out_b) {
  typedef float Vector __attribute__((vector_size(Width * sizeof(float))));
  const std::size_t outputs = weights.panels * sample_panel;
  const std::size_t stride = weights.inputs * sample_panel;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    Vector sums_a[Count] = {};
    Vector sums_b[Count] = {};
    const float* a = weights.a + columns[k] * sample_panel;
    const float* b = weights.b + columns[k] * sample_panel;
    const std::size_t ahead =
        (columns[k + 1 < columns.size() ? k + 1 : k] - columns[k]) * sample_panel;
    for (std::size_t from = 0; from < outputs; from += sample_panel) {
      __builtin_prefetch(a + ahead, 0, 2);
      __builtin_prefetch(b + ahead, 0, 2);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < sample_panel; v += Width) {
        Vector left;
        Vector right;
        std::memcpy(&left, a + v, sizeof(Vector));
        std::memcpy(&right, b + v, sizeof(Vector));
#pragma GCC unroll 8
        for (std::size_t j = 0; j < Count; ++j) {
          Vector value;
          std::memcpy(&value, values + j * outputs + from + v, sizeof(Vector));
          sums_a[j] += left * value;
          sums_b[j] += right * value;
        }
      }
      a += stride;
      b += stride;
    }
    for (std::size_t j = 0; j < Count; ++j) {
      float sums[2] = {};
      for (std::size_t lane = 0; lane < Width; ++lane) {
        sums[0] += sums_a[j][lane];
        sums[1] += sums_b[j][lane];
      }
      out_a[k * Count + j] = sums[0];
      out_b[k * Count + j] = sums[1];
    }
  }
}

struct Products {
  using Ends = void (*)(const float*,
                        const float*,
                        std::span<const Entry>,
                        const double*,
                        const Fetch&,
                        double*,
                        double*);
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
  void (*kinks)(const DeviationWeights&, std::span<const Entry>, const Kinks&, const SampleSums&);
  using Back =
      void (*)(const BackWeights&, std::span<const std::uint32_t>, const float*, float*, float*);
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
                   const Fetch& fetch,
                   double* out_a,
                   double* out_b) {
  products().ends[columns / 2](a, b, entries, inputs, fetch, out_a, out_b);
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

void multiply_back(const BackWeights& weights,
                   std::span<const std::uint32_t> columns,
                   const float* values,
                   std::size_t count,
                   float* out_a,
                   float* out_b) {
  products().back[count / 2](weights, columns, values, out_a, out_b);
}

void add_kinks(const DeviationWeights& weights,
               std::span<const Entry> entries,
               const Kinks& kinks,
               const SampleSums& out) {
  products().kinks(weights, entries, kinks, out);
}

}  // namespace isthmus
