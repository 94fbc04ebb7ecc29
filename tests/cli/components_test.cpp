// SPDX-License-Identifier: MIT
// `isthmus components`: what it prints and keeps, and what it refuses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

const Arguments command{
    "components", "quadratic", "--networks", "4", "--thresholds", "0.1,0.05", "--out", "run"};

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Components, OfAFewNetworks) {
  const TemporaryFolder folder;
  const Outcome outcome = expect_run(folder.path(), command, 0);
  EXPECT_NE(outcome.out.find("components"), std::string::npos) << outcome.out;
  const auto table = read_table(folder / "run/components.csv");
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[1][0], "4");
  EXPECT_EQ(table[1][1], "0.1");
  const Json graph = Json::parse(bytes_of(folder / "run/graph.json"));
  for (std::size_t level = 0; level < 2; ++level) {
    const Json& one = graph["levels"][level];
    EXPECT_EQ(std::to_string(one["components"].get<int>()), table[level + 1][4]);
    EXPECT_EQ(std::to_string(one["pairs"].size()), table[level + 1][6]);
    EXPECT_EQ(one["minimax"].size(), 4u);
    for (const Json& pair : one["pairs"]) {
      expect_run(folder.path(), {"verify", "run/" + pair["path"].get<std::string>()}, 0);
    }
  }
  const std::string svg = bytes_of(folder / "run/figure.svg");
  EXPECT_NE(svg.find("components of 4 networks"), std::string::npos);
  EXPECT_EQ(Json::parse(expect_run(folder.path(), with(command, {"--resume", "--json"}), 0).out),
            graph);
}

TEST(Components, AReportHasTheTablesInEveryForm) {
  const TemporaryFolder folder;
  expect_run(folder.path(), command, 0);
  const std::string svg = bytes_of(folder / "run/figure.svg");
  std::filesystem::remove(folder / "run/figure.svg");
  Json graph = Json::parse(bytes_of(folder / "run/graph.json"));
  graph["run"] = "run";
  EXPECT_EQ(Json::parse(expect_run(folder.path(), {"report", "run", "--json"}, 0).out), graph);
  EXPECT_EQ(bytes_of(folder / "run/figure.svg"), svg) << "drawn from the table, the same again";
  const Outcome text = expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_NE(text.out.find("pairs tried"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("Page:   run/report.html"), std::string::npos) << text.out;
  const Outcome markdown = expect_run(folder.path(), {"report", "run", "--markdown"}, 0);
  EXPECT_EQ(markdown.out.substr(0, 11), "| threshold") << markdown.out;
  // What is kept of a run has a figure, and no page.
  std::filesystem::remove(folder / "run/graph.json");
  std::filesystem::remove(folder / "run/figure.svg");
  expect_run(folder.path(), {"report", "run", "--no-page"}, 0);
  EXPECT_EQ(bytes_of(folder / "run/figure.svg"), svg);
  expect_run(folder.path(), {"report", "run"}, 66, {"graph.json", "--resume"});
  expect_run(folder.path(), {"report", "run", "--json"}, 66, {"graph.json"});
  folder.write("run/components.csv", "width,threshold\n");
  expect_run(folder.path(), {"report", "run"}, 65, {"components.csv", "networks"});
}

TEST(Components, APairThatFailsProvesNothingAndTheyAreToldSo) {
  const TemporaryFolder folder;
  const Outcome outcome = expect_run(
      folder.path(),
      {"components", "quadratic", "--networks", "3", "--max-beads", "2", "--threshold", "0.002"},
      0);
  EXPECT_NE(outcome.out.find("proves\nnothing"), std::string::npos) << outcome.out;
}

TEST(Components, WrongInput) {
  const TemporaryFolder folder;
  const auto refused =
      [&](Arguments more, int code, std::initializer_list<std::string_view> parts) {
        more.insert(more.begin(), "components");
        expect_run(folder.path(), more, code, parts);
      };
  refused({"quadratic", "--networks", "1"}, 64, {"networks", "at least 2", "got 1"});
  refused({"quadratic", "--networks", "-3"}, 64, {"--networks", "'-3'"});
  refused({"quadratic", "--networks", "1001"}, 64, {"networks", "1000"});
  refused({"quadratic", "--widths", "2,0"}, 64, {"widths", "2,0"});
  refused({"ptb", "--widths", "2"}, 64, {"widths", "hidden layers are all dense", "ptb"});
  refused({"quadratic", "--risk", "empirical"}, 64, {"risk", "oracle"});
  refused({"quadratic", "--method", "compare"}, 64, {"--method compare", "connect"});
  refused({"quadratic", "--from", "a"}, 64, {"--from"});
  refused({"quadratic", "--method", "breadth-first", "--from-random"}, 64, {"--from-random"});
  refused({"quadratic", "--pairs", "3"}, 64, {"--pairs"});
  EXPECT_EQ(folder.entries(), 0u);
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "other"}, 0);
  refused({"quadratic", "--threshold", "0.1", "--out", "other", "--resume"},
          78,
          {"isthmus-components-1", "isthmus-run-1", "another command"});
  expect_run(folder.path(), command, 0);
  expect_run(folder.path(), command, 64, {"run is there already", "--resume"});
  expect_run(folder.path(),
             {"sweep", "quadratic", "--threshold", "0.1", "--out", "run", "--resume"},
             78,
             {"isthmus-run-1", "isthmus-components-1", "another command"});
  const Outcome report = expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_NE(report.out.find("trained networks were found to lie in"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "run/report.html"));
  EXPECT_TRUE(std::filesystem::exists(folder / "run/tree.svg"));
  expect_run(folder.path(), with(command, {"--resume", "--seed", "2"}), 78, {"seed: 1 there"});
}

}  // namespace
}  // namespace isthmus::testing
