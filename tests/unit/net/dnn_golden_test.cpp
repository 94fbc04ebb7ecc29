// SPDX-License-Identifier: MIT
// The dnn engine against PyTorch: tests/golden/dnn.json, written by tools/golden_dnn.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

// Of the largest number of the tensor; float32 sums of a few hundred terms, and Winograd's
// transforms.
constexpr double epsilon = 2e-5;

void expect_near(const std::vector<double>& expected,
                 std::span<const float> found,
                 const std::string& what) {
  ASSERT_EQ(expected.size(), found.size()) << what;
  double largest = 0.0;
  for (const double value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(expected[i], found[i], epsilon * largest + 1e-7) << what << " at " << i;
  }
}

const Json& golden() {
  static const Json json =
      read_json(std::filesystem::path(ISTHMUS_SOURCE_FOLDER) / "tests" / "golden" / "dnn.json");
  return json;
}

Loss loss_named(const std::string& name) {
  for (const Loss loss : {Loss::absolute, Loss::squared, Loss::cross_entropy}) {
    if (name_of(loss) == name) {
      return loss;
    }
  }
  throw UsageError("unknown loss " + name);
}

class DnnGolden : public testing::TestWithParam<std::size_t> {};

TEST_P(DnnGolden, AgreesWithPyTorch) {
  const Json& record = golden()["cases"][GetParam()];
  SCOPED_TRACE(record["name"].get<std::string>());
  const Network network = network_from_json(record["network"]);
  const Layout layout = layout_of(network);
  std::vector<float> theta(layout.dimension());
  ASSERT_EQ(layout.tensors().size(), record["parameters"].size());
  for (const Tensor& tensor : layout.tensors()) {
    const auto values = record["parameters"][tensor.name].get<std::vector<float>>();
    ASSERT_EQ(tensor.size(), values.size()) << tensor.name;
    std::ranges::copy(values, theta.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
  }
  const auto inputs = record["inputs"].get<std::vector<float>>();
  const auto targets = record.value("targets", std::vector<float>{});
  const auto labels = record.value("labels", std::vector<std::int32_t>{});
  const auto first_state = record.value("state", std::vector<float>{});
  auto state = first_state;
  const BatchView batch{.count = record["count"].get<std::size_t>(),
                        .inputs = inputs.data(),
                        .targets = targets.empty() ? nullptr : targets.data(),
                        .labels = labels.empty() ? nullptr : labels.data(),
                        .streams = record.value("streams", std::size_t{1}),
                        .state = state.empty() ? nullptr : state.data()};
  const auto expect_last_state = [&] {
    expect_near(record.value("last_state", std::vector<double>{}), state, "the last state");
    state = first_state;
  };
  const Loss loss = loss_named(record["loss_name"].get<std::string>());
  const double expected_loss = record["loss"].get<double>();

  const auto engine = make_dnn_engine(network, batch.count);
  std::vector<float> outputs(batch.count * engine->outputs());
  engine->forward(theta, batch, outputs);
  expect_near(record["outputs"].get<std::vector<double>>(), outputs, "outputs");
  expect_last_state();

  double value = 0.0;
  engine->losses(theta, batch, loss, {&value, 1});
  EXPECT_NEAR(value, expected_loss, epsilon * std::abs(expected_loss));
  expect_last_state();

  std::vector<float> gradient(theta.size(), -1.0F);
  engine->losses_and_gradients(theta, batch, loss, nullptr, {&value, 1}, gradient);
  EXPECT_NEAR(value, expected_loss, epsilon * std::abs(expected_loss));
  expect_last_state();
  for (const Tensor& tensor : layout.tensors()) {
    expect_near(record["gradients"][tensor.name].get<std::vector<double>>(),
                std::span<const float>(gradient).subspan(tensor.offset, tensor.size()),
                "gradient of " + tensor.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         DnnGolden,
                         testing::Range<std::size_t>(0, golden()["cases"].size()),
                         [](const testing::TestParamInfo<std::size_t>& which) {
                           return golden()["cases"][which.param]["name"].get<std::string>();
                         });

}  // namespace
}  // namespace isthmus
