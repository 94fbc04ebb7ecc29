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

  /// One axis of an image: its extent after the window, the padding before and behind it.
  struct Axis {
    std::size_t output = 0;
    std::size_t before = 0;
    std::size_t after = 0;
  };

  /// The axis of `extent` rows. Kernel and stride are at least 1, and the kernel fits.
  Axis rows(std::size_t extent) const { return along(extent, padding.rows); }
  Axis columns(std::size_t extent) const { return along(extent, padding.columns); }

  /// Calls visit(y, x, row, column) for every element (y, x) of the image under the window of
  /// output (oy, ox), with its place inside the window. `in` is the shape of one sample.
  template <class Visit>
  void each(const Shape& in, std::size_t oy, std::size_t ox, Visit visit) const {
    const std::size_t top = rows(in[1]).before;
    const std::size_t left = columns(in[2]).before;
    for (std::size_t row = 0; row < kernel; ++row) {
      // Unsigned: places before the image wrap round to numbers far behind it.
      const std::size_t y = oy * stride + row - top;
      if (y >= in[1]) {
        continue;
      }
      for (std::size_t column = 0; column < kernel; ++column) {
        const std::size_t x = ox * stride + column - left;
        if (x < in[2]) {
          visit(y, x, row, column);
        }
      }
    }
  }

 private:
  Axis along(std::size_t extent, std::size_t around) const {
    if (!padding.is_same) {
      return {(extent + 2 * around - kernel) / stride + 1, around, around};
    }
    const std::size_t output = (extent + stride - 1) / stride;
    const std::size_t reach = (output - 1) * stride + kernel;
    const std::size_t missing = reach > extent ? reach - extent : 0;
    return {output, missing / 2, missing - missing / 2};
  }
};

/// The window of a Conv2d or a Pool2d.
template <class Layer>
Window window_of(const Layer& layer) {
  return {layer.kernel, layer.stride, layer.padding};
}

}  // namespace isthmus
