// SPDX-License-Identifier: MIT
// Files that are not what they should be.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

constexpr auto images = "data/mnist/train-images-idx3-ubyte";
constexpr auto labels = "data/mnist/t10k-labels-idx1-ubyte";

Outcome connect_images(const TemporaryFolder& folder, int code) {
  return expect_run(
      folder.path(),
      {"connect", "mnist-mlp", "--data", "data", "--threshold", "0.5", "--out", "run"},
      code);
}

// What is said of one damaged file, which is named; and no run is begun.
void expect_refused(const TemporaryFolder& folder,
                    std::string_view file,
                    const std::string& content,
                    std::initializer_list<std::string_view> parts) {
  folder.write(file, content);
  const Outcome outcome = connect_images(folder, 65);
  expect_outcome(outcome, 65, parts);
  expect_outcome(outcome, 65, {std::filesystem::path(file).filename().string()});
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

TEST(Images, Missing) {
  const TemporaryFolder folder;
  expect_outcome(connect_images(folder, 66), 66, {"--data data", "no such folder"});
  folder.write("data/mnist/readme", "");
  expect_outcome(connect_images(folder, 66), 66, {"mnist", "isthmus data fetch"});
  expect_run(folder.path(), {"data", "path", "mnist"}, 66, {"isthmus data fetch"});
}

TEST(Images, Damaged) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const std::string good = bytes_of(folder / images);
  const std::string good_labels = bytes_of(folder / labels);
  expect_refused(folder, images, good.substr(0, good.size() - 1), {"392000", "incomplete"});
  expect_refused(folder, images, good.substr(0, 7), {"header", "incomplete"});
  expect_refused(folder, images, "", {"header"});
  expect_refused(folder, images, good + "x", {"1 more"});
  expect_refused(folder, images, "PK" + good, {"00 00"});
  expect_refused(folder, images, tiny_images(tiny_train - 1, 1), {"one label for each", "499"});
  expect_refused(folder, images, tiny_labels(tiny_train), {"images", "(500)"});
  folder.write(images, good);
  std::string wrong = good_labels;
  wrong[8 + 17] = 10;
  expect_refused(folder, labels, wrong, {"labels from 0 to 9", "found 10", "index 17"});
  folder.write(labels, good_labels);
  connect_images(folder, 0);
}

TEST(Images, DamagedGzip) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const std::string good = gzip_content(bytes_of(folder / images));
  std::filesystem::remove(folder / images);
  const std::string packed = std::string(images) + ".gz";
  expect_refused(folder, packed, good.substr(0, good.size() / 2), {});
  expect_refused(folder, packed, "", {});
  std::string corrupted = good;
  corrupted[corrupted.size() / 2] ^= 0x55;
  expect_refused(folder, packed, corrupted, {});
  expect_refused(folder, packed, gzip_content(tiny_images(tiny_train, 1) + "x"), {"1 more"});
  folder.write(packed, good);
  connect_images(folder, 0);
}

TEST(NetworkFile, Wrong) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const auto expect_json =
      [&](std::string_view content, int code, std::initializer_list<std::string_view> parts) {
        folder.write("net.json", content);
        expect_run(folder.path(),
                   {"connect", "--network", "net.json", "--data", "data", "--threshold", "0.5"},
                   code,
                   parts);
      };
  expect_json("", 65, {"net.json", "JSON"});
  expect_json(R"({"input": [1, 28, 28], "layers": [{"type": "linear")", 65, {"net.json", "JSON"});
  expect_json("[1, 2]", 65, {"net.json"});
  expect_json(std::string(2000, '[') + std::string(2000, ']'), 65, {"net.json", "levels"});
  expect_json(R"({"input": [1, 28, 28], "layers": [{"type": "attention"}]})", 65, {"attention"});
  expect_json(R"({"input": [1, 28, 28], "layers": [{"type": "flatten"},
                 {"type": "linear", "out_features": 9}]})",
              64,
              {"9 outputs", "10 classes"});
  expect_json(R"({"input": [1, 27, 28], "layers": [{"type": "flatten"},
                 {"type": "linear", "out_features": 10}]})",
              64,
              {"(1, 27, 28)", "(1, 28, 28)"});
  expect_run(folder.path(),
             {"connect", "--network", "no.json", "--threshold", "0.5"},
             66,
             {"no.json", "no such file"});
  expect_run(folder.path(), {"connect", "--network", "net.json"}, 64, {"--threshold"});
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(NetworkFile, JoinsANetworkOfTheUsersOwn) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  folder.write("net.json", R"({"input": [1, 28, 28], "layers": [{"type": "flatten"},
      {"type": "linear", "out_features": 8}, {"type": "tanh"},
      {"type": "linear", "out_features": 10}]})");
  expect_run(
      folder.path(),
      {"connect", "--network", "net.json", "--data", "data", "--threshold", "0.3", "--out", "run"},
      0);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "connected");
  expect_run(folder.path(), {"verify", "run", "--data", "data"}, 0);
  Json config = Json::parse(bytes_of(folder / "run/config.json"));
  EXPECT_EQ(config["bead_average"], 0.99);
  EXPECT_EQ(config["bead_bend"], 1.5);
  // Full batches have no noise to average out.
  expect_run(folder.path(),
             {"connect",
              "--network",
              "net.json",
              "--data",
              "data",
              "--threshold",
              "0.3",
              "--batch-size",
              "0",
              "--bead-bend",
              "0",
              "--out",
              "full"},
             0);
  config = Json::parse(bytes_of(folder / "full/config.json"));
  EXPECT_FALSE(config.contains("bead_average"));
  EXPECT_FALSE(config.contains("bead_bend"));
}

