// SPDX-License-Identifier: MIT
#include "isthmus/core/rng.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;

// The finalizer of splitmix64: a bijection in which every input bit changes half of the output.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

std::uint64_t stream_name(std::initializer_list<std::uint64_t> words) {
  std::uint64_t hash = mix(golden + words.size());
  for (const std::uint64_t word : words) {
    hash = mix(hash * 0xd6e8feb86659fd93ULL + mix(word + golden));
  }
  return hash;
}

Rng::Rng(std::uint64_t seed, std::uint64_t stream) {
  // Four words hashed apart, not four steps of one counter.
  for (std::uint64_t i = 0; i < state_.size(); ++i) {
    state_[i] = stream_name({seed, stream, i});
  }
}

Rng::result_type Rng::operator()() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Rng::uniform() {
  return static_cast<double>((*this)() >> 11) * 0x1.0p-53;
}

std::uint64_t Rng::below(std::uint64_t n) {
  ISTHMUS_ASSERT(n > 0, "a range to draw from is not empty");
  // Rejects the few values that would favour small results.
  const std::uint64_t limit = max() - (max() % n + 1) % n;
  std::uint64_t draw = (*this)();
  while (draw > limit) {
    draw = (*this)();
  }
  return draw % n;
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

double Rng::truncated_normal() {
  double draw = normal();
  while (std::abs(draw) > 2.0) {
    draw = normal();
  }
  return draw;
}

void Rng::shuffle(std::span<std::uint32_t> values) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[below(i)]);
  }
}

}  // namespace isthmus
