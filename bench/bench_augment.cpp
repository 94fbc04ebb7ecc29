// SPDX-License-Identifier: MIT
// What a training image costs before the network sees it: drawing its distortion, and cutting,
// distorting and whitening it. items_per_second are images on one core; a convolutional network of
// the CIFAR-10 task trains on some hundreds.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/data/augment.h"
#include "isthmus/objective/batches.h"

namespace isthmus {
namespace {

const std::vector<std::size_t> shape{3, 32, 32};
constexpr std::size_t images = 128;  // of one batch

std::vector<std::uint8_t> batch() {
  Rng rng(1);
  std::vector<std::uint8_t> bytes(images * 3072);
  for (std::uint8_t& byte : bytes) {
    byte = static_cast<std::uint8_t>(rng.below(256));
  }
  return bytes;
}

void draw(benchmark::State& state) {
  const Augmentation augmentation(shape);
  std::uint64_t sample = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(augmentation.draw(1, 2, sample++));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(draw);

// `flip` as given, or drawn like everything else.
void distort(benchmark::State& state, bool drawn, bool flip) {
  const Augmentation augmentation(shape);
  const std::vector<std::uint8_t> bytes = batch();
  std::vector<float> out(images * augmentation.output_size());
  std::uint64_t step = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < images; ++i) {
      Distortion distortion = augmentation.central();
      if (drawn) {
        distortion = augmentation.draw(1, step, i);
      } else {
        distortion.flip = flip;
      }
      augmentation.apply(
          distortion,
          std::span(bytes).subspan(i * 3072, 3072),
          std::span(out).subspan(i * augmentation.output_size(), augmentation.output_size()));
    }
    benchmark::DoNotOptimize(out.data());
    ++step;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(images));
}
BENCHMARK_CAPTURE(distort, evaluation, false, false);
BENCHMARK_CAPTURE(distort, flipped, false, true);
BENCHMARK_CAPTURE(distort, training, true, false);

// How long training waits for a batch of 128, if each step takes `step` microseconds itself. At 0
// there is nothing to overlap with: the distortions and the hand-over in full.
void wait_for_batch(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  Samples samples;
  samples.count = 40 * images;
  samples.input_shape = shape;
  Rng rng(1);
  samples.bytes.resize(samples.count * 3072);
  for (std::uint8_t& byte : samples.bytes) {
    byte = static_cast<std::uint8_t>(rng.below(256));
  }
  const std::chrono::microseconds step(state.range(0));
  const auto source = make_augmented_epochs(
      std::make_shared<const Samples>(std::move(samples)), Augmentation(shape), images, 1, 2);
  for (auto _ : state) {
    const auto begin = Clock::now();
    benchmark::DoNotOptimize(source->next().inputs);
    const auto end = Clock::now();
    state.SetIterationTime(std::chrono::duration<double>(end - begin).count());
    while (Clock::now() < end + step) {
    }
  }
}
BENCHMARK(wait_for_batch)
    ->ArgName("step")
    ->Arg(0)
    ->Arg(1000)
    ->Arg(10000)
    ->Iterations(500)
    ->UseManualTime();

}  // namespace
}  // namespace isthmus

BENCHMARK_MAIN();