// By a cross-entropy a perceptron's beads are damped, and train at a rate of their own.
TEST(NetworkFile, WhatIsGivenDecidesHowBeadsTrain) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  folder.write("net.json", R"({"input": [1, 28, 28], "layers": [{"type": "flatten"},
      {"type": "linear", "out_features": 8}, {"type": "tanh"},
      {"type": "linear", "out_features": 10}]})");
  const auto beads_of = [&](const std::string& name, const Arguments& more) {
    Arguments all{"connect",
                  "--network",
                  "net.json",
                  "--data",
                  "data",
                  "--metric",
                  "cross_entropy",
                  "--threshold",
                  "2.2",
                  "--out",
                  name};
    all.insert(all.end(), more.begin(), more.end());
    expect_run(folder.path(), all, 0);
    const Json config = Json::parse(bytes_of(folder / (name + "/config.json")));
    return Json{config.value("bead_damping", 0.0),
                config["beads"]["optimizer"]["learning_rate"],
                config["beads"]["check_every"],
                config["bead_bend"]};
  };
  EXPECT_EQ(beads_of("damped", {}), Json({1.0, 0.04, 40, 1.0}));
  EXPECT_EQ(beads_of("even", {"--bead-damping", "0"}), Json({0.0, 0.02, 10, 1.5}));
  EXPECT_EQ(beads_of("told",
                     {"--learning-rate",
                      "0.01",
                      "--check-every",
                      "5",
                      "--bead-bend",
                      "0.5",
                      "--bead-damping",
                      "0.5"}),
            Json({0.5, 0.01, 5, 0.5}));
  EXPECT_EQ(beads_of("other", {"--bead-optimizer", "adam"})[0], 0.0);
}

TEST(OwnImages, OfAnyNameAndNumberOfClassesFromEndToEnd) {
  const TemporaryFolder folder;
  write_letters(folder, "data/letters/train", 520, 26, true);
  write_letters(folder, "data/letters/test", 260, 26, true);
  folder.write("net.json", R"({"input": [1, 4, 4], "layers": [{"type": "flatten"},
      {"type": "linear", "out_features": 16}, {"type": "relu"},
      {"type": "linear", "out_features": 27}]})");
  const auto with = [](const std::string& verb, Arguments more) {
    Arguments all{verb, "--network", "net.json", "--dataset", "letters", "--data", "data"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_run(folder.path(), with("connect", {"--threshold", "0.2", "--out", "run"}), 0);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "connected");
  expect_run(folder.path(), {"verify", "run", "--data", "data"}, 0);
  for (const std::string side : {"A", "B"}) {
    expect_run(
        folder.path(),
        with("train", {"--threshold", "0.2", "--side", side, "--out", side + ".safetensors"}),
        0);
  }
  expect_run(folder.path(),
             with("connect",
                  {"--threshold",
                   "0.2",
                   "--from",
                   "A.safetensors",
                   "--to",
                   "B.safetensors",
                   "--out",
                   "given"}),
             0);
  EXPECT_EQ(cell_of(folder / "given/cells.csv", "max_metric"),
            cell_of(folder / "run/cells.csv", "max_metric"));
  const Outcome list = expect_run(folder.path(), {"data", "list", "--data", "data", "--json"}, 0);
  const Json sets = Json::parse(list.out);
  EXPECT_EQ(sets.back()["name"], "letters");
  EXPECT_EQ(sets.back()["content"], "520 + 260 images, 1 x 4 x 4");
  EXPECT_EQ(sets.back()["classes"], 27);
  expect_run(folder.path(), {"data", "path", "letters", "--data", "data"}, 0);
}

