// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "isthmus/core/names.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/network.h"

namespace isthmus {

/// What is averaged over samples. With outputs o (K numbers) and a target y or a label l:
enum class Loss {
  absolute,       ///< mean over the K outputs of |o - y|
  squared,        ///< mean over the K outputs of (o - y)^2
  cross_entropy,  ///< log(sum_k exp o_k) - o_l, in nats: the outputs are logits
};

template <>
inline constexpr auto enum_names<Loss> = name_table<Loss>("loss",
                                                          {{Loss::absolute, "absolute"},
                                                           {Loss::squared, "squared"},
                                                           {Loss::cross_entropy, "cross_entropy"}});

/// A view of some samples, inputs as floats. The memory is the caller's.
struct BatchView {
  std::size_t count = 0;
  const float* inputs = nullptr;         ///< (count, features), row-major
  const float* targets = nullptr;        ///< (count, outputs), for absolute and squared
  const std::int32_t* labels = nullptr;  ///< (count), for cross_entropy

  /// Recurrent networks alone: the samples are `streams` sequences side by side, sample i being the
  /// next of stream i % streams. `count` is a multiple of it.
  std::size_t streams = 1;
  /// The state before the first samples, overwritten by that after the last ones; null: zero, and
  /// not told. For every Lstm in turn h (streams, features), then c. state_size() * streams
  /// numbers.
  float* state = nullptr;

  /// Which samples of their split these are (count), where they were picked by index, as batches of
  /// shuffled epochs are. Null: not told, and of full batches all in their order. No engine looks
  /// at it: it is for objectives whose samples are elsewhere.
  const std::uint32_t* indices = nullptr;

  /// What each sample's loss (count) is multiplied by in the mean and in its gradient, and where
  /// its own loss is written (count); cross_entropy alone, see takes_weights. Null: 1, not told.
  const float* weights = nullptr;
  float* sample_losses = nullptr;
};

/// Evaluates one network architecture on a flat parameter vector. An engine owns all scratch memory
/// it needs and makes no allocation in a call of a batch size that it has seen before. It is not
/// safe to share: one instance a worker thread, and each call runs on the calling thread alone.
///
/// Determinism: results depend on the arguments alone (the state of a batch is one of them), bit
/// for bit: not on earlier calls, nor on the other thetas of a call.
class Engine {
 public:
  virtual ~Engine() = default;

  /// P and K.
  virtual std::size_t dimension() const = 0;
  virtual std::size_t outputs() const = 0;

  /// Network outputs in evaluation mode (no dropout). theta (P), outputs (count, K) row-major.
  /// NaN and infinity in theta propagate as the arithmetic has it.
  virtual void forward(std::span<const float> theta,
                       const BatchView& batch,
                       std::span<float> outputs) = 0;

  /// Mean loss over the batch of each of B thetas, in evaluation mode, summed in double.
  /// thetas (B, P) row-major, losses (B).
  virtual void losses(std::span<const float> thetas,
                      const BatchView& batch,
                      Loss loss,
                      std::span<double> losses) = 0;

  /// Mean loss and gradient of each of B thetas on one batch, in training mode: dropout draws from
  /// `dropout` (may be null if the network has none; used only with B = 1 otherwise).
  /// thetas and gradients (B, P) row-major, losses (B). Gradients are overwritten.
  virtual void losses_and_gradients(std::span<const float> thetas,
                                    const BatchView& batch,
                                    Loss loss,
                                    Rng* dropout,
                                    std::span<double> losses,
                                    std::span<float> gradients) = 0;

  /// How many thetas one call of losses_and_gradients should get to be fast on a batch of `count`
  /// samples: the number of SIMD lanes times a small factor where thetas run in lanes, else 1.
  virtual std::size_t preferred_population(std::size_t count) const = 0;
};

/// Many small multilayer perceptrons: widths up to 64, SIMD across thetas or across samples.
/// Throws UsageError if `network` is not a perceptron (see is_perceptron) within those limits.
std::unique_ptr<Engine> make_population_engine(const Network& network);

/// Any Network, on oneDNN primitives, one thread. `largest_batch` sizes the scratch memory first
/// made; larger batches are allowed and make their own.
std::unique_ptr<Engine> make_dnn_engine(const Network& network, std::size_t largest_batch);

/// The engine for a network: population for perceptrons whose input and every layer have width at
/// most 64, dnn for everything else.
std::unique_ptr<Engine> make_engine(const Network& network, std::size_t largest_batch);

/// Whether that engine takes batches with weights: all networks but small perceptrons, which train
/// as populations.
bool takes_weights(const Network& network);

/// The loss of each sample of a batch, from the network's outputs (count, K) on it: losses (count).
/// Their mean is that of Engine::losses but for rounding. Throws UsageError for targets or labels
/// that are missing, and for a label outside [0, K).
void losses_of_outputs(Loss loss,
                       const BatchView& batch,
                       std::span<const float> outputs,
                       std::span<double> losses);

/// Slow, obvious double-precision evaluation of any Network, sample by sample, straight from the
/// definitions: the oracle of both engines and of the gradient checker. theta (P), outputs (count,
/// K). Dropout is the identity. The state of a batch is read, not written.
void reference_forward(const Network& network,
                       std::span<const double> theta,
                       const BatchView& batch,
                       std::span<double> outputs);
/// Mean loss over the batch from the same arithmetic.
double reference_loss(const Network& network,
                      std::span<const double> theta,
                      const BatchView& batch,
                      Loss loss);

}  // namespace isthmus
