// SPDX-License-Identifier: MIT
// The command theory: what it prints, and what it refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

Arguments linear(Arguments more) {
  more.insert(more.begin(), {"theory", "linear"});
  return more;
}

Json json_of(const TemporaryFolder& folder, Arguments more) {
  more.push_back("--json");
  return Json::parse(expect_run(folder.path(), linear(std::move(more)), 0).out);
}

// A network 1-2-1 in double: products a.b of its two layers.
void write_network(const TemporaryFolder& folder, const char* name, double a, double b) {
  folder.write(name,
               safetensors_content({{"0.weight", "F64", "[2, 1]", repeated(a, 2)},
                                    {"1.weight", "F64", "[1, 2]", repeated(b, 2)}}));
}

TEST(TheoryLinear, JoinsGivenNetworks) {
  const TemporaryFolder folder;
  write_network(folder, "a.safetensors", 1.0, 1.0);
  write_network(folder, "b.safetensors", -1.0, -1.0);
  folder.write("d.safetensors",
               safetensors_content({{"inputs", "F32", "[3, 1]", repeated(1.0F, 3)},
                                    {"targets", "F32", "[3, 1]", repeated(4.0F, 3)}}));
  const Json result = json_of(
      folder, {"--from", "a.safetensors", "--to", "b.safetensors", "--data", "d.safetensors"});
  EXPECT_EQ(result["loss_a"], 4.0);  // the product is 2, the target 4
  EXPECT_EQ(result["loss_b"], 4.0);
  EXPECT_EQ(result["pieces"].size(), 7u);
  EXPECT_NEAR(result["maximum"].get<double>(), 4.0, 1e-13);
  EXPECT_EQ(result["holds"], true);
  const Json down =
      json_of(folder, {"--from", "a.safetensors", "--data", "d.safetensors", "--descend"});
  EXPECT_NEAR(down["loss_b"].get<double>(), 0.0, 1e-25);
}

TEST(TheoryLinear, SeriesDoNotDependOnThreads) {
  const TemporaryFolder folder;
  const Json one = json_of(folder, {"--instances", "9", "--points", "5"});
  EXPECT_EQ(one, json_of(folder, {"--instances", "9", "--points", "5", "--threads", "3"}));
  EXPECT_EQ(one.back()["instances"], 9);
  EXPECT_EQ(one.back()["failures"], 0);
}

TEST(TheoryLinear, CounterexampleHasABarrierOfOne) {
  const TemporaryFolder folder;
  const Json result = json_of(folder, {"--counterexample"});
  EXPECT_EQ(result["loss_a"], 0.0);
  EXPECT_EQ(result["loss_b"], 0.0);
  EXPECT_EQ(result["barrier"], 1.0);
  EXPECT_LT(result["maximum_with_one_more_unit"].get<double>(), 1e-25);
  EXPECT_NE(result["refusal"].get<std::string>().find("hidden layer 1"), std::string::npos);
}

TEST(TheoryLinear, RefusesWrongOptions) {
  const TemporaryFolder folder;
  const auto refuse = [&](Arguments more, std::initializer_list<std::string_view> parts) {
    expect_run(folder.path(), linear(std::move(more)), 64, parts);
  };
  expect_run(folder.path(), {"theory"}, 64, {"subcommand"});
  refuse({"--widths", "3,2,3"}, {"hidden layer 1", "= 3", "got 2", "--counterexample"});
  refuse({"--widths", "3,3,3"}, {"hidden layer 1", "got 3"});
  refuse({"--widths", "3"}, {"widths", "one number"});
  refuse({"--widths", "0,2,1"}, {"widths"});
  refuse({"--ridge", "-1"}, {"ridge", "-1"});
  refuse({"--ridge", "0.1", "--widths", "1,2,2,1"}, {"two layers", "got 3"});
  refuse({"--ridge", "0.1", "--descend"}, {"--descend", "--ridge"});
  refuse({"--points", "1"}, {"--points", "at least 2"});
  refuse({"--samples", "0"}, {"samples"});
  refuse({"--instances", "0"}, {"--instances"});
  refuse({"--points", "99999999999"}, {"--points", "at most 1000000"});
  refuse({"--samples", "99999999999"}, {"--samples", "at most"});
  refuse({"--widths", "3,100000,2"}, {"--widths", "at most 4096, got 100000"});
  refuse({"--layers", "1000"}, {"--layers", "at most 64"});
  refuse({"--to", "b.safetensors"}, {"--from"});
  refuse({"--from", "a.safetensors"}, {"--to", "--descend"});
  refuse({"--data", "d.safetensors"}, {"--data", "--from"});
}

