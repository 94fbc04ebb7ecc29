// SPDX-License-Identifier: MIT
// What a training image costs before the network sees it: drawing its distortion, and cutting,
// distorting and whitening it. items_per_second are images on one core; a convolutional network of
// the CIFAR-10 task trains on some hundreds.
#include <benchmark/benchmark.h>

#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/data/augment.h"

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

}  // namespace
}  // namespace isthmus

BENCHMARK_MAIN();
