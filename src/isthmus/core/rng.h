// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>

namespace isthmus {

/// A 64-bit name of a random stream, hashed from the words that say what the stream is for, for
/// example {seed, pair, end point, purpose}. Every word passes through a full avalanche, so streams
/// of neighbouring words share nothing (seeding one generator with neighbouring numbers gives
/// streams that are shifted copies of each other, and networks that look aligned but are not).
std::uint64_t stream_name(std::initializer_list<std::uint64_t> words);

/// xoshiro256** (Blackman, Vigna 2018) started by (seed, stream). Equal arguments give equal
/// numbers on every machine, except for normal(), which depends on the C library's log and cos.
/// Not safe to share between threads: give each worker its own stream.
class Rng {
 public:
  using result_type = std::uint64_t;

  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()();

  /// Uniform in [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in {0, ..., n - 1}, n > 0, without bias.
  std::uint64_t below(std::uint64_t n);
  double normal();
  /// Standard normal, redrawn until it lies within two standard deviations (TensorFlow's
  /// truncated_normal).
  double truncated_normal();
  /// Where it is: set_state(state()) of another generator makes it go on the same way.
  const std::array<std::uint64_t, 4>& state() const { return state_; }
  void set_state(const std::array<std::uint64_t, 4>& state) { state_ = state; }
  /// Fisher-Yates.
  void shuffle(std::span<std::uint32_t> values);

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace isthmus
