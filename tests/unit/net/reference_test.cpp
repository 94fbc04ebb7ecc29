// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

std::vector<double> outputs_of(const Network& network,
                               const std::vector<double>& theta,
                               const std::vector<float>& inputs,
                               std::size_t count) {
  std::vector<double> outputs(count * output_size(network));
  reference_forward(network, theta, {.count = count, .inputs = inputs.data()}, outputs);
  return outputs;
}

const std::vector<float> image{1, 2, 3, 4, 5, 6, 7, 8, 9};  // 3 x 3

TEST(Reference, LinearIsRowsTimesInputPlusBias) {
  const Network network{.input = {2}, .layers = {Linear{.out_features = 3}}};
  EXPECT_EQ(outputs_of(network, {1, 2, 3, 4, 5, 6, 10, 20, 30}, {1, -1, 2, 1}, 2),
            (std::vector<double>{9, 19, 29, 14, 30, 46}));
}

TEST(Reference, ActivationsAreTheirFormulas) {
  const auto through = [](Activation::Kind kind) {
    return outputs_of({.input = {3}, .layers = {Activation{kind}}}, {}, {-1, 0, 2}, 1);
  };
  EXPECT_EQ(through(Activation::Kind::relu), (std::vector<double>{0, 0, 2}));
  EXPECT_DOUBLE_EQ(through(Activation::Kind::tanh)[2], std::tanh(2.0));
  EXPECT_DOUBLE_EQ(through(Activation::Kind::sigmoid)[0], 1 / (1 + std::exp(1.0)));
  const auto softmax = through(Activation::Kind::softmax);
  EXPECT_NEAR(softmax[0] + softmax[1] + softmax[2], 1.0, 1e-15);
  EXPECT_NEAR(softmax[2] / softmax[0], std::exp(3.0), 1e-12);
}

TEST(Reference, ValidConvolutionIsACrossCorrelation) {
  const Network network{.input = {1, 3, 3}, .layers = {Conv2d{.out_channels = 1, .kernel = 2}}};
  // 1 a + 10 b + 100 c + 1000 d over each window a b / c d
  EXPECT_EQ(outputs_of(network, {1, 10, 100, 1000, 0.5}, image, 1),
            (std::vector<double>{5421.5, 6532.5, 8754.5, 9865.5}));
}

TEST(Reference, SamePaddingPutsTheOddRowAtTheEnd) {
  const Network network{
      .input = {1, 3, 3},
      .layers = {Conv2d{.out_channels = 1, .kernel = 2, .padding = Padding::same, .bias = false}}};
  EXPECT_EQ(outputs_of(network, {1, 10, 100, 1000}, image, 1),
            (std::vector<double>{5421, 6532, 603, 8754, 9865, 906, 87, 98, 9}));
}

TEST(Reference, SamePaddingIsEvenForOddKernels) {
  const Network network{
      .input = {1, 3, 3},
      .layers = {Conv2d{.out_channels = 1, .kernel = 3, .padding = Padding::same, .bias = false}}};
  const std::vector<double> ones(9, 1.0);
  EXPECT_EQ(outputs_of(network, ones, image, 1),
            (std::vector<double>{12, 21, 16, 27, 45, 33, 24, 39, 28}));
}

TEST(Reference, StridedConvolutionSkipsWindows) {
  Network network{.input = {1, 3, 3},
                  .layers = {Conv2d{.out_channels = 1, .kernel = 1, .stride = 2, .bias = false}}};
  EXPECT_EQ(outputs_of(network, {2}, image, 1), (std::vector<double>{2, 6, 14, 18}));
  network.layers = {
      Conv2d{.out_channels = 1, .kernel = 3, .stride = 2, .padding = Padding::same, .bias = false}};
  // Two outputs a side, one row and column of padding on each side.
  EXPECT_EQ(outputs_of(network, std::vector<double>(9, 1.0), image, 1),
            (std::vector<double>{12, 16, 24, 28}));
}

