// SPDX-License-Identifier: MIT
// What a step of the engines allocates once its batch size has been seen.
//
// Counted is every operator new of the process, oneDNN's own among them, on the thread under test.
// Not counted are direct calls of malloc: oneDNN takes its large buffers so, but only for memory
// objects without an address and for scratch memory in its own care, and there is neither here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace {

struct Count {
  bool counting = false;
  std::size_t calls = 0;
  std::size_t largest = 0;
};
thread_local Count count;

void* allocate(std::size_t size, std::size_t alignment) {
  if (count.counting) {
    ++count.calls;
    count.largest = size > count.largest ? size : count.largest;
  }
  void* pointer = nullptr;
  if (posix_memalign(&pointer, alignment, size == 0 ? 1 : size) != 0) {
    throw std::bad_alloc();
  }
  return pointer;
}

}  // namespace

// Not inlined, or the compiler takes malloc and operator delete for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new[](std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* pointer) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete[](void* pointer) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete(void* pointer, std::size_t) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete[](void* pointer, std::size_t) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete(void* pointer, std::align_val_t) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete[](void* pointer, std::align_val_t) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept {
  std::free(pointer);
}
[[gnu::noinline]] void operator delete[](void* pointer, std::size_t, std::align_val_t) noexcept {
  std::free(pointer);
}

namespace isthmus {
namespace {

constexpr auto relu = Activation{Activation::Kind::relu};

// oneDNN makes a small table of its arguments for every primitive it runs.
constexpr std::size_t largest_table = 1024;

TEST(DnnAllocation, StepsOfASeenBatchSizeMakeOnlyTables) {
  const Network network{
      .input = {1, 28, 28},
      .layers = {Conv2d{.out_channels = 16, .kernel = 5, .padding = Padding::same},
                 relu,
                 Pool2d{},
                 Conv2d{.out_channels = 20, .kernel = 3},
                 relu,
                 Flatten{},
                 Linear{.out_features = 64},
                 relu,
                 Dropout{0.5},
                 Linear{.out_features = 10}}};
  constexpr std::size_t samples = 200;
  Rng rng(1);
  std::vector<float> theta(layout_of(network).dimension());
  std::vector<float> gradient(theta.size());
  initialise(network, rng, theta);
  const std::vector<float> inputs(samples * 784, 0.5F);
  const std::vector<std::int32_t> labels(samples, 3);
  const auto engine = make_dnn_engine(network, 32);
  double loss = 0.0;
  const auto train = [&](std::size_t size) {
    const BatchView batch{.count = size, .inputs = inputs.data(), .labels = labels.data()};
    engine->losses_and_gradients(theta, batch, Loss::cross_entropy, &rng, {&loss, 1}, gradient);
  };
  const auto evaluate = [&](std::size_t size) {
    const BatchView batch{.count = size, .inputs = inputs.data(), .labels = labels.data()};
    engine->losses(theta, batch, Loss::cross_entropy, {&loss, 1});
  };
  const auto all = [&] {
    train(32);
    train(7);
    evaluate(samples);
    evaluate(7);
  };
  all();
  count = {.counting = true};
  all();
  count.counting = false;
  EXPECT_LE(count.largest, largest_table) << count.calls << " calls";
  RecordProperty("calls", static_cast<int>(count.calls));
  // A batch size not seen before does allocate: the count would notice.
  count = {.counting = true};
  train(9);
  count.counting = false;
  EXPECT_GT(count.largest, 100'000U);
}

TEST(PopulationAllocation, CallsOfASeenBatchSizeMakeNone) {
  const Network network{.input = {3},
                        .layers = {Linear{.out_features = 7}, relu, Linear{.out_features = 2}}};
  const auto engine = make_population_engine(network);
  constexpr std::size_t population = 20;
  constexpr std::size_t samples = 50;
  Rng rng(1);
  std::vector<float> thetas(population * engine->dimension());
  for (float& number : thetas) {
    number = static_cast<float>(rng.normal());
  }
  std::vector<float> gradients(thetas.size());
  std::vector<float> outputs(samples * 2);
  std::vector<double> losses(population);
  const std::vector<float> inputs(samples * 3, 0.5F);
  const std::vector<float> targets(samples * 2, 0.5F);
  const auto all = [&](std::size_t size) {
    const BatchView batch{.count = size, .inputs = inputs.data(), .targets = targets.data()};
    engine->losses_and_gradients(thetas, batch, Loss::squared, nullptr, losses, gradients);
    engine->losses(thetas, batch, Loss::absolute, losses);
    engine->forward(
        std::span(thetas).first(engine->dimension()), batch, std::span(outputs).first(size * 2));
  };
  all(17);
  count = {.counting = true};
  all(17);
  count.counting = false;
  EXPECT_EQ(count.calls, 0u);
  // A larger batch does allocate: the count would notice.
  count = {.counting = true};
  all(samples);
  count.counting = false;
  EXPECT_GT(count.calls, 0u);
}

}  // namespace
}  // namespace isthmus
