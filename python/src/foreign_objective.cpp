// SPDX-License-Identifier: MIT
#include "foreign_objective.h"

#include <fmt/format.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "interpreter.h"
#include "isthmus/core/error.h"
#include "isthmus/objective/index_batches.h"

namespace isthmus::python {
namespace {

using Numbers = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// What does not change from one evaluator to the next.
struct Shared {
  explicit Shared(nb::object object) : described(std::move(object)) {}

  Held described;
  Layout layout;
  std::size_t samples[2] = {1, 1};
  std::vector<std::string> metrics;  // of its own; the first is the loss
  std::vector<bool> of_samples;      // of each metric: its value of a sample is told
  bool has_margins = false;
  bool random = false;  // training draws numbers: dropout
  bool whole_is_loss[2] = {false, false};
  bool concurrent = false;
  std::mutex mutex;  // held by the one caller of an objective that is not concurrent
  int process = 0;
};

// Array of indices that Python owns, or None.
nb::object indices_of(const std::uint32_t* indices, std::size_t count) {
  if (indices == nullptr) {
    return nb::none();
  }
  auto* copy = new std::uint32_t[count];
  std::copy_n(indices, count, copy);
  const nb::capsule owner(copy, [](void* p) noexcept { delete[] static_cast<std::uint32_t*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<1>>(copy, {count}, owner));
}

class ForeignEvaluator final : public Evaluator {
 public:
  ForeignEvaluator(std::shared_ptr<Shared> shared, nb::object evaluator)
      : shared_(std::move(shared)),
        theta_(nb::cast<Numbers>(evaluator.attr("theta"))),
        gradient_(nb::cast<Numbers>(evaluator.attr("gradient"))),
        loss_and_gradient_(nb::object(evaluator.attr("loss_and_gradient"))),
        metric_(nb::object(evaluator.attr("metric"))),
        margins_(nb::object(nb::getattr(evaluator, "margins", nb::none()))),
        sample_losses_(nb::object(nb::getattr(evaluator, "sample_losses", nb::none()))),
        evaluator_(std::move(evaluator)) {
    const std::size_t dimension = shared_->layout.dimension();
    for (const Numbers* buffer : {&theta_, &gradient_}) {
      if (buffer->size() != dimension) {
        throw UsageError(fmt::format(
            "evaluator: expected buffers of {} numbers, got {}", dimension, buffer->size()));
      }
    }
  }
  ~ForeignEvaluator() override {
    if (Py_IsInitialized()) {
      const nb::gil_scoped_acquire gil;
      theta_ = Numbers();
      gradient_ = Numbers();
    }
  }

  void metrics(Split split,
               Metric metric,
               std::span<const float> thetas,
               std::span<double> values) override {
    const std::size_t dimension = thetas.size() / values.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = metric_unless_above(split,
                                      metric,
                                      thetas.subspan(i * dimension, dimension),
                                      std::numeric_limits<double>::infinity())
                      .value;
    }
  }

  Evaluation metric_unless_above(Split split,
                                 Metric metric,
                                 std::span<const float> theta,
                                 double bound) override {
    const std::string name = name_here(metric);
    return call(theta, [&] {
      return evaluation_of(metric_.get()(split == Split::test ? 1 : 0, name, bound));
    });
  }

  Evaluation margins(Split split,
                     std::span<const float> theta,
                     std::span<const std::uint32_t> indices,
                     double bound,
                     std::span<float> margins) override {
    return call(theta, [&] {
      const nb::tuple found = nb::cast<nb::tuple>(
          margins_.get()(split == Split::test ? 1 : 0,
                         indices_of(indices.empty() ? nullptr : indices.data(), indices.size()),
                         bound));
      const auto values = nb::cast<Numbers>(found[3]);
      if (values.size() > margins.size()) {
        throw UsageError(fmt::format(
            "margins: expected at most {} numbers, got {}", margins.size(), values.size()));
      }
      std::copy_n(values.data(), values.size(), margins.begin());
      return evaluation_of(found);
    });
  }

  Evaluation sample_losses(Split split,
                           Metric metric,
                           std::span<const float> theta,
                           std::span<const std::uint32_t> indices,
                           std::span<float> losses) override {
    const std::string name = name_here(metric);
    return call(theta, [&] {
      const nb::tuple found = nb::cast<nb::tuple>(sample_losses_.get()(
          split == Split::test ? 1 : 0,
          name,
          indices_of(indices.empty() ? nullptr : indices.data(), indices.size())));
      const auto values = nb::cast<Numbers>(found[1]);
      if (values.size() != losses.size()) {
        throw UsageError(fmt::format(
            "sample_losses: expected {} numbers, got {}", losses.size(), values.size()));
      }
      std::copy_n(values.data(), values.size(), losses.begin());
      return Evaluation{.value = nb::cast<double>(found[0]), .samples = losses.size()};
    });
  }
  double metric_of_mean(Metric, std::span<const float>, double mean) const override { return mean; }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Rng* dropout,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    const std::size_t dimension = thetas.size() / losses.size();
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses[i] = call(thetas.subspan(i * dimension, dimension), [&] {
        const nb::object seed =
            shared_->random && dropout ? nb::cast((*dropout)() >> 1U) : nb::none();
        const double loss = nb::cast<double>(
            loss_and_gradient_.get()(indices_of(batch.indices, batch.count), seed));
        std::memcpy(gradients.data() + i * dimension, gradient_.data(), dimension * sizeof(float));
        return loss;
      });
    }
  }

