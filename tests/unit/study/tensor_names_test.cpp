// SPDX-License-Identifier: MIT
#include "isthmus/study/tensor_names.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/data/safetensors.h"
#include "isthmus/study/endpoints.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

// Two layers of one shape: nothing but a name tells which is which.
Network network() {
  return {.input = {3}, .layers = {Linear{.out_features = 3}, Linear{.out_features = 3}}};
}

// A file of tensors of these names: weights (3, 3) and biases (3), counted through.
std::vector<float> write(const TemporaryFolder& folder, const std::vector<std::string>& names) {
  std::vector<float> numbers(9 * names.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(i) + 0.5F;
  }
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool bias = names[i].ends_with('b');
    const auto piece = std::span<const float>(numbers).subspan(9 * i, bias ? 3 : 9);
    tensors.push_back({names[i], bias ? Shape{3} : Shape{3, 3}, {piece}});
  }
  write_safetensors(folder / "f", tensors);
  return numbers;
}

const std::vector<std::string> theirs{"x.b", "x.w", "a.b", "a.w"};
const TensorNames said{
    {"x.w", "0.weight"}, {"x.b", "0.bias"}, {"a.w", "1.weight"}, {"a.b", "1.bias"}};

LoadedNetwork load(const TemporaryFolder& folder, const TensorNames& names) {
  return read_network_weights(folder / "f", network(), names);
}

TEST(TensorNames, SayWhichTensorIsWhich) {
  const TemporaryFolder folder;
  const std::vector<float> numbers = write(folder, theirs);
  expect_error<DataError>([&] { load(folder, {}); },
                          {"x.b, a.b", "cannot be told", "0.weight (3, 3)"});
  const LoadedNetwork loaded = load(folder, said);
  std::vector<float> expected(numbers.begin() + 9, numbers.begin() + 18);
  expected.insert(expected.end(), numbers.begin(), numbers.begin() + 3);
  expected.insert(expected.end(), numbers.begin() + 27, numbers.end());
  expected.insert(expected.end(), numbers.begin() + 18, numbers.begin() + 21);
  EXPECT_EQ(loaded.theta, expected);
  EXPECT_EQ(loaded.names.at("0.weight"), "x.w");  // exported as it came
}

TEST(TensorNames, LeaveTensorsOutAndTheOthersToTheirPrefix) {
  const TemporaryFolder folder;
  write(folder, {"x.b", "x.w", "net.1.bias_b", "net.1.weight", "step"});
  const TensorNames all{
      {"x.w", "0.weight"}, {"x.b", "0.bias"}, {"net.1.bias_b", "1.bias"}, {"step", std::nullopt}};
  const std::vector<float> theta = load(folder, all).theta;
  EXPECT_EQ(theta[12], 27.5F);  // of "net.1.weight"
}

TEST(TensorNames, OfAFileThatHasTheNetworksOwnAreNotNeeded) {
  const TemporaryFolder folder;
  const std::vector<float> theta(24, 0.25F);
  write_network_weights(folder / "f", theta, network(), {});
  const LoadedNetwork loaded = load(folder, said);
  EXPECT_EQ(loaded.theta, theta);
  ASSERT_EQ(loaded.notes.size(), 1U);
  EXPECT_NE(loaded.notes[0].find("own names"), std::string::npos);
}

TEST(TensorNames, ThatAreWrongAreRefused) {
  const TemporaryFolder folder;
  write(folder, theirs);
  const auto refused = [&](const std::string& from,
                           const std::optional<std::string>& to,
                           std::initializer_list<std::string_view> parts) {
    TensorNames names = said;
    names[from] = to;
    expect_error<DataError>([&] { load(folder, names); }, parts);
  };
  refused("y.w", "1.weight", {"names:", "the file has no tensor y.w", "it has x.b"});
  refused("x.w", "7.weight", {"the network has no tensor 7.weight", "it has 0.bias, 0.weight"});
  refused("x.w", "1.weight", {"x.w and a.w would both be 1.weight", "null"});
  refused("x.w", "1.bias", {"x.w cannot be 1.bias", "expected shape (3), found (3, 3)"});
  refused("x.w", std::nullopt, {"tensor 0.weight of shape (3, 3) is missing"});
  expect_error<DataError>(
      [&] {
        load(folder, {{"0.weight", "x.w"}, {"0.bias", "x.b"}});
      },
      {"no tensor 0.bias, 0.weight", "each name of the file comes first"});
}

TEST(TensorNames, AreReadFromJson) {
  const TemporaryFolder folder;
  folder.write("n", R"({"a.w": "0.weight", "step": null})");
  EXPECT_EQ(read_tensor_names(folder / "n"),
            (TensorNames{{"a.w", "0.weight"}, {"step", std::nullopt}}));
  EXPECT_THROW(read_tensor_names(folder / "none"), MissingInput);
  for (const std::string_view wrong :
       {"", "{", "[]", "{}", R"(["a.w"])", R"({"a.w": 3})", R"({"a.w": {"b": "c"}})"}) {
    folder.write("n", wrong);
    expect_error<DataError>([&] { read_tensor_names(folder / "n"); },
                            {"n: ", "expected an object"});
  }
  folder.write("n", R"({"a.w": "0.weight", "a.w": "1.weight"})");
  expect_error<DataError>([&] { read_tensor_names(folder / "n"); }, {"a.w is there twice"});
}

}  // namespace
}  // namespace isthmus
