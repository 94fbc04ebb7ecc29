// SPDX-License-Identifier: MIT
// `connect` between networks that are one up to a symmetry, and to aligned copies.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

constexpr std::size_t hidden = 12;
constexpr const char* net =
    R"({"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear",
    "out_features": 12}, {"type": "relu"}, {"type": "linear", "out_features": 10}]})";

const Arguments of_net{"--network", "net.json", "--data", "data"};

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Json json_of(const std::filesystem::path& file) {
  return Json::parse(bytes_of(file));
}

// Trains end points of that stack on the tiny data set.
void train(const TemporaryFolder& folder, std::initializer_list<const char*> sides) {
  write_tiny_mnist(folder);
  folder.write("net.json", net);
  for (const std::string side : sides) {
    expect_run(folder.path(),
               with(with({"train"}, of_net),
                    {"--metric",
                     "cross_entropy",
                     "--threshold",
                     "0.06",
                     "--side",
                     side,
                     "--out",
                     side + ".safetensors"}),
               0);
  }
}

// A copy of a network file of that stack in which `change` sees every number of a tensor, given as
// rows and columns.
using Change = std::function<float(
    const std::string& tensor, std::size_t row, std::size_t column, float number)>;
void rewrite(const TemporaryFolder& folder,
             const std::string& from,
             const std::string& to,
             const Change& change) {
  std::string content = bytes_of(folder / from);
  std::uint64_t size = 0;
  std::memcpy(&size, content.data(), sizeof size);
  const Json header = Json::parse(content.substr(8, size));
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") {
      continue;
    }
    const std::size_t columns =
        tensor["shape"].size() == 2 ? tensor["shape"][1].get<std::size_t>() : 1;
    char* at = content.data() + 8 + size + tensor["data_offsets"][0].get<std::size_t>();
    const char* const end =
        content.data() + 8 + size + tensor["data_offsets"][1].get<std::size_t>();
    for (std::size_t i = 0; at < end; ++i, at += sizeof(float)) {
      float number = 0.0F;
      std::memcpy(&number, at, sizeof number);
      number = change(name, i / columns, i % columns, number);
      std::memcpy(at, &number, sizeof number);
    }
  }
  folder.write(to, content);
}

// The twin whose hidden units have factors in [1 / range, range].
void write_rescaled(const TemporaryFolder& folder,
                    const std::string& from,
                    const std::string& to,
                    double range) {
  std::mt19937 random(7);
  std::vector<double> factors(hidden);
  for (double& factor : factors) {
    factor = std::pow(range, std::uniform_real_distribution(-1.0, 1.0)(random));
  }
  factors.front() = range;
  rewrite(folder, from, to, [&](const std::string& tensor, auto row, auto column, float number) {
    const double factor = tensor == "3.weight" ? 1.0 / factors[column]
                          : tensor[0] == '1'   ? factors[row]
                                               : 1.0;
    return static_cast<float>(factor * number);
  });
}

Arguments connect(const std::string& a, const std::string& b, const std::string& out) {
  return with(with({"connect"}, of_net),
              {"--metric",
               "cross_entropy",
               "--threshold",
               "0.1",
               "--from",
               a + ".safetensors",
               "--to",
               b + ".safetensors",
               "--out",
               out});
}

std::string reason_of(const TemporaryFolder& folder, const std::string& run) {
  return json_of(folder / (run + "/cells/0.1_0.json"))["details"]["reason"];
}

