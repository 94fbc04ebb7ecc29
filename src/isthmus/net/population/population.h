// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "isthmus/net/engine.h"
#include "isthmus/net/population/kernels.h"
#include "isthmus/net/population/simd.h"

namespace isthmus::population {

/// Widest input or layer of a population.
inline constexpr std::size_t largest_width = 64;

/// Small multilayer perceptrons of one shape, evaluated with samples or with thetas in SIMD lanes,
/// whichever is faster; both give the same bits for a theta. `Real` is float (the engine that
/// trains) or double (gradient checks and tests). The instruction set is a matter of speed and
/// rounding: results of different ones agree to a few units in the last place of the type.
///
/// Losses are summed in float over blocks of 16 numbers a lane, beyond that in double. Where an
/// absolute error is exactly zero its derivative is taken as 1 or -1, not 0.
///
/// Not safe to share between threads. No allocation after the first call of a batch size.
template <class Real>
class Population {
 public:
  /// Throws UsageError if the network is no perceptron, has no parameters or is wider than 64.
  explicit Population(const Network& network, Simd level = chosen_simd());
  Population(Population&&) noexcept = default;
  Population(const Population&) = delete;  // plan_ points into stages_

  std::size_t dimension() const { return plan_.dimension; }
  std::size_t outputs() const { return plan_.outputs; }
  std::size_t lanes() const { return kernels_->lanes; }

  /// As in Engine. Throw UsageError if a span or the batch does not fit the network, or a label
  /// lies outside [0, K).
  void forward(std::span<const Real> theta, const BatchView& batch, std::span<Real> outputs);
  void losses(std::span<const Real> thetas,
              const BatchView& batch,
              Loss loss,
              std::span<double> losses);
  void losses_and_gradients(std::span<const Real> thetas,
                            const BatchView& batch,
                            Loss loss,
                            std::span<double> losses,
                            std::span<Real> gradients);

  std::size_t preferred_population(std::size_t count) const;

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };

  Samples<Real> arrange(const BatchView& batch, const Loss* loss);
  void evaluate(std::span<const Real> thetas,
                const BatchView& batch,
                Loss loss,
                std::span<double> losses,
                Real* gradients);
  bool thetas_go_in_lanes(std::size_t samples) const;

  std::vector<Stage> stages_;
  Plan plan_;
  const Kernels<Real>* kernels_;
  std::vector<Line> scratch_;
  std::vector<Real> rows_;  // the batch as the kernels read it
};

extern template class Population<float>;
extern template class Population<double>;

}  // namespace isthmus::population
