// SPDX-License-Identifier: MIT
#include "isthmus/objective/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <numeric>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/objective/index_batches.h"

namespace isthmus {
namespace {

// Which samples the next batch has: epochs, each in a new order.
class EpochOrder {
 public:
  EpochOrder(std::size_t samples, std::size_t batch_size, std::uint64_t seed, std::uint64_t stream)
      : batch_size_(batch_size), rng_(seed, stream), order_(samples), next_(samples) {
    ISTHMUS_ASSERT(batch_size_ >= 1 && batch_size_ <= order_.size(), "a batch fits an epoch");
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
  }

  std::span<const std::uint32_t> next() {
    if (next_ + batch_size_ > order_.size()) {
      rng_.shuffle(order_);
      next_ = 0;
    }
    const auto indices = std::span<const std::uint32_t>(order_).subspan(next_, batch_size_);
    next_ += batch_size_;
    return indices;
  }

  // What next() will return, unless that begins an epoch: then nothing.
  std::span<const std::uint32_t> peek() const {
    const bool is_last = next_ + batch_size_ > order_.size();
    return std::span<const std::uint32_t>(order_).subspan(is_last ? 0 : next_,
                                                          is_last ? 0 : batch_size_);
  }

  void save(StateWriter& state) const {
    state.put(rng_.state());
    state.put_all(std::span<const std::uint32_t>(order_));
    state.put(next_);
  }
  void restore(StateReader& state) {
    rng_.set_state(state.get<std::array<std::uint64_t, 4>>());
    state.get_all(std::span(order_));
    next_ = state.get<std::size_t>();
  }

 private:
  std::size_t batch_size_;
  Rng rng_;
  std::vector<std::uint32_t> order_;
  std::size_t next_;  // place in order_; at the start there is no epoch yet
};

class Epochs final : public BatchSource {
 public:
  Epochs(std::shared_ptr<const Samples> samples,
         std::size_t batch_size,
         std::uint64_t seed,
         std::uint64_t stream)
      : samples_(std::move(samples)), order_(samples_->count, batch_size, seed, stream) {}

  BatchView next() override { return block_.gather(*samples_, order_.next()); }
  bool constant() const override { return false; }
  void save(StateWriter& state) const override { order_.save(state); }
  void restore(StateReader& state) override { order_.restore(state); }

 private:
  std::shared_ptr<const Samples> samples_;
  EpochOrder order_;
  SampleBlock block_;
};

class IndexEpochs final : public BatchSource {
 public:
  IndexEpochs(std::size_t samples, std::size_t batch_size, std::uint64_t seed, std::uint64_t stream)
      : order_(samples, batch_size, seed, stream) {}

  BatchView next() override {
    const std::span<const std::uint32_t> indices = order_.next();
    return {.count = indices.size(), .indices = indices.data()};
  }
  bool constant() const override { return false; }
  void save(StateWriter& state) const override { order_.save(state); }
  void restore(StateReader& state) override { order_.restore(state); }

 private:
  EpochOrder order_;
};

class AugmentedEpochs final : public BatchSource {
 public:
  AugmentedEpochs(std::shared_ptr<const Samples> samples,
                  const Augmentation& augmentation,
                  std::size_t batch_size,
                  std::uint64_t seed,
                  std::uint64_t stream)
      : samples_(std::move(samples)),
        augmentation_(augmentation),
        order_(samples_->count, batch_size, seed, stream),
        seed_(stream_name({seed, stream})) {}

  BatchView next() override {
    const std::span<const std::uint32_t> indices = order_.next();
    const BatchView batch = ahead_.valid() ? ahead_.get() : make(indices, step_);
    ++step_;
    if (const auto following = order_.peek(); !following.empty()) {
      ahead_ = std::async(std::launch::async,
                          [this, following, step = step_] { return make(following, step); });
    }
    return batch;
  }

  bool constant() const override { return false; }
  void save(StateWriter& state) const override {
    order_.save(state);
    state.put(step_);
  }
  void restore(StateReader& state) override {
    ahead_ = {};  // waits for it
    order_.restore(state);
    step_ = state.get<std::uint64_t>();
  }