TEST(Twins, AreJoinedWithoutAGradient) {
  const TemporaryFolder folder;
  train(folder, {"A"});
  for (const int range : {10, 30, 100}) {
    const std::string name = std::to_string(range);
    write_rescaled(folder, "A.safetensors", name + ".safetensors", range);
    const Outcome outcome = expect_run(folder.path(), connect("A", name, "run" + name), 0);
    EXPECT_NE(outcome.out.find("symmetry"), std::string::npos) << outcome.out;
    const std::filesystem::path cells = folder / ("run" + name + "/cells.csv");
    EXPECT_EQ(cell_of(cells, "verdict"), "connected");
    EXPECT_EQ(cell_of(cells, "joined"), "symmetry");
    EXPECT_EQ(cell_of(cells, "aligned"), "raw");
    EXPECT_EQ(cell_of(cells, "proof"), "proven");
    EXPECT_EQ(cell_of(cells, "gradient_samples_beads"), "0");
    EXPECT_LE(std::stod(cell_of(cells, "bound")), 0.1);
    EXPECT_LE(std::stoi(cell_of(cells, "beads")), 9);
    EXPECT_NE(reason_of(folder, "run" + name).find("by up to " + name), std::string::npos)
        << reason_of(folder, "run" + name);
  }
  expect_run(folder.path(), with(connect("A", "100", "two"), {"--threads", "2"}), 0);
  expect_run(folder.path(), with(connect("A", "100", "one"), {"--threads", "1"}), 0);
  expect_same_runs(folder / "two", folder / "one");
  expect_run(folder.path(), with(connect("A", "100", "two"), {"--resume"}), 0);
  expect_same_runs(folder / "two", folder / "one");
}

// Neighbours of a twin are other networks, and the published scripts know no symmetry.
TEST(Twins, NothingElseIsCalledSo) {
  const TemporaryFolder folder;
  train(folder, {"A", "B"});
  write_rescaled(folder, "A.safetensors", "S.safetensors", 100.0);
  std::mt19937 random(5);
  rewrite(folder, "S.safetensors", "N.safetensors", [&](auto&, auto, auto, float number) {
    return number * (1.0F + std::normal_distribution(0.0F, 1e-3F)(random));
  });
  const Arguments short_one{"--max-steps", "10", "--max-rounds", "1"};
  const auto joined = [&](const std::string& run) {
    EXPECT_EQ(reason_of(folder, run).find("one network"), std::string::npos);
    return cell_of(folder / (run + "/cells.csv"), "joined");
  };
  expect_run(folder.path(), with(connect("A", "N", "noisy"), short_one), 0);
  EXPECT_NE(joined("noisy"), "symmetry");
  expect_run(folder.path(), with(connect("A", "B", "other"), short_one), 0);
  EXPECT_NE(joined("other"), "symmetry");
  expect_run(folder.path(), connect("A", "A", "same"), 0);
  EXPECT_EQ(joined("same"), "direct");
  expect_run(
      folder.path(),
      with(connect("A", "S", "paper"), with(short_one, {"--protocol", "paper", "--alpha", "0.1"})),
      0);
  EXPECT_NE(joined("paper"), "symmetry");
}

// Units that changed places are known and said; no curve leads there, so a string does.
TEST(Twins, PermutedOnesAreSaid) {
  const TemporaryFolder folder;
  train(folder, {"A", "B"});
  expect_run(
      folder.path(),
      with(with({"align"}, of_net),
           {"B.safetensors", "A.safetensors", "--method", "activations", "--out", "P.safetensors"}),
      0);
  expect_run(folder.path(), with(connect("A", "P", "run"), {"--max-rounds", "1"}), 0);
  EXPECT_NE(reason_of(folder, "run").find("one network: "), std::string::npos);
  EXPECT_GT(json_of(folder / "run/cells/0.1_0.json")["details"]["symmetry"]["moved"], 0);
  EXPECT_NE(cell_of(folder / "run/cells.csv", "joined"), "symmetry");
  // Aligned they are one point.
  expect_run(folder.path(), with(connect("A", "P", "aligned"), {"--align", "weights"}), 0);
  EXPECT_EQ(cell_of(folder / "aligned/cells.csv", "beads"), "2");
  EXPECT_EQ(cell_of(folder / "aligned/cells.csv", "joined"), "direct");
  const Json details = json_of(folder / "aligned/cells/0.1_0.json")["details"];
  EXPECT_TRUE(details["alignment"]["twins"].get<bool>());
  EXPECT_LT(details["endpoint_distance"], 1e-5);
}

