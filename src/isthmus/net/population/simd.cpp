// SPDX-License-Identifier: MIT
#include "isthmus/net/population/simd.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "isthmus/core/error.h"

namespace isthmus::population {

std::vector<Simd> available_simd() {
  std::vector<Simd> levels{Simd::plain};
#ifdef ISTHMUS_POPULATION_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    levels.push_back(Simd::avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
      levels.push_back(Simd::avx512);
    }
  }
#endif
  return levels;
}

Simd chosen_simd() {
  const std::vector<Simd> levels = available_simd();
  const char* wanted = std::getenv("ISTHMUS_SIMD");
  if (wanted == nullptr || *wanted == '\0') {
    return levels.back();
  }
  const auto level = std::ranges::find(levels, std::string_view(wanted), name_of<Simd>);
  if (level == levels.end()) {
    std::vector<std::string_view> names;
    std::ranges::transform(levels, std::back_inserter(names), name_of<Simd>);
    throw UsageError(fmt::format(
        "ISTHMUS_SIMD: expected one of {} (what this processor has), got '{}'; unset it "
        "to use the widest",
        fmt::join(names, ", "),
        wanted));
  }
  return *level;
}

}  // namespace isthmus::population
