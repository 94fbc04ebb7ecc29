// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/names.h"
#include "isthmus/core/state_file.h"
#include "isthmus/data/dataset.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/layout.h"
#include "isthmus/objective/steep_direction.h"

namespace isthmus {

/// A regulariser R of a flat vector: an objective with one is loss + strength * R.
struct Penalty {
  enum class Kind {
    none,
    l1,  ///< the sum of |theta_i|; its subgradient at 0 is 0
    l2,  ///< the sum of theta_i^2
  };
  enum class Over {
    weights,  ///< tensors whose role is weight: biases go free
    all,
  };
  Kind kind = Kind::none;
  double strength = 0.0;  ///< kappa, a finite number > 0 unless the kind is none
  Over over = Over::all;

  bool any() const { return kind != Kind::none; }
  bool operator==(const Penalty&) const = default;
};

template <>
inline constexpr auto enum_names<Penalty::Kind> = name_table<Penalty::Kind>(
    "penalty",
    {{Penalty::Kind::none, "none"}, {Penalty::Kind::l1, "l1"}, {Penalty::Kind::l2, "l2"}});

/// What can define a level set. All are "lower is better". The first three count an objective's
/// penalty, as its training loss does; error rate and perplexity never do.
enum class Metric {
  mean_absolute_error,
  mean_squared_error,
  cross_entropy,  ///< mean nats per sample
  error_rate,     ///< misclassified fraction in [0, 1]; the arg max counts, a tie or NaN is wrong
  perplexity,     ///< exp(cross_entropy without a penalty)
};

template <>
inline constexpr auto enum_names<Metric> =
    name_table<Metric>("metric",
                       {{Metric::mean_absolute_error, "mean_absolute_error"},
                        {Metric::mean_squared_error, "mean_squared_error"},
                        {Metric::cross_entropy, "cross_entropy"},
                        {Metric::error_rate, "error_rate"},
                        {Metric::perplexity, "perplexity"}});

/// The loss behind a metric: cross-entropy for error rates and perplexity.
Loss loss_of(Metric metric);

/// Metrics that an objective defines itself come behind those that have names here: this is the
/// i-th of Objective::own_metrics(). Lower is better of them too. Their values can be of either
/// sign.
constexpr int first_own_metric = 64;
constexpr Metric own_metric(std::size_t i) {
  return static_cast<Metric>(first_own_metric + static_cast<int>(i));
}

/// A full-split value, or the proof that it exceeds a bound.
struct Evaluation {
  double value = 0.0;       ///< of the whole split; if not complete, a lower bound that exceeds
                            ///< the bound asked for
  std::size_t samples = 0;  ///< forward samples spent
  bool complete = true;
};

/// Where one training run takes its batches from. Not safe to share between threads.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The batch of the next step. The view stays valid until the next call.
  virtual BatchView next() = 0;
  /// True if next() always returns the same memory with the same content (full batches).
  virtual bool constant() const = 0;
  /// Where it is between two calls of next(): after restore() by a source of the same objective,
  /// seed, stream and batch size, next() goes on as it would have here. Nothing for constant
  /// sources.
  virtual void save(StateWriter&) const {
    ISTHMUS_ASSERT(constant(), "a source of changing batches saves its place");
  }
  virtual void restore(StateReader&) {
    ISTHMUS_ASSERT(constant(), "a source of changing batches finds its place again");
  }
};

/// Computes on an Objective; owns scratch memory. One instance a worker thread.
class Evaluator {
 public:
  virtual ~Evaluator() = default;

  /// Full-split metric of each of B thetas: thetas (B, P), values (B). Summed in double; a NaN
  /// anywhere gives NaN (error_rate: counts as wrong).
  virtual void metrics(Split split,
                       Metric metric,
                       std::span<const float> thetas,
                       std::span<double> values) = 0;

  /// The full-split metric of one theta, unless it is known before the end of the pass that it
  /// exceeds `bound` (error rates: as soon as the count of wrong samples decides; other metrics are
  /// always complete).
  virtual Evaluation metric_unless_above(Split split,
                                         Metric metric,
                                         std::span<const float> theta,
                                         double bound) = 0;

  /// The error rate as metric_unless_above, and for every sample that was looked at its margin: the
  /// output of its label less the largest other one; misread unless that is greater than 0. Of some
  /// samples alone where `indices` names them: then the value is how many of them are misread, over
  /// all samples of the split, and the last bits of a margin may differ from those of a whole pass.
  /// margins (indices, or all samples); behind the end of a pass they stay as they are. Only where
  /// Objective::has_margins.
  virtual Evaluation margins(Split /*split*/,
                             std::span<const float> /*theta*/,
                             std::span<const std::uint32_t> /*indices*/,
                             double /*bound*/,
                             std::span<float> /*margins*/) {
    ISTHMUS_ASSERT(false, "an objective with margins computes them");
    return {};
  }

