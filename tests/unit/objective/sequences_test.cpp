// SPDX-License-Identifier: MIT
// Objectives of recurrent networks on sequences, and of networks that see augmented images.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/core/state_file.h"
#include "isthmus/data/token_streams.h"
#include "isthmus/objective/batches.h"
#include "isthmus/objective/network_objective.h"
#include "support/objective_conformance.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

constexpr std::size_t words = 9;
constexpr std::size_t streams = 3;
constexpr std::size_t window = 4;

Samples random_text(std::size_t length, std::uint64_t stream) {
  Rng rng(5, stream);
  std::vector<std::int32_t> tokens(length);
  std::ranges::generate(tokens, [&] { return static_cast<std::int32_t>(rng.below(words)); });
  return window_samples({tokens, streams, window});
}

NetworkObjectiveOptions language_model(bool carry_state = true) {
  auto data = std::make_shared<Dataset>();
  data->name = "text";
  data->classes = words;
  data->train = random_text(100, 1);
  data->test = random_text(64, 2);
  NetworkObjectiveOptions options;
  options.network = {.input = {1},
                     .layers = {Embedding{.tokens = words, .features = 5},
                                Lstm{.features = 6},
                                Linear{.out_features = words}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  options.carry_state = carry_state;
  return options;
}

std::vector<float> start(const Objective& objective) {
  std::vector<float> theta(objective.dimension());
  objective.initialise(1, 2, theta);
  return theta;
}

// The whole split as one sequence a stream, from the definition.
TEST(Sequences, MetricsGoOnFromWindowToWindow) {
  const NetworkObjectiveOptions options = language_model();
  const auto objective = make_network_objective(options);
  const std::vector<float> theta = start(*objective);
  const Samples& test = options.data->test;
  const BatchView whole{.count = test.count,
                        .inputs = test.values.data(),
                        .labels = test.labels.data(),
                        .streams = streams};
  const double expected = reference_loss(
      options.network, std::vector<double>(theta.begin(), theta.end()), whole, Loss::cross_entropy);
  ASSERT_GT(test.count, 2 * streams * window);
  const auto evaluator = objective->evaluator();
  double found = 0.0;
  for (int again = 0; again < 2; ++again) {  // nothing is left from the first pass
    evaluator->metrics(Split::test, Metric::cross_entropy, theta, {&found, 1});
    EXPECT_NEAR(found, expected, 1e-5 * expected);
    evaluator->metrics(Split::test, Metric::perplexity, theta, {&found, 1});
    EXPECT_NEAR(found, std::exp(expected), 1e-4 * std::exp(expected));
  }
  double errors = 0.0;
  evaluator->metrics(Split::test, Metric::error_rate, theta, {&errors, 1});
  EXPECT_GT(errors, 0.0);
  EXPECT_EQ(errors * static_cast<double>(test.count),
            std::round(errors * static_cast<double>(test.count)));
}

double training_loss(Evaluator& evaluator,
                     const std::vector<float>& theta,
                     const BatchView& batch) {
  std::vector<float> gradient(theta.size());
  double loss = 0.0;
  evaluator.losses_and_gradients(theta, batch, nullptr, {&loss, 1}, gradient);
  return loss;
}

// The mean over the windows of a pass is the loss of the whole, if and only if the state goes on.
TEST(Sequences, TrainingGoesOnFromWindowToWindowIfAsked) {
  for (const bool carry : {true, false}) {
    const NetworkObjectiveOptions options = language_model(carry);
    const auto objective = make_network_objective(options);
    const std::vector<float> theta = start(*objective);
    const auto evaluator = objective->evaluator();
    const auto source = objective->batches(3, 4, streams * window);
    EXPECT_FALSE(source->constant());
    const std::size_t windows = options.data->train.count / (streams * window);
    ASSERT_GE(windows, 3U);
    double whole = 0.0;
    evaluator->metrics(Split::train, Metric::cross_entropy, theta, {&whole, 1});
    for (int pass = 0; pass < 2; ++pass) {
      double sum = 0.0;
      for (std::size_t i = 0; i < windows; ++i) {
        const BatchView batch = source->next();
        EXPECT_EQ(batch.count, streams * window);
        EXPECT_EQ(batch.inputs, options.data->train.values.data() + i * streams * window);
        sum += training_loss(*evaluator, theta, batch);
      }
      const double difference = std::abs(sum / static_cast<double>(windows) - whole);
      EXPECT_EQ(difference < 1e-5, carry) << "pass " << pass << ", difference " << difference;
    }
  }
}

TEST(Sequences, WhatDoesNotFitIsRefused) {
  const auto objective = make_network_objective(language_model());
  expect_error<UsageError>([&] { objective->batches(1, 2, 10); },
                           {"batch_size", "12", "3 streams of 4", "got 10"});
  NetworkObjectiveOptions without_state = language_model();
  without_state.network.layers = {Embedding{.tokens = words, .features = 5},
                                  Linear{.out_features = words}};
  expect_error<UsageError>([&] { make_network_objective(without_state); },
                           {"independent samples", "3 streams"});
  NetworkObjectiveOptions broken = language_model();
  auto data = std::make_shared<Dataset>(*broken.data);
  data->test.window = 0;
  broken.data = data;
  expect_error<UsageError>([&] { make_network_objective(broken); }, {"whole windows"});
}

// 7 x 6 images in two channels, seen as crops of 4 x 4.
Samples images(std::size_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  Samples samples;
  samples.count = count;
  samples.input_shape = {2, 7, 6};
  for (std::size_t i = 0; i < count; ++i) {
    samples.labels.push_back(static_cast<std::int32_t>(rng.below(3)));
    for (std::size_t pixel = 0; pixel < 2 * 7 * 6; ++pixel) {
      samples.bytes.push_back(static_cast<std::uint8_t>(rng.below(256)));
    }
  }
  return samples;
}

NetworkObjectiveOptions augmented() {
  auto data = std::make_shared<Dataset>();
  data->name = "images";
  data->classes = 3;
  data->train = images(20, 1);
  data->test = images(11, 2);
  NetworkObjectiveOptions options;
  options.network = {.input = {2, 4, 4}, .layers = {Flatten{}, Linear{.out_features = 3}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  options.augment = AugmentOptions{.crop = 4};
  return options;
}

TEST(AugmentedImages, MetricsAreThoseOfTheCentralCrops) {
  const NetworkObjectiveOptions options = augmented();
  const auto objective = make_network_objective(options);
  EXPECT_EQ(objective->data(Split::test), nullptr);
  const Augmentation augmentation(options.data->test.input_shape, *options.augment);
  const Samples& test = options.data->test;
  auto cropped = std::make_shared<Dataset>(*options.data);
  cropped->train = cropped->test;
  for (Samples* split : {&cropped->train, &cropped->test}) {
    split->input_shape = augmentation.output_shape();
    split->values.resize(test.count * augmentation.output_size());
    for (std::size_t i = 0; i < test.count; ++i) {
      augmentation.apply(
          augmentation.central(),
          std::span(test.bytes).subspan(i * augmentation.input_size(), augmentation.input_size()),
          std::span(split->values)
              .subspan(i * augmentation.output_size(), augmentation.output_size()));
    }
    split->bytes.clear();
  }
  NetworkObjectiveOptions plain = options;
  plain.augment.reset();
  plain.data = cropped;
  const auto reference = make_network_objective(plain);
  const std::vector<float> theta = start(*objective);
  for (const Metric metric : {Metric::cross_entropy, Metric::error_rate}) {
    double found = 0.0;
    double expected = 0.0;
    objective->evaluator()->metrics(Split::test, metric, theta, {&found, 1});
    reference->evaluator()->metrics(Split::test, metric, theta, {&expected, 1});
    EXPECT_EQ(found, expected);
  }
  testing::expect_valid_margins(*objective, Split::test);
}

TEST(AugmentedImages, BatchesAreDistortedByStepAndPlace) {
  const NetworkObjectiveOptions options = augmented();
  const auto objective = make_network_objective(options);
  const auto first = objective->batches(3, 4, 6);
  const auto second = objective->batches(3, 4, 6);
  const auto other = objective->batches(3, 5, 6);
  bool differs = false;
  for (int step = 0; step < 7; ++step) {
    const BatchView a = first->next();
    const BatchView b = second->next();
    const BatchView c = other->next();
    ASSERT_EQ(a.count, 6U);
    EXPECT_TRUE(std::equal(a.inputs, a.inputs + 6 * 32, b.inputs));
    EXPECT_TRUE(std::equal(a.labels, a.labels + 6, b.labels));
    differs = differs || !std::equal(a.inputs, a.inputs + 6 * 32, c.inputs);
    // Whitened: mean 0 and deviation 1 (no crop of noise is flat).
    for (std::size_t i = 0; i < 6; ++i) {
      const float* image = a.inputs + i * 32;
      EXPECT_NEAR(std::accumulate(image, image + 32, 0.0) / 32.0, 0.0, 1e-5);
      EXPECT_NEAR(std::inner_product(image, image + 32, image, 0.0) / 32.0, 1.0, 1e-4);
    }
  }
  EXPECT_TRUE(differs);
}

// The next batch is made while the last one is in use, but no such batch is part of the state.
TEST(AugmentedImages, ASourceGoesOnFromWhereAnotherWas) {
  constexpr std::size_t numbers = 6 * 32;
  const auto objective = make_network_objective(augmented());
  const TemporaryFolder folder;
  const auto first = objective->batches(3, 4, 6);
  const auto second = objective->batches(3, 4, 6);
  for (int step = 0; step < 7; ++step) {  // 3 steps an epoch
    const BatchView used = first->next();
    const std::vector<float> content(used.inputs, used.inputs + numbers);
    StateWriter writer(folder / "state");
    first->save(writer);
    writer.commit();
    EXPECT_TRUE(std::equal(content.begin(), content.end(), used.inputs)) << "step " << step;
    second->next();  // it has a batch ahead when it is put elsewhere
    std::optional<StateReader> reader = StateReader::open(folder / "state");
    ASSERT_TRUE(reader.has_value());
    second->restore(*reader);
    const BatchView expected = first->next();
    const BatchView found = second->next();
    EXPECT_TRUE(std::equal(found.inputs, found.inputs + numbers, expected.inputs)) << step;
    EXPECT_TRUE(std::equal(found.labels, found.labels + 6, expected.labels)) << step;
  }
}

TEST(AugmentedImages, WhatDoesNotFitIsRefused) {
  const auto objective = make_network_objective(augmented());
  expect_error<UsageError>([&] { objective->batches(1, 2, 0); }, {"batch_size", "at least 1"});
  NetworkObjectiveOptions wrong = augmented();
  wrong.augment->crop = 5;
  expect_error<UsageError>([&] { make_network_objective(wrong); }, {"(2, 4, 4)", "(2, 5, 5)"});
}

}  // namespace
}  // namespace isthmus
