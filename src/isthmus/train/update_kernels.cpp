// SPDX-License-Identifier: MIT
#include "isthmus/train/update_kernels.h"

#include <array>
#include <cmath>

// Each loop is written once, as an always-inlined body, and compiled once for every instruction set
// by a function with a target attribute. Run-time choice is made here rather than by
// target_clones, whose resolvers run before a sanitizer is ready. Only division, square root and
// memory bandwidth matter, so 512-bit vectors would gain nothing over 256-bit ones.
#define ISTHMUS_BODY [[gnu::always_inline]] inline

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

// One set of functions with a target attribute (which may be empty) and a table of them.
#define ISTHMUS_UPDATE_KERNELS(set, TARGET)                                                \
  TARGET void sgd_plain_##set(                                                             \
      float* theta, const float* gradient, std::size_t count, const SgdFactors& factors) { \
    sgd_plain_body(theta, gradient, count, factors);                                       \
  }                                                                                        \
  TARGET void sgd_momentum_##set(float* theta,                                             \
                                 const float* gradient,                                    \
                                 float* velocity,                                          \
                                 std::size_t count,                                        \
                                 const SgdFactors& factors) {                              \
    sgd_momentum_body(theta, gradient, velocity, count, factors);                          \
  }                                                                                        \
  TARGET void sgd_nesterov_##set(float* theta,                                             \
                                 const float* gradient,                                    \
                                 float* velocity,                                          \
                                 std::size_t count,                                        \
                                 const SgdFactors& factors) {                              \
    sgd_nesterov_body(theta, gradient, velocity, count, factors);                          \
  }                                                                                        \
  TARGET void rms_prop_##set(float* theta,                                                 \
                             const float* gradient,                                        \
                             float* squares,                                               \
                             std::size_t count,                                            \
                             const RmsPropFactors& factors) {                              \
    rms_prop_body(theta, gradient, squares, count, factors);                               \
  }                                                                                        \
  TARGET void adam_##set(float* theta,                                                     \
                         const float* gradient,                                            \
                         float* first,                                                     \
                         float* second,                                                    \
                         std::size_t count,                                                \
                         const AdamFactors& factors) {                                     \
    adam_body(theta, gradient, first, second, count, factors);                             \
  }                                                                                        \
  TARGET double sum_of_squares_##set(const float* values, std::size_t count) {             \
    return sum_of_squares_body(values, count);                                             \
  }                                                                                        \
  constexpr UpdateKernels kernels_##set {                                                  \
    .name = #set, .sgd_plain = sgd_plain_##set, .sgd_momentum = sgd_momentum_##set,        \
    .sgd_nesterov = sgd_nesterov_##set, .rms_prop = rms_prop_##set, .adam = adam_##set,    \
    .sum_of_squares = sum_of_squares_##set                                                 \
  }

ISTHMUS_UPDATE_KERNELS(baseline, );
#if defined(__x86_64__)
ISTHMUS_UPDATE_KERNELS(avx2, [[gnu::target("avx2")]]);
constexpr std::array all_kernels{kernels_baseline, kernels_avx2};
#else
constexpr std::array all_kernels{kernels_baseline};
#endif

}  // namespace

std::span<const UpdateKernels> available_update_kernels() {
#if defined(__x86_64__)
  static const std::size_t usable = __builtin_cpu_supports("avx2") ? 2 : 1;
#else
  constexpr std::size_t usable = 1;
#endif
  return std::span(all_kernels).first(usable);
}

const UpdateKernels& update_kernels() {
  return available_update_kernels().back();
}

}  // namespace isthmus
