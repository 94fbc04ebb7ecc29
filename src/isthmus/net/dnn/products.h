// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

namespace isthmus::dnn {

/// products[i, j] = sum over k of a[i, k] b[j, k], on this thread alone: a (m, width), b (n,
/// width), products (m, n), all row-major.
void row_products(std::span<const float> a,
                  std::span<const float> b,
                  std::size_t width,
                  std::span<float> products);

}  // namespace isthmus::dnn
