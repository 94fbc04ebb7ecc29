// SPDX-License-Identifier: MIT
#include "isthmus/train/ascending.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

namespace isthmus {
namespace {

constexpr unsigned digit_bits = 11;
constexpr std::uint32_t digits = 1U << digit_bits;

// Ascends with the value.
std::uint32_t key_of(float value) {
  if (std::isnan(value)) {
    value = -std::numeric_limits<float>::infinity();
  }
  constexpr std::uint32_t sign = 0x80000000U;
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);  // -0 becomes 0
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

}  // namespace

std::span<const std::uint32_t> Ascending::order(std::span<const float> values) {
  const std::size_t count = values.size();
  keys_.resize(count);
  order_.resize(count);
  other_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    keys_[i] = key_of(values[i]);
  }
  std::iota(order_.begin(), order_.end(), 0U);
  // By one digit after the other, the least first; each pass keeps the order of equal digits.
  for (unsigned shift = 0; shift < 32; shift += digit_bits) {
    std::array<std::uint32_t, digits> place{};
    for (const std::uint32_t key : keys_) {
      ++place[(key >> shift) % digits];
    }
    std::uint32_t before = 0;
    for (std::uint32_t& first : place) {
      before += std::exchange(first, before);
    }
    for (const std::uint32_t index : order_) {
      other_[place[(keys_[index] >> shift) % digits]++] = index;
    }
    order_.swap(other_);
  }
  return order_;
}

}  // namespace isthmus
