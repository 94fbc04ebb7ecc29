// SPDX-License-Identifier: MIT
#include "isthmus/objective/loss_sample.h"

#include <cmath>
#include <functional>
#include <numeric>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// What a sample weighs beside the mean of all: half for its size, half for being one.
std::vector<double> weights_of(std::size_t samples, std::span<const float> sizes) {
  const auto size_of = [](float loss) { return std::abs(static_cast<double>(loss)); };
  const double sum = std::transform_reduce(sizes.begin(), sizes.end(), 0.0, std::plus<>(), size_of);
  std::vector<double> weights(samples, 1.0);
  if (std::isfinite(sum) && sum > 0.0) {
    for (std::size_t i = 0; i < samples; ++i) {
      weights[i] = 0.5 + 0.5 * static_cast<double>(samples) * size_of(sizes[i]) / sum;
    }
  }
  return weights;
}

// The factor that makes chances of weights, at most 1 each and `count` in all.
double factor_of(std::span<const double> weights, std::size_t count) {
  double factor = 0.0;
  for (;;) {
    std::size_t certain = 0;
    double others = 0.0;
    for (const double weight : weights) {
      const bool is_certain = factor * weight >= 1.0;
      certain += is_certain ? 1 : 0;
      others += is_certain ? 0.0 : weight;
    }
    const double next =
        others > 0.0 && certain < count ? static_cast<double>(count - certain) / others : factor;
    if (!(next > factor)) {
      return factor;
    }
    factor = next;
  }
}

}  // namespace

LossSample::LossSample(std::size_t samples, std::span<const float> sizes, std::size_t count)
    : samples_(samples) {
  ISTHMUS_ASSERT(sizes.empty() || sizes.size() == samples, "a size for every sample");
  ISTHMUS_ASSERT(samples > 0 && count > 0, "samples to choose from");
  if (count >= samples) {
    indices_.resize(samples);
    std::iota(indices_.begin(), indices_.end(), 0U);
    chances_.assign(samples, 1.0);
    return;
  }
  const std::vector<double> weights = weights_of(samples, sizes);
  const double factor = factor_of(weights, count);
  double sum = 0.0;   // of the chances of those that are not certain
  double next = 0.5;  // where the next one of them is drawn
  for (std::size_t i = 0; i < samples; ++i) {
    const double chance = factor * weights[i];
    if (chance < 1.0) {
      sum += chance;
      if (sum < next) {
        continue;
      }
      next += 1.0;
    }
    indices_.push_back(static_cast<std::uint32_t>(i));
    chances_.push_back(chance < 1.0 ? chance : 1.0);
  }
}

// Horvitz and Thompson's estimate, with Hajek's of its variance.
LossSample::Mean LossSample::mean(std::span<const float> values) const {
  ISTHMUS_ASSERT(values.size() == indices_.size(), "a value for every index");
  double sum = 0.0;
  double drawn_sum = 0.0;
  std::size_t drawn = 0;  // by chance
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double share = static_cast<double>(values[i]) / chances_[i];
    sum += share;
    if (chances_[i] < 1.0) {
      drawn_sum += share;
      ++drawn;
    }
  }
  const auto all = static_cast<double>(samples_);
  if (drawn < 2) {
    return {.value = sum / all};
  }
  const auto count = static_cast<double>(drawn);
  double squares = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double off = static_cast<double>(values[i]) / chances_[i] - drawn_sum / count;
    squares += (1.0 - chances_[i]) * off * off;
  }
  return {.value = sum / all, .error = std::sqrt(count / (count - 1.0) * squares) / all};
}

}  // namespace isthmus
