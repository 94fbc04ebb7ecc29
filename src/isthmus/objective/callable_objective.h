// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "isthmus/core/rng.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// A loss at theta (P). Where `gradient` is not empty it has size P and is overwritten. The result
/// depends on theta alone; not a number and infinity are allowed.
using LossFunction = std::function<double(std::span<const float> theta, std::span<float> gradient)>;

/// What a LossFunction allows.
enum class CallSafety {
  concurrent,  ///< several threads may call it at once
  serial,      ///< one call at a time; calls of several workers wait for each other
};

/// A loss of the user's own: an analytic surface, or a model that another program evaluates.
struct CallableOptions {
  Layout layout{};      ///< names the tensors of theta; at least one number
  LossFunction loss{};  ///< trains, and is the value of `metric` on both splits
  CallSafety safety = CallSafety::serial;
  /// What the loss is called: mean_absolute_error, mean_squared_error or cross_entropy. The only
  /// metric that the objective supports.
  Metric metric = Metric::mean_squared_error;
  /// Samples that one evaluation is worth in the counts of costs. >= 1.
  std::size_t samples = 1;
  /// How many thetas train in step in one call (see Evaluator::preferred_population). >= 1.
  std::size_t population = 1;
  /// Fills a starting point; empty: uniform in [-1, 1].
  std::function<void(Rng& rng, std::span<float> theta)> initialise{};
};

/// An Objective whose every value comes from options.loss; its batches are constant and without
/// data. Throws UsageError that names the option.
std::unique_ptr<Objective> make_callable_objective(CallableOptions options);

}  // namespace isthmus
