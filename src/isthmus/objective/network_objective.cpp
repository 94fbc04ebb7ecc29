// SPDX-License-Identifier: MIT
#include "isthmus/objective/network_objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/objective/batches.h"
#include "isthmus/objective/importance_batches.h"
#include "isthmus/objective/network_context.h"
#include "isthmus/objective/network_evaluator.h"
#include "isthmus/objective/sample_checks.h"

namespace isthmus {
namespace {

// What the stream of a training run is split into.
constexpr std::uint64_t draw_purpose = 1;

bool has_dropout(const Network& network) {
  return std::ranges::any_of(
      network.layers, [](const Layer& layer) { return std::holds_alternative<Dropout>(layer); });
}

class NetworkObjective final : public Objective {
 public:
  explicit NetworkObjective(NetworkObjectiveOptions options)
      : context_(std::make_shared<NetworkContext>(std::move(options))),
        has_dropout_(has_dropout(context_->options.network)) {}

  const Layout& layout() const override { return context_->layout; }
  std::size_t samples(Split split) const override { return context_->split(split).count; }
  Loss loss() const override { return context_->options.loss; }
  Penalty penalty() const override { return context_->options.penalty; }
  const Network* network() const override { return &context_->options.network; }
  // Of augmented images there is no array of what the network sees.
  const Samples* data(Split split) const override {
    return context_->augmentation ? nullptr : &context_->split(split);
  }

  bool supports(Metric metric) const override {
    const bool has_labels = !context_->test->labels.empty() && !context_->train->labels.empty();
    const std::size_t outputs = output_size(context_->options.network);
    const bool has_targets =
        context_->test->outputs() == outputs && context_->train->outputs() == outputs;
    return loss_of(metric) == Loss::cross_entropy ? has_labels : has_targets;
  }

  bool has_margins() const override {
    return supports(Metric::error_rate) && !is_recurrent(context_->options.network);
  }

  bool has_sample_losses(Metric) const override { return !is_recurrent(context_->options.network); }

  std::unique_ptr<Evaluator> evaluator() const override { return make_network_evaluator(context_); }

  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t batch_size) const override {
    std::shared_ptr<const Samples> samples = context_->train;
    if (context_->options.draw_training_set) {
      samples = std::make_shared<const Samples>(
          context_->options.draw_training_set(seed, stream_name({stream, draw_purpose})));
      validate_samples(*samples, "a drawn training set", context_->options);
    }
    refuse_larger(batch_size, samples->count);
    if (samples->streams > 0) {
      return windows(std::move(samples), batch_size);
    }
    if (context_->augmentation) {
      if (batch_size == 0) {
        throw UsageError("batch_size: expected at least 1 for augmented images, got 0 (all)");
      }
      return make_augmented_epochs(std::move(samples),
                                   *context_->augmentation,
                                   batch_size,
                                   seed,
                                   stream_name({stream, order_purpose}));
    }
    if (batch_size > 0) {
      return make_epochs(
          std::move(samples), batch_size, seed, stream_name({stream, order_purpose}));
    }
    if (context_->options.draw_training_set) {
      return make_drawn_batch(std::move(samples));
    }
    return make_constant_batch(context_->full_batch(), context_);
  }

  bool has_importance() const override {
    const NetworkObjectiveOptions& options = context_->options;
    return options.loss == Loss::cross_entropy && has_sample_losses(Metric::cross_entropy) &&
           takes_weights(options.network) && !context_->augmentation && !options.draw_training_set;
  }

  std::unique_ptr<BatchSource> importance_batches(std::uint64_t seed,
                                                  std::uint64_t stream,
                                                  std::size_t batch_size,
                                                  double importance,
                                                  std::span<const float> expected) const override {
    ISTHMUS_ASSERT(has_importance(), "importance has its conditions");
    refuse_larger(batch_size, context_->train->count);
    return make_importance_batches(context_->train,
                                   batch_size,
                                   importance,
                                   expected,
                                   seed,
                                   stream_name({stream, order_purpose}));
  }

  const SteepDirection* steep_direction() const override {
    if (context_->options.draw_training_set) {
      return nullptr;
    }
    const std::optional<SteepDirection>& found = context_->steep_direction();
    return found ? &*found : nullptr;
  }

  bool training_loss_is(Metric metric, Split split) const override {
    const bool is_the_loss = metric != Metric::perplexity && metric != Metric::error_rate &&
                             loss_of(metric) == context_->options.loss;
    const bool is_the_data = !context_->options.draw_training_set &&
                             (split == Split::train || context_->splits_are_equal);
    const bool is_one_batch = !context_->augmentation && context_->train->streams == 0;
    return is_the_loss && is_the_data && is_one_batch && !has_dropout_;
  }

  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    Rng rng(seed, stream);
    isthmus::initialise(context_->options.network, rng, theta);
  }

 private:
  static void refuse_larger(std::size_t batch_size, std::size_t samples) {
    if (batch_size > samples) {
      throw UsageError(fmt::format(
          "batch_size: expected at most {} (the training samples), got {}", samples, batch_size));
    }
  }

  std::unique_ptr<BatchSource> windows(std::shared_ptr<const Samples> samples,
                                       std::size_t batch_size) const {
    const std::size_t size = samples->streams * samples->window;
    if (batch_size != size) {
      throw UsageError(fmt::format("batch_size: expected {} ({} streams of {} tokens), got {}",
                                   size,
                                   samples->streams,
                                   samples->window,
                                   batch_size));
    }
    return make_windows(
        std::move(samples), state_size(context_->options.network), context_->options.carry_state);
  }

  // A whole drawn set as one batch that owns it.
  static std::unique_ptr<BatchSource> make_drawn_batch(std::shared_ptr<const Samples> samples) {
    struct Owner {
      std::shared_ptr<const Samples> samples;
      SampleBlock block;
    };
    const auto owner = std::make_shared<Owner>(Owner{std::move(samples), {}});
    const BatchView batch = owner->block.range(*owner->samples, 0, owner->samples->count);
    return make_constant_batch(batch, owner);
  }

  std::shared_ptr<NetworkContext> context_;
  bool has_dropout_;
};

}  // namespace

std::unique_ptr<Objective> make_network_objective(NetworkObjectiveOptions options) {
  return std::make_unique<NetworkObjective>(std::move(options));
}

}  // namespace isthmus
