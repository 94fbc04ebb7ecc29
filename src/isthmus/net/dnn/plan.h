// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "isthmus/net/dnn/head.h"
#include "isthmus/net/dnn/stage.h"

namespace isthmus::dnn {

/// A network compiled for one batch size and one mode: stages, their memory, their primitives.
/// Nothing is allocated by our own code once it is built. Build and use it under OneThread; build
/// it outside FlushDenormals, use it inside.
class Plan {
 public:
  /// Its outputs; or their cross-entropy alone, of a network that Head suits.
  enum class Last { outputs, cross_entropy };

  /// `streams`: see BatchView. `last`: what is wanted of the last layer.
  Plan(const Network& network,
       const Layout& layout,
       std::size_t count,
       std::size_t streams,
       Mode mode,
       Last last);

  /// Takes over the parameters of `step`; holds until the next call. The flat vectors must not move
  /// in between.
  void load(const Step& step);
  /// inputs (count, features) row-major; returns the outputs (count, K), which stay until the next
  /// call.
  const float* forward(const Step& step, const float* inputs);
  /// Of a plan with Last::cross_entropy, instead: see Head::forward.
  double cross_entropy(const Step& step, const BatchView& batch, double scale);
  /// Where the derivatives of the loss by the outputs are expected before backward(); null if the
  /// network has no parameters.
  float* output_gradient() const { return output_.gradient ? output_.gradients() : nullptr; }
  /// Writes step.gradient. The inputs of forward() must still be there.
  void backward(const Step& step);

 private:
  class Builder;

  Workspace workspace_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::size_t first_trainable_ = 0;  // stages before it have no backward pass
  std::optional<Head> head_;
  Blob output_;
};

}  // namespace isthmus::dnn
