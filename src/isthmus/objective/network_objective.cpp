// SPDX-License-Identifier: MIT
#include "isthmus/objective/network_objective.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/objective/batches.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

// What the stream of a training run is split into.
constexpr std::uint64_t draw_purpose = 1;
constexpr std::uint64_t order_purpose = 2;

// Samples in one engine call of an evaluation. Narrow networks take a split of floats whole: their
// scratch is small, and every call costs a set-up. Wide ones run best on blocks that fit the cache.
constexpr std::size_t narrow = 64;
constexpr std::size_t narrow_block = 16384;
constexpr std::size_t wide_block = 128;
// What is left of a list of samples behind its whole blocks: the engine compiles a plan for every
// size that it sees, so there are to be few.
constexpr std::size_t small_block = 16;

std::size_t size_of(const Shape& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    size *= extent;
  }
  return size;
}

// What the network sees of a sample.
std::size_t inputs_of(const NetworkObjectiveOptions& options) {
  return size_of(options.network.input);
}

void validate_augmentation(const Samples& samples,
                           std::string_view where,
                           const NetworkObjectiveOptions& options) {
  const Augmentation augmentation(samples.input_shape, *options.augment);
  if (samples.bytes.empty() || augmentation.output_shape() != options.network.input) {
    throw UsageError(fmt::format(
        "{}: expected images of bytes that are cut to the network's input ({}), got {} cut to ({})",
        where,
        fmt::join(options.network.input, ", "),
        samples.bytes.empty() ? "floats" : "bytes",
        fmt::join(augmentation.output_shape(), ", ")));
  }
}

std::size_t block_for(const Network& network) {
  const bool is_narrow = std::ranges::all_of(
      shapes(network), [](const Shape& shape) { return size_of(shape) <= narrow; });
  return is_narrow ? narrow_block : wide_block;
}

bool has_dropout(const Network& network) {
  return std::ranges::any_of(
      network.layers, [](const Layer& layer) { return std::holds_alternative<Dropout>(layer); });
}

void validate_samples(const Samples& samples,
                      std::string_view where,
                      const NetworkObjectiveOptions& options) {
  if (samples.count == 0) {
    throw UsageError(fmt::format("{}: expected at least one sample, got none", where));
  }
  if (is_recurrent(options.network) != (samples.streams > 0) ||
      (samples.streams > 0 &&
       (samples.window == 0 || samples.count % (samples.streams * samples.window) != 0))) {
    throw UsageError(fmt::format("{}: expected {}, got {} samples in {} streams of windows of {}",
                                 where,
                                 is_recurrent(options.network)
                                     ? "whole windows of sequences for a recurrent network"
                                     : "independent samples for a network without a state",
                                 samples.count,
                                 samples.streams,
                                 samples.window));
  }
  if (options.augment) {
    validate_augmentation(samples, where, options);
  }
  const std::size_t inputs = options.augment ? samples.features() : inputs_of(options);
  if (samples.features() != inputs ||
      samples.values.size() + samples.bytes.size() != samples.count * inputs) {
    throw UsageError(
        fmt::format("{}: expected {} numbers in each sample (the network's input), got {}",
                    where,
                    inputs,
                    (samples.values.size() + samples.bytes.size()) / samples.count));
  }
  const std::size_t outputs = output_size(options.network);
  const bool needs_labels = options.loss == Loss::cross_entropy;
  if (samples.labels.size() != (needs_labels || !samples.labels.empty() ? samples.count : 0)) {
    throw UsageError(fmt::format(
        "{}: expected a label for each of {} samples, got {}{}",
        where,
        samples.count,
        samples.labels.size(),
        needs_labels ? " (for real targets, choose the loss absolute or squared)" : ""));
  }
  for (const std::int32_t label : samples.labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= outputs) {
      throw UsageError(fmt::format(
          "{}: expected labels in [0, {}) (the network's outputs), got {}", where, outputs, label));
    }
  }
  if (!needs_labels && samples.targets.size() != samples.count * outputs) {
    throw UsageError(
        fmt::format("{}: the loss {} needs {} targets for each sample (the network's outputs), "
                    "got {}",
                    where,
                    name_of(options.loss),
                    outputs,
                    samples.outputs()));
  }
}

