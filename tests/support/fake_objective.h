// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/objective.h"

namespace isthmus::fake {

/// A loss in closed form at theta; where `gradient` is not empty it is overwritten.
using Surface = std::function<double(std::span<const float> theta, std::span<float> gradient)>;

struct FakeOptions {
  Surface surface;       ///< trains, and is the value of `metric` on the training split
  double on_test = 1.0;  ///< the value on the test split is this multiple
  Metric metric = Metric::mean_squared_error;
  std::size_t samples = 1;     ///< of either split
  std::size_t population = 1;  ///< see Evaluator::preferred_population
  bool loss_is_metric = false;
  /// For Metric::error_rate: round(surface * samples) samples, evenly spread, are wrong, and a pass
  /// may end after every `block` samples.
  std::size_t block = 10;
  /// If given: the objective has margins, and error rates come from them, not from the surface.
  std::function<float(std::span<const float> theta, std::size_t sample)> margin{};
  /// If given: the objective has losses of samples, and the metric is their mean.
  std::function<float(std::span<const float> theta, std::size_t sample)> sample_loss{};
  /// Called on the worker's thread before a full-split value is computed; may throw.
  std::function<void(std::span<const float> theta)> before_look{};
  std::function<void()> before_step{};  ///< likewise before a gradient
};

/// An Objective on an analytic surface over two weights and, behind them, any number of biases,
/// that counts and records what is asked of it.
class FakeObjective final : public Objective {
 public:
  explicit FakeObjective(FakeOptions options, std::size_t biases = 0)
      : options_(std::move(options)) {
    layout_.add("0.weight", {1, 2}, Role::weight);
    if (biases > 0) {
      layout_.add("0.bias", {biases}, Role::bias);
    }
  }

  const Layout& layout() const override { return layout_; }
  std::size_t samples(Split) const override { return options_.samples; }
  Loss loss() const override { return Loss::squared; }
  bool supports(Metric metric) const override { return metric == options_.metric; }
  bool has_margins() const override { return static_cast<bool>(options_.margin); }
  bool has_sample_losses(Metric) const override { return static_cast<bool>(options_.sample_loss); }
  std::unique_ptr<Evaluator> evaluator() const override;
  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t) const override;
  bool training_loss_is(Metric metric, Split split) const override {
    return options_.loss_is_metric && metric == options_.metric && split == Split::test;
  }
  void initialise(std::uint64_t, std::uint64_t, std::span<float> theta) const override {
    std::ranges::fill(theta, 0.0f);
  }

  /// Thetas whose full-split value was asked for, and the samples that took.
  std::size_t looks() const { return looks_; }
  std::uint64_t samples_looked_at() const { return samples_looked_at_; }
  std::size_t gradients() const { return gradients_; }
  /// All thetas looked at; in order if there is one worker.
  std::vector<std::vector<float>> looked_at() const {
    const std::lock_guard lock(mutex_);
    return looked_at_;
  }
  /// (seed, stream) of all batches asked for.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> streams() const {
    const std::lock_guard lock(mutex_);
    return streams_;
  }
  void forget() const {
    const std::lock_guard lock(mutex_);
    looked_at_.clear();
    streams_.clear();
    looks_ = 0;
    gradients_ = 0;
    samples_looked_at_ = 0;
  }

 private:
  friend class FakeEvaluator;

  FakeOptions options_;
  Layout layout_;
  mutable std::atomic<std::size_t> looks_{0};
  mutable std::atomic<std::size_t> gradients_{0};
  mutable std::atomic<std::uint64_t> samples_looked_at_{0};
  mutable std::mutex mutex_;
  mutable std::vector<std::vector<float>> looked_at_;
  mutable std::vector<std::pair<std::uint64_t, std::uint64_t>> streams_;
};

class FakeEvaluator final : public Evaluator {
 public:
  explicit FakeEvaluator(const FakeObjective& objective) : objective_(objective) {}

