// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/loss.h"
#include "isthmus/net/dnn/plan.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

using dnn::Mode;
using dnn::Plan;
using dnn::Step;

// Samples a pass in evaluation: enough for products of matrices to run at full speed, few enough
// for the activations between two layers to stay in the cache.
constexpr std::size_t evaluation_block = 128;
// The same for sequences, where a block has to hold many steps of every stream.
constexpr std::size_t sequence_block = 512;

class DnnEngine final : public Engine {
 public:
  DnnEngine(const Network& network, std::size_t largest_batch);

  std::size_t dimension() const override { return layout_.dimension(); }
  std::size_t outputs() const override { return outputs_; }
  void forward(std::span<const float> theta,
               const BatchView& batch,
               std::span<float> outputs) override;
  void losses(std::span<const float> thetas,
              const BatchView& batch,
              Loss loss,
              std::span<double> losses) override;
  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Loss loss,
                            Rng* dropout,
                            std::span<double> losses,
                            std::span<float> gradients) override;
  std::size_t preferred_population(std::size_t) const override { return 1; }

 private:
  using Last = Plan::Last;
  Plan& plan(std::size_t count, std::size_t streams, Mode mode, Last last);
  Last last_for(Loss loss) const {
    return loss == Loss::cross_entropy && has_head_ ? Last::cross_entropy : Last::outputs;
  }
  // Shows the batch in blocks: visit(plan, step, first sample, count).
  template <class Visit>
  void evaluate(const float* theta, const BatchView& batch, Last last, const Visit& visit);
  // The sum of the losses of one block, which is (part of) a batch, in whatever mode the plan has.
  double loss_of(
      Plan& plan, const Step& step, const BatchView& batch, Loss loss, double scale) const;
  void check(std::size_t thetas, const BatchView& batch, std::size_t results) const;
  // Samples a pass in evaluation.
  std::size_t block(const BatchView& batch) const;

  Network network_;
  Layout layout_;
  std::size_t features_;
  std::size_t outputs_;
  std::size_t block_;
  bool has_dropout_;
  bool has_head_;
  std::size_t state_size_;
  std::vector<float> state_;  // where the caller keeps none
  dnnl::stream stream_;
  std::map<std::tuple<std::size_t, std::size_t, Mode, Last>, std::unique_ptr<Plan>> plans_;
};

DnnEngine::DnnEngine(const Network& network, std::size_t largest_batch)
    : network_(network),
      layout_(layout_of(network)),
      features_(std::accumulate(
          network.input.begin(), network.input.end(), std::size_t{1}, std::multiplies<>())),
      outputs_(output_size(network)),
      block_(std::clamp<std::size_t>(largest_batch, 1, evaluation_block)),
      has_dropout_(std::ranges::any_of(
          network.layers,
          [](const Layer& layer) { return std::holds_alternative<Dropout>(layer); })),
      has_head_(dnn::Head::suits(network)),
      state_size_(state_size(network)),
      stream_(dnn::cpu()) {
}

Plan& DnnEngine::plan(std::size_t count, std::size_t streams, Mode mode, Last last) {
  std::unique_ptr<Plan>& found = plans_[{count, state_size_ == 0 ? 1 : streams, mode, last}];
  if (!found) {
    found = std::make_unique<Plan>(network_, layout_, count, streams, mode, last);
  }
  return *found;
}

void DnnEngine::check(std::size_t thetas, const BatchView& batch, std::size_t results) const {
  if (thetas != results * dimension()) {
    throw UsageError(fmt::format(
        "thetas: expected (B, P) = ({}, {}), got {} numbers", results, dimension(), thetas));
  }
  if (batch.count == 0 || batch.inputs == nullptr) {
    throw UsageError("batch: expected at least one sample, got none");
  }
  if (batch.streams == 0 || batch.count % batch.streams != 0) {
    throw UsageError(fmt::format("batch: expected a multiple of its {} streams, got {} samples",
                                 batch.streams,
                                 batch.count));
  }
}

std::size_t DnnEngine::block(const BatchView& batch) const {
  return state_size_ == 0
             ? block_
             : std::max<std::size_t>(sequence_block / batch.streams, 1) * batch.streams;
}