TEST(TheoryLinear, RefusesWrongFiles) {
  const TemporaryFolder folder;
  write_network(folder, "a.safetensors", 1.0, 1.0);
  const auto refuse = [&](int code, std::initializer_list<std::string_view> parts) {
    expect_run(
        folder.path(), linear({"--from", "a.safetensors", "--to", "b.safetensors"}), code, parts);
  };
  refuse(66, {"b.safetensors", "no such file"});
  write_network(folder, "b.safetensors", 1.0, std::numeric_limits<double>::quiet_NaN());
  refuse(65, {"b.safetensors", "1.weight", "NaN"});
  folder.write("b.safetensors",
               safetensors_content({{"0.weight", "F32", "[3, 1]", repeated(1.0F, 3)},
                                    {"1.weight", "F32", "[1, 3]", repeated(1.0F, 3)}}));
  refuse(64, {"one shape", "1-2-1", "1-3-1"});
  folder.write("b.safetensors",
               safetensors_content({{"0.weight", "F32", "[3, 1]", repeated(1.0F, 3)},
                                    {"1.weight", "F32", "[1, 2]", repeated(1.0F, 2)}}));
  refuse(65, {"1.weight", "expected 3 columns", "got 2"});
  folder.write("b.safetensors",
               safetensors_content({{"0.weight", "F32", "[2, 1]", repeated(1.0F, 2)},
                                    {"0.bias", "F32", "[2]", repeated(1.0F, 2)}}));
  refuse(65, {"'1.weight'", "no tensor of that name"});
  // Data at whose minimum A already lies.
  folder.write("d.safetensors",
               safetensors_content({{"inputs", "F32", "[1, 1]", repeated(1.0F, 1)},
                                    {"targets", "F32", "[1, 1]", repeated(2.0F, 1)}}));
  expect_run(folder.path(),
             linear({"--from", "a.safetensors", "--data", "d.safetensors", "--descend"}),
             64,
             {"start", "global minimum"});
}

TEST(TheoryKernel, BoundsGivenUnits) {
  const TemporaryFolder folder;
  // One sample (3, 4), units along the axes and of other lengths: 3 * 4, between bounds that are
  // 12.25 (both halves of their mean's square) and that less d^T S d = 0.25.
  folder.write(
      "d.safetensors",
      safetensors_content({{"inputs", "F64", "[1, 2]", repeated(3.0, 1) + repeated(4.0, 1)}}));
  folder.write("w.safetensors",
               safetensors_content({{"w1", "F64", "[2]", repeated(7.0, 1) + repeated(0.0, 1)},
                                    {"w2", "F64", "[2]", repeated(0.0, 1) + repeated(2.0, 1)}}));
  const Arguments command{
      "theory", "kernel", "--data", "d.safetensors", "--weights", "w.safetensors", "--json"};
  const Json bounds = Json::parse(expect_run(folder.path(), command, 0).out)["samples"];
  EXPECT_NEAR(bounds["value"].get<double>(), 12.0, 1e-12);
  EXPECT_NEAR(bounds["upper"].get<double>(), 12.25, 1e-12);
  EXPECT_NEAR(bounds["lower"].get<double>(), 12.0, 1e-12);
  EXPECT_NEAR(bounds["uniform"].get<double>(), 12.25 - 12.5, 1e-12);
  EXPECT_NEAR(bounds["false_upper"].get<double>(), 0.0, 1e-12);
  EXPECT_EQ(bounds["holds"], true);
}

