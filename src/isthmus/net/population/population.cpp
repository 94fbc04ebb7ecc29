// SPDX-License-Identifier: MIT
#include "isthmus/net/population/population.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <variant>

#include "isthmus/core/error.h"

namespace isthmus::population {
namespace {

template <class Real>
const Kernels<Real>& kernels_of(Simd level) {
  constexpr bool is_float = std::is_same_v<Real, float>;
  const auto pick =
      [](const Kernels<float>& floats, const Kernels<double>& doubles) -> const auto& {
    if constexpr (is_float) {
      return floats;
    } else {
      return doubles;
    }
  };
#ifdef ISTHMUS_POPULATION_X86
  if (level == Simd::avx512) {
    return pick(avx512::float_kernels, avx512::double_kernels);
  }
  if (level == Simd::avx2) {
    return pick(avx2::float_kernels, avx2::double_kernels);
  }
#endif
  ISTHMUS_ASSERT(level == Simd::plain, "only available instruction sets are chosen");
  return pick(plain::float_kernels, plain::double_kernels);
}

Function function_of(Activation::Kind kind) {
  switch (kind) {
    case Activation::Kind::relu:
      return Function::relu;
    case Activation::Kind::sigmoid:
      return Function::sigmoid;
    case Activation::Kind::tanh:
      return Function::tanh;
    case Activation::Kind::softmax:
      break;
  }
  throw UsageError("population engine: softmax layers are not supported");
}

std::size_t width_of(const Shape& shape) {
  std::size_t width = 1;
  for (const std::size_t extent : shape) {
    width *= extent;
  }
  return width;
}

void check_width(std::size_t layer, std::size_t width) {
  if (width > largest_width) {
    throw UsageError(
        fmt::format("population engine: layer {} has an input or output of {} numbers, expected at "
                    "most {}; use "
                    "the dnn engine",
                    layer,
                    width,
                    largest_width));
  }
}

std::vector<Stage> stages_of(const Network& network) {
  if (!is_perceptron(network)) {
    throw UsageError(
        "population engine: expected a multilayer perceptron (linear layers and relu, sigmoid or "
        "tanh "
        "activations, perhaps behind a flatten); use the dnn engine for other layers");
  }
  const std::vector<Shape> extents = shapes(network);
  std::vector<Stage> stages;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const std::size_t inputs = width_of(extents[i]);
    const std::size_t outputs = width_of(extents[i + 1]);
    check_width(i, std::max(inputs, outputs));
    if (const auto* linear = std::get_if<Linear>(&network.layers[i])) {
      stages.push_back({.dense = true,
                        .bias = linear->bias,
                        .inputs = inputs,
                        .outputs = outputs,
                        .weight_offset = offset,
                        .bias_offset = offset + inputs * outputs,
                        .function = Function::identity});
      offset += inputs * outputs + (linear->bias ? outputs : 0);
    } else if (const auto* activation = std::get_if<Activation>(&network.layers[i])) {
      const Function function = function_of(activation->kind);
      if (!stages.empty() && stages.back().function == Function::identity) {
        stages.back().function = function;
      } else {
        stages.push_back({.inputs = inputs, .outputs = outputs, .function = function});
      }
    }
  }
  if (offset == 0) {
    throw UsageError("population engine: the network has no parameters; add a linear layer");
  }
  return stages;
}

Plan plan_of(const std::vector<Stage>& stages) {
  Plan plan{.stages = stages.data(), .stage_count = stages.size()};
  plan.features = stages.front().inputs;
  plan.outputs = stages.back().outputs;
  plan.widest = plan.features;
  for (const Stage& stage : stages) {
    plan.units += stage.outputs;
    plan.widest = std::max(plan.widest, stage.outputs);
    if (stage.dense) {
      plan.dimension = stage.bias_offset + (stage.bias ? stage.outputs : 0);
    }
  }
  return plan;
}

std::size_t rounded_up(std::size_t count, std::size_t lanes) {
  return (count + lanes - 1) / lanes * lanes;
}

void check_size(const char* what, std::size_t expected, std::size_t found) {
  if (expected != found) {
    throw UsageError(
        fmt::format("population engine: expected {} numbers in {}, got {}", expected, what, found));
  }
}

}  // namespace

template <class Real>
Population<Real>::Population(const Network& network, Simd level)
    : stages_(stages_of(network)), plan_(plan_of(stages_)), kernels_(&kernels_of<Real>(level)) {
  scratch_.resize(kernels_->scratch_bytes(plan_) / sizeof(Line));
}