TEST(OwnImages, ThatDoNotFitSayWhy) {
  const TemporaryFolder folder;
  write_letters(folder, "data/letters/train", 52, 26, false);
  write_letters(folder, "data/letters/t10k", 26, 26, false);
  const auto connect = [&](const std::string& set,
                           const std::string& outputs,
                           int code,
                           std::initializer_list<std::string_view> parts) {
    folder.write("net.json",
                 R"({"input": [1, 4, 4], "layers": [{"type": "flatten"},
                     {"type": "linear", "out_features": )" +
                     outputs + "}]}");
    expect_run(folder.path(),
               {"connect",
                "--network",
                "net.json",
                "--dataset",
                set,
                "--data",
                "data",
                "--threshold",
                "0.2"},
               code,
               parts);
  };
  connect("letters", "26", 64, {"26 outputs", "27 classes", "labels from 1 to 26", "out_features"});
  connect("digits", "27", 66, {"data set digits: not found", "it holds letters/", "digits/"});
  connect("letters/", "27", 64, {"the name of a set", "--data DIR"});
  connect("quadratic", "27", 64, {"quadratic", "expected 16 numbers", "got 1"});
}

TEST(Text, JoinsRecurrentNetworksOfTheUsersOwn) {
  const TemporaryFolder folder;
  write_tiny_text(folder);
  folder.write("net.json", R"({"input": [1], "layers": [
      {"type": "embedding", "tokens": 6, "features": 4}, {"type": "lstm", "features": 8},
      {"type": "dropout", "probability": 0.1}, {"type": "linear", "out_features": 6}]})");
  const Arguments command{
      "connect", "--network",   "net.json", "--dataset",       "ptb",  "--data",
      "data",    "--threshold", "2.5",      "--streams",       "3",    "--window",
      "5",       "--optimizer", "adam",     "--learning-rate", "0.02", "--check-every",
      "5",       "--out",       "run"};
  expect_run(folder.path(), command, 0);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "connected");
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "proof"), "sampled:11");
  expect_run(folder.path(), {"verify", "run", "--data", "data"}, 0);
  expect_run(folder.path(), {"verify", "run", "--data", "data", "--certified"}, 64, {"embedding"});
  expect_run(folder.path(),
             {"check-gradient", "--network", "net.json", "--dataset", "ptb", "--data", "data"},
             0,
             {});
  Arguments wrong = command;
  wrong.insert(wrong.end(), {"--batch-size", "7"});
  wrong[wrong.size() - 3] = "other";
  expect_run(folder.path(), wrong, 64, {"batch_size", "15", "got 7"});
}

Outcome join(const TemporaryFolder& folder,
             int code,
             std::initializer_list<std::string_view> parts) {
  return expect_run(folder.path(),
                    {"connect",
                     "quadratic",
                     "--threshold",
                     "0.5",
                     "--from",
                     "a.safetensors",
                     "--to",
                     "b.safetensors",
                     "--out",
                     "run"},
                    code,
                    parts);
}

