// SPDX-License-Identifier: MIT
#include "isthmus/study/problem.h"

#include <gtest/gtest.h>

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
      EXPECT_EQ(back.generated(), task.name == "quadratic" || task.name == "cubic");
      if (back.generated() && risk == Risk::empirical) {
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

TEST(Problem, TestSetsAreSharedByTenPairs) {
  StudyOptions options = default_options(task_of("cubic"), Protocol::strict);
  EXPECT_EQ(problem_of(options, 3).test_stream, problem_of(options, 30).test_stream);
  options.problem.risk = Risk::empirical;
  EXPECT_EQ(problem_of(options, 0).test_stream, problem_of(options, 9).test_stream);
  EXPECT_NE(problem_of(options, 9).test_stream, problem_of(options, 10).test_stream);
}

}  // namespace
}  // namespace isthmus
