// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/loops.h"

namespace isthmus::dnn {
namespace {

double absolute(
    std::size_t size, const float* outputs, const float* targets, float* gradient, double scale) {
  double sum = 0.0;
  for (std::size_t i = 0; i < size; ++i) {
    const double difference = static_cast<double>(outputs[i]) - targets[i];
    sum += std::abs(difference);
    if (gradient != nullptr) {
      const double sign = difference > 0.0 ? 1.0 : difference < 0.0 ? -1.0 : difference;
      gradient[i] = static_cast<float>(scale * sign);
    }
  }
  return sum;
}

double squared(
    std::size_t size, const float* outputs, const float* targets, float* gradient, double scale) {
  double sum = 0.0;
  for (std::size_t i = 0; i < size; ++i) {
    const double difference = static_cast<double>(outputs[i]) - targets[i];
    sum += difference * difference;
    if (gradient != nullptr) {
      gradient[i] = static_cast<float>(scale * 2.0 * difference);
    }
  }
  return sum;
}

double cross_entropy(
    std::size_t width, const float* logits, std::size_t label, float* gradient, double scale) {
  const Loops& loop = loops();
  const float largest = loop.largest(width, logits);
  const double sum = loop.sum_of_powers(width, logits, largest, gradient);
  if (gradient != nullptr) {
    const auto factor = static_cast<float>(scale / sum);
    for (std::size_t k = 0; k < width; ++k) {
      gradient[k] *= factor;
    }
    gradient[label] -= static_cast<float>(scale);
  }
  return std::log(sum) - (static_cast<double>(logits[label]) - static_cast<double>(largest));
}

}  // namespace

std::size_t label_of(const BatchView& batch, std::size_t i, std::size_t width) {
  if (batch.labels == nullptr) {
    throw UsageError("loss cross_entropy: expected labels, got none");
  }
  const std::int32_t label = batch.labels[i];
  if (label < 0 || static_cast<std::size_t>(label) >= width) {
    throw UsageError(fmt::format(
        "loss cross_entropy: expected labels in [0, {}), got {} at sample {}", width, label, i));
  }
  return static_cast<std::size_t>(label);
}

double sum_of_losses(Loss loss,
                     const BatchView& batch,
                     std::size_t width,
                     const float* outputs,
                     float* gradient,
                     double scale) {
  if (loss != Loss::cross_entropy) {
    if (batch.targets == nullptr) {
      throw UsageError(fmt::format("loss {}: expected real targets, got none", name_of(loss)));
    }
    const auto sum = loss == Loss::absolute ? absolute : squared;
    const double share = 1.0 / static_cast<double>(width);  // both are means over the outputs
    return share * sum(batch.count * width, outputs, batch.targets, gradient, scale * share);
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const double weight = batch.weights == nullptr ? 1.0 : static_cast<double>(batch.weights[i]);
    const double found = cross_entropy(width,
                                       outputs + i * width,
                                       label_of(batch, i, width),
                                       gradient == nullptr ? nullptr : gradient + i * width,
                                       scale * weight);
    if (batch.sample_losses != nullptr) {
      batch.sample_losses[i] = static_cast<float>(found);
    }
    sum += weight * found;
  }
  return sum;
}

}  // namespace isthmus::dnn