TEST(Reference, ConvolutionSumsOverChannelsInPyTorchsOrder) {
  const Network network{.input = {2, 1, 1}, .layers = {Conv2d{.out_channels = 2, .bias = true}}};
  EXPECT_EQ(outputs_of(network, {1, 2, 3, 4, 100, 200}, {5, 7}, 1),
            (std::vector<double>{1 * 5 + 2 * 7 + 100, 3 * 5 + 4 * 7 + 200}));
}

TEST(Reference, PoolsAreTakenInsideTheImage) {
  Network network{.input = {1, 3, 3}, .layers = {Pool2d{}}};
  EXPECT_EQ(outputs_of(network, {}, image, 1), (std::vector<double>{5}));
  network.layers = {Pool2d{.padding = Padding::same}};
  EXPECT_EQ(outputs_of(network, {}, image, 1), (std::vector<double>{5, 6, 8, 9}));
  network.layers = {Pool2d{.kind = Pool2d::Kind::average, .padding = Padding::same}};
  EXPECT_EQ(outputs_of(network, {}, image, 1), (std::vector<double>{3, 4.5, 7.5, 9}));
}

TEST(Reference, DropoutAndFlattenChangeNothing) {
  const Network network{.input = {1, 3, 3}, .layers = {Dropout{}, Flatten{}}};
  EXPECT_EQ(outputs_of(network, {}, image, 1), std::vector<double>(image.begin(), image.end()));
}

TEST(Reference, LossesAreTheirDefinitions) {
  const Network network{.input = {2}, .layers = {Flatten{}}};
  const std::vector<float> inputs{1, 3, -2, 0};
  const std::vector<float> targets{0, 1, 0, 4};
  const std::vector<std::int32_t> labels{1, 0};
  const BatchView batch{
      .count = 2, .inputs = inputs.data(), .targets = targets.data(), .labels = labels.data()};
  EXPECT_DOUBLE_EQ(reference_loss(network, {}, batch, Loss::absolute), (1 + 2 + 2 + 4) / 4.0);
  EXPECT_DOUBLE_EQ(reference_loss(network, {}, batch, Loss::squared), (1 + 4 + 4 + 16) / 4.0);
  const double both =
      std::log(std::exp(1.0) + std::exp(3.0)) - 3 + std::log(std::exp(-2.0) + 1) + 2;
  EXPECT_NEAR(reference_loss(network, {}, batch, Loss::cross_entropy), both / 2, 1e-15);
}

TEST(Reference, CrossEntropyOfLargeLogitsIsFinite) {
  const Network network{.input = {2}, .layers = {Flatten{}}};
  const std::vector<float> inputs{1000, 3000};
  const std::vector<std::int32_t> labels{0};
  const BatchView batch{.count = 1, .inputs = inputs.data(), .labels = labels.data()};
  EXPECT_DOUBLE_EQ(reference_loss(network, {}, batch, Loss::cross_entropy), 2000.0);
}

TEST(Reference, NaNPassesThroughPoolsAndActivations) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Network network{.input = {1, 2, 2},
                        .layers = {Pool2d{}, Activation{Activation::Kind::relu}}};
  EXPECT_TRUE(std::isnan(outputs_of(network, {}, {nan, 1, 2, 3}, 1)[0]));
}

TEST(Reference, ArgumentsThatDoNotFitAreNamed) {
  const Network network{.input = {2}, .layers = {Linear{.out_features = 1}}};
  try {
    outputs_of(network, {1, 2}, {0, 0}, 1);
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "reference: expected 3 numbers in theta, got 2");
  }
  const std::vector<float> inputs{0, 0};
  const std::vector<std::int32_t> labels{7};
  const std::vector<double> theta{1, 2, 3};
  EXPECT_THROW(reference_loss(network,
                              theta,
                              {.count = 1, .inputs = inputs.data(), .labels = labels.data()},
                              Loss::cross_entropy),
               UsageError);
}

}  // namespace
}  // namespace isthmus
