// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace isthmus {

/// The numbers of one SGD update: v = momentum * v + scale * g, theta -= rate * v (Nesterov:
/// theta -= rate * (scale * g + momentum * v)).
struct SgdFactors {
  float rate = 0.0F;
  float momentum = 0.0F;
  float gradient_scale = 1.0F;
};

/// The numbers of one RMSProp update.
struct RmsPropFactors {
  float rate = 0.0F;
  float decay = 0.0F;
  float one_minus_decay = 0.0F;  ///< rounded from double, not from `decay`
  float epsilon = 0.0F;
  float gradient_scale = 1.0F;
};

/// The numbers of one Adam update; `rate` holds the bias correction.
struct AdamFactors {
  float rate = 0.0F;
  float beta1 = 0.0F;
  float one_minus_beta1 = 0.0F;
  float beta2 = 0.0F;
  float one_minus_beta2 = 0.0F;
  float epsilon = 0.0F;
  float gradient_scale = 1.0F;
};

/// The inner loops of the optimizers for one instruction set: one pass over memory each, `count`
/// numbers in every array, arrays that do not overlap. Every element goes through the same
/// correctly rounded operations in the same order (no fused multiply-add), so all instruction sets
/// give the same bits.
struct UpdateKernels {
  std::string_view name;
  void (*sgd_plain)(float* theta, const float* gradient, std::size_t count, const SgdFactors&);
  void (*sgd_momentum)(
      float* theta, const float* gradient, float* velocity, std::size_t count, const SgdFactors&);
  void (*sgd_nesterov)(
      float* theta, const float* gradient, float* velocity, std::size_t count, const SgdFactors&);
  void (*rms_prop)(float* theta,
                   const float* gradient,
                   float* squares,
                   std::size_t count,
                   const RmsPropFactors&);
  void (*adam)(float* theta,
               const float* gradient,
               float* first,
               float* second,
               std::size_t count,
               const AdamFactors&);
  /// Of all elements, in double, in 16 partial sums that are added in a fixed order.
  double (*sum_of_squares)(const float* values, std::size_t count);
};

/// The kernels that this processor can run, plain ones first, fastest last.
std::span<const UpdateKernels> available_update_kernels();

/// The fastest of them.
const UpdateKernels& update_kernels();

}  // namespace isthmus
