// SPDX-License-Identifier: MIT
// `connect --method breadth-first`: strings whose level falls.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

Arguments breadth_first(const std::string& folder, const Arguments& more) {
  Arguments arguments{"connect", "quadratic", "--method", "breadth-first", "--out", folder};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(BreadthFirst, BeginsAtRandomNetworksAndIsProven) {
  const TemporaryFolder folder;
  for (const std::string threads : {"1", "2"}) {
    expect_run(
        folder.path(),
        breadth_first(
            threads,
            {"--from-random", "--thresholds", "0.1,0.05", "--pairs", "2", "--threads", threads}),
        0);
  }
  expect_same_runs(folder / "2", folder / "1");
  const auto cells = read_table(folder / "1/cells.csv");
  ASSERT_EQ(cells.size(), 5U);
  for (std::size_t i = 1; i < cells.size(); ++i) {
    EXPECT_EQ(cells[i][3], "connected");
    EXPECT_EQ(cells[i][11], "0") << "end points cost nothing before their string";
    EXPECT_EQ(cells[i][15], "proven");
  }
  const Json config = Json::parse(bytes_of(folder / "1/config.json"));
  EXPECT_EQ(config["method"], "breadth-first");
  EXPECT_EQ(config["from_random"], true);
  EXPECT_EQ(config["level_ratio"], 0.8);
  expect_run(folder.path(), {"verify", "1/paths/0.05_1.safetensors", "--certified"}, 0);
}

// Of these pairs the last one has a bead that comes to rest at .0545, above the lower levels.
TEST(BreadthFirst, ABeadThatStaysAboveTheLevelIsReplaced) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             breadth_first("run",
                           {"--from-random",
                            "--seed",
                            "5",
                            "--pairs",
                            "30",
                            "--optimizer",
                            "adam",
                            "--threshold",
                            "0.01"}),
             0);
  const Json cell = Json::parse(bytes_of(folder / "run/cells/0.01_29.json"));
  EXPECT_EQ(cell["row"]["verdict"], "connected");
  EXPECT_GT(cell["details"]["beads_unreached"], 0);
}

TEST(BreadthFirst, SaysWhichLevelItCouldNotFollow) {
  const TemporaryFolder folder;
  expect_run(folder.path(), breadth_first("run", {"--threshold", "0.01", "--max-beads", "4"}), 0);
  const Json cell = Json::parse(bytes_of(folder / "run/cells/0.01_0.json"))["details"];
  const std::string reason = cell["reason"];
  EXPECT_EQ(reason.find("the string came down to mean_absolute_error "), 0U) << reason;
  EXPECT_NE(reason.find("the limit is 4"), std::string::npos) << reason;
  EXPECT_GE(cell["ending"]["level"], 0.01);
  EXPECT_DOUBLE_EQ(cell["ending"]["level"].get<double>(),
                   std::max(0.01, 0.8 * cell["ending"]["level_followed"].get<double>()));
}

TEST(BreadthFirst, WrongInput) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors_content(quadratic_tensors(9.0F, "F32")));
  expect_run(
      folder.path(), {"train", "quadratic", "--threshold", "0.1", "--out", "b.safetensors"}, 0);
  const Arguments given{"--threshold", "0.1", "--from", "a.safetensors", "--to", "b.safetensors"};
  const auto refuse = [&](Arguments more, std::initializer_list<std::string_view> parts) {
    more.insert(more.begin(), given.begin(), given.end());
    expect_run(folder.path(), breadth_first("run", more), 64, parts);
  };
  refuse({}, {"equal loss", "at most 0.1", "--from-random"});
  refuse({"--from-random"}, {"--from-random", "leave --from and --to out"});
  refuse({"--level-ratio", "1"}, {"level-ratio: expected a number in (0, 0.99], got 1"});
  refuse({"--split-clip", "0.7"}, {"split-clip: expected a number in [0, 0.5], got 0.7"});
  expect_run(folder.path(),
             {"connect", "quadratic", "--from-random", "--out", "run"},
             64,
             {"--from-random", "--method breadth-first"});
  expect_run(folder.path(),
             {"connect", "quadratic", "--method", "compare", "--from-random", "--out", "all"},
             64,
             {"--from-random", "same trained end points"});
}

}  // namespace
}  // namespace isthmus::testing