bool same_content(const Samples& a, const Samples& b) {
  return a.count == b.count && a.input_shape == b.input_shape && a.values == b.values &&
         a.bytes == b.bytes && a.labels == b.labels && a.targets == b.targets;
}

template <typename Value>
std::vector<Value> permuted(const std::vector<Value>& values,
                            std::span<const std::uint32_t> order,
                            std::size_t width) {
  std::vector<Value> result;
  result.reserve(values.size());
  if (!values.empty()) {
    for (const std::uint32_t index : order) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(index * width);
      result.insert(result.end(), row, row + static_cast<std::ptrdiff_t>(width));
    }
  }
  return result;
}

void validate_order(std::span<const std::uint32_t> order, std::size_t count) {
  std::vector<bool> seen(count, false);
  for (const std::uint32_t index : order) {
    if (index < count) {
      seen[index] = true;
    }
  }
  if (order.size() != count || !std::ranges::all_of(seen, [](bool is_seen) { return is_seen; })) {
    throw UsageError(fmt::format(
        "test_order: expected every index of the {} test samples once, got another list of {}",
        count,
        order.size()));
  }
}

Samples permuted(const Samples& samples, std::span<const std::uint32_t> order) {
  return {.count = samples.count,
          .input_shape = samples.input_shape,
          .values = permuted(samples.values, order, samples.features()),
          .bytes = permuted(samples.bytes, order, samples.features()),
          .labels = permuted(samples.labels, order, 1),
          .targets = permuted(samples.targets, order, samples.outputs())};
}

// What the objective and its evaluators share.
struct Shared {
  explicit Shared(NetworkObjectiveOptions given)
      : options(std::move(given)),
        layout(layout_of(options.network)),
        penalty(options.penalty, layout) {
    if (!options.data) {
      throw UsageError("data: expected a data set, got none");
    }
    const Dataset& data = *options.data;
    validate_samples(data.train, fmt::format("data set {}, train", data.name), options);
    validate_samples(data.test, fmt::format("data set {}, test", data.name), options);
    // Aliases: the splits live as long as the data set.
    train = std::shared_ptr<const Samples>(options.data, &data.train);
    test = std::shared_ptr<const Samples>(options.data, &data.test);
    splits_are_equal = same_content(data.train, data.test);
    if (!options.test_order.empty()) {
      validate_order(options.test_order, data.test.count);
      test = std::make_shared<const Samples>(permuted(data.test, options.test_order));
    }
    block = train->streams > 0 ? train->streams * train->window : block_for(options.network);
    if (options.augment) {
      augmentation.emplace(data.train.input_shape, *options.augment);
    }
  }

  // Some samples of a split as the network sees them in evaluation.
  BatchView view(SampleBlock& into, const Samples& samples, std::size_t first, std::size_t count) {
    return augmentation ? into.central(samples, *augmentation, first, count)
                        : into.range(samples, first, count);
  }

  // Likewise the samples of these indices.
  BatchView view(SampleBlock& into,
                 const Samples& samples,
                 std::span<const std::uint32_t> indices) {
    return augmentation ? into.central(samples, *augmentation, indices)
                        : into.gather(samples, indices);
  }

  const Samples& split(Split which) const { return which == Split::train ? *train : *test; }

  // The whole train split as one batch of floats, made when first asked for.
  BatchView full_batch() {
    std::call_once(full_batch_made, [this] { full = view(full_block, *train, 0, train->count); });
    return full;
  }

  NetworkObjectiveOptions options;
  Layout layout;
  PenaltyTerm penalty;
  std::shared_ptr<const Samples> train;
  std::shared_ptr<const Samples> test;  // in the order of evaluation
  std::optional<Augmentation> augmentation;
  bool splits_are_equal = false;
  std::size_t block = 0;

