// SPDX-License-Identifier: MIT
#include "isthmus/objective/importance_batches.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/batches.h"

namespace isthmus {
namespace {

constexpr std::uint64_t steps_between_updates = 32;

class ImportanceBatches final : public BatchSource {
 public:
  ImportanceBatches(std::shared_ptr<const Samples> samples,
                    std::size_t batch_size,
                    double importance,
                    std::span<const float> expected,
                    std::uint64_t seed,
                    std::uint64_t stream)
      : samples_(std::move(samples)),
        importance_(importance),
        rng_(seed, stream),
        scores_(samples_->count, 1.0F),
        chances_(samples_->count),
        sums_(samples_->count),
        indices_(batch_size),
        weights_(batch_size),
        losses_(batch_size) {
    ISTHMUS_ASSERT(batch_size >= 1 && batch_size <= samples_->count, "a batch fits the set");
    ISTHMUS_ASSERT(importance_ > 0.0 && importance_ < 1.0, "every sample has a chance");
    ISTHMUS_ASSERT(!samples_->labels.empty(), "labels, for the cross-entropy");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      scores_[i] = std::sqrt(score_of(expected[i]));
    }
  }

  BatchView next() override {
    if (step_ > 0) {
      score_last_batch();
    }
    if (step_ % steps_between_updates == 0) {
      std::ranges::copy(scores_, chances_.begin());
      add_up();
    }
    draw();
    ++step_;
    BatchView view = block_.gather(*samples_, indices_);
    view.weights = weights_.data();
    view.sample_losses = losses_.data();
    return view;
  }

  bool constant() const override { return false; }

  void save(StateWriter& state) const override {
    state.put(rng_.state());
    state.put(step_);
    state.put_all(std::span<const float>(scores_));
    state.put_all(std::span<const float>(chances_));
    state.put_all(std::span<const std::uint32_t>(indices_));
    state.put_all(std::span<const float>(losses_));
  }
  void restore(StateReader& state) override {
    rng_.set_state(state.get<std::array<std::uint64_t, 4>>());
    step_ = state.get<std::uint64_t>();
    state.get_all(std::span(scores_));
    state.get_all(std::span(chances_));
    state.get_all(std::span(indices_));
    state.get_all(std::span(losses_));
    add_up();
  }

 private:
  static float score_of(float loss) { return std::isfinite(loss) ? -std::expm1(-loss) : 1.0F; }

  void score_last_batch() {
    for (std::size_t k = 0; k < indices_.size(); ++k) {
      scores_[indices_[k]] = score_of(losses_[k]);
    }
  }

  // sums_[i]: of the probabilities of samples 0, ..., i, times what sums_ ends with.
  void add_up() {
    double total = 0.0;
    for (const float score : chances_) {
      total += static_cast<double>(score);
    }
    even_ = (1.0 - importance_) / importance_ * total / static_cast<double>(chances_.size());
    if (!(even_ > 0.0)) {
      even_ = 1.0;  // no sample has a loss
    }
    double sum = 0.0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      sum += even_ + static_cast<double>(chances_[i]);
      sums_[i] = sum;
    }
  }

  void draw() {
    const auto batch_size = static_cast<double>(indices_.size());
    const double mean = sums_.back() / static_cast<double>(sums_.size());
    auto from = sums_.begin();
    for (std::size_t k = 0; k < indices_.size(); ++k) {
      const double place = (static_cast<double>(k) + rng_.uniform()) / batch_size * sums_.back();
      from = std::upper_bound(from, sums_.end() - 1, place);
      const auto i = static_cast<std::size_t>(from - sums_.begin());
      indices_[k] = static_cast<std::uint32_t>(i);
      weights_[k] = static_cast<float>(mean / (even_ + static_cast<double>(chances_[i])));
    }
  }

  std::shared_ptr<const Samples> samples_;
  double importance_;
  Rng rng_;
  std::uint64_t step_ = 0;
  std::vector<float> scores_;
  std::vector<float> chances_;  // the scores that the probabilities are of
  double even_ = 0.0;           // what all of them get on top
  std::vector<double> sums_;
  std::vector<std::uint32_t> indices_;  // of the batch, and its losses as training found them
  std::vector<float> weights_;
  std::vector<float> losses_;
  SampleBlock block_;
};

}  // namespace

std::unique_ptr<BatchSource> make_importance_batches(std::shared_ptr<const Samples> samples,
                                                     std::size_t batch_size,
                                                     double importance,
                                                     std::span<const float> expected,
                                                     std::uint64_t seed,
                                                     std::uint64_t stream) {
  return std::make_unique<ImportanceBatches>(
      std::move(samples), batch_size, importance, expected, seed, stream);
}

}  // namespace isthmus
