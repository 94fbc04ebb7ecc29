// SPDX-License-Identifier: MIT
#include "isthmus/objective/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

class Epochs final : public BatchSource {
 public:
  Epochs(std::shared_ptr<const Samples> samples,
         std::size_t batch_size,
         std::uint64_t seed,
         std::uint64_t stream)
      : samples_(std::move(samples)),
        batch_size_(batch_size),
        rng_(seed, stream),
        order_(samples_->count),
        next_(order_.size()) {
    ISTHMUS_ASSERT(batch_size_ >= 1 && batch_size_ <= order_.size(), "a batch fits an epoch");
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
  }

  BatchView next() override {
    if (next_ + batch_size_ > order_.size()) {
      rng_.shuffle(order_);
      next_ = 0;
    }
    const auto indices = std::span<const std::uint32_t>(order_).subspan(next_, batch_size_);
    next_ += batch_size_;
    return block_.gather(*samples_, indices);
  }

  bool constant() const override { return false; }

 private:
  std::shared_ptr<const Samples> samples_;
  std::size_t batch_size_;
  Rng rng_;
  std::vector<std::uint32_t> order_;
  std::size_t next_;  // place in order_; at the start there is no epoch yet
  SampleBlock block_;
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

}  // namespace

BatchView SampleBlock::range(const Samples& samples, std::size_t first, std::size_t count) {
  const std::size_t features = samples.features();
  BatchView view{.count = count,
                 .inputs = rows_from(samples.values, first, features),
                 .targets = rows_from(samples.targets, first, samples.outputs()),
                 .labels = rows_from(samples.labels, first, 1)};
  if (view.inputs == nullptr) {
    inputs_.resize(std::max(inputs_.size(), count * features));
    bytes_to_floats(std::span(samples.bytes).subspan(first * features, count * features),
                    inputs_.data());
    view.inputs = inputs_.data();
  }
  return view;
}

BatchView SampleBlock::gather(const Samples& samples, std::span<const std::uint32_t> indices) {
  const std::size_t features = samples.features();
  const std::size_t outputs = samples.outputs();
  const std::size_t count = indices.size();
  inputs_.resize(std::max(inputs_.size(), count * features));
  targets_.resize(std::max(targets_.size(), count * outputs));
  if (!samples.labels.empty()) {
    labels_.resize(std::max(labels_.size(), count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = indices[i];
    float* input = inputs_.data() + i * features;
    if (samples.bytes.empty()) {
      std::copy_n(samples.values.data() + index * features, features, input);
    } else {
      bytes_to_floats(std::span(samples.bytes).subspan(index * features, features), input);
    }
    std::copy_n(samples.targets.data() + index * outputs, outputs, targets_.data() + i * outputs);
    if (!samples.labels.empty()) {
      labels_[i] = samples.labels[index];
    }
  }
  return {.count = count,
          .inputs = inputs_.data(),
          .targets = outputs == 0 ? nullptr : targets_.data(),
          .labels = samples.labels.empty() ? nullptr : labels_.data()};
}

std::unique_ptr<BatchSource> make_epochs(std::shared_ptr<const Samples> samples,
                                         std::size_t batch_size,
                                         std::uint64_t seed,
                                         std::uint64_t stream) {
  return std::make_unique<Epochs>(std::move(samples), batch_size, seed, stream);
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