 private:
  std::once_flag full_batch_made;
  SampleBlock full_block;
  BatchView full;
};

class NetworkEvaluator final : public Evaluator {
 public:
  explicit NetworkEvaluator(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)),
        dimension_(shared_->layout.dimension()),
        outputs_(output_size(shared_->options.network)),
        state_size_(state_size(shared_->options.network)),
        engine_(make_engine(shared_->options.network, shared_->block)) {}

  void metrics(Split split,
               Metric metric,
               std::span<const float> thetas,
               std::span<double> values) override {
    ISTHMUS_ASSERT(thetas.size() == values.size() * dimension_, "thetas has shape (B, P)");
    if (metric == Metric::error_rate) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double never = std::numeric_limits<double>::infinity();
        values[i] = errors(split, thetas.subspan(i * dimension_, dimension_), never, {}).value;
      }
      return;
    }
    // Where thetas do not share lanes, one after the other: an engine may keep what it has derived
    // from a theta.
    const bool shares_lanes = engine_->preferred_population(shared_->block) > 1;
    const std::size_t group = shares_lanes ? values.size() : 1;
    for (std::size_t i = 0; i < values.size(); i += group) {
      mean_losses(split,
                  loss_of(metric),
                  thetas.subspan(i * dimension_, group * dimension_),
                  values.subspan(i, group));
    }
    if (metric == Metric::perplexity) {
      for (double& value : values) {
        value = std::exp(value);
      }
    } else {
      add_penalty(thetas, values);
    }
  }

  Evaluation metric_unless_above(Split split,
                                 Metric metric,
                                 std::span<const float> theta,
                                 double bound) override {
    ISTHMUS_ASSERT(theta.size() == dimension_, "theta has P numbers");
    if (metric == Metric::error_rate) {
      return errors(split, theta, bound, {});
    }
    Evaluation evaluation{.samples = shared_->split(split).count};
    metrics(split, metric, theta, std::span(&evaluation.value, 1));
    return evaluation;
  }

  Evaluation margins(Split split,
                     std::span<const float> theta,
                     std::span<const std::uint32_t> indices,
                     double bound,
                     std::span<float> margins) override {
    ISTHMUS_ASSERT(theta.size() == dimension_, "theta has P numbers");
    ISTHMUS_ASSERT(state_size_ == 0, "samples stand alone");
    if (indices.empty()) {
      ISTHMUS_ASSERT(margins.size() == shared_->split(split).count, "a margin for every sample");
      return errors(split, theta, bound, margins);
    }
    ISTHMUS_ASSERT(margins.size() == indices.size(), "a margin for every index");
    return errors_of(shared_->split(split), theta, indices, bound, margins);
  }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Rng* dropout,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    engine_->losses_and_gradients(thetas, batch, shared_->options.loss, dropout, losses, gradients);
    add_penalty(thetas, losses);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      shared_->penalty.add_gradient(thetas.subspan(i * dimension_, dimension_),
                                    gradients.subspan(i * dimension_, dimension_));
    }
  }

  std::size_t preferred_population(std::size_t batch_size) const override {
    return engine_->preferred_population(batch_size);
  }

 private:
  // Samples of a pass; the network's state goes on from one call to the next.
  BatchView view(const Samples& samples, std::size_t first, std::size_t count) {
    BatchView batch = shared_->view(block_, samples, first, count);
    batch.state = state_.empty() ? nullptr : state_.data();
    return batch;
  }

  void add_penalty(std::span<const float> thetas, std::span<double> values) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] += shared_->penalty.value(thetas.subspan(i * dimension_, dimension_));
    }
  }

  void mean_losses(Split split,
                   Loss loss,
                   std::span<const float> thetas,
                   std::span<double> values) {
    const Samples& samples = shared_->split(split);
    block_losses_.resize(std::max(block_losses_.size(), values.size()));
    const std::span<double> losses = std::span(block_losses_).first(values.size());
    std::ranges::fill(values, 0.0);
    state_.assign(samples.streams * state_size_, 0.0F);
    for (std::size_t first = 0; first < samples.count; first += shared_->block) {
      const std::size_t count = std::min(shared_->block, samples.count - first);
      engine_->losses(thetas, view(samples, first, count), loss, losses);
      const double share = static_cast<double>(count) / static_cast<double>(samples.count);
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] += share * losses[i];
      }
    }
  }

  // The error rate, unless it is known to exceed `bound` before the end of the pass. `margins`
  // (samples of the split) may be empty.
  Evaluation errors(Split split,
                    std::span<const float> theta,
                    double bound,
                    std::span<float> margins) {
    const Samples& samples = shared_->split(split);
    Evaluation evaluation;
    std::size_t wrong = 0;
    state_.assign(samples.streams * state_size_, 0.0F);
    while (evaluation.samples < samples.count) {
      const std::size_t first = evaluation.samples;
      const std::size_t count = std::min(shared_->block, samples.count - first);
      const std::span<const float> found = block_margins(theta, view(samples, first, count));
      wrong += wrong_among(found);
      if (!margins.empty()) {
        std::ranges::copy(found, margins.subspan(first).begin());
      }
      evaluation.samples += count;
      evaluation.value = static_cast<double>(wrong) / static_cast<double>(samples.count);
      if (evaluation.value > bound) {
        break;
      }
    }
    evaluation.complete = evaluation.samples == samples.count;
    return evaluation;
  }

  // The same of some samples. A small block is filled up with its last sample, which counts as
  // work.
  Evaluation errors_of(const Samples& samples,
                       std::span<const float> theta,
                       std::span<const std::uint32_t> indices,
                       double bound,
                       std::span<float> margins) {
    const std::size_t block = shared_->block;
    Evaluation evaluation;
    std::size_t wrong = 0;
    std::size_t done = 0;
    while (done < indices.size()) {
      const std::size_t left = indices.size() - done;
      const std::size_t size = left > block / 2 ? block : std::min(block, small_block);
      const std::size_t count = std::min(size, left);
      padded_.assign(size, indices[done + count - 1]);
      std::ranges::copy(indices.subspan(done, count), padded_.begin());
      const std::span<const float> found =
          block_margins(theta, shared_->view(block_, samples, padded_)).first(count);
      std::ranges::copy(found, margins.subspan(done).begin());
      wrong += wrong_among(found);
      done += count;
      evaluation.samples += size;
      evaluation.value = static_cast<double>(wrong) / static_cast<double>(samples.count);
      if (evaluation.value > bound) {
        break;
      }
    }
    evaluation.complete = done == indices.size();
    return evaluation;
  }

  // Of every sample the output of its label less the largest other one; NaN if any output is.
  // Valid until the next call.
  std::span<const float> block_margins(std::span<const float> theta, const BatchView& batch) {
    logits_.resize(std::max(logits_.size(), batch.count * outputs_));
    margins_.resize(std::max(margins_.size(), batch.count));
    const std::span<float> logits = std::span(logits_).first(batch.count * outputs_);
    engine_->forward(theta, batch, logits);
    for (std::size_t i = 0; i < batch.count; ++i) {
      const float* row = logits.data() + i * outputs_;
      const auto label = static_cast<std::size_t>(batch.labels[i]);
      float margin = std::isnan(row[label]) ? row[label] : std::numeric_limits<float>::infinity();
      for (std::size_t k = 0; k < outputs_; ++k) {
        if (k != label) {
          const float lead = row[label] - row[k];
          margin = lead < margin || std::isnan(lead) ? lead : margin;
        }
      }
      margins_[i] = margin;
    }
    return std::span(margins_).first(batch.count);
  }

  // Not greater is not enough: a tie is wrong, and so is a NaN.
  static std::size_t wrong_among(std::span<const float> margins) {
    return static_cast<std::size_t>(
        std::ranges::count_if(margins, [](float margin) { return !(margin > 0.0F); }));
  }

  std::shared_ptr<Shared> shared_;
  std::size_t dimension_;
  std::size_t outputs_;
  std::size_t state_size_;  // a stream
  std::unique_ptr<Engine> engine_;
  SampleBlock block_;
  std::vector<float> state_;  // of the pass under way
  std::vector<double> block_losses_;
  std::vector<float> logits_;
  std::vector<float> margins_;
  std::vector<std::uint32_t> padded_;
};

