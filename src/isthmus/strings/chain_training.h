// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/core/state_file.h"
#include "isthmus/path/path.h"
#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// Training loss and gradient of several thetas at a time on common batches, which drop the same
/// units: differences between thetas are never those of their batches. Results do not depend on
/// the number of workers.
class CommonBatches {
 public:
  /// Batches and dropped units are drawn from streams named after (seed, stream).
  CommonBatches(Evaluators& evaluators,
                std::uint64_t seed,
                std::uint64_t stream,
                std::size_t batch_size);

  /// Draws the batch of the next step.
  void next();
  /// True if every step has the same batch.
  bool constant() const { return source_->constant(); }
  /// thetas (n, P), losses (n), gradients (n, P), on the batch of now. Sequences that go on from
  /// batch to batch do so for theta i from theta i of the batch before. Returns the samples it
  /// took, n times those of the batch.
  std::uint64_t evaluate(std::span<const float> thetas,
                         std::span<double> losses,
                         std::span<float> gradients);

  void save(StateWriter& state) const;
  void restore(StateReader& state);

 private:
  void carry_states(std::size_t thetas);

  Evaluators& evaluators_;
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::unique_ptr<BatchSource> source_;
  BatchView batch_;
  std::uint64_t steps_ = 0;
  std::size_t population_ = 0;  // of one call; 0: not asked yet
  std::vector<float> states_;   // (n, numbers of a state): of recurrent networks
};

/// A training of all inner points of a chain at once, by forces of a method's own.
struct ChainTraining {
  /// What the optimizer descends along: writes the force (N - 2, P) on the inner points of the
  /// chain at this step, and may move them first. Returns the gradient samples it took.
  std::function<std::uint64_t(
      std::size_t step, Path& chain, CommonBatches& batches, std::span<float> force)>
      force;
  std::function<double(std::size_t step)> rate;  ///< factor on the learning rate
  std::size_t steps = 0;
  /// Optimizer (Adam in the place of Polyak's steps), batch size and, where set, the largest norm
  /// of the force on each point.
  TrainOptions training;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  /// Looks at the chain and adds to the summary what that cost; true ends the training. Called
  /// after every `look_every` steps (0: never) and after the last. What it leaves in `kept` (0 at
  /// first) it finds there at its next call. May be empty.
  std::function<bool(const Path& chain, TrainSummary& summary, std::uint64_t& kept)> look{};
  std::size_t look_every = 0;
  std::optional<TrainCheckpoint> checkpoint{};  ///< where the state is kept meanwhile
};

/// Moves the inner points of `chain`, and says how it ended and what it cost: reached (a look),
/// budget, or diverged (a force is not finite). The result does not depend on the number of
/// workers, nor on stops between. Throws Interrupted between two steps when the stop is raised,
/// UsageError for a weight decay, which chains have none of.
TrainSummary train_chain(Evaluators& evaluators,
                         Path& chain,
                         const ChainTraining& plan,
                         const Stop* stop = nullptr);

/// Puts `count` beads on a string of two, at equal distances.
void insert_evenly(GrowingString& string, std::size_t count);

/// What train_inner_beads() looks at: fills thetas (n, P), of which theta `bead[i]` stands for
/// inner bead i.
struct ChainLook {
  std::vector<float> thetas;
  std::vector<std::size_t> bead;
};

/// Trains all inner beads of a string as one chain, which ends early when all thetas of a look
/// reach the target. Beads that the journal has are taken from there; while they train the state is
/// kept at the first one's checkpoint. The steps of all are at most those that
/// StringOptions::max_total_steps leaves; returns false if that made them fewer than the plan's.
/// `look` tells the thetas; plan.look, training, seed and checkpoint are set here.
bool train_inner_beads(GrowingString& string,
                       ChainTraining plan,
                       const std::function<ChainLook(const Path& chain)>& look,
                       const StringCallbacks& callbacks);

/// The ending of a string whose training was cut short.
Ending out_of_steps(const GrowingString& string);

}  // namespace isthmus
