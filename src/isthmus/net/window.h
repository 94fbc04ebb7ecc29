// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "isthmus/net/network.h"

namespace isthmus {

/// The window of a convolution or a pooling layer over images (channels, height, width).
struct Window {
  std::size_t kernel = 1;
  std::size_t stride = 1;
  Padding padding = Padding::valid;

  /// Calls visit(y, x, row, column) for every element (y, x) of the image under the window of
  /// output (oy, ox), with its place inside the window. `in` and `out` are shapes of one sample.
  template <class Visit>
  void each(const Shape& in, const Shape& out, std::size_t oy, std::size_t ox, Visit visit) const {
    const std::size_t top = before(in[1], out[1]);
    const std::size_t left = before(in[2], out[2]);
    for (std::size_t row = 0; row < kernel; ++row) {
      for (std::size_t column = 0; column < kernel; ++column) {
        // Unsigned: places before the image wrap round to numbers far behind it.
        const std::size_t y = oy * stride + row - top;
        const std::size_t x = ox * stride + column - left;
        if (y < in[1] && x < in[2]) {
          visit(y, x, row, column);
        }
      }
    }
  }

 private:
  // Rows or columns of padding before the image: half of what is missing, the odd one goes behind.
  std::size_t before(std::size_t in, std::size_t out) const {
    const std::size_t reach = (out - 1) * stride + kernel;
    return padding == Padding::same && reach > in ? (reach - in) / 2 : 0;
  }
};

}  // namespace isthmus
