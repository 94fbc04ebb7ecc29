// SPDX-License-Identifier: MIT
#include "isthmus/certify/products.h"

#include <cstring>

#include "isthmus/core/target.h"

namespace isthmus {
namespace {

// `Width` doubles in a vector, `Count` vectors at once.
template <std::size_t Width, std::size_t Count>
ISTHMUS_BODY void multiply_body(const double* panel,
                                std::span<const Term> terms,
                                const Lanes* rows,
                                Tile& tile) {
  typedef double Vector __attribute__((vector_size(Width * sizeof(double))));
  for (std::size_t lane = 0; lane < lane_count; lane += Width * Count) {
    Vector sums[panel_width][Count] = {};
    for (const Term& term : terms) {
      const double* const weights = panel + term.column * panel_width;
      const double* const row = rows[term.row].at.data() + lane;
      Vector inputs[Count];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Count; ++v) {
        std::memcpy(&inputs[v], row + v * Width, sizeof(Vector));
      }
#pragma GCC unroll 8
      for (std::size_t j = 0; j < panel_width; ++j) {
        const Vector weight = weights[j] - Vector{};
#pragma GCC unroll 8
        for (std::size_t v = 0; v < Count; ++v) {
          sums[j][v] += weight * inputs[v];
        }
      }
    }
    for (std::size_t j = 0; j < panel_width; ++j) {
      for (std::size_t v = 0; v < Count; ++v) {
        std::memcpy(tile[j].at.data() + lane + v * Width, &sums[j][v], sizeof(Vector));
      }
    }
  }
}

using Multiply = void (*)(const double*, std::span<const Term>, const Lanes*, Tile&);

void multiply_plain(const double* panel,
                    std::span<const Term> terms,
                    const Lanes* rows,
                    Tile& tile) {
  multiply_body<2, 2>(panel, terms, rows, tile);
}

#ifdef __x86_64__
[[gnu::target("avx2,fma")]] void multiply_avx2(const double* panel,
                                               std::span<const Term> terms,
                                               const Lanes* rows,
                                               Tile& tile) {
  multiply_body<4, 2>(panel, terms, rows, tile);
}

[[gnu::target(ISTHMUS_TARGET_AVX512)]] void multiply_avx512(const double* panel,
                                                            std::span<const Term> terms,
                                                            const Lanes* rows,
                                                            Tile& tile) {
  multiply_body<8, 4>(panel, terms, rows, tile);
}
#endif

constexpr Multiply all_multiply[] = {multiply_plain,
#ifdef __x86_64__
                                     multiply_avx2,
                                     multiply_avx512
#endif
};

}  // namespace

std::size_t fused_targets() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    return 3;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 2 : 1;
#else
  return 1;
#endif
}

void multiply(const double* panel, std::span<const Term> terms, const Lanes* rows, Tile& tile) {
  static const Multiply chosen = all_multiply[fused_targets() - 1];
  chosen(panel, terms, rows, tile);
}

}  // namespace isthmus
