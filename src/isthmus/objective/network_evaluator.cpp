// SPDX-License-Identifier: MIT
#include "isthmus/objective/network_evaluator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// What is left of a list of samples behind its whole blocks: the engine compiles a plan for every
// size that it sees, so there are to be few.
constexpr std::size_t small_block = 16;

class NetworkEvaluator final : public Evaluator {
 public:
  explicit NetworkEvaluator(std::shared_ptr<NetworkContext> context)
      : context_(std::move(context)),
        dimension_(context_->layout.dimension()),
        outputs_(output_size(context_->options.network)),
        state_size_(state_size(context_->options.network)),
        engine_(make_engine(context_->options.network, context_->block)) {}

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
    const bool shares_lanes = engine_->preferred_population(context_->block) > 1;
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
    Evaluation evaluation{.samples = context_->split(split).count};
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
      ISTHMUS_ASSERT(margins.size() == context_->split(split).count, "a margin for every sample");
      return errors(split, theta, bound, margins);
    }
    ISTHMUS_ASSERT(margins.size() == indices.size(), "a margin for every index");
    return errors_of(context_->split(split), theta, indices, bound, margins);
  }

  Evaluation sample_losses(Split split,
                           Metric metric,
                           std::span<const float> theta,
                           std::span<const std::uint32_t> indices,
                           std::span<float> losses) override {
    ISTHMUS_ASSERT(theta.size() == dimension_, "theta has P numbers");
    ISTHMUS_ASSERT(state_size_ == 0 && metric != Metric::error_rate, "losses that stand alone");
    const Samples& samples = context_->split(split);
    ISTHMUS_ASSERT(losses.size() == (indices.empty() ? samples.count : indices.size()), "one each");
    if (indices.empty()) {
      return losses_of_all(samples, metric, theta, losses);
    }
    std::size_t done = 0;
    Evaluation evaluation{.value = std::numeric_limits<double>::quiet_NaN()};
    evaluation.samples =
        visit_listed(samples, indices, [&](std::size_t count, const BatchView& batch) {
          for (const double loss : losses_of_block(theta, batch, loss_of(metric)).first(count)) {
            losses[done++] = static_cast<float>(loss);
          }
          return true;
        });
    return evaluation;
  }

  double metric_of_mean(Metric metric, std::span<const float> theta, double mean) const override {
    return metric == Metric::perplexity ? std::exp(mean) : mean + context_->penalty.value(theta);
  }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Rng* dropout,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    engine_->losses_and_gradients(
        thetas, batch, context_->options.loss, dropout, losses, gradients);
    add_penalty(thetas, losses);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      context_->penalty.add_gradient(thetas.subspan(i * dimension_, dimension_),
                                     gradients.subspan(i * dimension_, dimension_));
    }
  }

  std::size_t preferred_population(std::size_t batch_size) const override {
    return engine_->preferred_population(batch_size);
  }

 private:
  // Samples of a pass; the network's state goes on from one call to the next.
  BatchView view(const Samples& samples, std::size_t first, std::size_t count) {
    BatchView batch = context_->view(block_, samples, first, count);
    batch.state = state_.empty() ? nullptr : state_.data();
    return batch;
  }

  void add_penalty(std::span<const float> thetas, std::span<double> values) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] += context_->penalty.value(thetas.subspan(i * dimension_, dimension_));
    }
  }

  void mean_losses(Split split,
                   Loss loss,
                   std::span<const float> thetas,
                   std::span<double> values) {
    const Samples& samples = context_->split(split);
    block_losses_.resize(std::max(block_losses_.size(), values.size()));
    const std::span<double> losses = std::span(block_losses_).first(values.size());
    std::ranges::fill(values, 0.0);
    state_.assign(samples.streams * state_size_, 0.0F);
    for (std::size_t first = 0; first < samples.count; first += context_->block) {
      const std::size_t count = std::min(context_->block, samples.count - first);
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
    const Samples& samples = context_->split(split);
    Evaluation evaluation;
    std::size_t wrong = 0;
    state_.assign(samples.streams * state_size_, 0.0F);
    while (evaluation.samples < samples.count) {
      const std::size_t first = evaluation.samples;
      const std::size_t count = std::min(context_->block, samples.count - first);
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

  // The same of some samples.
  Evaluation errors_of(const Samples& samples,
                       std::span<const float> theta,
                       std::span<const std::uint32_t> indices,
                       double bound,
                       std::span<float> margins) {
    Evaluation evaluation;
    std::size_t wrong = 0;
    std::size_t done = 0;
    evaluation.samples =
        visit_listed(samples, indices, [&](std::size_t count, const BatchView& batch) {
          const std::span<const float> found = block_margins(theta, batch).first(count);
          std::ranges::copy(found, margins.subspan(done).begin());
          wrong += wrong_among(found);
          done += count;
          evaluation.value = static_cast<double>(wrong) / static_cast<double>(samples.count);
          return !(evaluation.value > bound);
        });
    evaluation.complete = done == indices.size();
    return evaluation;
  }

  // Shows the samples of a list, block by block in order, as visit(count, batch), for as long as
  // that returns true. A small block is filled up with its last sample, which counts as work.
  // Returns the samples that this is.
  template <class Visit>
  std::size_t visit_listed(const Samples& samples,
                           std::span<const std::uint32_t> indices,
                           const Visit& visit) {
    const std::size_t block = context_->block;
    std::size_t shown = 0;
    bool goes_on = true;
    for (std::size_t done = 0; goes_on && done < indices.size();) {
      const std::size_t left = indices.size() - done;
      const std::size_t size = left > block / 2 ? block : std::min(block, small_block);
      const std::size_t count = std::min(size, left);
      padded_.assign(size, indices[done + count - 1]);
      std::ranges::copy(indices.subspan(done, count), padded_.begin());
      goes_on = visit(count, context_->view(block_, samples, padded_));
      done += count;
      shown += size;
    }
    return shown;
  }

  // The losses of all samples of a split, and the metric that they make.
  Evaluation losses_of_all(const Samples& samples,
                           Metric metric,
                           std::span<const float> theta,
                           std::span<float> losses) {
    double mean = 0.0;
    for (std::size_t first = 0; first < samples.count; first += context_->block) {
      const std::size_t count = std::min(context_->block, samples.count - first);
      const std::span<const double> found =
          losses_of_block(theta, view(samples, first, count), loss_of(metric));
      std::ranges::transform(found, losses.subspan(first).begin(), [](double loss) {
        return static_cast<float>(loss);
      });
      // As metrics() adds them up.
      const double sum = std::accumulate(found.begin(), found.end(), 0.0);
      const double share = static_cast<double>(count) / static_cast<double>(samples.count);
      mean += share * (sum / static_cast<double>(count));
    }
    return {.value = metric_of_mean(metric, theta, mean), .samples = samples.count};
  }

  // Of every sample of a batch. Valid until the next call.
  std::span<const double> losses_of_block(std::span<const float> theta,
                                          const BatchView& batch,
                                          Loss loss) {
    sample_losses_.resize(std::max(sample_losses_.size(), batch.count));
    const std::span<double> losses = std::span(sample_losses_).first(batch.count);
    losses_of_outputs(loss, batch, outputs_of(theta, batch), losses);
    return losses;
  }

  // The network's outputs (count, K) on a batch. Valid until the next call.
  std::span<const float> outputs_of(std::span<const float> theta, const BatchView& batch) {
    logits_.resize(std::max(logits_.size(), batch.count * outputs_));
    const std::span<float> logits = std::span(logits_).first(batch.count * outputs_);
    engine_->forward(theta, batch, logits);
    return logits;
  }

  // Of every sample the output of its label less the largest other one; NaN if any output is.
  // Valid until the next call.
  std::span<const float> block_margins(std::span<const float> theta, const BatchView& batch) {
    margins_.resize(std::max(margins_.size(), batch.count));
    const std::span<const float> logits = outputs_of(theta, batch);
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

  std::shared_ptr<NetworkContext> context_;
  std::size_t dimension_;
  std::size_t outputs_;
  std::size_t state_size_;  // a stream
  std::unique_ptr<Engine> engine_;
  SampleBlock block_;
  std::vector<float> state_;  // of the pass under way
  std::vector<double> block_losses_;
  std::vector<double> sample_losses_;
  std::vector<float> logits_;
  std::vector<float> margins_;
  std::vector<std::uint32_t> padded_;
};

}  // namespace

std::unique_ptr<Evaluator> make_network_evaluator(std::shared_ptr<NetworkContext> context) {
  return std::make_unique<NetworkEvaluator>(std::move(context));
}

}  // namespace isthmus
