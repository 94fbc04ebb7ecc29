// SPDX-License-Identifier: MIT
// What a user types wrongly, and what the command says of itself.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "command.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

TEST(Help, OfEveryCommand) {
  const TemporaryFolder folder;
  const Outcome all = expect_run(folder.path(), {"--help"}, 0);
  for (const char* name : {"connect",
                           "sweep",
                           "components",
                           "verify",
                           "report",
                           "train",
                           "align",
                           "check-gradient",
                           "lower-bound",
                           "theory",
                           "data",
                           "list"}) {
    EXPECT_NE(all.out.find(name), std::string::npos) << name;
    const Outcome one = expect_run(folder.path(), {name, "--help"}, 0);
    EXPECT_NE(one.out.find("Usage:"), std::string::npos) << one.out;
    EXPECT_EQ(one.err, "");
  }
  EXPECT_EQ(all.out.find("Trains two end points"), std::string::npos)
      << "the list of commands has one line for each";
  EXPECT_NE(run(folder.path(), {"connect", "--help"}).out.find("Trains two end points"),
            std::string::npos);
  expect_run(folder.path(), {"--version"}, 0);
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(List, IsJson) {
  const TemporaryFolder folder;
  const Json tasks = Json::parse(expect_run(folder.path(), {"list", "--json"}, 0).out);
  ASSERT_EQ(tasks.size(), 10u);
  EXPECT_EQ(tasks[0]["name"], "quadratic");
  EXPECT_EQ(tasks[4]["parameters"], 26506);
  EXPECT_TRUE(Json::parse(run(folder.path(), {"data", "list", "--json"}).out).is_array());
}

TEST(List, OptionsAreThoseOfTheDocs) {
  const TemporaryFolder folder;
  EXPECT_EQ(expect_run(folder.path(), {"list", "--options"}, 0).out,
            testing::bytes_of(std::filesystem::path(ISTHMUS_SOURCE_FOLDER) / "docs/options.md"))
      << "refresh it: isthmus list --options > docs/options.md";
  const Json options =
      Json::parse(expect_run(folder.path(), {"list", "--options", "--json"}, 0).out);
  EXPECT_EQ(options[0]["flag"], "--pairs");
}

TEST(Usage, Commands) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {}, 64, {"--help"});
  expect_run(folder.path(), {"conect", "quadratic"}, 64, {"conect"});
  expect_run(folder.path(), {"data", "steal"}, 64, {"steal"});
  expect_run(folder.path(), {"list", "everything"}, 64, {"everything"});
  expect_run(folder.path(), {"data", "path", "cifar"}, 66, {"fashion-mnist", "cifar/"});
  expect_run(folder.path(), {"data", "fetch", "cifar"}, 64, {"fashion-mnist", "'cifar'"});
  expect_run(folder.path(), {"verify"}, 64, {"target"});
  expect_run(folder.path(), {"train", "quadratic"}, 64, {"--out"});
  expect_run(
      folder.path(), {"train", "quadratic", "--out", "a", "--side", "C"}, 64, {"A or B", "'C'"});
  expect_run(folder.path(), {"check-gradient", "quadratic", "--samples", "0"}, 64, {"samples"});
  EXPECT_EQ(folder.entries(), 0u) << "nothing is made before the command is understood";
}

struct WrongOption {
  Arguments arguments;
  std::vector<std::string> parts;
};