 private:
  BatchView make(std::span<const std::uint32_t> indices, std::uint64_t step) {
    return blocks_[step % 2].distorted(*samples_, augmentation_, indices, seed_, step);
  }

  std::shared_ptr<const Samples> samples_;
  Augmentation augmentation_;
  EpochOrder order_;
  std::uint64_t seed_;  // of the distortions
  std::uint64_t step_ = 0;
  std::array<SampleBlock, 2> blocks_;  // of even and of odd steps
  std::future<BatchView> ahead_;       // the next batch, made while its predecessor is trained on
};

class Windows final : public BatchSource {
 public:
  Windows(std::shared_ptr<const Samples> samples, std::size_t state_size, bool carry)
      : samples_(std::move(samples)),
        size_(samples_->streams * samples_->window),
        carry_(carry),
        state_(state_size * samples_->streams) {}

  BatchView next() override {
    if (next_ + size_ > samples_->count) {
      next_ = 0;
    }
    if (next_ == 0 || !carry_) {
      std::ranges::fill(state_, 0.0F);
    }
    BatchView view = SampleBlock().range(*samples_, next_, size_);
    view.state = state_.data();
    next_ += size_;
    return view;
  }

  bool constant() const override { return false; }
  void save(StateWriter& state) const override {
    state.put(next_);
    state.put_all(std::span<const float>(state_));
  }
  void restore(StateReader& state) override {
    next_ = state.get<std::size_t>();
    state.get_all(std::span(state_));
  }

 private:
  std::shared_ptr<const Samples> samples_;
  std::size_t size_;
  bool carry_;
  std::size_t next_ = 0;
  std::vector<float> state_;
};

class ConstantBatch final : public BatchSource {
 public:
  ConstantBatch(BatchView batch, std::shared_ptr<const void> owner)
      : batch_(batch), owner_(std::move(owner)) {}
  BatchView next() override { return batch_; }
  bool constant() const override { return true; }

 private:
  BatchView batch_;
  std::shared_ptr<const void> owner_;
};

template <typename Value>
const Value* rows_from(const std::vector<Value>& values, std::size_t first, std::size_t width) {
  return values.empty() ? nullptr : values.data() + first * width;
}

// Inputs [first, first + count) of samples that are bytes.
void floats_of_bytes(const Samples& samples, std::size_t first, std::size_t count, float* into) {
  const std::size_t features = samples.features();
  if (samples.byte_values.empty()) {
    bytes_to_floats(std::span(samples.bytes).subspan(first * features, count * features), into);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    samples.copy_input(first + i, into + i * features);
  }
}

}  // namespace

BatchView SampleBlock::range(const Samples& samples, std::size_t first, std::size_t count) {
  const std::size_t features = samples.features();
  BatchView view{.count = count,
                 .inputs = rows_from(samples.values, first, features),
                 .targets = rows_from(samples.targets, first, samples.outputs()),
                 .labels = rows_from(samples.labels, first, 1),
                 .streams = std::max<std::size_t>(samples.streams, 1)};
  if (view.inputs == nullptr) {
    inputs_.resize(std::max(inputs_.size(), count * features));
    floats_of_bytes(samples, first, count, inputs_.data());
    view.inputs = inputs_.data();
  }
  return view;
}

BatchView SampleBlock::take(const Samples& samples,
                            std::span<const std::uint32_t> indices,
                            std::size_t size) {
  const std::size_t outputs = samples.outputs();
  const std::size_t count = indices.size();
  inputs_.resize(std::max(inputs_.size(), count * size));
  targets_.resize(std::max(targets_.size(), count * outputs));
  labels_.resize(std::max(labels_.size(), samples.labels.empty() ? 0 : count));
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(
        samples.targets.data() + indices[i] * outputs, outputs, targets_.data() + i * outputs);
    if (!samples.labels.empty()) {
      labels_[i] = samples.labels[indices[i]];
    }
  }
  return {.count = count,
          .inputs = inputs_.data(),
          .targets = outputs == 0 ? nullptr : targets_.data(),
          .labels = samples.labels.empty() ? nullptr : labels_.data(),
          .indices = indices.data()};
}

