// SPDX-License-Identifier: MIT
// Optimizer updates from the 24 parameters of a 1-4-4-1 network (a call must cost less than its
// gradient, about 700 ns) to the 3.3 million of a convnet, where only memory counts:
// bytes_per_second is to be read beside memcpy and triad of the same run. Then the cost of a
// training step around the gradient: train() against the bare evaluator calls.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <vector>

#include "isthmus/data/generated.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/train/train.h"

namespace isthmus {
namespace {

constexpr std::int64_t convnet = 3274634;

void memory_copy(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<float> from(count, 1.0F);
  std::vector<float> to(count);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), count * sizeof(float));
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 8);
}
BENCHMARK(memory_copy)->Arg(convnet);

void triad(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<float> a(count);
  const std::vector<float> b(count, 1.0F);
  const std::vector<float> c(count, 2.0F);
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = b[i] + 0.5F * c[i];
    }
    benchmark::DoNotOptimize(a.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}
BENCHMARK(triad)->Arg(convnet);

// `bytes` moved for each parameter: reads and writes of theta, the gradient and the state.
void update(benchmark::State& state, const OptimizerOptions& options, std::int64_t bytes) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<float> theta(count, 0.5F);
  const std::vector<float> gradient(count, 0.25F);
  Optimizer optimizer(options, count);
  for (auto _ : state) {
    optimizer.step(theta, gradient);
    benchmark::DoNotOptimize(theta.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * bytes);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->Arg(24)->Arg(33)->Arg(4096)->Arg(convnet);
}
// Rates of 1e-30 keep theta where it is.
BENCHMARK_CAPTURE(update, sgd, Sgd{.learning_rate = 1e-30}, 12)->Apply(sizes);
BENCHMARK_CAPTURE(update, sgd_momentum, Sgd{.learning_rate = 1e-30, .momentum = 0.9}, 20)
    ->Apply(sizes);
BENCHMARK_CAPTURE(update, rms_prop, RmsProp{.learning_rate = 1e-30}, 20)->Apply(sizes);
BENCHMARK_CAPTURE(update, adam, Adam{.learning_rate = 1e-30}, 28)->Apply(sizes);

void gradient_norm(benchmark::State& state) {
  const std::vector<float> gradient(static_cast<std::size_t>(state.range(0)), 0.25F);
  for (auto _ : state) {
    benchmark::DoNotOptimize(clip_factor(gradient, 1.0));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 4);
}
BENCHMARK(gradient_norm)->Arg(24)->Arg(convnet);

std::unique_ptr<Objective> quadratic(std::size_t points) {
  const Linear hidden{.out_features = 4, .bias = false};
  const Activation sigmoid{Activation::Kind::sigmoid};
  auto data = std::make_shared<Dataset>();
  data->name = "quadratic";
  data->train = midpoint_samples(Polynomial::quadratic, points);
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = {
      .input = {1},
      .layers = {
          hidden, sigmoid, hidden, sigmoid, Linear{.out_features = 1, .bias = false}, sigmoid}};
  options.data = data;
  options.loss = Loss::absolute;
  return make_network_objective(options);
}

// ns for a (theta, step) of `range(0)` thetas on 128 points: the gradient alone.
void step_gradient_alone(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto objective = quadratic(128);
  const auto evaluator = objective->evaluator();
  const auto source = objective->batches(1, 1, 0);
  std::vector<float> thetas(count * objective->dimension(), 0.1F);
  std::vector<float> gradients(thetas.size());
  std::vector<double> losses(count);
  for (auto _ : state) {
    evaluator->losses_and_gradients(thetas, source->next(), nullptr, losses, gradients);
    benchmark::DoNotOptimize(gradients.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(step_gradient_alone)->Arg(1)->Arg(16)->Arg(64);

// The same inside train(), looking at the threshold at every step.
void step_in_training(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t steps = 2000;
  const auto objective = quadratic(128);
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const TrainOptions options{.optimizer = Adam{}, .max_steps = steps};
  for (auto _ : state) {
    std::vector<TrainJob> jobs(count);
    for (std::size_t i = 0; i < count; ++i) {
      jobs[i].theta.resize(objective->dimension());
      jobs[i].targets = {-1.0};
      objective->initialise(1, i, jobs[i].theta);
    }
    train(evaluators, jobs, options);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(steps));
}
BENCHMARK(step_in_training)->Arg(1)->Arg(16)->Arg(64);

}  // namespace
}  // namespace isthmus

BENCHMARK_MAIN();
