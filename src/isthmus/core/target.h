// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

// Inner loops are written once, as always-inlined bodies, and compiled once for every instruction
// set: `OnAvx2<body>::run` is a function of body's signature. Run-time choice is made by the rooms
// rather than by target_clones, whose resolvers run before a sanitizer is ready.

/// A function that becomes part of whoever calls it, instruction set and all.
#define ISTHMUS_BODY [[gnu::always_inline]] inline

/// The target attribute of functions compiled for AVX-512, which shall use whole vectors: g++
/// prefers halves unless told, clang 14 has no such option and takes what the loop has.
#if defined(__clang__)
#define ISTHMUS_TARGET_AVX512 "avx512f,avx512dq"
#else
#define ISTHMUS_TARGET_AVX512 "avx512f,avx512dq,prefer-vector-width=512"
#endif

namespace isthmus {

/// What every processor of the platform can run.
template <auto body>
struct OnBaseline;

template <class Result, class... Arguments, Result (*body)(Arguments...)>
struct OnBaseline<body> {
  static Result run(Arguments... arguments) { return body(arguments...); }
};

#if defined(__x86_64__)
template <auto body>
struct OnAvx2;

template <class Result, class... Arguments, Result (*body)(Arguments...)>
struct OnAvx2<body> {
  [[gnu::target("avx2")]] static Result run(Arguments... arguments) { return body(arguments...); }
};

template <auto body>
struct OnAvx512;

template <class Result, class... Arguments, Result (*body)(Arguments...)>
struct OnAvx512<body> {
  [[gnu::target(ISTHMUS_TARGET_AVX512)]] static Result run(Arguments... arguments) {
    return body(arguments...);
  }
};
#endif

/// How many of OnBaseline, OnAvx2 and OnAvx512, in this order, this processor can run.
inline std::size_t usable_targets() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2")) {
    return 1;
  }
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? 3 : 2;
#else
  return 1;
#endif
}

}  // namespace isthmus