BatchView SampleBlock::gather(const Samples& samples, std::span<const std::uint32_t> indices) {
  const std::size_t features = samples.features();
  const BatchView view = take(samples, indices, features);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    float* input = inputs_.data() + i * features;
    if (samples.bytes.empty()) {
      std::ranges::copy(std::span(samples.values).subspan(indices[i] * features, features), input);
    } else {
      floats_of_bytes(samples, indices[i], 1, input);
    }
  }
  return view;
}

void SampleBlock::augment_one(const Samples& samples,
                              const Augmentation& augmentation,
                              const Distortion& distortion,
                              std::size_t index,
                              std::size_t place) {
  const std::size_t from = augmentation.input_size();
  const std::size_t to = augmentation.output_size();
  augmentation.apply(distortion,
                     std::span(samples.bytes).subspan(index * from, from),
                     std::span(inputs_).subspan(place * to, to));
}

BatchView SampleBlock::central(const Samples& samples,
                               const Augmentation& augmentation,
                               std::size_t first,
                               std::size_t count) {
  inputs_.resize(std::max(inputs_.size(), count * augmentation.output_size()));
  const Distortion centre = augmentation.central();
  for (std::size_t i = 0; i < count; ++i) {
    augment_one(samples, augmentation, centre, first + i, i);
  }
  return {.count = count,
          .inputs = inputs_.data(),
          .targets = rows_from(samples.targets, first, samples.outputs()),
          .labels = rows_from(samples.labels, first, 1)};
}

BatchView SampleBlock::central(const Samples& samples,
                               const Augmentation& augmentation,
                               std::span<const std::uint32_t> indices) {
  const BatchView view = take(samples, indices, augmentation.output_size());
  const Distortion centre = augmentation.central();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    augment_one(samples, augmentation, centre, indices[i], i);
  }
  return view;
}

BatchView SampleBlock::distorted(const Samples& samples,
                                 const Augmentation& augmentation,
                                 std::span<const std::uint32_t> indices,
                                 std::uint64_t seed,
                                 std::uint64_t step) {
  const BatchView view = take(samples, indices, augmentation.output_size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    augment_one(samples, augmentation, augmentation.draw(seed, step, i), indices[i], i);
  }
  return view;
}

std::unique_ptr<BatchSource> make_epochs(std::shared_ptr<const Samples> samples,
                                         std::size_t batch_size,
                                         std::uint64_t seed,
                                         std::uint64_t stream) {
  return std::make_unique<Epochs>(std::move(samples), batch_size, seed, stream);
}

std::unique_ptr<BatchSource> make_index_batches(std::size_t samples,
                                                std::size_t batch_size,
                                                std::uint64_t seed,
                                                std::uint64_t stream) {
  if (batch_size > samples) {
    throw UsageError(fmt::format(
        "batch-size: expected at most the {} training samples, got {}", samples, batch_size));
  }
  if (batch_size == 0) {
    return std::make_unique<ConstantBatch>(BatchView{.count = samples}, nullptr);
  }
  return std::make_unique<IndexEpochs>(
      samples, batch_size, seed, stream_name({stream, order_purpose}));
}

std::unique_ptr<BatchSource> make_augmented_epochs(std::shared_ptr<const Samples> samples,
                                                   const Augmentation& augmentation,
                                                   std::size_t batch_size,
                                                   std::uint64_t seed,
                                                   std::uint64_t stream) {
  return std::make_unique<AugmentedEpochs>(
      std::move(samples), augmentation, batch_size, seed, stream);
}

std::unique_ptr<BatchSource> make_windows(std::shared_ptr<const Samples> samples,
                                          std::size_t state_size,
                                          bool carry) {
  return std::make_unique<Windows>(std::move(samples), state_size, carry);
}

std::unique_ptr<BatchSource> make_constant_batch(BatchView batch,
                                                 std::shared_ptr<const void> owner) {
  return std::make_unique<ConstantBatch>(batch, std::move(owner));
}

void bytes_to_floats(std::span<const std::uint8_t> bytes, float* __restrict values) {
  const std::uint8_t* __restrict source = bytes.data();
  const std::size_t count = bytes.size();
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(source[i]) * (1.0F / 255.0F);
  }
}

}  // namespace isthmus