template <class Visit>
void DnnEngine::evaluate(const float* theta,
                         const BatchView& batch,
                         Last last,
                         const Visit& visit) {
  Step step{.theta = theta, .state = batch.state, .stream = stream_};
  if (state_size_ > 0 && batch.state == nullptr) {
    state_.assign(state_size_ * batch.streams, 0.0F);
    step.state = state_.data();
  }
  const dnn::OneThread one_thread;
  std::size_t first = 0;
  while (first < batch.count) {
    const std::size_t count = std::min(block(batch), batch.count - first);
    Plan& plan = this->plan(count, batch.streams, Mode::evaluation, last);
    const dnn::FlushDenormals flush_denormals;
    plan.load(step);
    do {
      visit(plan, step, first, count);
      first += count;
    } while (first + count <= batch.count);
  }
}

void DnnEngine::forward(std::span<const float> theta,
                        const BatchView& batch,
                        std::span<float> outputs) {
  check(theta.size(), batch, 1);
  if (outputs.size() != batch.count * outputs_) {
    throw UsageError(fmt::format("outputs: expected (count, K) = ({}, {}), got {} numbers",
                                 batch.count,
                                 outputs_,
                                 outputs.size()));
  }
  evaluate(theta.data(),
           batch,
           Last::outputs,
           [&](Plan& plan, const Step& step, std::size_t first, std::size_t count) {
             const float* values = plan.forward(step, batch.inputs + first * features_);
             std::copy_n(values, count * outputs_, outputs.data() + first * outputs_);
           });
}

double DnnEngine::loss_of(
    Plan& plan, const Step& step, const BatchView& batch, Loss loss, double scale) const {
  if (last_for(loss) == Last::cross_entropy) {
    return plan.cross_entropy(step, batch, scale);
  }
  const float* values = plan.forward(step, batch.inputs);
  return dnn::sum_of_losses(loss, batch, outputs_, values, plan.output_gradient(), scale);
}

void DnnEngine::losses(std::span<const float> thetas,
                       const BatchView& batch,
                       Loss loss,
                       std::span<double> losses) {
  check(thetas.size(), batch, losses.size());
  const Last last = last_for(loss);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    double sum = 0.0;
    evaluate(thetas.data() + i * dimension(),
             batch,
             last,
             [&](Plan& plan, const Step& step, std::size_t first, std::size_t count) {
               const BatchView part{
                   .count = count,
                   .inputs = batch.inputs + first * features_,
                   .targets = batch.targets == nullptr ? nullptr : batch.targets + first * outputs_,
                   .labels = batch.labels == nullptr ? nullptr : batch.labels + first};
               sum += loss_of(plan, step, part, loss, 0.0);
             });
    losses[i] = sum / static_cast<double>(batch.count);
  }
}

void DnnEngine::losses_and_gradients(std::span<const float> thetas,
                                     const BatchView& batch,
                                     Loss loss,
                                     Rng* dropout,
                                     std::span<double> losses,
                                     std::span<float> gradients) {
  check(thetas.size(), batch, losses.size());
  if (gradients.size() != thetas.size()) {
    throw UsageError(fmt::format("gradients: expected as many numbers as thetas, {}, got {}",
                                 thetas.size(),
                                 gradients.size()));
  }
  if (has_dropout_ && (dropout == nullptr || losses.size() != 1)) {
    throw UsageError(
        fmt::format("dropout: expected a random generator and one theta a call, got {} and {}",
                    dropout == nullptr ? "no generator" : "a generator",
                    losses.size()));
  }
  const dnn::OneThread one_thread;
  if (state_size_ > 0 && batch.state != nullptr && losses.size() != 1) {
    throw UsageError(
        fmt::format("batch: expected one theta for a state that goes on, got {}", losses.size()));
  }
  Plan& plan = this->plan(batch.count, batch.streams, Mode::training, last_for(loss));
  const dnn::FlushDenormals flush_denormals;
  const double scale = 1.0 / static_cast<double>(batch.count);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const Step step{.theta = thetas.data() + i * dimension(),
                    .gradient = gradients.data() + i * dimension(),
                    .state = batch.state,
                    .dropout = dropout,
                    .stream = stream_};
    plan.load(step);
    losses[i] = scale * loss_of(plan, step, batch, loss, scale);
    plan.backward(step);
  }
}

}  // namespace

std::unique_ptr<Engine> make_dnn_engine(const Network& network, std::size_t largest_batch) {
  return std::make_unique<DnnEngine>(network, largest_batch);
}

}  // namespace isthmus
