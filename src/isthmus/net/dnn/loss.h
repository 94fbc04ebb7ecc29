// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "isthmus/net/engine.h"

namespace isthmus::dnn {

/// The label of sample i. Throws UsageError if there are none, and for one outside [0, width).
std::size_t label_of(const BatchView& batch, std::size_t i, std::size_t width);

/// Sum over the batch of the loss of each sample times its weight, in double. outputs (count, K)
/// row-major. If `gradient` (count, K) is not null it gets the derivatives of the sum times
/// `scale`. NaN in outputs or targets makes the sum NaN. Throws UsageError for targets or labels
/// that are missing, and for a label outside [0, K).
double sum_of_losses(Loss loss,
                     const BatchView& batch,
                     std::size_t width,
                     const float* outputs,
                     float* gradient,
                     double scale);

}  // namespace isthmus::dnn