TEST(ConnectAligned, EndsAtTheCopyAndSaysSo) {
  const TemporaryFolder folder;
  train(folder, {"A", "B"});
  for (const std::string method : {"weights", "activations"}) {
    const Arguments command = with(connect("A", "B", method), {"--align", method});
    const Outcome outcome = expect_run(folder.path(), command, 0);
    EXPECT_NE(outcome.out.find("aligned by " + method), std::string::npos) << outcome.out;
    EXPECT_EQ(cell_of(folder / (method + "/cells.csv"), "aligned"), "aligned");
    EXPECT_EQ(json_of(folder / (method + "/config.json"))["align"], method);
    const std::string path = bytes_of(folder / (method + "/paths/0.1_0.safetensors"));
    EXPECT_NE(path.find("\"aligned\":\"" + method + "\""), std::string::npos);
    // What `align` makes of the same two.
    const Json alone = Json::parse(
        expect_run(folder.path(),
                   with(with({"align"}, of_net),
                        {"A.safetensors", "B.safetensors", "--method", method, "--json"}),
                   0)
            .out);
    const Json details = json_of(folder / (method + "/cells/0.1_0.json"))["details"];
    EXPECT_EQ(details["endpoint_distance"], alone["after"]["distance"]);
    EXPECT_EQ(details["alignment"]["distance_before"], alone["before"]["distance"]);
    EXPECT_EQ(details["alignment"]["distance"], alone["after"]["distance"]);
  }
  expect_run(folder.path(), connect("A", "B", "raw"), 0);
  EXPECT_EQ(cell_of(folder / "raw/cells.csv", "aligned"), "raw");
  EXPECT_EQ(bytes_of(folder / "raw/config.json").find("align"), std::string::npos);
}

// The same files at once or widened, for any number of threads.
TEST(ConnectAligned, ResumesAndWidens) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const Arguments command{
      "sweep", "mnist-mlp", "--data", "data", "--pairs", "2", "--align", "weights", "--out"};
  expect_run(folder.path(), with(command, {"one", "--thresholds", "0.2,0.1", "--threads", "1"}), 0);
  expect_run(folder.path(), with(command, {"two", "--thresholds", "0.2,0.1", "--threads", "2"}), 0);
  expect_same_runs(folder / "two", folder / "one");
  expect_run(folder.path(), with(command, {"wide", "--thresholds", "0.2"}), 0);
  expect_run(folder.path(), with(command, {"wide", "--thresholds", "0.2,0.1", "--resume"}), 0);
  EXPECT_EQ(bytes_of(folder / "wide/cells.csv"), bytes_of(folder / "one/cells.csv"));
  EXPECT_EQ(bytes_of(folder / "wide/paths/0.1_1.safetensors"),
            bytes_of(folder / "one/paths/0.1_1.safetensors"));
  for (const Arguments& other : {Arguments{}, Arguments{"--align", "activations"}}) {
    Arguments resumed{"sweep",
                      "mnist-mlp",
                      "--data",
                      "data",
                      "--pairs",
                      "2",
                      "--thresholds",
                      "0.2,0.1",
                      "--out",
                      "one",
                      "--resume"};
    expect_run(folder.path(), with(resumed, other), 78, {"align", "another configuration"});
  }
}

TEST(ConnectAligned, WrongInput) {
  const TemporaryFolder folder;
  train(folder, {"A"});
  const auto refused = [&](const Arguments& arguments,
                           std::initializer_list<std::string_view> parts) {
    EXPECT_EQ(expect_run(folder.path(), arguments, 64, parts).out, "");
  };
  refused(with(connect("A", "A", "run"), {"--align", "magic"}),
          {"align", "weights", "activations", "'magic'"});
  refused(with(with({"train"}, of_net), {"--align", "weights", "--out", "C.safetensors"}),
          {"--align"});
  folder.write("net.json",
               R"({"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear",
               "out_features": 10, "bias": false}]})");
  folder.write("flat.safetensors",
               safetensors_content({{"1.weight", "F32", "[10, 784]", repeated(0.5F, 7840)}}));
  refused(with(connect("flat", "flat", "run"), {"--align", "weights"}),
          {"align", "no hidden units", "leave --align out"});
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

}  // namespace
}  // namespace isthmus::testing
