// SPDX-License-Identifier: MIT
#include "isthmus/data/generated.h"

#include <fmt/format.h>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

Samples empty_samples(std::size_t count) {
  if (count == 0) {
    throw UsageError("points of a generated task: expected at least 1, got 0");
  }
  Samples samples;
  samples.count = count;
  samples.input_shape = {1};
  samples.values.reserve(count);
  samples.targets.reserve(count);
  return samples;
}

// The target belongs to the input as the network sees it, rounded to float.
void add_sample(Samples& samples, Polynomial task, double x) {
  const auto input = static_cast<float>(x);
  samples.values.push_back(input);
  samples.targets.push_back(static_cast<float>(value_at(task, static_cast<double>(input))));
}

}  // namespace

std::string_view name_of(Polynomial task) {
  return task == Polynomial::quadratic ? "quadratic" : "cubic";
}

double value_at(Polynomial task, double x) {
  if (task == Polynomial::quadratic) {
    return (0.5 * x + 0.25) * x + 0.1;
  }
  return ((8.0 * x - 10.0) * x + 3.0) * x;
}

Samples midpoint_samples(Polynomial task, std::size_t points) {
  Samples samples = empty_samples(points);
  for (std::size_t i = 0; i < points; ++i) {
    add_sample(samples, task, (static_cast<double>(i) + 0.5) / static_cast<double>(points));
  }
  return samples;
}

Samples random_samples(Polynomial task,
                       std::size_t count,
                       std::uint64_t seed,
                       std::uint64_t stream) {
  Samples samples = empty_samples(count);
  Rng rng(seed, stream);
  for (std::size_t i = 0; i < count; ++i) {
    add_sample(samples, task, rng.uniform());
  }
  return samples;
}

}  // namespace isthmus