  std::size_t preferred_population(std::size_t) const override { return 1; }

 private:
  std::string name_here(Metric metric) const {
    for (std::size_t i = 0; i < shared_->metrics.size(); ++i) {
      if (metric == own_metric(i)) {
        return shared_->metrics[i];
      }
    }
    return std::string(name_of(metric));
  }

  // Puts theta where the evaluator finds it, and calls under the GIL; one call at a time where the
  // objective asks for that. The lock comes before the GIL, so nobody waits for it with the GIL.
  template <class Call>
  std::invoke_result_t<Call> call(std::span<const float> theta, const Call& python) {
    std::unique_lock lock(shared_->mutex, std::defer_lock);
    if (!shared_->concurrent) {
      lock.lock();
    }
    std::memcpy(theta_.data(), theta.data(), theta.size_bytes());
    const nb::gil_scoped_acquire gil;
    const auto result = python();
    refuse_forked(shared_->process);
    return result;
  }

  static Evaluation evaluation_of(nb::handle found) {
    const nb::tuple parts = nb::cast<nb::tuple>(found);
    return {.value = nb::cast<double>(parts[0]),
            .samples = nb::cast<std::size_t>(parts[1]),
            .complete = nb::cast<bool>(parts[2])};
  }

  std::shared_ptr<Shared> shared_;
  Numbers theta_;
  Numbers gradient_;
  Held loss_and_gradient_;
  Held metric_;
  Held margins_;
  Held sample_losses_;
  Held evaluator_;
};

class ForeignObjective final : public Objective {
 public:
  explicit ForeignObjective(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  const Layout& layout() const override { return shared_->layout; }
  std::size_t samples(Split split) const override {
    return shared_->samples[split == Split::test ? 1 : 0];
  }
  Loss loss() const override { return Loss::squared; }  // not looked at: loss_metric() is
  Metric loss_metric() const override { return own_metric(0); }
  bool supports(Metric metric) const override {
    return is_own(metric) || (metric == Metric::error_rate && shared_->has_margins);
  }
  std::vector<std::string> own_metrics() const override { return shared_->metrics; }
  bool has_margins() const override { return shared_->has_margins; }
  bool has_sample_losses(Metric metric) const override {
    return is_own(metric) &&
           shared_->of_samples[static_cast<std::size_t>(metric) - first_own_metric];
  }
  std::unique_ptr<Evaluator> evaluator() const override {
    const nb::gil_scoped_acquire gil;
    return std::make_unique<ForeignEvaluator>(
        shared_, nb::object(shared_->described.get().attr("evaluator")()));
  }
  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t batch_size) const override {
    return make_index_batches(samples(Split::train), batch_size, seed, stream);
  }
  bool training_loss_is(Metric metric, Split split) const override {
    return metric == loss_metric() && shared_->whole_is_loss[split == Split::test ? 1 : 0];
  }
  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    Rng rng(seed, stream);
    for (float& number : theta) {
      number = static_cast<float>(rng.uniform(-1.0, 1.0));
    }
  }

 private:
  bool is_own(Metric metric) const {
    const int index = static_cast<int>(metric) - first_own_metric;
    return index >= 0 && index < static_cast<int>(shared_->metrics.size());
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<Objective> make_foreign_objective(nb::object described) {
  auto shared = std::make_shared<Shared>(described);
  using Tensors = std::vector<std::tuple<std::string, std::vector<std::size_t>, bool>>;
  for (const auto& [name, shape, is_weight] : nb::cast<Tensors>(described.attr("tensors"))) {
    shared->layout.add(name, shape, is_weight ? Role::weight : Role::bias);
  }
  if (shared->layout.dimension() == 0) {
    throw UsageError("objective: expected at least one parameter that is trained, got none");
  }
  std::tie(shared->samples[0], shared->samples[1]) =
      nb::cast<std::tuple<std::size_t, std::size_t>>(described.attr("samples"));
  shared->metrics = nb::cast<std::vector<std::string>>(described.attr("metrics"));
  if (shared->metrics.empty()) {
    throw UsageError("objective: expected a metric, the loss, got none");
  }
  for (const auto told = nb::cast<std::vector<std::string>>(described.attr("sample_losses"));
       const std::string& metric : shared->metrics) {
    shared->of_samples.push_back(std::ranges::find(told, metric) != told.end());
  }
  shared->has_margins = nb::cast<bool>(described.attr("has_margins"));
  shared->random = nb::cast<bool>(described.attr("random"));
  shared->concurrent = nb::cast<bool>(described.attr("concurrent"));
  std::tie(shared->whole_is_loss[0], shared->whole_is_loss[1]) =
      nb::cast<std::tuple<bool, bool>>(described.attr("loss_is_metric"));
  shared->process = getpid();
  return std::make_unique<ForeignObjective>(std::move(shared));
}

}  // namespace isthmus::python
