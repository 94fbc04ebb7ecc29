// SPDX-License-Identifier: MIT
#pragma once

/// The target attribute of functions compiled for AVX-512, which shall use whole vectors: g++
/// prefers halves unless told, clang 14 has no such option and takes what the loop has.
#if defined(__clang__)
#define ISTHMUS_TARGET_AVX512 "avx512f,avx512dq"
#else
#define ISTHMUS_TARGET_AVX512 "avx512f,avx512dq,prefer-vector-width=512"
#endif
