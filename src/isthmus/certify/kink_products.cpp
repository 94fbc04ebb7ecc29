// SPDX-License-Identifier: MIT
#include "isthmus/certify/kink_products.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "isthmus/certify/products.h"
#include "isthmus/core/target.h"

namespace isthmus {
namespace {

constexpr std::size_t rows_at_once = 4;

// `Width` doubles in a vector, `Count` vectors at once.
template <std::size_t Width, std::size_t Count>
ISTHMUS_BODY void multiply_columns(const std::array<const double*, rows_at_once>& weights,
                                   std::span<const std::uint32_t> columns,
                                   const double* in,
                                   std::size_t stride,
                                   const std::array<double*, rows_at_once>& out) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  Vector sums[rows_at_once][Count] = {};
  for (const std::uint32_t column : columns) {
    Vector inputs[Count];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Count; ++v) {
      std::memcpy(&inputs[v], in + v * Width, sizeof(Vector));
    }
#pragma GCC unroll 8
    for (std::size_t j = 0; j < rows_at_once; ++j) {
      const Vector weight = weights[j][column] - Vector{};
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Count; ++v) {
        sums[j][v] += weight * inputs[v];
      }
    }
    in += stride;
  }
  for (std::size_t j = 0; j < rows_at_once; ++j) {
    std::memcpy(out[j], &sums[j][0], sizeof(sums[j]));
  }
}

template <std::size_t Width, std::size_t Count>
ISTHMUS_BODY void multiply_body(const PickedMatrix& matrix,
                                const double* in,
                                double* out,
                                std::size_t stride,
                                std::size_t width) {
  constexpr std::size_t at_once = Width * Count;
  static_assert(at_once <= kink_margin);
  for (std::size_t row = 0; row < matrix.rows.size(); row += rows_at_once) {
    std::array<const double*, rows_at_once> weights{};
    std::array<double*, rows_at_once> to{};
    for (std::size_t j = 0; j < rows_at_once; ++j) {
      // The last rows again where there are no more.
      const std::size_t own = std::min(row + j, matrix.rows.size() - 1);
      weights[j] = matrix.weights + matrix.rows[own] * matrix.inputs;
      to[j] = out + own * stride;
    }
    for (std::size_t c = 0; c < width; c += at_once) {
      const auto at = [&](double* begin) { return begin + c; };
      multiply_columns<Width, Count>(
          weights, matrix.columns, in + c, stride, {at(to[0]), at(to[1]), at(to[2]), at(to[3])});
    }
  }
}

ISTHMUS_BODY void sum_tables_body(const double* plain,
                                  const double* turned,
                                  const KinkTables& tables,
                                  KinkSums& sums) {
  Parts low;
  Parts high;
  Parts sizes;
  double magnitude = 0.0;
  for (std::size_t k = 0; k < tables.low.size(); ++k) {
    const double weight = plain[k];
    const double turn = std::abs(turned[k]);
    const Parts& size = tables.size[k];
    const Parts& least = weight > 0.0 ? tables.low[k] : tables.high[k];
    const Parts& most = weight > 0.0 ? tables.high[k] : tables.low[k];
    for (std::size_t part = 0; part < kink_parts; ++part) {
      low[part] += weight * least[part];
      high[part] += weight * most[part];
      sizes[part] += turn * size[part];
    }
    magnitude += (std::abs(weight) + turn) * tables.largest[k];
  }
  sums = {.low = low, .high = high, .turned = sizes, .magnitude = magnitude};
}

using Multiply = void (*)(const PickedMatrix&, const double*, double*, std::size_t, std::size_t);
using SumTables = void (*)(const double*, const double*, const KinkTables&, KinkSums&);

void multiply_plain(const PickedMatrix& matrix,
                    const double* in,
                    double* out,
                    std::size_t stride,
                    std::size_t width) {
  multiply_body<2, 2>(matrix, in, out, stride, width);
}
void sum_plain(const double* plain,
               const double* turned,
               const KinkTables& tables,
               KinkSums& sums) {
  sum_tables_body(plain, turned, tables, sums);
}

#ifdef __x86_64__
[[gnu::target("avx2,fma")]] void multiply_avx2(const PickedMatrix& matrix,
                                               const double* in,
                                               double* out,
                                               std::size_t stride,
                                               std::size_t width) {
  multiply_body<4, 2>(matrix, in, out, stride, width);
}
[[gnu::target("avx2,fma")]] void sum_avx2(const double* plain,
                                          const double* turned,
                                          const KinkTables& tables,
                                          KinkSums& sums) {
  sum_tables_body(plain, turned, tables, sums);
}
[[gnu::target(ISTHMUS_TARGET_AVX512)]] void multiply_avx512(const PickedMatrix& matrix,
                                                            const double* in,
                                                            double* out,
                                                            std::size_t stride,
                                                            std::size_t width) {
  multiply_body<8, 2>(matrix, in, out, stride, width);
}
[[gnu::target(ISTHMUS_TARGET_AVX512)]] void sum_avx512(const double* plain,
                                                       const double* turned,
                                                       const KinkTables& tables,
                                                       KinkSums& sums) {
  sum_tables_body(plain, turned, tables, sums);
}
#endif

constexpr Multiply all_multiply[] = {multiply_plain,
#ifdef __x86_64__
                                     multiply_avx2,
                                     multiply_avx512
#endif
};
constexpr SumTables all_sums[] = {sum_plain,
#ifdef __x86_64__
                                  sum_avx2,
                                  sum_avx512
#endif
};

}  // namespace

void multiply_picked(const PickedMatrix& matrix,
                     const double* in,
                     double* out,
                     std::size_t stride,
                     std::size_t width) {
  static const Multiply chosen = all_multiply[fused_targets() - 1];
  chosen(matrix, in, out, stride, width);
}

void sum_tables(const double* plain,
                const double* turned,
                const KinkTables& tables,
                KinkSums& sums) {
  static const SumTables chosen = all_sums[fused_targets() - 1];
  chosen(plain, turned, tables, sums);
}

}  // namespace isthmus
