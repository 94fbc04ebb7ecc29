// SPDX-License-Identifier: MIT
// The command lower-bound: what it prints, and what it refuses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "command.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

TEST(LowerBound, OfPermutedPoints) {
  const TemporaryFolder folder;
  const Json bounds =
      Json::parse(expect_run(folder.path(), {"lower-bound", "permuted-points", "--json"}, 0).out);
  EXPECT_NEAR(bounds["lower"].get<double>(), 1.0 / 6.0, 1e-12);
  EXPECT_GE(bounds["upper"].get<double>(), 1.0 / 6.0);
  EXPECT_LE(bounds["upper"].get<double>(), 0.18);
  EXPECT_EQ(bounds["n"], 3);
  for (const char* text : {"data", "lower_rests_on", "upper_rests_on"}) {
    EXPECT_FALSE(bounds[text].get<std::string>().empty()) << text;
  }
  const std::string plain = run(folder.path(), {"lower-bound", "permuted-points"}).out;
  EXPECT_NE(plain.find("at least 0.166666"), std::string::npos) << plain;
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(LowerBound, OfTwoGaussians) {
  const TemporaryFolder folder;
  const Json bounds = Json::parse(
      expect_run(
          folder.path(), {"lower-bound", "two-gaussians", "--covariance", "0.05", "--json"}, 0)
          .out);
  const double lower = bounds["lower"].get<double>();
  EXPECT_GT(lower, 0.1);
  EXPECT_GE(bounds["upper"].get<double>(), lower);
  EXPECT_LE(bounds["upper"].get<double>(), 1.03 * lower);
  EXPECT_EQ(bounds["n"], 400);
  EXPECT_GT(bounds["boxes"].get<int>(), 0);
  EXPECT_EQ(bounds["tolerance"], 1e-3);
  const std::string plain =
      run(folder.path(), {"lower-bound", "two-gaussians", "--target", "sum"}).out;
  EXPECT_NE(plain.find("target: sum"), std::string::npos) << plain;
}

// The two ends are apart below the lower bound, and the search finds no path there; straight on is
// above the upper one.
TEST(LowerBound, OfPoorMinimumAndItsEndsAsInputOfConnect) {
  const TemporaryFolder folder;
  const Json bounds = Json::parse(
      expect_run(folder.path(), {"lower-bound", "poor-minimum", "--write", "ends", "--json"}, 0)
          .out);
  const double lower = bounds["lower"].get<double>();
  EXPECT_LT(bounds["loss_below_b"], bounds["loss_b"]);
  EXPECT_LT(bounds["loss_a"], bounds["loss_b"]);
  EXPECT_LT(bounds["loss_b"].get<double>(), lower);
  // The task's metric is the mean over both outputs.
  const auto connect = [&](double threshold, const std::string& out) {
    expect_run(folder.path(),
               {"connect",
                "poor-minimum",
                "--from",
                "ends/A.safetensors",
                "--to",
                "ends/B.safetensors",
                "--max-rounds",
                "4",
                "--max-steps",
                "500",
                "--threshold",
                std::to_string(threshold),
                "--out",
                out},
               0);
    return read_table(folder / (out + "/cells.csv"));
  };
  const auto apart = connect(0.4 * lower, "apart");
  EXPECT_EQ(apart[1][3], "not_connected");
  EXPECT_GT(std::stod(apart[1][4]), 0.5 * lower);
  EXPECT_EQ(connect(0.5, "above")[1][3], "connected");
  const std::string plain = run(folder.path(), {"lower-bound", "poor-minimum"}).out;
  EXPECT_NE(plain.find("B is no local minimum"), std::string::npos) << plain;
}

TEST(LowerBound, OfPointsFromAFile) {
  const TemporaryFolder folder;
  folder.write("around", "2 0.1\n-1 1.5\n-0.4 -0.7\n");
  folder.write("beside", "1 0\n2 1\n1 1\n");
  const auto bounds = [&folder](const char* file) {
    return Json::parse(
        expect_run(folder.path(), {"lower-bound", "permuted-points", "--points", file, "--json"}, 0)
            .out);
  };
  EXPECT_GT(bounds("around")["lower"].get<double>(), 0.1);
  EXPECT_LE(bounds("around")["ratio"].get<double>(), 1.05);
  EXPECT_EQ(bounds("beside")["lower"], 0.0);
  EXPECT_TRUE(bounds("beside")["ratio"].is_null());
  EXPECT_NE(bounds("beside")["lower_rests_on"].get<std::string>().find("origin"),
            std::string::npos);
  const std::string plain =
      run(folder.path(), {"lower-bound", "permuted-points", "--points", "beside"}).out;
  EXPECT_NE(plain.find("no barrier is proven"), std::string::npos) << plain;
}

TEST(LowerBound, WrongOptions) {
  const TemporaryFolder folder;
  const auto refused = [&folder](Arguments arguments,
                                 std::initializer_list<std::string_view> parts) {
    arguments.insert(arguments.begin(), "lower-bound");
    EXPECT_EQ(expect_run(folder.path(), arguments, 64, parts).out, "");
  };
  refused({}, {"task"});
  refused({"three-gaussians"},
          {"two-gaussians, poor-minimum or permuted-points", "'three-gaussians'"});
  for (const char* number : {"0", "-1", "nan", "inf", "1e999", "1e7"}) {
    refused({"two-gaussians", "--covariance", number}, {"covariance"});
  }
  refused({"two-gaussians", "--covariance", "small"}, {"--covariance", "a number", "'small'"});
  refused({"two-gaussians", "--samples", "401"}, {"multiple of 8", "401"});
  refused({"two-gaussians", "--samples", "-8"}, {"--samples", "'-8'"});
  refused({"two-gaussians", "--samples", "1000000"}, {"samples", "100000"});
  refused({"two-gaussians", "--sample", "random"}, {"symmetric or independent", "'random'"});
  refused({"two-gaussians", "--target", "product"}, {"outputs, difference or sum", "'product'"});
  refused({"two-gaussians", "--tolerance", "0"}, {"tolerance"});
  refused({"poor-minimum", "--target", "sum"}, {"--target", "poor-minimum"});
  refused({"two-gaussians", "--points", "p"}, {"--points", "two-gaussians"});
  refused({"permuted-points", "--covariance", "1"}, {"--covariance", "permuted-points"});
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(LowerBound, WrongPoints) {
  const TemporaryFolder folder;
  const Arguments command{"lower-bound", "permuted-points", "--points", "points"};
  expect_run(folder.path(), command, 66, {"points"});
  for (const char* text : {"",
                           "1 0\n0 1\n",
                           "1 0\n0 1\n-1 -1\n1 1\n",
                           "1 0 0\n0 1 0\n-1 -1 0\n",
                           "1,0\n0,1\n-1,-1\n",
                           "1 0\n0 nan\n-1 -1\n",
                           "1 0\n0 1e999\n-1 -1\n"}) {
    folder.write("points", text);
    EXPECT_EQ(expect_run(folder.path(), command, 65, {"points", "two finite numbers"}).out, "");
  }
  folder.write("points", "0 0\n1 1\n2 2\n");
  expect_run(folder.path(), command, 65, {"points", "on a line"});
  folder.write("points", "1e30 0\n0 1e30\n-1e30 -1e30\n");
  expect_run(folder.path(), command, 65, {"1e10"});
}

}  // namespace
}  // namespace isthmus::testing
