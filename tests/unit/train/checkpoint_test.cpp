// SPDX-License-Identifier: MIT
// Training that is stopped anywhere and goes on from its checkpoint ends as if it had never
// stopped.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/files.h"
#include "isthmus/core/rng.h"
#include "isthmus/data/token_streams.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/train/train.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::TemporaryFolder;

Samples images(std::size_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  Samples samples;
  samples.count = count;
  samples.input_shape = {1, 9, 9};
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(rng.below(3));
    samples.labels.push_back(label);
    for (std::int32_t pixel = 0; pixel < 81; ++pixel) {
      const std::uint64_t base = pixel % 3 == label ? 60 : 0;
      samples.bytes.push_back(static_cast<std::uint8_t>(base + rng.below(196)));
    }
  }
  return samples;
}

// Epochs of images, plain or distorted, through a network with dropout that is wide enough for its
// thetas to train alone.
NetworkObjectiveOptions classification(bool augmented) {
  auto data = std::make_shared<Dataset>();
  data->name = "columns";
  data->classes = 3;
  data->train = images(50, 1);
  data->test = images(40, 2);
  NetworkObjectiveOptions options;
  const std::size_t side = augmented ? 8 : 9;
  options.network = {.input = {1, side, side},
                     .layers = {Flatten{},
                                Linear{.out_features = 70},
                                Activation{Activation::Kind::tanh},
                                Dropout{0.2},
                                Linear{.out_features = 3}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  if (augmented) {
    options.augment = AugmentOptions{.crop = 8};
  }
  return options;
}

NetworkObjectiveOptions language_model() {
  Rng rng(5);
  auto data = std::make_shared<Dataset>();
  data->name = "text";
  data->classes = 6;
  std::vector<std::int32_t> tokens(200);
  std::ranges::generate(tokens, [&] { return static_cast<std::int32_t>(rng.below(6)); });
  data->train = window_samples({tokens, 2, 5});
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = {
      .input = {1},
      .layers = {
          Embedding{.tokens = 6, .features = 5}, Lstm{.features = 6}, Linear{.out_features = 6}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  return options;
}

struct Course {
  std::string name;
  std::unique_ptr<Objective> objective;
  TrainOptions options;
  bool modified = false;  // its jobs change gradients and thetas
};

// Full batches through a network without dropout, whose training loss is the metric: by Polyak's
// steps, which end within the course, towards a plane.
Course polyak_course() {
  NetworkObjectiveOptions objective = classification(false);
  objective.network.layers.erase(objective.network.layers.begin() + 3);
  Course course{"polyak", make_network_objective(objective), {}, true};
  course.options = {.optimizer = Polyak{.cap = 0.1, .steps = 17},
                    .metric = Metric::cross_entropy,
                    .split = Split::train,
                    .check_every = 3,
                    .max_steps = 31};
  return course;
}

std::vector<Course> courses() {
  const auto make = [](std::string name,
                       const NetworkObjectiveOptions& objective,
                       const OptimizerOptions& optimizer,
                       std::size_t batch_size) {
    TrainOptions options{.optimizer = optimizer};
    options.batch_size = batch_size;
    options.metric = Metric::cross_entropy;
    options.check_every = 3;
    options.max_steps = 31;
    return Course{std::move(name), make_network_objective(objective), options};
  };
  std::vector<Course> all;
  all.push_back(make("adam", classification(false), Adam{.learning_rate = 0.01}, 7));
  all.push_back(make("rmsprop", classification(false), RmsProp{.learning_rate = 0.001}, 7));
  all.push_back(make("full batch", classification(false), Sgd{.learning_rate = 0.1}, 0));
  all.push_back(
      make("augmented", classification(true), Sgd{.learning_rate = 0.05, .momentum = 0.9}, 7));
  all.push_back(make("text", language_model(), Sgd{.learning_rate = 0.5, .momentum = 0.5}, 10));
  all.push_back(polyak_course());
  return all;
}

TrainJob job_of(const Course& course, std::vector<double> targets) {
  TrainJob job;
  job.theta.resize(course.objective->dimension());
  course.objective->initialise(3, 4, job.theta);
  job.targets = std::move(targets);
  job.seed = 3;
  job.stream = 5;
  if (course.modified) {
    job.modify_gradient = [](std::size_t step, std::span<const float> theta, std::span<float> g) {
      g[0] += (step < 10 ? 0.5F : 0.25F) * theta[0];
    };
    job.modify_theta = [](std::size_t step, std::span<float> theta) {
      theta[1] = 0.01F * static_cast<float>(step % 5);
    };
  }
  return job;
}

// Trains until the end, or until `stop_at` steps, if that is smaller.
void train_until(const Course& course, TrainJob& job, std::size_t stop_at) {
  Workers workers(1);
  Evaluators evaluators(*course.objective, workers);
  Stop stop;
  const auto listen = [&](const TrainProgress& progress) {
    if (progress.steps >= stop_at) {
      stop.request();
    }
  };
  train(evaluators, {&job, 1}, course.options, &stop, listen);
}

void expect_same(const TrainJob& a, const TrainJob& b) {
  EXPECT_EQ(a.theta, b.theta);
  EXPECT_EQ(a.summary.termination, b.summary.termination);
  EXPECT_EQ(a.summary.first_metric, b.summary.first_metric);
  EXPECT_EQ(a.summary.last_metric, b.summary.last_metric);
  EXPECT_EQ(a.summary.best_metric, b.summary.best_metric);
  EXPECT_EQ(a.summary.steps, b.summary.steps);
  EXPECT_EQ(a.summary.gradient_samples, b.summary.gradient_samples);
  EXPECT_EQ(a.summary.forward_samples, b.summary.forward_samples);
}

constexpr double never = -1.0;

// The files as a process that was killed after some steps would have left them: copies of the
// checkpoint are taken while it trains.
TEST(Checkpoint, AKilledRunGoesOnWithTheSameBits) {
  for (const Course& course : courses()) {
    SCOPED_TRACE(course.name);
    TrainJob unbroken = job_of(course, {never});
    train_until(course, unbroken, 1000);
    ASSERT_EQ(unbroken.summary.steps, 31U);
    for (const std::size_t every : {1U, 4U, 11U, 30U}) {
      const TemporaryFolder folder;
      TrainJob first = job_of(course, {never});
      first.checkpoint = TrainCheckpoint{.file = folder / "state", .steps = every};
      // The last checkpoint before the end stays in a copy.
      first.on_end = [&](const TrainJob&) {
        std::filesystem::copy_file(folder / "state", folder / "copy");
      };
      train_until(course, first, 1000);
      expect_same(unbroken, first);
      EXPECT_FALSE(std::filesystem::exists(folder / "state"));
      std::filesystem::rename(folder / "copy", folder / "state");
      TrainJob second = job_of(course, {never});
      second.checkpoint = TrainCheckpoint{.file = folder / "state", .steps = 1000};
      std::size_t begun_at = 1000;
      Workers workers(1);
      Evaluators evaluators(*course.objective, workers);
      train(evaluators, {&second, 1}, course.options, nullptr, [&](const TrainProgress& progress) {
        begun_at = std::min(begun_at, progress.steps);
      });
      EXPECT_GT(begun_at, 0U) << "the start is not looked at again";
      expect_same(unbroken, second);
    }
  }
}

TEST(Checkpoint, ARequestToStopLeavesOne) {
  std::vector<Course> all = courses();
  for (Course& course : all) {
    SCOPED_TRACE(course.name);
    course.options.max_steps = 150;
    TrainJob unbroken = job_of(course, {never});
    train_until(course, unbroken, 1000);
    const TemporaryFolder folder;
    TrainJob broken = job_of(course, {never});
    broken.checkpoint = TrainCheckpoint{.file = folder / "state", .seconds = 1e9};
    train_until(course, broken, 1);  // at the second news, which need 64 steps
    EXPECT_EQ(broken.summary.termination, Termination::interrupted);
    EXPECT_GE(broken.summary.steps, 64U);
    EXPECT_TRUE(std::filesystem::exists(folder / "state"));
    TrainJob again = job_of(course, {never});
    again.checkpoint = broken.checkpoint;
    train_until(course, again, 1000);
    expect_same(unbroken, again);
  }
}

TEST(Checkpoint, ADamagedOneAndAnothersArePassedOver) {
  const Course course = std::move(courses().front());
  TrainJob unbroken = job_of(course, {never});
  train_until(course, unbroken, 1000);
  const TemporaryFolder folder;
  TrainJob other = job_of(course, {never});
  other.stream = 6;
  other.checkpoint = TrainCheckpoint{.file = folder / "state", .steps = 5};
  other.on_end = [&](const TrainJob&) {
    std::filesystem::copy_file(folder / "state", folder / "other");
  };
  train_until(course, other, 1000);
  std::string damaged = read_file(folder / "other");
  damaged[damaged.size() / 2] ^= 1;
  const std::map<std::string, std::string> contents{{"of another job", read_file(folder / "other")},
                                                    {"damaged", damaged},
                                                    {"cut", damaged.substr(0, 100)},
                                                    {"empty", ""}};
  for (const auto& [what, content] : contents) {
    SCOPED_TRACE(what);
    write_file(folder / "state", content);
    TrainJob job = job_of(course, {never});
    job.checkpoint = TrainCheckpoint{.file = folder / "state", .seconds = 1e9};
    train_until(course, job, 1000);
    expect_same(unbroken, job);
  }
}

// A run through some targets leaves its last state; one with smaller targets behind goes on.
TEST(Checkpoint, SmallerTargetsGoOnFromTheLastState) {
  Course course = std::move(courses().front());
  course.options.max_steps = 400;
  struct Told {
    double target;
    std::vector<float> theta;
    std::size_t steps;
    bool operator==(const Told&) const = default;
  };
  const auto run = [&](std::vector<double> targets, const std::filesystem::path& file) {
    std::vector<Told> told;
    TrainJob job = job_of(course, std::move(targets));
    job.checkpoint =
        TrainCheckpoint{.file = file, .seconds = 1e9, .targets_known = 2, .keep_last = true};
    job.on_target = [&](std::size_t, const Snapshot& snapshot) {
      told.push_back({snapshot.target, snapshot.theta, snapshot.summary.steps});
    };
    train_until(course, job, 100000);
    EXPECT_EQ(job.summary.termination, Termination::reached);
    return std::pair(std::move(told), std::move(job));
  };
  const TemporaryFolder folder;
  const auto [whole, whole_job] = run({0.9, 0.6, 0.5999, 0.3}, folder / "whole");
  ASSERT_EQ(whole.size(), 4U);
  const auto [first, first_job] = run({0.9, 0.6}, folder / "parts");
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(folder / "parts"));
  EXPECT_EQ(first[0], whole[0]);
  EXPECT_EQ(first[1], whole[1]);
  const auto [second, second_job] = run({0.9, 0.6, 0.5999, 0.3}, folder / "parts");
  ASSERT_EQ(second.size(), 2U) << "only the new ones";
  EXPECT_EQ(second[0], whole[2]);
  EXPECT_EQ(second[1], whole[3]);
  expect_same(whole_job, second_job);
  // The files of both are the same too; one of other targets starts anew.
  EXPECT_EQ(read_file(folder / "whole"), read_file(folder / "parts"));
  const auto [anew, anew_job] = run({0.9, 0.7, 0.3}, folder / "parts");
  EXPECT_EQ(anew.size(), 3U);
}

}  // namespace
}  // namespace isthmus
