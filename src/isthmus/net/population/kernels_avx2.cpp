// SPDX-License-Identifier: MIT
#include <immintrin.h>

#define ISTHMUS_SIMD avx2
#define ISTHMUS_VECTOR_BYTES 32
#include "isthmus/net/population/kernels.inc"