TEST(Usage, OptionsOfConnect) {
  const std::vector<WrongOption> all{
      {{}, {"give a task", "--network"}},
      {{"cubik"}, {"quadratic, cubic", "'cubik'"}},
      {{"quadratic", "cubic"}, {"cubic"}},
      {{"quadratic", "--frobnicate"}, {"--frobnicate"}},
      {{"quadratic", "--metric", "accuracy"}, {"error_rate", "'accuracy'"}},
      {{"quadratic", "--metric", "error_rate"}, {"error_rate cannot be computed", "quadratic"}},
      {{"quadratic", "--protocol", "loose"}, {"strict or paper", "'loose'"}},
      {{"quadratic", "--risk", "high"}, {"oracle or empirical", "'high'"}},
      {{"mnist", "--risk", "oracle"}, {"only quadratic and cubic", "mnist"}},
      {{"quadratic", "--covariance", "0.1"}, {"--covariance", "only two-gaussians", "quadratic"}},
      {{"two-gaussians", "--covariance", "0"}, {"covariance", "(0, 1000000]", "got 0"}},
      {{"two-gaussians", "--risk-points", "12"}, {"multiple of 8", "got 12"}},
      {{"two-gaussians", "--protocol", "paper"}, {"no script", "two-gaussians", "strict"}},
      {{"quadratic", "--points-file", "x"}, {"--points-file", "only permuted-points"}},
      {{"quadratic", "--streams", "3"}, {"--streams", "only texts", "quadratic"}},
      {{"quadratic", "--fresh-state"}, {"--fresh-state", "only texts"}},
      {{"quadratic", "--dataset", "mnist"}, {"--dataset", "--network", "not given"}},
      {{"quadratic", "--method", "foo"}, {"greedy", "compare", "'foo'"}},
      {{"quadratic", "--threshold", "1e300"}, {"threshold", "at most 3.4e+38", "1e+300"}},
      {{"quadratic",
        "--from",
        "a.safetensors",
        "--to",
        "a.safetensors",
        "--endpoint-max-steps",
        "9"},
       {"--endpoint-max-steps", "--from and --to"}},
      {{"mnist", "--endpoint-weight-decay", "9.weight"}, {"TENSOR:STRENGTH", "'9.weight'"}},
      {{"quadratic", "--penalty", "l3:0.1"}, {"penalty", "l2:STRENGTH", "'l3:0.1'"}},
      {{"quadratic", "--penalty", "l2:0.1:biases"}, {"penalty", ":weights", "'l2:0.1:biases'"}},
      {{"quadratic", "--penalty", "l1:0"}, {"penalty", "> 0", "got 0"}},
      {{"quadratic", "--split", "both"}, {"'both'"}},
      {{"quadratic", "--t-star", "third"}, {"half or argmax", "'third'"}},
      {{"quadratic", "--optimizer", "lbfgs"}, {"adam", "'lbfgs'"}},
      {{"quadratic", "--bead-optimizer", "lbfgs"}, {"polyak", "'lbfgs'"}},
      {{"quadratic", "--risk", "empirical", "--bead-optimizer", "polyak"},
       {"polyak", "training loss of full batches", "test split"}},
      {{"quadratic", "--bead-average", "1"}, {"bead-average", "[0, 0.9999]", "got 1"}},
      {{"quadratic", "--endpoint-average", "2"}, {"endpoint-average", "[0, 0.9999]", "got 2"}},
      {{"quadratic", "--protocol", "paper", "--endpoint-average", "0.9"},
       {"average", "loss_window", "got 0.9"}},
      {{"quadratic", "--bead-average", "-0.5"}, {"bead-average", "[0, 0.9999]", "got -0.5"}},
      {{"quadratic", "--bead-average", "most"}, {"--bead-average", "a number", "'most'"}},
      {{"quadratic", "--method", "bezier", "--bead-average", "0.9"},
       {"--bead-average", "--method bezier"}},
      {{"quadratic", "--method", "neb", "--bead-average", "0.9"},
       {"--bead-average", "--method neb"}},
      {{"mnist", "--bead-importance", "1"}, {"bead-importance", "[0, 0.95]", "got 1"}},
      {{"mnist", "--bead-importance", "0.5", "--batch-size", "0"},
       {"importance", "batch_size 0", "got 0.5"}},
      {{"mnist", "--method", "neb", "--bead-importance", "0.5"},
       {"--bead-importance", "--method neb"}},
      {{"mnist", "--bead-damping", "2"}, {"bead-damping", "[0, 1]", "got 2"}},
      {{"mnist", "--bead-damping", "1", "--bead-optimizer", "adam"},
       {"damping", "sgd or momentum", "got 1"}},
      {{"mnist", "--method", "neb", "--bead-damping", "1"}, {"--bead-damping", "--method neb"}},
      {{"quadratic", "--bead-bend", "2.5"}, {"bead-bend", "[0, 2]", "got 2.5"}},
      {{"quadratic", "--method", "breadth-first", "--bead-bend", "1"},
       {"--bead-bend", "greedy and constrained", "breadth-first"}},
      {{"quadratic", "--repair", "hubs"}, {"none or restarts", "'hubs'"}},
      {{"quadratic", "--repair-tries", "0"}, {"repair-tries", "at least 1", "got 0"}},
      {{"quadratic", "--repair", "none", "--repair-tries", "5"}, {"--repair-tries", "restarts"}},
      {{"quadratic", "--stagnation", "-1"}, {"--stagnation", "whole number", "'-1'"}},
      {{"quadratic", "--stuck-tries", "x"}, {"--stuck-tries", "whole number", "'x'"}},
      {{"quadratic", "--threshold", "low"}, {"--threshold", "a number", "'low'"}},
      {{"quadratic", "--threshold", "0"}, {"threshold", "> 0", "got 0"}},
      {{"quadratic", "--threshold", "-1"}, {"threshold", "> 0", "-1"}},
      {{"quadratic", "--threshold", "nan"}, {"threshold", "nan"}},
      {{"quadratic", "--threshold", "1e999"}, {"threshold", "inf"}},
      {{"quadratic", "--thresholds", "0.1,x"}, {"--thresholds", "'x'"}},
      {{"quadratic", "--thresholds", "0.1,,0.2"}, {"--thresholds", "''", "0.1,,0.2"}},
      {{"quadratic", "--thresholds", "0.1,"}, {"--thresholds", "''"}},
      {{"quadratic", "--thresholds", "0.1,0.10"}, {"0.1 twice"}},
      {{"quadratic", "--threshold", "0.1", "--thresholds", "0.2"}, {"not both"}},
      {{"quadratic", "--pairs", "0"}, {"pairs", "got 0"}},
      {{"quadratic", "--pairs", "-1"}, {"--pairs", "whole number", "'-1'"}},
      {{"quadratic", "--pairs", "1e3"}, {"--pairs", "whole number", "'1e3'"}},
      {{"quadratic", "--pairs", "1000000000000"}, {"pairs", "1000000", "1000000000000"}},
      {{"quadratic", "--seed", "-1"}, {"--seed", "'-1'"}},
      {{"quadratic", "--threads", "-1"}, {"--threads", "'-1'"}},
      {{"quadratic", "--threads", "100000"}, {"--threads", "1024", "'100000'"}},
      {{"quadratic", "--points", "1"}, {"points", "at least 2", "got 1"}},
      {{"quadratic", "--points", "100000000000"}, {"points", "at most 1000000", "100000000000"}},
      {{"quadratic", "--risk-points", "100000000000"}, {"risk-points", "at most 10000000"}},
      {{"two-gaussians", "--risk-points", "80000000000"}, {"risk-points", "at most 10000000"}},
      {{"quadratic", "--learning-rate", "inf"}, {"learning-rate", "finite", "got inf"}},
      {{"quadratic", "--clip-norm", "inf"}, {"clip-norm", "finite", "got inf"}},
      {{"quadratic", "--tolerance", "inf"}, {"tolerance", "finite", "got inf"}},
      {{"quadratic", "--max-evaluations", "inf"}, {"max-evaluations", "finite", "got inf"}},
      {{"mnist", "--threshold", "2"}, {"threshold", "a fraction", "2 % is 0.02", "got 2"}},
      {{"mnist", "--thresholds", "1,0.5"}, {"threshold", "a fraction", "got 1"}},
      {{"quadratic", "--alpha", "2"}, {"alpha", "(0, 1]", "got 2"}},
      {{"quadratic", "--tolerance", "0.5"}, {"tolerance", ">= 1", "0.5"}},
      {{"quadratic", "--max-rounds", "0"}, {"max-rounds", "got 0"}},
      {{"quadratic", "--max-steps", "0"}, {"got 0"}},
      {{"quadratic", "--risk-points", "0"}, {"risk-points", "got 0"}},
      {{"quadratic", "--from", "a.safetensors"}, {"--from and --to", "both"}},
      {{"quadratic", "--to", "a.safetensors"}, {"--from and --to", "both"}},
      {{"quadratic", "--network", "net.json"}, {"not both"}},
  };
  const TemporaryFolder folder;
  for (const WrongOption& wrong : all) {
    Arguments arguments{"connect", "--out", "run"};
    arguments.insert(arguments.end(), wrong.arguments.begin(), wrong.arguments.end());
    const Outcome outcome = expect_run(folder.path(), arguments, 64);
    for (const std::string& part : wrong.parts) {
      EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
    }
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(folder.entries(), 0u) << "no run directory for what cannot run";
}

TEST(CheckGradient, OfTheGeneratedTasks) {
  const TemporaryFolder folder;
  for (const char* task : {"quadratic", "cubic"}) {
    const Outcome outcome = expect_run(folder.path(), {"check-gradient", task, "--json"}, 0);
    EXPECT_EQ(Json::parse(outcome.out)["passed"], true);
    const Json with = Json::parse(
        expect_run(folder.path(), {"check-gradient", task, "--penalty", "l2:0.01", "--json"}, 0)
            .out);
    EXPECT_EQ(with["passed"], true);
    EXPECT_GT(with["loss"], Json::parse(outcome.out)["loss"]);
  }
}

TEST(Output, AFullDiskBehindStandardOutput) {
  const TemporaryFolder folder;
  const Surroundings full{.largest_file = {}, .output = "/dev/full"};
  expect_outcome(run(folder.path(), {"list"}, full), 73, {"standard output"});
  expect_outcome(run(folder.path(), {"--help"}, full), 73, {"standard output"});
  // More than a buffer of it, and a run that is kept.
  const Arguments sweep{
      "connect", "quadratic", "--threshold", "0.2", "--pairs", "60", "--json", "--out", "run"};
  expect_outcome(run(folder.path(), sweep, full), 73, {"standard output"});
  expect_run(folder.path(), {"report", "run"}, 0);
}

}  // namespace
}  // namespace isthmus::testing
