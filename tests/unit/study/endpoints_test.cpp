// SPDX-License-Identifier: MIT
#include "isthmus/study/endpoints.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "isthmus/core/error.h"
#include "isthmus/data/safetensors.h"
#include "isthmus/net/network.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

Network network_of(std::string_view task) {
  return default_options(task_of(task), Protocol::strict).problem.network;
}

std::vector<float> counted(const Network& network) {
  std::vector<float> theta(layout_of(network).dimension());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = 0.1F * static_cast<float>(i) - 1.0F;
  }
  return theta;
}

TEST(EndPoints, ComeBackAsTheyWereWritten) {
  const TemporaryFolder folder;
  const Network network = network_of("cubic");
  const std::vector<float> theta = counted(network);
  write_network_weights(folder / "a", theta, network, {{"task", "cubic"}});
  const LoadedNetwork loaded = read_network_weights(folder / "a", network);
  EXPECT_EQ(loaded.theta, theta);
  EXPECT_TRUE(loaded.notes.empty());
}

TEST(EndPoints, NameEveryTensorThatDoesNotFit) {
  const TemporaryFolder folder;
  const Network network = network_of("cubic");
  const Network other = network_of("quadratic");
  write_network_weights(folder / "a", counted(other), other, {});
  expect_error<DataError>([&] { read_network_weights(folder / "a", network); },
                          {"0.bias", "2.bias", "is missing", "torch.nn.Sequential"});
  write_network_weights(folder / "b", counted(network), network, {});
  expect_error<DataError>([&] { read_network_weights(folder / "b", other); },
                          {"0.bias of shape (4) is not one of the network's"});
  std::vector<float> theta = counted(network);
  theta[5] = std::numeric_limits<float>::quiet_NaN();
  write_network_weights(folder / "c", theta, network, {});
  expect_error<DataError>([&] { read_network_weights(folder / "c", network); },
                          {"0.bias", "number 1 of 4", "nan"});
  EXPECT_THROW(read_network_weights(folder / "none", network), MissingInput);
}

// Two tokens, an lstm of 3 and a layer tied to the embedding.
Network tied_network() {
  return {.input = {1},
          .layers = {Embedding{.tokens = 5, .features = 3},
                     Lstm{.features = 3},
                     Linear{.out_features = 5, .tied = true}}};
}

TEST(EndPoints, RecurrentAndTiedOnesAreWrittenAsPyTorchHasThem) {
  const TemporaryFolder folder;
  const Network network = tied_network();
  const std::vector<float> theta = counted(network);
  write_network_weights(folder / "a", theta, network, {});
  const SafetensorsFile file(folder / "a");
  EXPECT_EQ(file.read("1.bias_hh_l0"), std::vector<float>(12));
  EXPECT_EQ(file.read("2.weight"), file.read("0.weight"));
  const LoadedNetwork loaded = read_network_weights(folder / "a", network);
  EXPECT_EQ(loaded.theta, theta);
  EXPECT_TRUE(loaded.notes.empty());
}

TEST(EndPoints, TheTwoBiasesOfAnLstmAreAdded) {
  const TemporaryFolder folder;
  const Network network{.input = {2}, .layers = {Lstm{.features = 1}}};
  const std::vector<float> ones(8, 1.0F);
  const std::vector<float> input{1.0F, 2.0F, 3.0F, 1e-9F};
  const std::vector<float> state{0.5F, -2.0F, 0.0F, 1.0F};
  const std::vector<NamedTensor> tensors{{"0.weight_ih_l0", {4, 2}, {ones}},
                                         {"0.weight_hh_l0", {4, 1}, {std::span(ones).first(4)}},
                                         {"0.bias_ih_l0", {4}, {input}},
                                         {"0.bias_hh_l0", {4}, {state}}};
  write_safetensors(folder / "a", tensors);
  const LoadedNetwork loaded = read_network_weights(folder / "a", network);
  EXPECT_EQ((std::vector<float>(loaded.theta.begin() + 12, loaded.theta.end())),
            (std::vector<float>{1.5F, 0.0F, 3.0F, 1.0F}));
  ASSERT_EQ(loaded.notes.size(), 1U);
  EXPECT_NE(loaded.notes[0].find("two biases"), std::string::npos);
}

TEST(EndPoints, TiedWeightsAreTheSameOrNamed) {
  const TemporaryFolder folder;
  const Network network = tied_network();
  const std::vector<float> theta = counted(network);
  const Layout layout = layout_of(network);
  std::vector<float> other(theta.begin(), theta.begin() + 15);
  // The weight as `weights` says, under one name or two; the lstm and the bias of the last layer.
  const auto write = [&](const std::map<std::string, std::span<const float>>& weights) {
    std::vector<NamedTensor> tensors;
    for (const auto& [name, numbers] : weights) {
      tensors.push_back({name, {5, 3}, {numbers}});
    }
    for (const Tensor& tensor : layout.tensors()) {
      if (tensor.name != "0.weight") {
        tensors.push_back(
            {tensor.name, tensor.shape, {std::span(theta).subspan(tensor.offset, tensor.size())}});
      }
    }
    write_safetensors(folder / "a", tensors);
  };
  const std::span<const float> same = std::span(theta).first(15);
  for (const auto& weights : {std::map<std::string, std::span<const float>>{{"0.weight", same}},
                              {{"2.weight", same}},
                              {{"0.weight", same}, {"2.weight", other}}}) {
    write(weights);
    EXPECT_EQ(read_network_weights(folder / "a", network).theta, theta);
  }
  other[7] += 1.0F;
  write({{"0.weight", same}, {"2.weight", other}});
  expect_error<DataError>([&] { read_network_weights(folder / "a", network); },
                          {"0.weight and 2.weight", "tied", "number 7 differs"});
}

TEST(EndPoints, APathIsNoEndPoint) {
  const TemporaryFolder folder;
  const Network network = network_of("cubic");
  const Layout layout = layout_of(network);
  const Path path{.dimension = layout.dimension(),
                  .beads = std::vector<float>(2 * layout.dimension())};
  write_path(folder / "a", {.path = path, .layout = layout, .metadata = {}});
  expect_error<DataError>([&] { read_network_weights(folder / "a", network); },
                          {"found a path of isthmus"});
}

}  // namespace
}  // namespace isthmus