template <class Real>
Samples<Real> Population<Real>::arrange(const BatchView& batch, const Loss* loss) {
  const bool labelled = loss != nullptr && *loss == Loss::cross_entropy;
  const std::size_t width = loss == nullptr ? 0 : labelled ? 1 : plan_.outputs;
  const bool complete =
      loss == nullptr || (labelled ? batch.labels != nullptr : batch.targets != nullptr);
  if (batch.count == 0 || batch.inputs == nullptr || !complete) {
    throw UsageError(
        fmt::format("population engine: expected a batch of at least one sample with {}",
                    labelled ? "labels" : "targets"));
  }
  if constexpr (std::is_same_v<Real, float>) {
    // Single columns are rows already; the kernels read whole vectors of them.
    if (plan_.features == 1 && width <= 1 && !labelled && batch.count % kernels_->lanes == 0) {
      return {.count = batch.count,
              .stride = batch.count,
              .inputs = batch.inputs,
              .targets = batch.targets};
    }
  }
  const std::size_t stride = rounded_up(batch.count, kernels_->lanes);
  rows_.resize((plan_.features + width) * stride);
  const auto transpose = [&](const float* columns, std::size_t count, Real* rows) {
    for (std::size_t f = 0; f < count; ++f) {
      Real* const row = rows + f * stride;
      if (count == 1) {
        std::copy(columns, columns + batch.count, row);
      } else {
        for (std::size_t i = 0; i < batch.count; ++i) {
          row[i] = static_cast<Real>(columns[i * count + f]);
        }
      }
      std::fill(row + batch.count, row + stride, row[batch.count - 1]);
    }
  };
  Real* const targets = rows_.data() + plan_.features * stride;
  transpose(batch.inputs, plan_.features, rows_.data());
  if (labelled) {
    for (std::size_t i = 0; i < batch.count; ++i) {
      const std::int32_t label = batch.labels[i];
      if (label < 0 || static_cast<std::size_t>(label) >= plan_.outputs) {
        throw UsageError(
            fmt::format("population engine: expected labels in [0, {}), sample {} has {}",
                        plan_.outputs,
                        i,
                        label));
      }
      targets[i] = static_cast<Real>(label);
    }
    std::fill(targets + batch.count, targets + stride, targets[batch.count - 1]);
  } else if (width != 0) {
    transpose(batch.targets, width, targets);
  }
  return {.count = batch.count, .stride = stride, .inputs = rows_.data(), .targets = targets};
}

// Thetas in lanes leave no lane idle where there are fewer samples than lanes, and spare the
// reduction over lanes; samples in lanes need less memory. The results are the same bits, so this
// decides about time alone. The bounds are measured (bench_population).
template <class Real>
bool Population<Real>::thetas_go_in_lanes(std::size_t samples) const {
  return 2 * samples <= kernels_->lanes || (plan_.dimension <= 64 && samples < 8 * kernels_->lanes);
}

template <class Real>
std::size_t Population<Real>::preferred_population(std::size_t count) const {
  return thetas_go_in_lanes(count) ? kernels_->lanes : 1;
}

template <class Real>
void Population<Real>::evaluate(std::span<const Real> thetas,
                                const BatchView& batch,
                                Loss loss,
                                std::span<double> losses,
                                Real* gradients) {
  const std::size_t dimension = plan_.dimension;
  check_size("thetas", losses.size() * dimension, thetas.size());
  Request<Real> request{.plan = &plan_,
                        .samples = arrange(batch, &loss),
                        .loss = loss,
                        .scratch = scratch_.data()->bytes};
  const bool in_lanes = thetas_go_in_lanes(batch.count);
  for (std::size_t first = 0; first < losses.size(); first += request.count) {
    const std::size_t left = losses.size() - first;
    const bool together = in_lanes && 4 * left > 3 * kernels_->lanes;
    request.count = together ? std::min(left, kernels_->lanes) : 1;
    request.thetas = thetas.data() + first * dimension;
    request.losses = losses.data() + first;
    request.gradients = gradients == nullptr ? nullptr : gradients + first * dimension;
    together ? kernels_->thetas_in_lanes(request) : kernels_->samples_in_lanes(request);
  }
}

template <class Real>
void Population<Real>::losses(std::span<const Real> thetas,
                              const BatchView& batch,
                              Loss loss,
                              std::span<double> losses) {
  evaluate(thetas, batch, loss, losses, nullptr);
}

template <class Real>
void Population<Real>::losses_and_gradients(std::span<const Real> thetas,
                                            const BatchView& batch,
                                            Loss loss,
                                            std::span<double> losses,
                                            std::span<Real> gradients) {
  check_size("gradients", thetas.size(), gradients.size());
  evaluate(thetas, batch, loss, losses, gradients.data());
}

template <class Real>
void Population<Real>::forward(std::span<const Real> theta,
                               const BatchView& batch,
                               std::span<Real> outputs) {
  check_size("theta", plan_.dimension, theta.size());
  check_size("outputs", batch.count * plan_.outputs, outputs.size());
  const Request<Real> request{.plan = &plan_,
                              .samples = arrange(batch, nullptr),
                              .thetas = theta.data(),
                              .scratch = scratch_.data()->bytes};
  kernels_->forward(request, outputs.data());
}

template class Population<float>;
template class Population<double>;

}  // namespace isthmus::population

namespace isthmus {
namespace {

class PopulationEngine final : public Engine {
 public:
  explicit PopulationEngine(const Network& network) : population_(network) {}

  std::size_t dimension() const override { return population_.dimension(); }
  std::size_t outputs() const override { return population_.outputs(); }
  void forward(std::span<const float> theta,
               const BatchView& batch,
               std::span<float> outputs) override {
    population_.forward(theta, batch, outputs);
  }
  void losses(std::span<const float> thetas,
              const BatchView& batch,
              Loss loss,
              std::span<double> losses) override {
    population_.losses(thetas, batch, loss, losses);
  }
  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Loss loss,
                            Rng*,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    population_.losses_and_gradients(thetas, batch, loss, losses, gradients);
  }
  std::size_t preferred_population(std::size_t count) const override {
    return population_.preferred_population(count);
  }

 private:
  population::Population<float> population_;
};

}  // namespace

std::unique_ptr<Engine> make_population_engine(const Network& network) {
  return std::make_unique<PopulationEngine>(network);
}

}  // namespace isthmus
