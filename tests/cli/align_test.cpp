// SPDX-License-Identifier: MIT
// The command align: what it finds, what it writes, and what it refuses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

constexpr const char* net =
    R"({"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear",
    "out_features": 12}, {"type": "relu"}, {"type": "linear", "out_features": 10}]})";

// Two networks of that stack, trained on the tiny data set.
void train_two(const TemporaryFolder& folder) {
  write_tiny_mnist(folder);
  folder.write("net.json", net);
  for (const char* side : {"A", "B"}) {
    expect_run(folder.path(),
               {"train",
                "--network",
                "net.json",
                "--data",
                "data",
                "--threshold",
                "0.5",
                "--side",
                side,
                "--out",
                std::string(side) + ".safetensors"},
               0);
  }
}

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

const Arguments of_net{"align", "--network", "net.json", "--data", "data"};

TEST(Align, BringsNetworksCloser) {
  const TemporaryFolder folder;
  train_two(folder);
  for (const char* method : {"weights", "activations"}) {
    const Arguments arguments = with(
        of_net,
        {"A.safetensors", "B.safetensors", "--method", method, "--out", "C.safetensors", "--json"});
    const Json result = Json::parse(expect_run(folder.path(), arguments, 0).out);
    EXPECT_LT(result["after"]["distance"], result["before"]["distance"]);
    EXPECT_LE(result["after"]["max_metric"], result["before"]["max_metric"]);
    EXPECT_FALSE(result["twins"].get<bool>());
    EXPECT_EQ(result["dimensions"][0], "1: 12 units, permutations, positive factors");
    // The copy is a twin of B, and goes back to it.
    const Json back = Json::parse(
        expect_run(folder.path(), with(of_net, {"B.safetensors", "C.safetensors", "--json"}), 0)
            .out);
    EXPECT_TRUE(back["twins"].get<bool>());
    EXPECT_LT(back["after"]["distance"].get<double>(), 1e-5);
    EXPECT_NEAR(back["after"]["max_metric"], back["before"]["max_metric"], 1.0);
  }
  const std::string plain =
      expect_run(folder.path(), with(of_net, {"A.safetensors", "B.safetensors"}), 0).out;
  EXPECT_NE(plain.find("distance"), std::string::npos);
  EXPECT_NE(plain.find("aligned"), std::string::npos);
}

TEST(Align, TakesTheTaskFromTheFile) {
  const TemporaryFolder folder;
  for (const char* side : {"A", "B"}) {
    expect_run(folder.path(),
               {"train", "cubic", "--side", side, "--out", std::string(side) + ".safetensors"},
               0);
  }
  const Json result = Json::parse(
      expect_run(folder.path(), {"align", "A.safetensors", "B.safetensors", "--json"}, 0).out);
  EXPECT_EQ(result["task"], "cubic");
  EXPECT_EQ(result["dimensions"][1], "2: 4 units, permutations, signs");
  EXPECT_EQ(Json::parse(expect_run(folder.path(),
                                   {"align", "cubic", "A.safetensors", "B.safetensors", "--json"},
                                   0)
                            .out)["after"],
            result["after"]);
}

TEST(Align, WrongInput) {
  const TemporaryFolder folder;
  train_two(folder);
  const auto refused =
      [&](const Arguments& arguments, int code, std::initializer_list<std::string_view> parts) {
        EXPECT_EQ(expect_run(folder.path(), arguments, code, parts).out, "");
      };
  refused({"align"}, 64, {"two files"});
  refused({"align", "mnist-mlp", "A.safetensors"}, 66, {"mnist-mlp"});
  refused(with(of_net, {"A.safetensors"}), 64, {"two files"});
  refused(with(of_net, {"A.safetensors", "missing.safetensors"}), 66, {"missing.safetensors"});
  refused(with(of_net, {"A.safetensors", "net.json"}), 65, {"net.json"});
  refused(with(of_net, {"A.safetensors", "B.safetensors", "--method", "magic"}),
          64,
          {"weights", "activations", "'magic'"});
  refused(with(of_net, {"A.safetensors", "B.safetensors", "--restarts", "0"}),
          64,
          {"restarts", "at least 1"});
  refused(
      with(of_net, {"A.safetensors", "B.safetensors", "--method", "activations", "--samples", "0"}),
      64,
      {"samples", "at least 1"});
  refused(with(of_net, {"A.safetensors", "B.safetensors", "--out", "no/such/folder/C"}),
          73,
          {"no/such/folder/C"});
  refused(with(of_net, {"A.safetensors", "B.safetensors", "--out", "./A.safetensors"}),
          64,
          {"A.safetensors", "another file"});
  // Two different stacks, and one without hidden units.
  folder.write("q.safetensors", safetensors_content(quadratic_tensors(0.5F, "F32")));
  refused(with(of_net, {"A.safetensors", "q.safetensors"}), 65, {"q.safetensors", "1.weight"});
  refused({"align", "q.safetensors", "q.safetensors"}, 64, {"q.safetensors", "task"});
  folder.write("flat.json",
               R"({"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear",
               "out_features": 10, "bias": false}]})");
  folder.write("flat.safetensors",
               safetensors_content({{"1.weight", "F32", "[10, 784]", repeated(0.5F, 7840)}}));
  refused(
      {"align", "--network", "flat.json", "--data", "data", "flat.safetensors", "flat.safetensors"},
      64,
      {"no hidden units"});
}

}  // namespace
}  // namespace isthmus::testing