TEST(TheoryKernel, DrawsCasesOfAKnownLaw) {
  const TemporaryFolder folder;
  for (const char* law : {"gaussian", "mixture", "heavy-tailed"}) {
    const Json series = Json::parse(expect_run(folder.path(),
                                               {"theory",
                                                "kernel",
                                                "--distribution",
                                                law,
                                                "--instances",
                                                "40",
                                                "--samples",
                                                "2000",
                                                "--json"},
                                               0)
                                        .out);
    EXPECT_EQ(series["failing"], 0) << law;
    EXPECT_GT(series["false_upper_exceeded"], 0) << law;
    EXPECT_LE(series["beyond_three_errors"], 4) << law;
    EXPECT_LE(series["beyond_four_errors"], 1) << law;
    EXPECT_GT(series["with_enough_active"], 20) << law;
    EXPECT_GT(series["gap_printed"], series["gap_uniform"]) << law;
  }
  const Outcome shown = expect_run(folder.path(), {"theory", "kernel", "--counterexample"}, 0);
  EXPECT_NE(shown.out.find("exceeded here"), std::string::npos) << shown.out;
}

TEST(TheoryKernel, RefusesWhatIsNone) {
  const TemporaryFolder folder;
  const auto refuse = [&](int code, Arguments more, std::initializer_list<std::string_view> parts) {
    more.insert(more.begin(), {"theory", "kernel"});
    expect_run(folder.path(), more, code, parts);
  };
  refuse(64, {"--distribution", "cauchy"}, {"gaussian", "cauchy"});
  refuse(64, {"--inputs", "1"}, {"--inputs", "at least 2"});
  refuse(64, {"--samples", "100000000000"}, {"--samples", "at most"});
  refuse(64, {"--instances", "0"}, {"--instances"});
  refuse(64, {"--data", "d.safetensors"}, {"--weights"});
  refuse(66, {"--data", "d.safetensors", "--weights", "w.safetensors"}, {"d.safetensors"});
}

constexpr const char* relu_network =
    R"({"input": [2], "layers": [{"type": "linear", "out_features": 6, "bias": false},
       {"type": "relu"}, {"type": "linear", "out_features": 2, "bias": false}]})";

// Networks 2-6-2 whose weights are all equal.
void write_relu_ends(const TemporaryFolder& folder) {
  folder.write("net.json", relu_network);
  const auto content = [](float first, float second) {
    return safetensors_content({{"0.weight", "F32", "[6, 2]", repeated(first, 12)},
                                {"2.weight", "F32", "[2, 6]", repeated(second, 12)}});
  };
  folder.write("a.safetensors", content(0.5F, 0.25F));
  folder.write("b.safetensors", content(-0.5F, 0.5F));
}

Arguments relu_pair(Arguments more) {
  more.insert(more.begin(),
              {"theory",
               "relu",
               "--network",
               "net.json",
               "--dataset",
               "two-gaussians",
               "--from",
               "a.safetensors",
               "--to",
               "b.safetensors"});
  return more;
}

TEST(TheoryRelu, WritesAPathThatVerifyAccepts) {
  const TemporaryFolder folder;
  write_relu_ends(folder);
  const Json row = Json::parse(
      expect_run(folder.path(), relu_pair({"--out", "p.safetensors", "--json"}), 0).out);
  EXPECT_EQ(row["holds"], true);
  EXPECT_EQ(row["pieces"].size(), 11u);
  EXPECT_LE(row["maximum"].get<double>(), row["bound"].get<double>() * (1 + 1e-11));
  const Json verified =
      Json::parse(expect_run(folder.path(), {"verify", "p.safetensors", "--json"}, 0).out)[0];
  EXPECT_EQ(verified["below"], true);
  EXPECT_EQ(verified["beads"], 12);
  expect_run(folder.path(), {"verify", "p.safetensors", "--certified"}, 0);
}

