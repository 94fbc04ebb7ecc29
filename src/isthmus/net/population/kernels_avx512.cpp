// SPDX-License-Identifier: MIT
#include <immintrin.h>

#define ISTHMUS_SIMD avx512
#define ISTHMUS_VECTOR_BYTES 64
#include "isthmus/net/population/kernels.inc"