class NetworkObjective final : public Objective {
 public:
  explicit NetworkObjective(NetworkObjectiveOptions options)
      : shared_(std::make_shared<Shared>(std::move(options))),
        has_dropout_(has_dropout(shared_->options.network)) {}

  const Layout& layout() const override { return shared_->layout; }
  std::size_t samples(Split split) const override { return shared_->split(split).count; }
  Loss loss() const override { return shared_->options.loss; }
  Penalty penalty() const override { return shared_->options.penalty; }
  const Network* network() const override { return &shared_->options.network; }
  // Of augmented images there is no array of what the network sees.
  const Samples* data(Split split) const override {
    return shared_->augmentation ? nullptr : &shared_->split(split);
  }

  bool supports(Metric metric) const override {
    const bool has_labels = !shared_->test->labels.empty() && !shared_->train->labels.empty();
    const std::size_t outputs = output_size(shared_->options.network);
    const bool has_targets =
        shared_->test->outputs() == outputs && shared_->train->outputs() == outputs;
    return loss_of(metric) == Loss::cross_entropy ? has_labels : has_targets;
  }

  bool has_margins() const override {
    return supports(Metric::error_rate) && !is_recurrent(shared_->options.network);
  }

  std::unique_ptr<Evaluator> evaluator() const override {
    return std::make_unique<NetworkEvaluator>(shared_);
  }

  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t batch_size) const override {
    std::shared_ptr<const Samples> samples = shared_->train;
    if (shared_->options.draw_training_set) {
      samples = std::make_shared<const Samples>(
          shared_->options.draw_training_set(seed, stream_name({stream, draw_purpose})));
      validate_samples(*samples, "a drawn training set", shared_->options);
    }
    if (batch_size > samples->count) {
      throw UsageError(fmt::format("batch_size: expected at most {} (the training samples), got {}",
                                   samples->count,
                                   batch_size));
    }
    if (samples->streams > 0) {
      return windows(std::move(samples), batch_size);
    }
    if (shared_->augmentation) {
      if (batch_size == 0) {
        throw UsageError("batch_size: expected at least 1 for augmented images, got 0 (all)");
      }
      return make_augmented_epochs(std::move(samples),
                                   *shared_->augmentation,
                                   batch_size,
                                   seed,
                                   stream_name({stream, order_purpose}));
    }
    if (batch_size > 0) {
      return make_epochs(
          std::move(samples), batch_size, seed, stream_name({stream, order_purpose}));
    }
    if (shared_->options.draw_training_set) {
      return make_drawn_batch(std::move(samples));
    }
    return make_constant_batch(shared_->full_batch(), shared_);
  }

  bool training_loss_is(Metric metric, Split split) const override {
    const bool is_the_loss = metric != Metric::perplexity && metric != Metric::error_rate &&
                             loss_of(metric) == shared_->options.loss;
    const bool is_the_data =
        !shared_->options.draw_training_set && (split == Split::train || shared_->splits_are_equal);
    const bool is_one_batch = !shared_->augmentation && shared_->train->streams == 0;
    return is_the_loss && is_the_data && is_one_batch && !has_dropout_;
  }

  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    Rng rng(seed, stream);
    isthmus::initialise(shared_->options.network, rng, theta);
  }

 private:
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
        std::move(samples), state_size(shared_->options.network), shared_->options.carry_state);
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

  std::shared_ptr<Shared> shared_;
  bool has_dropout_;
};

}  // namespace

std::unique_ptr<Objective> make_network_objective(NetworkObjectiveOptions options) {
  return std::make_unique<NetworkObjective>(std::move(options));
}

}  // namespace isthmus
