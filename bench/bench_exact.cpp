// SPDX-License-Identifier: MIT
// The proven maximum of a loss along a segment of networks with one hidden ReLU layer, beside one
// evaluation of that loss at one place, in double and as plainly as it is written down.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "isthmus/certify/exact.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

constexpr std::size_t samples = 1000;

struct Case {
  ReluNetwork network;
  std::vector<double> inputs;
  std::vector<double> targets;
  std::vector<double> from;
  std::vector<double> to;

  explicit Case(const benchmark::State& state)
      : network{.inputs = static_cast<std::size_t>(state.range(0)),
                .hidden = static_cast<std::size_t>(state.range(1))},
        inputs(samples * network.inputs),
        targets(samples),
        from(network.dimension()),
        to(network.dimension()) {
    Rng rng(1, 1);
    for (std::vector<double>* numbers : {&inputs, &targets, &from, &to}) {
      std::ranges::generate(*numbers, [&] { return rng.normal(); });
    }
  }
};

double squared_loss(const Case& c) {
  const double* second = c.from.data() + c.network.hidden * c.network.inputs;
  double sum = 0.0;
  for (std::size_t s = 0; s < samples; ++s) {
    double output = 0.0;
    for (std::size_t h = 0; h < c.network.hidden; ++h) {
      double unit = 0.0;
      for (std::size_t i = 0; i < c.network.inputs; ++i) {
        unit += c.from[h * c.network.inputs + i] * c.inputs[s * c.network.inputs + i];
      }
      output += second[h] * std::max(unit, 0.0);
    }
    sum += (output - c.targets[s]) * (output - c.targets[s]);
  }
  return sum / static_cast<double>(samples);
}

void plain_evaluation(benchmark::State& state) {
  const Case c(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(squared_loss(c));
  }
}

void exact_maximum(benchmark::State& state) {
  const Case c(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        maximum_on_segment(c.network, {c.inputs, c.targets}, Loss::squared, c.from, c.to).upper);
  }
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"inputs", "hidden"})->Args({2, 100})->Args({10, 100})->Args({50, 100});
}
BENCHMARK(plain_evaluation)->Apply(shapes);
BENCHMARK(exact_maximum)->Apply(shapes);

}  // namespace
}  // namespace isthmus

BENCHMARK_MAIN();