  void metrics(Split split,
               Metric metric,
               std::span<const float> thetas,
               std::span<double> values) override {
    const std::size_t dimension = objective_.dimension();
    ISTHMUS_ASSERT(thetas.size() == values.size() * dimension, "B thetas and B values");
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = look(split, metric, thetas.subspan(i * dimension, dimension));
      objective_.samples_looked_at_ += objective_.options_.samples;
    }
  }

  Evaluation metric_unless_above(Split split,
                                 Metric metric,
                                 std::span<const float> theta,
                                 double bound) override {
    const FakeOptions& options = objective_.options_;
    Evaluation result{.value = look(split, metric, theta), .samples = options.samples};
    if (metric == Metric::error_rate) {
      const auto all = static_cast<double>(options.samples);
      const double wrong = std::round(result.value * all);
      for (std::size_t seen = options.block; seen < options.samples; seen += options.block) {
        const double so_far = std::floor(static_cast<double>(seen) * wrong / all) / all;
        if (so_far > bound) {
          result = {.value = so_far, .samples = seen, .complete = false};
          break;
        }
      }
    }
    objective_.samples_looked_at_ += result.samples;
    return result;
  }

  Evaluation margins(Split split,
                     std::span<const float> theta,
                     std::span<const std::uint32_t> indices,
                     double bound,
                     std::span<float> margins) override {
    const std::size_t all = objective_.options_.samples;
    look(split, Metric::error_rate, theta);
    Evaluation result;
    std::size_t wrong = 0;
    ISTHMUS_ASSERT(margins.size() == (indices.empty() ? all : indices.size()), "one each");
    while (result.samples < margins.size() && result.value <= bound) {
      const std::size_t i = result.samples++;
      margins[i] = objective_.options_.margin(theta, indices.empty() ? i : indices[i]);
      wrong += margins[i] > 0.0f ? 0 : 1;
      result.value = static_cast<double>(wrong) / static_cast<double>(all);
    }
    result.complete = result.samples == margins.size();
    objective_.samples_looked_at_ += result.samples;
    return result;
  }

  Evaluation sample_losses(Split split,
                           Metric metric,
                           std::span<const float> theta,
                           std::span<const std::uint32_t> indices,
                           std::span<float> losses) override {
    const double value = look(split, metric, theta);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      losses[i] = objective_.options_.sample_loss(theta, indices.empty() ? i : indices[i]);
    }
    objective_.samples_looked_at_ += losses.size();
    return {.value = indices.empty() ? value : std::numeric_limits<double>::quiet_NaN(),
            .samples = losses.size()};
  }
  double metric_of_mean(Metric metric, std::span<const float>, double mean) const override {
    return metric == Metric::perplexity ? std::exp(mean) : mean;
  }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView&,
                            Rng*,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    const std::size_t dimension = objective_.dimension();
    for (std::size_t i = 0; i < losses.size(); ++i) {
      if (objective_.options_.before_step) {
        objective_.options_.before_step();
      }
      ++objective_.gradients_;
      losses[i] = objective_.options_.surface(thetas.subspan(i * dimension, dimension),
                                              gradients.subspan(i * dimension, dimension));
    }
  }

  std::size_t preferred_population(std::size_t) const override {
    return objective_.options_.population;
  }

 private:
  double look(Split split, Metric metric, std::span<const float> theta) {
    const FakeOptions& options = objective_.options_;
    ISTHMUS_ASSERT(metric == options.metric, "the metric of this objective");
    ISTHMUS_ASSERT(theta.size() == objective_.dimension(), "one theta");
    if (options.before_look) {
      options.before_look(theta);
    }
    ++objective_.looks_;
    {
      const std::lock_guard lock(objective_.mutex_);
      objective_.looked_at_.emplace_back(theta.begin(), theta.end());
    }
    if (options.margin) {
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < options.samples; ++i) {
        wrong += options.margin(theta, i) > 0.0f ? 0 : 1;
      }
      return static_cast<double>(wrong) / static_cast<double>(options.samples);
    }
    if (options.sample_loss) {
      double sum = 0.0;
      for (std::size_t i = 0; i < options.samples; ++i) {
        sum += static_cast<double>(options.sample_loss(theta, i));
      }
      return metric_of_mean(metric, theta, sum / static_cast<double>(options.samples));
    }
    double value = options.surface(theta, {}) * (split == Split::test ? options.on_test : 1.0);
    if (metric == Metric::error_rate && !std::isnan(value)) {
      const auto all = static_cast<double>(options.samples);
      value = std::round(std::clamp(value, 0.0, 1.0) * all) / all;
    }
    return value;
  }

  const FakeObjective& objective_;
};

