// SPDX-License-Identifier: MIT
// Time of the population engine, as nanoseconds for one theta and one sample (counter "ns"), one
// thread. population_torch.py runs it beside PyTorch.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace {

using isthmus::Activation;
using isthmus::Linear;
using isthmus::Network;

enum class Task { quadratic, cubic, wide };  // 1-4-4-1 without biases, with them, and 1-16-16-1

Network network_of(Task task) {
  const bool bias = task != Task::quadratic;
  const std::size_t width = task == Task::wide ? 16 : 4;
  const Activation sigmoid{Activation::Kind::sigmoid};
  Network network{.input = {1},
                  .layers = {Linear{.out_features = width, .bias = bias},
                             sigmoid,
                             Linear{.out_features = width, .bias = bias},
                             sigmoid,
                             Linear{.out_features = 1, .bias = bias}}};
  if (task == Task::quadratic) {
    network.layers.emplace_back(sigmoid);
  }
  return network;
}

enum class Wanted { losses, gradients };

void evaluate(benchmark::State& state, Task task, Wanted wanted) {
  const auto samples = static_cast<std::size_t>(state.range(0));
  const auto count = static_cast<std::size_t>(state.range(1));
  const auto engine = isthmus::make_population_engine(network_of(task));
  isthmus::Rng rng(1);
  std::vector<float> inputs(samples);
  std::vector<float> targets(samples);
  std::vector<float> thetas(count * engine->dimension());
  for (std::size_t i = 0; i < samples; ++i) {
    const double x = rng.uniform();
    inputs[i] = static_cast<float>(x);
    targets[i] = static_cast<float>(0.5 * x * x + 0.25 * x + 0.1);
  }
  for (float& number : thetas) {
    number = static_cast<float>(rng.uniform(-1.0, 1.0));
  }
  std::vector<double> losses(count);
  std::vector<float> gradients(thetas.size());
  const isthmus::BatchView batch{
      .count = samples, .inputs = inputs.data(), .targets = targets.data()};
  for (auto _ : state) {
    if (wanted == Wanted::gradients) {
      engine->losses_and_gradients(
          thetas, batch, isthmus::Loss::absolute, nullptr, losses, gradients);
    } else {
      engine->losses(thetas, batch, isthmus::Loss::absolute, losses);
    }
    benchmark::ClobberMemory();
  }
  state.counters["ns"] = benchmark::Counter(
      1e-9 * static_cast<double>(samples * count),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void gradient(benchmark::State& state, Task task) {
  evaluate(state, task, Wanted::gradients);
}
void loss(benchmark::State& state, Task task) {
  evaluate(state, task, Wanted::losses);
}

// (samples, thetas): below 128 samples many thetas go in lanes, a single one never does.
void training(benchmark::internal::Benchmark* bench) {
  for (const int samples : {32, 100, 256, 10000}) {
    bench->Args({samples, 1});
  }
  bench->Args({16, 64})->Args({32, 64})->Args({100, 64})->Args({100, 512})->Args({256, 64});
}
void checks(benchmark::internal::Benchmark* bench) {
  bench->Args({256, 101})->Args({10000, 101});
}

BENCHMARK_CAPTURE(gradient, quadratic, Task::quadratic)->Apply(training);
BENCHMARK_CAPTURE(gradient, cubic, Task::cubic)->Apply(training);
BENCHMARK_CAPTURE(gradient, wide, Task::wide)->Apply(training);
BENCHMARK_CAPTURE(loss, quadratic, Task::quadratic)->Apply(checks);
BENCHMARK_CAPTURE(loss, cubic, Task::cubic)->Apply(checks);

}  // namespace

BENCHMARK_MAIN();