TEST(GivenEndPoints, DamagedFiles) {
  const TemporaryFolder folder;
  const std::string good = safetensors_content(quadratic_tensors(0.1F, "F32"));
  folder.write("b.safetensors", good);
  join(folder, 66, {"a.safetensors", "no such file"});
  const auto expect_bad = [&](const std::string& content) {
    folder.write("a.safetensors", content);
    join(folder, 65, {"a.safetensors"});
  };
  expect_bad("");
  expect_bad(good.substr(0, 7));
  expect_bad(good.substr(0, 40));
  expect_bad(good.substr(0, good.size() - 1));
  expect_bad(good + "x");
  expect_bad(std::string(8, '\x7f') + good.substr(8));
  std::string broken = good;
  broken[8] = '[';
  expect_bad(broken);
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

TEST(GivenEndPoints, TensorsThatDoNotFit) {
  const TemporaryFolder folder;
  const auto good = quadratic_tensors(0.1F, "F32");
  folder.write("b.safetensors", safetensors_content(good));
  const auto expect_bad = [&](const std::vector<RawTensor>& tensors,
                              std::initializer_list<std::string_view> parts) {
    folder.write("a.safetensors", safetensors_content(tensors));
    join(folder, 65, parts);
  };
  auto tensors = good;
  tensors[1].name = "1.kernel";
  expect_bad(tensors, {"2.weight of shape (4, 4) is missing", "1.kernel", "not one of"});
  tensors = good;
  tensors[2].shape = "[4, 1]";
  expect_bad(tensors, {"4.weight", "expected shape (1, 4), found (4, 1)"});
  tensors = good;
  tensors.push_back({"0.bias", "F32", "[4]", repeated(0.0F, 4)});
  expect_bad(tensors, {"0.bias of shape (4)", "not one of"});
  tensors = good;
  tensors.pop_back();
  expect_bad(tensors, {"4.weight of shape (1, 4) is missing"});
  tensors = good;
  tensors[0] = {"0.weight", "I64", "[4, 1]", repeated(std::int64_t{1}, 4)};
  expect_bad(tensors, {"0.weight", "I64"});
  tensors = good;
  tensors[1].bytes = repeated(std::numeric_limits<float>::quiet_NaN(), 16);
  expect_bad(tensors, {"2.weight", "number 0 of 16 is nan", "finite"});
  tensors[1].bytes = repeated(std::numeric_limits<float>::infinity(), 16);
  expect_bad(tensors, {"2.weight", "inf"});
  EXPECT_FALSE(std::filesystem::exists(folder / "run")) << "refused before a run is begun";
}

TEST(GivenEndPoints, OtherNamesAreTakenByShapeAndTold) {
  const TemporaryFolder folder;
  const auto good = quadratic_tensors(0.1F, "F32");
  folder.write("b.safetensors", safetensors_content(good));
  const auto with = [&](const std::vector<std::string>& names) {
    auto tensors = good;
    for (std::size_t i = 0; i < names.size(); ++i) {
      tensors[i].name = names[i];
    }
    folder.write("a.safetensors", safetensors_content(tensors));
    std::filesystem::remove_all(folder / "run");
  };
  with({"_orig_mod.module.0.weight", "_orig_mod.module.2.weight", "_orig_mod.module.4.weight"});
  join(folder, 0, {"a.safetensors: every tensor begins with '_orig_mod.module.', which is left"});
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "normalized_length"), "1");
  with({"first.weight", "hidden.weight", "last.weight"});
  join(folder, 0, {"a.safetensors: tensors of other names", "first as 0, hidden as 2, last as 4"});
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "normalized_length"), "1");
}

TEST(GivenEndPoints, OtherTypesAreConvertedAndTold) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors_content(quadratic_tensors(0.125, "F64")));
  const auto eighth = std::uint16_t{0x3000};  // 0.125 in binary16
  folder.write("b.safetensors", safetensors_content(quadratic_tensors(eighth, "F16")));
  join(folder, 0, {"a.safetensors", "F64", "b.safetensors", "F16", "converted to float32"});
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "normalized_length"), "1")
      << "the same numbers in both files";
}

TEST(GivenEndPoints, TwiceTheSame) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors_content(quadratic_tensors(0.1F, "F32")));
  folder.write("b.safetensors", bytes_of(folder / "a.safetensors"));
  const Outcome outcome = join(folder, 0, {});
  EXPECT_EQ(outcome.err.find("converted"), std::string::npos);
  const std::filesystem::path cells = folder / "run/cells.csv";
  EXPECT_EQ(cell_of(cells, "verdict"), "connected");
  EXPECT_EQ(cell_of(cells, "normalized_length"), "1");
  EXPECT_EQ(cell_of(cells, "beads"), "2");
  EXPECT_EQ(cell_of(cells, "beads_inserted"), "0");
}

TEST(GivenEndPoints, AboveTheThreshold) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors_content(quadratic_tensors(9.0F, "F32")));
  folder.write("b.safetensors", safetensors_content(quadratic_tensors(-9.0F, "F32")));
  join(folder, 0, {});
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "endpoint_not_reached");
  EXPECT_GT(std::stod(cell_of(folder / "run/cells.csv", "max_metric")), 0.5);
}

TEST(GivenEndPoints, ThoseThatTrainWrites) {
  const TemporaryFolder folder;
  for (const std::string side : {"A", "B"}) {
    const Outcome outcome = expect_run(folder.path(),
                                       {"train",
                                        "quadratic",
                                        "--threshold",
                                        "0.05",
                                        "--side",
                                        side,
                                        "--out",
                                        side + ".safetensors",
                                        "--json"},
                                       0);
    EXPECT_EQ(Json::parse(outcome.out)["termination"], "reached");
  }
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.05", "--out", "ours"}, 0);
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--threshold",
              "0.05",
              "--from",
              "A.safetensors",
              "--to",
              "B.safetensors",
              "--out",
              "given"},
             0);
  for (const char* column : {"verdict",
                             "max_metric",
                             "normalized_length",
                             "beads",
                             "gradient_samples_beads",
                             "forward_samples_checks"}) {
    EXPECT_EQ(cell_of(folder / "given/cells.csv", column),
              cell_of(folder / "ours/cells.csv", column))
        << column;
  }
  EXPECT_EQ(cell_of(folder / "given/cells.csv", "gradient_samples_endpoints"), "0");
  // The run knows its end points by their numbers.
  std::filesystem::copy_file(folder / "B.safetensors",
                             folder / "A.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--threshold",
              "0.05",
              "--from",
              "A.safetensors",
              "--to",
              "B.safetensors",
              "--out",
              "given",
              "--resume"},
             78,
             {"from", "theta_sha256"});
}

