// SPDX-License-Identifier: MIT
// The example of docs/add_an_objective.md, compiled and run as it stands there.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/objective/callable_objective.h"
#include "isthmus/objective/gradient_check.h"
#include "isthmus/strings/greedy.h"

namespace isthmus {
namespace {

// [example]
// (|theta|^2 - 1)^2: its minima are the unit circle. `gradient` may be empty: value only.
double valley(std::span<const float> theta, std::span<float> gradient) {
  const double x = static_cast<double>(theta[0]);
  const double y = static_cast<double>(theta[1]);
  const double excess = x * x + y * y - 1.0;
  if (!gradient.empty()) {
    gradient[0] = static_cast<float>(4.0 * x * excess);
    gradient[1] = static_cast<float>(4.0 * y * excess);
  }
  return excess * excess;
}

StringSummary join_two_minima() {
  CallableOptions callable;
  callable.layout.add("theta", {2}, Role::weight);
  callable.loss = valley;
  callable.safety = CallSafety::concurrent;  // valley keeps no state
  const auto objective = make_callable_objective(callable);

  const std::vector<float> a{1.0F, 0.0F};
  const std::vector<float> b{-0.5F, 0.8660254F};
  if (!check_gradient(*objective, std::vector<float>{0.3F, 0.4F}).passed) {
    throw UsageError("the gradient of the valley is wrong");
  }

  Workers workers(2);
  Evaluators evaluators(*objective, workers);
  GreedyOptions options;
  options.threshold = 0.05;
  options.grid.metric = Metric::mean_squared_error;  // the name that the loss goes by
  options.training.optimizer = Adam{.learning_rate = 0.01};
  return connect_greedy(evaluators, a, b, options);
}
// [example]

TEST(AddAnObjective, JoinsTheMinimaOfTheExample) {
  const StringSummary string = join_two_minima();
  EXPECT_EQ(string.verdict, Verdict::connected) << sentence(string.ending);
  EXPECT_LE(string.max_metric, 0.05);
  EXPECT_GE(string.beads_inserted, 1U);
}

std::string content(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(AddAnObjective, IsTheCodeOfTheDocumentation) {
  const std::string folder = ISTHMUS_SOURCE_FOLDER;
  const std::string code = content(folder + "/tests/unit/strings/add_an_objective_test.cpp");
  const std::string mark = "// [example]\n";
  const std::size_t begin = code.find(mark) + mark.size();
  const std::string example = code.substr(begin, code.find(mark, begin) - begin);
  ASSERT_GT(example.size(), 500U);
  EXPECT_NE(content(folder + "/docs/add_an_objective.md").find(example), std::string::npos)
      << "the example of docs/add_an_objective.md and this test differ";
}

}  // namespace
}  // namespace isthmus
