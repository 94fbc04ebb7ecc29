// SPDX-License-Identifier: MIT
#include "isthmus/objective/importance_batches.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "isthmus/core/state_file.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

constexpr std::size_t count = 200;
constexpr std::size_t batch_size = 20;

// Samples whose one input is their number.
std::shared_ptr<const Samples> numbered() {
  auto samples = std::make_shared<Samples>();
  samples->count = count;
  samples->input_shape = {1};
  for (std::size_t i = 0; i < count; ++i) {
    samples->values.push_back(static_cast<float>(i));
    samples->labels.push_back(static_cast<std::int32_t>(i % 2));
  }
  return samples;
}

std::unique_ptr<BatchSource> source_of(double importance, std::span<const float> expected = {}) {
  return make_importance_batches(numbered(), batch_size, importance, expected, 5, 6);
}

// Of every sample: one in ten is hard.
float loss_of(std::size_t i) {
  return i % 10 == 3 ? 2.0F : 0.001F * static_cast<float>(i % 7);
}

BatchView step(BatchSource& source) {
  const BatchView batch = source.next();
  for (std::size_t k = 0; k < batch.count; ++k) {
    const auto i = static_cast<std::size_t>(batch.inputs[k]);
    EXPECT_EQ(batch.labels[k], static_cast<std::int32_t>(i % 2));
    EXPECT_EQ(batch.indices[k], i);
    batch.sample_losses[k] = loss_of(i);
  }
  return batch;
}

TEST(ImportanceBatches, DrawByScoresWithWeightsThatMakeUpForThem) {
  for (const double importance : {0.3, 0.7}) {
    const auto source = source_of(importance);
    for (int i = 0; i < 320; ++i) {
      step(*source);  // every sample has been in a batch
    }
    double scores = 0.0;
    double mean = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      scores += 1.0 - std::exp(-static_cast<double>(loss_of(i)));
      mean += static_cast<double>(loss_of(i)) / count;
    }
    constexpr int steps = 20000;
    std::vector<double> drawn(count);
    double weighted = 0.0;
    for (int s = 0; s < steps; ++s) {
      const BatchView batch = step(*source);
      for (std::size_t k = 0; k < batch.count; ++k) {
        const auto i = static_cast<std::size_t>(batch.inputs[k]);
        ++drawn[i];
        weighted += static_cast<double>(batch.weights[k]) * static_cast<double>(loss_of(i));
        const double score = 1.0 - std::exp(-static_cast<double>(loss_of(i)));
        const double chance = (1.0 - importance) / count + importance * score / scores;
        ASSERT_NEAR(batch.weights[k] * chance * count, 1.0, 1e-5);
        ASSERT_LE(batch.weights[k], 1.0 / (1.0 - importance) + 1e-5);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double score = 1.0 - std::exp(-static_cast<double>(loss_of(i)));
      const double expected = steps * static_cast<double>(batch_size) *
                              ((1.0 - importance) / count + importance * score / scores);
      EXPECT_NEAR(drawn[i], expected, 6.0 * std::sqrt(expected)) << i;
    }
    EXPECT_NEAR(weighted / steps / batch_size, mean, 0.01 * mean);
  }
}

TEST(ImportanceBatches, TakeSamplesFirstThatAreExpectedToBeHard) {
  std::vector<float> expected(count, 1e-6F);
  for (std::size_t i = 0; i < count; i += 4) {
    expected[i] = 1.0F;
  }
  const auto source = source_of(0.8, expected);
  std::size_t hard = 0;
  for (int s = 0; s < 32; ++s) {
    const BatchView batch = source->next();
    for (std::size_t k = 0; k < batch.count; ++k) {
      hard += batch.indices[k] % 4 == 0 ? 1 : 0;
      batch.sample_losses[k] = 0.0F;
    }
  }
  EXPECT_NEAR(static_cast<double>(hard) / (32.0 * batch_size), 0.2 * 0.25 + 0.8, 0.06);
}

TEST(ImportanceBatches, StayEvenWhereNoSampleHasALossAndWhereAllAreNan) {
  for (const float loss : {0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    const auto source = source_of(0.5);
    for (int s = 0; s < 2000; ++s) {
      const BatchView batch = source->next();
      for (std::size_t k = 0; k < batch.count; ++k) {
        batch.sample_losses[k] = loss;
        ASSERT_TRUE(std::isfinite(batch.weights[k]));
        if (s > 1000) {
          ASSERT_NEAR(batch.weights[k], 1.0F, 1e-5F);
        }
      }
    }
  }
}

TEST(ImportanceBatches, GoOnFromTheirState) {
  const auto unbroken = source_of(0.6);
  for (int s = 0; s < 45; ++s) {
    step(*unbroken);
  }
  const testing::TemporaryFolder folder;
  StateWriter writer(folder / "state");
  unbroken->save(writer);
  writer.commit();
  const auto again = source_of(0.6);
  std::optional<StateReader> reader = StateReader::open(folder / "state");
  ASSERT_TRUE(reader);
  again->restore(*reader);
  for (int s = 0; s < 70; ++s) {
    const BatchView a = step(*unbroken);
    const BatchView b = step(*again);
    for (std::size_t k = 0; k < batch_size; ++k) {
      ASSERT_EQ(a.indices[k], b.indices[k]);
      ASSERT_EQ(a.weights[k], b.weights[k]);
    }
  }
}

}  // namespace
}  // namespace isthmus
