// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "isthmus/objective/objective.h"

namespace isthmus::testing {

/// An objective without what it may have but need not: it tells no margins and no losses of its
/// samples. `inner` must outlive it.
class PlainObjective final : public Objective {
 public:
  explicit PlainObjective(const Objective& inner) : inner_(inner) {}
  const Layout& layout() const override { return inner_.layout(); }
  std::size_t samples(Split split) const override { return inner_.samples(split); }
  Loss loss() const override { return inner_.loss(); }
  bool supports(Metric metric) const override { return inner_.supports(metric); }
  std::unique_ptr<Evaluator> evaluator() const override { return inner_.evaluator(); }
  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t batch_size) const override {
    return inner_.batches(seed, stream, batch_size);
  }
  bool training_loss_is(Metric metric, Split split) const override {
    return inner_.training_loss_is(metric, split);
  }
  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    inner_.initialise(seed, stream, theta);
  }

 private:
  const Objective& inner_;
};

}  // namespace isthmus::testing
