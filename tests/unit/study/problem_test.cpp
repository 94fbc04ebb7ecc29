// SPDX-License-Identifier: MIT
#include "isthmus/study/problem.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/study/study.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

TEST(Problem, SurvivesJson) {
  for (const Task& task : tasks()) {
    for (const Risk risk : {Risk::oracle, Risk::empirical}) {
      Problem problem = default_options(task, Protocol::strict).problem;
      problem.risk = risk;
      problem.risk_points = 77;
      problem.test_seed = 5;
      problem.test_stream = 0xffff'ffff'ffff'fff1;
      const Json json = to_json(problem);
      const Problem back = problem_from_json(Json::parse(json.dump()));
      EXPECT_EQ(to_json(back), json) << task.name;
      EXPECT_EQ(back.has_risk(), task.name == "quadratic" || task.name == "cubic");
      const bool has_files = task.name.find("mnist") != std::string_view::npos ||
                             task.name == "cifar10" || task.name == "ptb";
      EXPECT_EQ(back.generated(), !has_files) << task.name;
      EXPECT_EQ(back.is_text(), task.name == "ptb");
      EXPECT_EQ(back.augment.has_value(), task.name == "cifar10");
      if (back.has_risk() && risk == Risk::empirical) {
        EXPECT_EQ(back.test_stream, problem.test_stream);
      }
    }
  }
}

TEST(Problem, NamesWhatIsWrongInItsJson) {
  const Json good = to_json(default_options(task_of("quadratic"), Protocol::strict).problem);
  for (const auto& [key, value] : good.items()) {
    Json json = good;
    json.erase(key);
    expect_error<DataError>([&] { problem_from_json(json); }, {"problem", key});
  }
  Json json = good;
  json["loss"] = "hinge";
  expect_error<DataError>([&] { problem_from_json(json); }, {"loss", "absolute", "'hinge'"});
  json = good;
  json["risk"] = "none";
  expect_error<DataError>([&] { problem_from_json(json); }, {"risk", "'none'"});
  json = good;
  json["risk_points"] = "many";
  EXPECT_THROW(problem_from_json(json), DataError);
  EXPECT_THROW(problem_from_json(Json::array()), DataError);
}

TEST(Problem, KeepsItsPenalty) {
  StudyOptions options = default_options(task_of("quadratic"), Protocol::strict);
  EXPECT_FALSE(to_json(options.problem).contains("penalty"));
  EXPECT_FALSE(to_json(options).contains("penalty"));
  options.problem.penalty = {Penalty::Kind::l2, 1.0 / 3.0, Penalty::Over::weights};
  const Json json = to_json(options.problem);
  EXPECT_EQ(problem_from_json(Json::parse(json.dump())).penalty, options.problem.penalty);
  EXPECT_EQ(make_objective(options.problem, nullptr)->penalty(), options.problem.penalty);
  EXPECT_EQ(to_json(options)["penalty"], "l2:0.3333333333333333:weights");
  EXPECT_EQ(to_json(options)["problem"]["penalty"], to_json(options)["penalty"]);
  Json bad = json;
  bad["penalty"] = "l2";
  expect_error<DataError>([&] { problem_from_json(bad); }, {"problem", "penalty", "'l2'"});
  bad["penalty"] = "l1:-1";
  expect_error<DataError>([&] { problem_from_json(bad); }, {"problem", "penalty", "-1"});
  bad["penalty"] = 0.1;
  EXPECT_THROW(problem_from_json(bad), DataError);
}

// As path files had it before there were penalties.
TEST(Problem, WithoutAFieldForItHasNoPenalty) {
  const Problem problem = problem_from_json(Json::parse(R"({
    "task": "quadratic", "data": "quadratic", "loss": "absolute", "risk": "oracle",
    "risk_points": 256,
    "network": {"input": [1], "layers": [{"type": "linear", "out_features": 1}]}})"));
  EXPECT_EQ(problem.penalty, Penalty{});
  const auto objective = make_objective(problem, nullptr);
  EXPECT_FALSE(objective->penalty().any());
  // 0.5 x^2 + 0.25 x + 0.1 against 0: its mean, and nothing for a large weight and bias.
  double value = 0.0;
  const std::vector<float> theta{0.0F, 0.0F};
  objective->evaluator()->metrics(Split::test, Metric::mean_absolute_error, theta, {&value, 1});
  EXPECT_NEAR(value, 0.5 / 3.0 + 0.125 + 0.1, 1e-5);
}

TEST(Problem, KeepsItsNormalisation) {
  StudyOptions options = default_options(task_of("mnist"), Protocol::strict);
  EXPECT_FALSE(to_json(options.problem).contains("normalise"));
  options.problem.normalise = Normalisation{{0.1307}, {0.3081}};
  const Json json = to_json(options.problem);
  EXPECT_EQ(json["normalise"].dump(), R"({"mean":[0.1307],"deviation":[0.3081]})");
  EXPECT_EQ(problem_from_json(Json::parse(json.dump())).normalise, options.problem.normalise);
  Json bad = json;
  bad["normalise"]["deviation"] = {0.0};
  expect_error<DataError>([&] { problem_from_json(bad); },
                          {"problem", "normalise", "deviations 0"});
  bad["normalise"].erase("mean");
  EXPECT_THROW(problem_from_json(bad), DataError);
  // Not of what is no image, nor of images that are whitened.
  for (const char* task : {"quadratic", "ptb", "cifar10"}) {
    Problem problem = default_options(task_of(task), Protocol::strict).problem;
    problem.normalise = options.problem.normalise;
    expect_error<UsageError>([&] { load_data(problem, std::nullopt); }, {"normalise", task});
  }
}

