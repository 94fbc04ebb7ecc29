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

TEST(Shorten, ConnectShortensWhatItJoins) {
  const TemporaryFolder folder;
  const Outcome run = expect_run(folder.path(),
                                 {"connect",
                                  "quadratic",
                                  "--threshold",
                                  "0.1",
                                  "--pairs",
                                  "2",
                                  "--shorten",
                                  "--relax-iterations",
                                  "300",
                                  "--out",
                                  "run"},
                                 0);
  EXPECT_NE(run.out.find("Shortened: 2 of 2 paths"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("an estimate, not proven"), std::string::npos) << run.out;
  const Json cell = Json::parse(bytes_of(folder / "run/cells/0.1_0.json"));
  const Json& numbers = cell["details"]["shortening"];
  EXPECT_LT(numbers["length_after"], numbers["length_before"]);
  EXPECT_LE(numbers["length_estimate"], numbers["length_after"]);
  EXPECT_EQ(cell["row"]["normalized_length"], numbers["length_after"]);
  EXPECT_EQ(cell["row"]["proof"], "proven");
}

TEST(Shorten, OptionsOfWhatIsNotAskedForAreRefused) {
  const TemporaryFolder folder;
  const auto refused = [&](std::vector<std::string> more, const std::string& why) {
    more.insert(more.begin(), {"connect", "quadratic", "--threshold", "0.1"});
    const Outcome outcome = expect_run(folder.path(), more, 64);
    EXPECT_NE(outcome.err.find(why), std::string::npos) << outcome.err;
  };
  refused({"--relax-beads", "9"}, "--relax-beads: an option of --shorten, which is not given");
  refused({"--shorten", "--relax-beads", "2"}, "relax-beads: expected 0 or at least 3, got 2");
  refused({"--shorten", "--protocol", "paper"}, "--shorten: expected the strict protocol");
  refused({"--zeta", "1"}, "--zeta: an option of --method constrained, not of greedy");
  refused({"--method", "constrained", "--kappa", "-1"},
          "kappa: expected a finite number >= 0, got -1");
  refused({"--method", "straight"}, "method: expected");
  refused({"--bends", "2"}, "--bends: an option of --method polychain, not of greedy");
  refused({"--method", "bezier", "--neb-pivots", "2"},
          "--neb-pivots: an option of --method neb, not of bezier");
  refused({"--method", "bezier", "--bends", "0"},
          "bends: expected at least 1 and at most 64, got 0");
  refused({"--method", "neb", "--neb-excess", "2"},
          "neb-excess: expected a number in [0, 1], got 2");
}

// Each joins a pair of the quadratic task, proven, and says in the run which method it was.
TEST(Methods, ComparatorsJoinAPairFromTheCommand) {
  for (const std::string method : {"polychain", "bezier", "neb"}) {
    const TemporaryFolder folder;
    expect_run(folder.path(),
               {"connect", "quadratic", "--threshold", "0.1", "--method", method, "--out", "run"},
               0);
    const Json config = Json::parse(bytes_of(folder / "run/config.json"));
    EXPECT_EQ(config["method"], method);
    EXPECT_EQ(config.contains("bends"), method != "neb");
    EXPECT_EQ(config.contains("neb_pivots"), method == "neb");
    const Json cell = Json::parse(bytes_of(folder / "run/cells/0.1_0.json"));
    EXPECT_EQ(cell["row"]["verdict"], "connected") << method;
    EXPECT_EQ(cell["row"]["proof"], "proven") << method;
  }
}

}  // namespace
}  // namespace isthmus::testing
