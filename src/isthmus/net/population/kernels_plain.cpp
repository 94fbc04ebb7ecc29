// SPDX-License-Identifier: MIT
// 128-bit vectors: SSE2, NEON, or whatever the compiler makes of them.
#define ISTHMUS_SIMD plain
#define ISTHMUS_VECTOR_BYTES 16
#include "isthmus/net/population/kernels.inc"
