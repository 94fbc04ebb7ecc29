// SPDX-License-Identifier: MIT
// `isthmus shorten`: paths of a run, and what is none.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

TEST(Shorten, PathsOfARunBecomeShorterAndStayProven) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.1", "--pairs", "2", "--out", "run"},
             0);
  const Json list = Json::parse(
      expect_run(folder.path(), {"shorten", "run", "--relax-iterations", "300", "--json"}, 0).out);
  ASSERT_EQ(list.size(), 2u);
  for (const Json& path : list) {
    EXPECT_TRUE(path["shorter"]) << path;
    EXPECT_LT(path["length_after"], path["length_before"]);
    EXPECT_LE(path["bound"], 0.1);
  }
  expect_run(folder.path(), {"verify", "run/shortened/0.1_0.safetensors", "--certified"}, 0);
  const std::string first = bytes_of(folder / "run/shortened/0.1_0.safetensors");
  expect_run(folder.path(),
             {"shorten",
              "run/paths/0.1_0.safetensors",
              "--relax-iterations",
              "300",
              "--threads",
              "1",
              "--out",
              "again"},
             0);
  EXPECT_EQ(bytes_of(folder / "again/0.1_0.safetensors"), first);
}

TEST(Shorten, SaysWhatIsNoPathOfThatKind) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"shorten", "nowhere"}, 66);
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.01", "--max-rounds", "1", "--out", "open"},
             0);
  const Outcome none = expect_run(folder.path(), {"shorten", "open"}, 64);
  EXPECT_NE(none.err.find("none of its paths is connected"), std::string::npos) << none.err;
  const Outcome above = expect_run(folder.path(), {"shorten", "open/paths/0.01_0.safetensors"}, 64);
  EXPECT_NE(above.err.find("at or below 0.01"), std::string::npos) << above.err;
}

}  // namespace
}  // namespace isthmus::testing
