// SPDX-License-Identifier: MIT
#include "isthmus/objective/callable_objective.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// What a callable loss can be.
Loss callable_loss_of(Metric metric) {
  if (metric == Metric::error_rate || metric == Metric::perplexity) {
    throw UsageError(fmt::format(
        "metric: expected mean_absolute_error, mean_squared_error or cross_entropy for a callable "
        "loss, got {}",
        name_of(metric)));
  }
  return loss_of(metric);
}

void validate(const CallableOptions& options) {
  if (options.layout.dimension() == 0) {
    throw UsageError("layout: expected at least one number in theta, got none");
  }
  if (!options.loss) {
    throw UsageError("loss: expected a function, got an empty one");
  }
  if (options.samples == 0) {
    throw UsageError("samples: expected a value >= 1, got 0");
  }
  if (options.population == 0) {
    throw UsageError("population: expected a value >= 1, got 0");
  }
}

class ConstantBatch final : public BatchSource {
 public:
  explicit ConstantBatch(std::size_t count) : batch_{.count = count} {}
  BatchView next() override { return batch_; }
  bool constant() const override { return true; }

 private:
  BatchView batch_;
};

// The options and the lock of a serial function, shared by the objective and its evaluators.
struct Shared {
  CallableOptions options;
  std::mutex mutex;

  double loss(std::span<const float> theta, std::span<float> gradient) {
    if (options.safety == CallSafety::concurrent) {
      return options.loss(theta, gradient);
    }
    const std::lock_guard lock(mutex);
    return options.loss(theta, gradient);
  }
};

class CallableEvaluator final : public Evaluator {
 public:
  explicit CallableEvaluator(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  void metrics(Split,
               Metric metric,
               std::span<const float> thetas,
               std::span<double> values) override {
    ISTHMUS_ASSERT(metric == shared_->options.metric, "the metric is supported");
    const std::size_t dimension = thetas.size() / values.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = shared_->loss(thetas.subspan(i * dimension, dimension), {});
    }
  }

  Evaluation metric_unless_above(Split split,
                                 Metric metric,
                                 std::span<const float> theta,
                                 double /*bound*/) override {
    Evaluation evaluation{.samples = shared_->options.samples};
    metrics(split, metric, theta, std::span(&evaluation.value, 1));
    return evaluation;
  }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView&,
                            Rng*,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    const std::size_t dimension = thetas.size() / losses.size();
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses[i] = shared_->loss(thetas.subspan(i * dimension, dimension),
                                gradients.subspan(i * dimension, dimension));
    }
  }

  std::size_t preferred_population(std::size_t) const override {
    return shared_->options.population;
  }

 private:
  std::shared_ptr<Shared> shared_;
};

class CallableObjective final : public Objective {
 public:
  explicit CallableObjective(CallableOptions options)
      : shared_(std::make_shared<Shared>()), loss_(callable_loss_of(options.metric)) {
    validate(options);
    shared_->options = std::move(options);
  }

  const Layout& layout() const override { return shared_->options.layout; }
  std::size_t samples(Split) const override { return shared_->options.samples; }
  Loss loss() const override { return loss_; }
  bool supports(Metric metric) const override { return metric == shared_->options.metric; }
  std::unique_ptr<Evaluator> evaluator() const override {
    return std::make_unique<CallableEvaluator>(shared_);
  }
  std::unique_ptr<BatchSource> batches(std::uint64_t, std::uint64_t, std::size_t) const override {
    return std::make_unique<ConstantBatch>(shared_->options.samples);
  }
  bool training_loss_is(Metric metric, Split) const override { return supports(metric); }
  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    Rng rng(seed, stream);
    if (shared_->options.initialise) {
      shared_->options.initialise(rng, theta);
      return;
    }
    for (float& number : theta) {
      number = static_cast<float>(rng.uniform(-1.0, 1.0));
    }
  }

 private:
  std::shared_ptr<Shared> shared_;
  Loss loss_;
};

}  // namespace

std::unique_ptr<Objective> make_callable_objective(CallableOptions options) {
  return std::make_unique<CallableObjective>(std::move(options));
}

}  // namespace isthmus