/// The same batch at every step, without data: a surface needs none.
class FakeBatches final : public BatchSource {
 public:
  explicit FakeBatches(std::size_t samples) : samples_(samples) {}
  BatchView next() override { return {.count = samples_}; }
  bool constant() const override { return true; }

 private:
  std::size_t samples_;
};

inline std::unique_ptr<Evaluator> FakeObjective::evaluator() const {
  return std::make_unique<FakeEvaluator>(*this);
}

inline std::unique_ptr<BatchSource> FakeObjective::batches(std::uint64_t seed,
                                                           std::uint64_t stream,
                                                           std::size_t) const {
  const std::lock_guard lock(mutex_);
  streams_.emplace_back(seed, stream);
  return std::make_unique<FakeBatches>(options_.samples);
}

/// f(x, y) for surfaces of two weights with the gradient by hand; biases have no influence.
inline Surface two_weights(std::function<double(double x, double y, double* dx, double* dy)> f) {
  return [f = std::move(f)](std::span<const float> theta, std::span<float> gradient) {
    double dx = 0.0;
    double dy = 0.0;
    const double value = f(theta[0], theta[1], &dx, &dy);
    if (!gradient.empty()) {
      std::ranges::fill(gradient, 0.0f);
      gradient[0] = static_cast<float>(dx);
      gradient[1] = static_cast<float>(dy);
    }
    return value;
  };
}

/// (x^2 - 1)^2 + y^2: wells of value 0 at (-1, 0) and (1, 0), the pass between them has value 1 and
/// lies on the straight line. {f <= L} is connected if and only if L >= 1.
inline Surface double_well() {
  return two_weights([](double x, double y, double* dx, double* dy) {
    *dx = 4.0 * x * (x * x - 1.0);
    *dy = 2.0 * y;
    return (x * x - 1.0) * (x * x - 1.0) + y * y;
  });
}

/// (r^2 - 1)^2: a valley of value 0 on the unit circle around a hill of height 1. Every level set
/// is connected. Halfway between two points of the circle at an angle a the value is sin(a / 2)^4.
inline Surface ring() {
  return two_weights([](double x, double y, double* dx, double* dy) {
    const double s = x * x + y * y - 1.0;
    *dx = 4.0 * x * s;
    *dy = 4.0 * y * s;
    return s * s;
  });
}

/// y^2 beside a wall at x = 0 that is as long as the plane: 1 / (1 + 100 x^2) + y^2. Nothing below
/// 1 connects its two sides, and a bead that starts on one slope stays on that side.
inline Surface wall() {
  return two_weights([](double x, double y, double* dx, double* dy) {
    const double d = 1.0 + 100.0 * x * x;
    *dx = -200.0 * x / (d * d);
    *dy = 2.0 * y;
    return 1.0 / d + y * y;
  });
}

/// A surface of x alone, flat for training: for checks, where t can be read off x.
inline Surface profile(std::function<double(double x)> f) {
  return two_weights([f = std::move(f)](double x, double, double*, double*) { return f(x); });
}

}  // namespace isthmus::fake