TEST(PathFile, Damaged) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.2", "--out", "run"}, 0);
  const std::string good = bytes_of(folder / "run/paths/0.2_0.safetensors");
  const auto verify = [&](const std::string& content,
                          std::initializer_list<std::string_view> parts) {
    folder.write("p.safetensors", content);
    const Outcome outcome = expect_run(folder.path(), {"verify", "p.safetensors"}, 65, parts);
    const std::size_t name = outcome.err.find("p.safetensors");
    EXPECT_EQ(outcome.err.find("p.safetensors", name + 1), std::string::npos)
        << "the file is named once:\n"
        << outcome.err;
  };
  const auto with = [&](std::string_view old, std::string_view by) {
    std::string content = good;
    content.replace(content.find(old), old.size(), by);
    return content;
  };
  verify("", {"p.safetensors"});
  verify(good.substr(0, good.size() / 2), {"p.safetensors"});
  verify(good + "x", {"p.safetensors"});
  verify(with("isthmus-path-1", "isthmus-path-9"), {"isthmus-path-1", "isthmus-path-9"});
  verify(with("\"theta\":", "\"betas\":"), {"theta"});
  verify(with("\"problem\":", "\"problex\":"), {"no 'problem'"});
  verify(with("\"tolerance\":\"1\"", "\"tolerance\":\"x\""), {"tolerance", "a number", "'x'"});
  verify(with("\"split\":\"test\"", "\"split\":\"tesT\""), {"p.safetensors", "'split'", "'tesT'"});
  verify(with("\"points\":\"101\"", "\"points\":\"1.5\""), {"p.safetensors", "'points'", "1.5"});
  std::string content = good;
  content.replace(content.size() - 4, 4, repeated(std::numeric_limits<float>::quiet_NaN(), 1));
  verify(content, {"theta[", "not finite"});
  verify(safetensors_content(quadratic_tensors(0.1F, "F32")), {"not a path", "format"});
  expect_run(folder.path(), {"verify", "no.safetensors"}, 66, {"no.safetensors"});
  expect_run(folder.path(), {"verify", "."}, 66, {"no run directory"});
  expect_run(folder.path(), {"verify", "run", "--points", "1"}, 64, {"points", "got 1"});
  expect_run(folder.path(), {"verify", "run", "--metric", "error_rate"}, 64, {"error_rate"});
}

TEST(PathFile, OfAnotherTypeIsConvertedAndTold) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.2", "--out", "run"}, 0);
  const std::string good = bytes_of(folder / "run/paths/0.2_0.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, good.data(), sizeof length);
  Json header = Json::parse(good.substr(8, length));
  Json& theta = header["theta"];
  const auto count = theta["shape"][0].get<std::size_t>() * theta["shape"][1].get<std::size_t>();
  std::string numbers;
  for (std::size_t i = 0; i < count; ++i) {
    float number = 0.0F;
    std::memcpy(&number, good.data() + 8 + length + i * sizeof number, sizeof number);
    numbers += repeated(static_cast<double>(number), 1);
  }
  theta["dtype"] = "F64";
  theta["data_offsets"] = {0, numbers.size()};
  const std::string text = header.dump();
  folder.write("p.safetensors",
               repeated(static_cast<std::uint64_t>(text.size()), 1) + text + numbers);
  const Outcome wide = expect_run(folder.path(), {"verify", "p.safetensors"}, 0);
  EXPECT_NE(wide.err.find("p.safetensors: converted to float32: 1 tensor from F64"),
            std::string::npos);
  const Outcome narrow = expect_run(folder.path(), {"verify", "run"}, 0);
  EXPECT_EQ(narrow.err, "");
  EXPECT_EQ(wide.out.substr(wide.out.find(':')), narrow.out.substr(narrow.out.find(':')));
  const Outcome proof = expect_run(folder.path(), {"verify", "p.safetensors", "--certified"}, 0);
  EXPECT_NE(proof.err.find("converted to float32"), std::string::npos);
}

}  // namespace
}  // namespace isthmus::testing