TEST(Problem, TestSetsAreSharedByTenPairs) {
  StudyOptions options = default_options(task_of("cubic"), Protocol::strict);
  EXPECT_EQ(problem_of(options, 3).test_stream, problem_of(options, 30).test_stream);
  options.problem.risk = Risk::empirical;
  EXPECT_EQ(problem_of(options, 0).test_stream, problem_of(options, 9).test_stream);
  EXPECT_NE(problem_of(options, 9).test_stream, problem_of(options, 10).test_stream);
}

TEST(Problem, KeepsWhatItsSmallTasksAreMadeOf) {
  Problem problem = default_options(task_of("two-gaussians"), Protocol::strict).problem;
  problem.covariance = 0.25;
  problem.test_seed = 7;
  const Problem gaussians = problem_from_json(to_json(problem));
  EXPECT_EQ(gaussians.covariance, 0.25);
  EXPECT_EQ(gaussians.risk_points, 400U);
  EXPECT_EQ(gaussians.test_seed, 7U);
  problem = default_options(task_of("permuted-points"), Protocol::strict).problem;
  problem.points = {{{1.0, 2.0}, {3.0, 4.0}, {5.0, 7.0}}};
  EXPECT_EQ(problem_from_json(to_json(problem)).points, problem.points);
  expect_error<UsageError>([] { default_options(task_of("two-gaussians"), Protocol::paper); },
                           {"no script", "two-gaussians", "strict"});
}

double loss_at(const Objective& objective, const std::vector<float>& theta) {
  double loss = 0.0;
  objective.evaluator()->metrics(Split::test, Metric::mean_squared_error, theta, {&loss, 1});
  return loss;
}

// Both networks of lower_bounds.md fit, and the straight line between them costs at least what
// `isthmus lower-bound two-gaussians` proves of every path: 0.1939 summed over two outputs.
TEST(Problem, TwoGaussiansAreThoseOfTheLowerBound) {
  const Problem problem = default_options(task_of("two-gaussians"), Protocol::strict).problem;
  Problem seeded = problem;
  seeded.test_seed = 1;
  const auto objective = make_objective(seeded, nullptr);
  EXPECT_EQ(loss_at(*objective, {1, 0, 0, 1, 1, 0, 0, 1}), 0.0);
  EXPECT_EQ(loss_at(*objective, {0, 1, 1, 0, 0, 1, 1, 0}), 0.0);
  double largest = 0.0;
  for (int k = 0; k <= 100; ++k) {
    const auto t = static_cast<float>(k) / 100.0F;
    const float s = 1.0F - t;
    largest = std::max(largest, loss_at(*objective, {s, t, t, s, s, t, t, s}));
  }
  EXPECT_GE(largest, 0.5 * 0.1939);
  EXPECT_LE(largest, 1.0);
}

// `isthmus lower-bound poor-minimum` prints the losses of these two, summed over two outputs.
TEST(Problem, PoorMinimumIsThatOfTheLowerBound) {
  Problem problem = default_options(task_of("poor-minimum"), Protocol::strict).problem;
  problem.test_seed = 1;
  EXPECT_EQ(problem_from_json(to_json(problem)).covariance, problem.covariance);
  const auto objective = make_objective(problem, nullptr);
  EXPECT_EQ(objective->samples(Split::test), 1200u);
  const auto c = static_cast<float>(std::sqrt(0.75));
  const double a = loss_at(*objective, {1, 0, 0, 1, 1, 0, 0, 1});
  const double b = loss_at(*objective, {-0.5F, c, c, 0.5F, 0, 1, 1, 0});
  EXPECT_GT(a, 0.005);
  EXPECT_NEAR(b, 2.0 * a, 1e-6) << "one row of three is missed, and two";
}

TEST(Problem, PermutedPointsFollowEachOther) {
  const Problem problem = default_options(task_of("permuted-points"), Protocol::strict).problem;
  const auto objective = make_objective(problem, nullptr);
  // No output: the targets' mean square over two outputs.
  EXPECT_NEAR(loss_at(*objective, std::vector<float>(12, 0.0F)), 0.5, 1e-6);
  // Each unit sees one point alone: r(w_i.x_j) = delta_ij, its output is the next point.
  const Points& x = problem.points;
  std::vector<float> theta;
  for (const auto& point : x) {
    theta.push_back(static_cast<float>(point[0]));
    theta.push_back(static_cast<float>(point[1]));
  }
  for (std::size_t output = 0; output < 2; ++output) {
    for (std::size_t unit = 0; unit < 3; ++unit) {
      theta.push_back(static_cast<float>(x[(unit + 1) % 3][output]));
    }
  }
  EXPECT_NEAR(loss_at(*objective, theta), 0.0, 1e-12);
}

}  // namespace
}  // namespace isthmus