TEST(TheoryRelu, SaysThatTheBoundIsInfiniteWithoutAPenalty) {
  const TemporaryFolder folder;
  write_relu_ends(folder);
  const Outcome shown = expect_run(folder.path(), relu_pair({"--kappa", "0"}), 0);
  EXPECT_NE(shown.out.find("own bound is infinite"), std::string::npos) << shown.out;
}

TEST(TheoryRelu, SeriesDoNotDependOnThreads) {
  const TemporaryFolder folder;
  const auto series = [&](const char* threads) {
    return Json::parse(expect_run(folder.path(),
                                  {"theory",
                                   "relu",
                                   "--inputs",
                                   "2",
                                   "--hidden",
                                   "8",
                                   "--samples",
                                   "100",
                                   "--instances",
                                   "4",
                                   "--threads",
                                   threads,
                                   "--json"},
                                  0)
                           .out);
  };
  const Json one = series("1");
  EXPECT_EQ(one, series("3"));
  EXPECT_EQ(one["failing"], 0);
  EXPECT_EQ(one["pairs"], 4);
}

TEST(TheoryRelu, RefusesWhatIsNone) {
  const TemporaryFolder folder;
  write_relu_ends(folder);
  folder.write("tanh.json",
               R"({"input": [2], "layers": [{"type": "linear", "out_features": 6, "bias": false},
                  {"type": "tanh"}, {"type": "linear", "out_features": 2, "bias": false}]})");
  folder.write("wide.safetensors",
               safetensors_content({{"0.weight", "F32", "[7, 2]", repeated(1.0F, 14)},
                                    {"2.weight", "F32", "[2, 7]", repeated(1.0F, 14)}}));
  folder.write(
      "nan.safetensors",
      safetensors_content(
          {{"0.weight", "F32", "[6, 2]", repeated(std::numeric_limits<float>::quiet_NaN(), 12)},
           {"2.weight", "F32", "[2, 6]", repeated(1.0F, 12)}}));
  const auto refuse = [&](int code, Arguments more, std::initializer_list<std::string_view> parts) {
    more.insert(more.begin(), {"theory", "relu"});
    expect_run(folder.path(), more, code, parts);
  };
  const auto ends = [](const char* network, const char* to) {
    return Arguments{
        "--network", network, "--dataset", "two-gaussians", "--from", "a.safetensors", "--to", to};
  };
  refuse(64, ends("tanh.json", "b.safetensors"), {"layer 1", "tanh, not relu"});
  refuse(65, ends("net.json", "wide.safetensors"), {"wide.safetensors", "0.weight"});
  refuse(65, ends("net.json", "nan.safetensors"), {"nan.safetensors"});
  refuse(64, {"quadratic"}, {"layer", "relu"});
  refuse(64, {"--hidden", "1"}, {"--hidden", "at least 2"});
  refuse(64, {"--hidden", "4096", "--samples", "100000000"}, {"samples", "fewer"});
  refuse(64, {"--kappa", "-1"}, {"kappa", ">= 0"});
  refuse(64, {"--angles", "0.1,0.2"}, {"angles"});
  refuse(64, {"--choice", "least"}, {"bound", "maximum"});
  refuse(64, {"--from", "a.safetensors", "--to", "b.safetensors"}, {"--network"});
  refuse(64, {"--out", "p.safetensors"}, {"--out"});
}

TEST(TheoryRate, PrintsSlopesAndDrawsThem) {
  const TemporaryFolder folder;
  const Arguments command{"theory",
                          "rate",
                          "--inputs",
                          "1,2",
                          "--widths",
                          "8,16,32",
                          "--instances",
                          "3",
                          "--samples",
                          "200",
                          "--figure",
                          "rate.svg",
                          "--json"};
  const Json result = Json::parse(expect_run(folder.path(), command, 0).out);
  ASSERT_EQ(result["cells"].size(), 6u);
  EXPECT_TRUE(result["slopes"][0]["perturbation"].is_null());  // nothing is lost in one dimension
  EXPECT_LT(result["slopes"][1]["perturbation"], -0.5);
  EXPECT_GT(result["slopes"][1]["perturbation_error"], 0.0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "rate.svg"));
  expect_run(folder.path(), {"theory", "rate", "--widths", "9"}, 64, {"even", "9"});
  expect_run(folder.path(), {"theory", "rate", "--widths", "100000"}, 64, {"--widths"});
  expect_run(folder.path(), {"theory", "rate", "--samples", "99999999"}, 64, {"samples", "fewer"});
}

