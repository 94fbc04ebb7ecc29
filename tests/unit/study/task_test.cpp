// SPDX-License-Identifier: MIT
#include "isthmus/study/task.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/study/option_table.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

TEST(Task, Names) {
  for (const Task& task : tasks()) {
    EXPECT_EQ(&task_of(task.name), &task);
  }
  expect_error<UsageError>(
      [] { task_of("cubik"); },
      {"task: expected quadratic, ", "two-gaussians, poor-minimum or permuted-points", "'cubik'"});
  EXPECT_EQ(named<Protocol>("paper"), Protocol::paper);
  expect_error<UsageError>([] { named<Protocol>("x"); }, {"strict or paper", "'x'"});
  expect_error<UsageError>([] { named<Risk>("x"); }, {"oracle or empirical", "'x'"});
}

TEST(Task, DefaultsAreValidAndFollowTheProtocol) {
  for (const Task& task : tasks()) {
    SCOPED_TRACE(task.name);
    const StudyOptions strict = default_options(task, Protocol::strict);
    EXPECT_NO_THROW(strict.validate());
    EXPECT_EQ(strict.thresholds, std::vector<double>{task.threshold});
    EXPECT_EQ(strict.string.tolerance, 1.0);
    EXPECT_TRUE(strict.string.grid.include_end);
    EXPECT_FALSE(strict.string.always_insert);
    EXPECT_FALSE(strict.endpoints.skip_first_check);
    if (task.name == "two-gaussians" || task.name == "poor-minimum" ||
        task.name == "permuted-points") {
      EXPECT_THROW(default_options(task, Protocol::paper), UsageError);
      continue;
    }
    const StudyOptions paper = default_options(task, Protocol::paper);
    EXPECT_NO_THROW(paper.validate());
    EXPECT_GT(paper.string.tolerance, 1.0);
    EXPECT_FALSE(paper.string.grid.include_end);
    EXPECT_TRUE(paper.string.always_insert);
    EXPECT_EQ(paper.string.max_rounds, 10u);
    EXPECT_EQ(paper.string.training.comparison, Comparison::below);
    EXPECT_TRUE(paper.endpoints.skip_first_check);
  }
}

TEST(Task, ChecksFollowTheNetworkAndTheProtocol) {
  const auto check = [](std::string_view task, Protocol protocol) {
    return name_of(default_options(task_of(task), protocol).string.check);
  };
  EXPECT_EQ(check("quadratic", Protocol::strict), "certified");
  EXPECT_EQ(check("mnist-mlp", Protocol::strict), "certified");
  EXPECT_EQ(check("mnist", Protocol::strict), "screened");
  EXPECT_EQ(check("cifar10", Protocol::strict), "screened");
  EXPECT_EQ(check("ptb", Protocol::strict), "sampled");
  // A loss of a convnet is screened as its error rate is.
  EXPECT_EQ(
      name_of(default_check(task_of("mnist").network(), Metric::cross_entropy, Protocol::strict)),
      "screened");
  for (const std::string_view task : {"quadratic", "mnist", "cifar10", "ptb"}) {
    EXPECT_EQ(check(task, Protocol::paper), "sampled") << task;
    EXPECT_EQ(default_options(task_of(task), Protocol::paper).string.training.looks,
              LookKind::full);
  }
}

TEST(Task, BeadsAreAveragesThatBeginBeyondTheBendWhereThatWasMeasured) {
  for (const Task& task : tasks()) {
    SCOPED_TRACE(task.name);
    const bool images = task.name == "mnist" || task.name == "fashion-mnist" ||
                        task.name == "mnist-mlp" || task.name == "cifar10";
    StudyOptions strict = default_options(task, Protocol::strict);
    const auto expect = [](const StudyOptions& options, double average, double bend) {
      EXPECT_EQ(default_beads(options).average, average);
      EXPECT_EQ(default_beads(options).bend, bend);
    };
    const bool perceptron = task.name == "mnist-mlp";
    expect(strict, perceptron ? 0.99 : 0.0, perceptron ? 1.5 : 0.0);
    EXPECT_EQ(strict.string.training.average, perceptron ? 0.99 : 0.0);
    EXPECT_EQ(strict.string.bead_bend, perceptron ? 1.5 : 0.0);
    EXPECT_EQ(strict.endpoints.average, 0.0);
    strict.string.grid.metric = Metric::cross_entropy;
    const bool by_loss = images && task.name != "cifar10";  // its images are distorted
    expect(strict, by_loss ? 0.99 : 0.0, perceptron ? 1.0 : by_loss ? 1.5 : 0.0);
    EXPECT_EQ(default_beads(strict).damping, perceptron ? 1.0 : 0.0);
    EXPECT_EQ(default_beads(strict).learning_rate.has_value(), perceptron);
    EXPECT_EQ(default_beads(strict, false).damping, 0.0);
    EXPECT_EQ(default_beads(strict, false).bend, by_loss ? 1.5 : 0.0);
    strict.string.training.batch_size = 0;
    expect(strict, 0.0, by_loss ? 1.5 : 0.0);
    strict.protocol = Protocol::paper;
    expect(strict, 0.0, 0.0);
  }
}

