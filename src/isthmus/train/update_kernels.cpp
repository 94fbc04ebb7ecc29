// SPDX-License-Identifier: MIT
#include "isthmus/train/update_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "isthmus/core/target.h"

// Heads of kernels stand again and again: their pointers must be parameters, which cannot alias, of
// a function of their own, which is compiled for each processor.
//
// Only division, square root and memory bandwidth matter, so 512-bit vectors would gain nothing
// over 256-bit ones.

namespace isthmus {
namespace {

ISTHMUS_BODY void sgd_plain_body(float* __restrict theta,
                                 const float* __restrict gradient,
                                 std::size_t count,
                                 const SgdFactors& factors) {
  const SgdFactors f = factors;
  for (std::size_t i = 0; i < count; ++i) {
    theta[i] -= f.rate * (f.gradient_scale * gradient[i]);
  }
}

ISTHMUS_BODY void sgd_momentum_body(float* __restrict theta,
                                    const float* __restrict gradient,
                                    float* __restrict velocity,
                                    std::size_t count,
                                    const SgdFactors& factors) {
  const SgdFactors f = factors;
  for (std::size_t i = 0; i < count; ++i) {
    velocity[i] = f.momentum * velocity[i] + f.gradient_scale * gradient[i];
    theta[i] -= f.rate * velocity[i];
  }
}

ISTHMUS_BODY void sgd_nesterov_body(float* __restrict theta,
                                    const float* __restrict gradient,
                                    float* __restrict velocity,
                                    std::size_t count,
                                    const SgdFactors& factors) {
  const SgdFactors f = factors;
  for (std::size_t i = 0; i < count; ++i) {
    const float g = f.gradient_scale * gradient[i];
    velocity[i] = f.momentum * velocity[i] + g;
    theta[i] -= f.rate * (g + f.momentum * velocity[i]);
  }
}

ISTHMUS_BODY void rms_prop_body(float* __restrict theta,
                                const float* __restrict gradient,
                                float* __restrict squares,
                                std::size_t count,
                                const RmsPropFactors& factors) {
  const RmsPropFactors f = factors;
  for (std::size_t i = 0; i < count; ++i) {
    const float g = f.gradient_scale * gradient[i];
    squares[i] = f.decay * squares[i] + f.one_minus_decay * (g * g);
    theta[i] -= f.rate * g / (std::sqrt(squares[i]) + f.epsilon);
  }
}

ISTHMUS_BODY void adam_body(float* __restrict theta,
                            const float* __restrict gradient,
                            float* __restrict first,
                            float* __restrict second,
                            std::size_t count,
                            const AdamFactors& factors) {
  const AdamFactors f = factors;
  for (std::size_t i = 0; i < count; ++i) {
    const float g = f.gradient_scale * gradient[i];
    first[i] = f.beta1 * first[i] + f.one_minus_beta1 * g;
    second[i] = f.beta2 * second[i] + f.one_minus_beta2 * (g * g);
    theta[i] -= f.rate * first[i] / (std::sqrt(second[i]) + f.epsilon);
  }
}

ISTHMUS_BODY double sum_of_squares_body(const float* __restrict values, std::size_t count) {
  constexpr std::size_t lanes = 16;
  double sums[lanes] = {};
  const std::size_t whole = count - count % lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double value = static_cast<double>(values[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (std::size_t i = whole; i < count; ++i) {
    const double value = static_cast<double>(values[i]);
    sums[i - whole] += value * value;
  }
  double total = 0.0;
  for (const double sum : sums) {
    total += sum;
  }
  return total;
}

// The kernels as `On` compiles them.
template <template <auto> class On>
constexpr UpdateKernels kernels_on(std::string_view name) {
  return {.name = name,
          .sgd_plain = On<sgd_plain_body>::run,
          .sgd_momentum = On<sgd_momentum_body>::run,
          .sgd_nesterov = On<sgd_nesterov_body>::run,
          .rms_prop = On<rms_prop_body>::run,
          .adam = On<adam_body>::run,
          .sum_of_squares = On<sum_of_squares_body>::run};
}

constexpr std::array all_kernels {
  kernels_on<OnBaseline>("baseline"),
#if defined(__x86_64__)
      kernels_on<OnAvx2>("avx2"),
#endif
};

}  // namespace

std::span<const UpdateKernels> available_update_kernels() {
  static const std::size_t usable = std::min(usable_targets(), all_kernels.size());
  return std::span(all_kernels).first(usable);
}

const UpdateKernels& update_kernels() {
  return available_update_kernels().back();
}

}  // namespace isthmus
