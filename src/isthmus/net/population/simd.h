// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "isthmus/core/names.h"

namespace isthmus::population {

/// Instruction sets that the kernels are compiled for, narrow to wide.
enum class Simd {
  plain,   ///< what every processor of the platform has
  avx2,    ///< AVX2 and FMA
  avx512,  ///< AVX-512 F and DQ
};

}  // namespace isthmus::population

namespace isthmus {

template <>
inline constexpr auto enum_names<population::Simd> =
    name_table<population::Simd>("ISTHMUS_SIMD",
                                 {{population::Simd::plain, "plain"},
                                  {population::Simd::avx2, "avx2"},
                                  {population::Simd::avx512, "avx512"}});

}  // namespace isthmus

namespace isthmus::population {

/// Those that this program and this processor have, narrow to wide; plain is always there.
std::vector<Simd> available_simd();

/// The widest available one, or the one that the environment variable ISTHMUS_SIMD names. Throws
/// UsageError if that is unknown or not available.
Simd chosen_simd();

}  // namespace isthmus::population