TEST(Task, ParameterCountsAreThePublishedOnes) {
  const auto parameters = [](std::string_view name) {
    return layout_of(default_options(task_of(name), Protocol::strict).problem.network).dimension();
  };
  EXPECT_EQ(parameters("quadratic"), 24u);
  EXPECT_EQ(parameters("mnist"), 3274634u);
  EXPECT_EQ(parameters("fashion-mnist"), 3274634u);
  EXPECT_EQ(parameters("mnist-mlp"), 26506u);
  EXPECT_EQ(parameters("cifar10"), 1068298u);
  EXPECT_EQ(parameters("ptb"), 4651600u);
}

TEST(Task, OnlyThePublishedConvnetHasADoubleSoftmax) {
  const auto last_layer = [](std::string_view task) {
    return default_options(task_of(task), Protocol::paper, true).problem.network.layers.back();
  };
  EXPECT_EQ(std::get<Activation>(last_layer("mnist")).kind, Activation::Kind::softmax);
  EXPECT_EQ(std::get<Activation>(last_layer("fashion-mnist")).kind, Activation::Kind::softmax);
  expect_error<UsageError>([&] { last_layer("cifar10"); }, {"double-softmax", "not cifar10"});
}

TEST(StudyOptions, RefusesWhatCannotRun) {
  const auto expect_refused = [](const std::function<void(StudyOptions&)>& change,
                                 std::initializer_list<std::string_view> parts) {
    StudyOptions options = default_options(task_of("quadratic"), Protocol::strict);
    change(options);
    expect_error<UsageError>([&] { options.validate(); }, parts);
  };
  expect_refused([](StudyOptions& o) { o.thresholds = {}; }, {"thresholds"});
  expect_refused([](StudyOptions& o) { o.thresholds = {0.0}; }, {"> 0", "got 0"});
  expect_refused([](StudyOptions& o) { o.thresholds = {std::numeric_limits<double>::quiet_NaN()}; },
                 {"nan"});
  expect_refused([](StudyOptions& o) { o.thresholds = {0.2, 0.1, 0.1}; }, {"0.1 twice"});
  expect_refused(
      [](StudyOptions& o) { o.string.grid.metric = Metric::error_rate, o.thresholds = {1}; },
      {"a fraction below 1 (2 % is 0.02)", "got 1"});
  expect_refused([](StudyOptions& o) { o.string.grid.points = 1'000'001; },
                 {"points", "at most 1000000", "1000001"});
  expect_refused([](StudyOptions& o) { o.pairs = 0; }, {"pairs", "got 0"});
  expect_refused([](StudyOptions& o) { o.pairs = 1'000'001; }, {"pairs", "1000001"});
  expect_refused([](StudyOptions& o) { o.string.alpha = 0.0; }, {"alpha"});
  expect_refused([](StudyOptions& o) { o.endpoints.check_every = 0; }, {"check"});
  expect_refused([](StudyOptions& o) { o.problem.penalty.kind = Penalty::Kind::l2; },
                 {"penalty", "> 0", "got 0"});
  const GivenEndPoint good{.name = "a", .theta = std::vector<float>(24)};
  expect_refused([&](StudyOptions& o) { o.from = good; }, {"both end points"});
  expect_refused([&](StudyOptions& o) { o.from = o.to = good, o.pairs = 2; }, {"1 pair", "got 2"});
  expect_refused(
      [&](StudyOptions& o) {
        o.from = good;
        o.to = GivenEndPoint{.name = "b", .theta = std::vector<float>(23)};
      },
      {"b", "24", "23"});
}

TEST(StudyOptions, TheProtocolSaysWhatAnEndPointIsTrainedForWhereNothingElseDoes) {
  for (const Protocol protocol : {Protocol::strict, Protocol::paper}) {
    const EndPointsOf usual =
        protocol == Protocol::strict ? EndPointsOf::pair : EndPointsOf::threshold;
    StudyOptions options = default_options(task_of("quadratic"), protocol);
    options.thresholds = {0.1};
    EXPECT_EQ(options.endpoints_of, usual);
    EXPECT_FALSE(to_json(options).contains("endpoints_of"));  // runs of before are read the same
    for (const EndPointsOf kind : {EndPointsOf::pair, EndPointsOf::threshold}) {
      options.endpoints_of = kind;
      EXPECT_EQ(options_from_json(to_json(options)).endpoints_of, kind);
    }
  }
}

TEST(StudyOptions, JsonTellsEndPointsApartByTheirNumbers) {
  StudyOptions options = default_options(task_of("quadratic"), Protocol::strict);
  options.from = options.to = GivenEndPoint{.name = "a", .theta = std::vector<float>(24)};
  const Json before = to_json(options);
  EXPECT_EQ(before["from"], before["to"]);
  options.to->theta.back() = 1.0F;
  EXPECT_NE(to_json(options)["to"], before["to"]);
  EXPECT_EQ(to_json(options)["from"], before["from"]);
}

}  // namespace
}  // namespace isthmus