TEST(TheoryDropout, JoinsByItsNodes) {
  const TemporaryFolder folder;
  write_relu_ends(folder);
  const Arguments ends{"--network",
                       "net.json",
                       "--dataset",
                       "two-gaussians",
                       "--from",
                       "a.safetensors",
                       "--to",
                       "b.safetensors"};
  Arguments command{"theory", "dropout", "--factors", "2", "--out", "p.safetensors", "--json"};
  command.insert(command.end(), ends.begin(), ends.end());
  const Json result = Json::parse(expect_run(folder.path(), command, 0).out);
  EXPECT_EQ(result["nodes"].size(), 6u);
  EXPECT_LE(result["maximum"].get<double>(), result["bound"].get<double>() * (1 + 1e-5));
  // Units are equal: half of them, twice as strong, are the same network.
  EXPECT_NEAR(result["nodes"][1].get<double>(), result["nodes"][0].get<double>(), 1e-6);
  EXPECT_NEAR(result["nodes"][4].get<double>(), result["nodes"][5].get<double>(), 1e-6);
  const Json verified =
      Json::parse(expect_run(folder.path(), {"verify", "p.safetensors", "--json"}, 0).out)[0];
  EXPECT_EQ(verified["below"], true);
  expect_run(folder.path(), {"theory", "dropout", "two-gaussians"}, 64, {"--from and --to"});
  expect_run(folder.path(), {"theory", "dropout", "cubic"}, 64, {"--from and --to"});
}

TEST(TheoryRisk, StaysWithinKoksmasBound) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.05", "--out", "run"}, 0);
  const Json result = Json::parse(expect_run(folder.path(),
                                             {"theory",
                                              "risk",
                                              "run/paths/0.05_0.safetensors",
                                              "--samples",
                                              "100",
                                              "--points",
                                              "11",
                                              "--json"},
                                             0)
                                      .out);
  EXPECT_EQ(result["holds"], true);
  EXPECT_GT(result["largest_difference"], 0.0);
  EXPECT_LE(result["largest_difference"], result["bound"]);
  expect_run(folder.path(), {"theory", "risk", "none.safetensors"}, 66, {"none.safetensors"});
}

TEST(ConnectFromTheory, BeginsWithTheConstructedPath) {
  const TemporaryFolder folder;
  write_relu_ends(folder);
  const Arguments command{"connect",
                          "--network",
                          "net.json",
                          "--dataset",
                          "two-gaussians",
                          "--metric",
                          "mean_squared_error",
                          "--threshold",
                          "5",
                          "--from",
                          "a.safetensors",
                          "--to",
                          "b.safetensors",
                          "--start",
                          "theory",
                          "--out",
                          "run"};
  expect_run(folder.path(), command, 0);
  EXPECT_EQ(cell_of(folder.path() / "run" / "cells.csv", "verdict"), "connected");
  EXPECT_EQ(cell_of(folder.path() / "run" / "cells.csv", "gradient_samples_beads"), "0");
  EXPECT_EQ(cell_of(folder.path() / "run" / "cells.csv", "beads"), "12");
  expect_run(
      folder.path(), {"connect", "quadratic", "--start", "theory"}, 64, {"sigmoid, not relu"});
  expect_run(folder.path(),
             {"connect", "two-gaussians", "--start", "theory", "--method", "bezier"},
             64,
             {"--start theory", "greedy"});
  expect_run(folder.path(),
             {"connect", "quadratic", "--start", "descent", "--protocol", "paper"},
             64,
             {"--start descent", "strict"});
  expect_run(
      folder.path(), {"connect", "quadratic", "--start", "up"}, 64, {"line, descent or theory"});
}

}  // namespace
}  // namespace isthmus::testing
