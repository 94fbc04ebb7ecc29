// SPDX-License-Identifier: MIT
#include "isthmus/study/endpoints.h"

#include <gtest/gtest.h>

#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/net/network.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

Layout cubic_layout() {
  return layout_of(default_options(task_of("cubic"), Protocol::strict).problem.network);
}

TEST(EndPoints, ComeBackAsTheyWereWritten) {
  const TemporaryFolder folder;
  const Layout layout = cubic_layout();
  std::vector<float> theta(layout.dimension());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = 0.1F * static_cast<float>(i) - 1.0F;
  }
  write_network_weights(folder / "a", theta, layout, {{"task", "cubic"}});
  const LoadedNetwork network = read_network_weights(folder / "a", layout);
  EXPECT_EQ(network.theta, theta);
  EXPECT_EQ(network.conversion, "");
}

TEST(EndPoints, NameEveryTensorThatDoesNotFit) {
  const TemporaryFolder folder;
  const Layout layout = cubic_layout();
  const Layout other =
      layout_of(default_options(task_of("quadratic"), Protocol::strict).problem.network);
  write_network_weights(folder / "a", std::vector<float>(other.dimension()), other, {});
  expect_error<DataError>([&] { read_network_weights(folder / "a", layout); },
                          {"0.bias", "2.bias", "is missing", "torch.nn.Sequential"});
  write_network_weights(folder / "b", std::vector<float>(layout.dimension()), layout, {});
  expect_error<DataError>([&] { read_network_weights(folder / "b", other); },
                          {"0.bias of shape (4) is not one of the network's"});
  std::vector<float> theta(layout.dimension());
  theta[5] = std::numeric_limits<float>::quiet_NaN();
  write_network_weights(folder / "c", theta, layout, {});
  expect_error<DataError>([&] { read_network_weights(folder / "c", layout); },
                          {"0.bias", "number 1 of 4", "nan"});
  EXPECT_THROW(read_network_weights(folder / "none", layout), MissingInput);
}

}  // namespace
}  // namespace isthmus