  /// The loss behind `metric` of every sample of a split, without a penalty: losses (samples of the
  /// split), and the value is the metric. Of some samples alone where `indices` names them: losses
  /// (indices), no value, and the last bits of a loss may differ from those of a whole pass. Only
  /// where Objective::has_sample_losses, and not of error rates.
  virtual Evaluation sample_losses(Split /*split*/,
                                   Metric /*metric*/,
                                   std::span<const float> /*theta*/,
                                   std::span<const std::uint32_t> /*indices*/,
                                   std::span<float> /*losses*/) {
    ISTHMUS_ASSERT(false, "an objective with losses of samples computes them");
    return {};
  }
  /// The metric of theta where the mean of these losses is `mean`: with the penalty, or its
  /// exponential.
  virtual double metric_of_mean(Metric /*metric*/,
                                std::span<const float> /*theta*/,
                                double /*mean*/) const {
    ISTHMUS_ASSERT(false, "an objective with losses of samples says what they make");
    return 0.0;
  }

  /// Training loss and gradient of B thetas on one batch, the penalty's among them; see
  /// Engine::losses_and_gradients.
  virtual void losses_and_gradients(std::span<const float> thetas,
                                    const BatchView& batch,
                                    Rng* dropout,
                                    std::span<double> losses,
                                    std::span<float> gradients) = 0;

  /// See Engine::preferred_population.
  virtual std::size_t preferred_population(std::size_t batch_size) const = 0;
};

/// A loss on a flat parameter vector over a data set. Immutable and safe to share; computation goes
/// through evaluators. The metric that defines a level set is asked for by name and may differ from
/// the loss that trains.
class Objective {
 public:
  virtual ~Objective() = default;

  virtual const Layout& layout() const = 0;
  std::size_t dimension() const { return layout().dimension(); }
  /// Samples of a split.
  virtual std::size_t samples(Split split) const = 0;
  virtual Loss loss() const = 0;
  /// What is added to the training loss and to the metrics that are losses.
  virtual Penalty penalty() const { return {}; }
  /// The network and the samples of a split, where there are such: what a proof about a metric
  /// needs. Null for objectives of another kind.
  virtual const Network* network() const { return nullptr; }
  virtual const Samples* data(Split) const { return nullptr; }
  /// True if the metric can be computed here (error rates need labels, and so on).
  virtual bool supports(Metric metric) const = 0;
  /// The names of the metrics that are this objective's own (see own_metric).
  virtual std::vector<std::string> own_metrics() const { return {}; }
  /// The metric that training lowers: its value on the training split is the mean loss of all
  /// training samples.
  virtual Metric loss_metric() const;
  /// What a metric is called here: by its own name if it is one of the objective's own.
  std::string metric_name(Metric metric) const;
  /// The metric of that name. Throws UsageError that lists those that can be computed here.
  Metric metric_named(std::string_view name) const;
  /// True if evaluators tell the margins behind an error rate: samples that stand alone and have
  /// labels.
  virtual bool has_margins() const { return false; }

  /// True if evaluators tell the losses of samples behind this metric, which is no error rate:
  /// samples that stand alone.
  virtual bool has_sample_losses(Metric /*metric*/) const { return false; }

  virtual std::unique_ptr<Evaluator> evaluator() const = 0;

  /// Batches for one training run, drawn from the stream (seed, stream): all training samples at
  /// every step if batch_size is 0, else shuffled epochs (the last, smaller batch of an epoch is
  /// dropped). Some objectives draw a training set of their own for each run.
  virtual std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                               std::uint64_t stream,
                                               std::size_t batch_size) const = 0;

  /// True if importance_batches() is defined: training samples that stand alone, with labels, under
  /// the cross-entropy, the same ones at every step.
  virtual bool has_importance() const { return false; }
  /// Batches as those of make_importance_batches(), in the place of shuffled epochs. importance in
  /// (0, 1); expected: about the losses of the training samples, or empty.
  virtual std::unique_ptr<BatchSource> importance_batches(
      std::uint64_t /*seed*/,
      std::uint64_t /*stream*/,
      std::size_t /*batch_size*/,
      double /*importance*/,
      std::span<const float> /*expected*/) const {
    ISTHMUS_ASSERT(false, "an objective with importance has its batches");
  }

  /// The direction in which the gradient of the network's first layer is steepest, found in its
  /// training samples; null where there is no such layer. It lives as long as the objective.
  virtual const SteepDirection* steep_direction() const { return nullptr; }

  /// True if the training loss of a full batch from batches() is by definition the value of
  /// `metric` on `split`: then a training step tells the metric for free.
  virtual bool training_loss_is(Metric metric, Split split) const = 0;

  /// A starting point: the network's initialisation drawn from (seed, stream). theta (P).
  virtual void initialise(std::uint64_t seed,
                          std::uint64_t stream,
                          std::span<float> theta) const = 0;
};

/// True if evaluators tell what each sample adds to a metric: its margin, or its loss.
inline bool tells_samples(const Objective& objective, Metric metric) {
  return metric == Metric::error_rate ? objective.has_margins()
                                      : objective.has_sample_losses(metric);
}

}  // namespace isthmus
