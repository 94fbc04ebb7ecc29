// SPDX-License-Identifier: MIT
#include "isthmus/data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace isthmus {

std::size_t Samples::features() const {
  return std::accumulate(
      input_shape.begin(), input_shape.end(), std::size_t{1}, std::multiplies<>());
}

std::size_t Samples::outputs() const {
  return count == 0 ? 0 : targets.size() / count;
}

void Samples::copy_input(std::size_t i, float* input) const {
  const std::size_t width = features();
  if (bytes.empty()) {
    std::copy_n(values.data() + i * width, width, input);
    return;
  }
  const std::uint8_t* source = bytes.data() + i * width;
  if (byte_values.empty()) {
    for (std::size_t j = 0; j < width; ++j) {
      input[j] = static_cast<float>(source[j]) * (1.0F / 255.0F);
    }
    return;
  }
  const std::size_t area = width * 256 / byte_values.size();
  for (std::size_t j = 0; j < width; ++j) {
    input[j] = byte_values[j / area * 256 + source[j]];
  }
}

}  // namespace isthmus
