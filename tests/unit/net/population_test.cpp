// SPDX-License-Identifier: MIT
#include "isthmus/net/population/population.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

using population::available_simd;
using population::Population;
using population::Simd;

constexpr std::array losses{Loss::absolute, Loss::squared, Loss::cross_entropy};

Network perceptron(const std::vector<std::size_t>& widths,
                   const std::vector<Layer>& activations,
                   bool bias) {
  Network network{.input = {widths.front()}, .layers = {}};
  for (std::size_t i = 1; i < widths.size(); ++i) {
    network.layers.push_back(Linear{.out_features = widths[i], .bias = bias});
    if (!activations.empty() && (i + 1 < widths.size() || activations.size() > 1)) {
      network.layers.push_back(activations[i % activations.size()]);
    }
  }
  return network;
}

const Layer sigmoid = Activation{Activation::Kind::sigmoid};
const Layer relu = Activation{Activation::Kind::relu};
const Layer hyperbolic = Activation{Activation::Kind::tanh};

Network quadratic_network() {
  return perceptron({1, 4, 4, 1}, {sigmoid, sigmoid}, false);
}
Network cubic_network() {
  return perceptron({1, 4, 4, 1}, {sigmoid}, true);
}

// A batch that owns its numbers.
struct Data {
  std::vector<float> inputs;
  std::vector<float> targets;
  std::vector<std::int32_t> labels;
  std::size_t count;

  Data(const Network& network, std::size_t samples, Rng& rng) : count(samples) {
    std::size_t features = 1;
    for (const std::size_t extent : network.input) {
      features *= extent;
    }
    const std::size_t outputs = output_size(network);
    for (std::size_t i = 0; i < count * features; ++i) {
      inputs.push_back(static_cast<float>(rng.uniform(-1.0, 1.0)));
    }
    for (std::size_t i = 0; i < count * outputs; ++i) {
      targets.push_back(static_cast<float>(rng.uniform(-1.0, 1.0)));
    }
    for (std::size_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<std::int32_t>(rng.below(outputs)));
    }
  }
  BatchView view() const {
    return {.count = count,
            .inputs = inputs.data(),
            .targets = targets.data(),
            .labels = labels.data()};
  }
};

template <class Real>
std::vector<Real> random_thetas(std::size_t count, double scale, Rng& rng) {
  std::vector<Real> thetas(count);
  for (Real& number : thetas) {
    number = static_cast<Real>(static_cast<float>(scale * rng.normal()));
  }
  return thetas;
}

template <class Real>
struct Result {
  std::vector<double> losses;
  std::vector<Real> gradients;
};

template <class Real>
Result<Real> evaluate(Population<Real>& engine,
                      const std::vector<Real>& thetas,
                      const BatchView& batch,
                      Loss loss) {
  Result<Real> result{std::vector<double>(thetas.size() / engine.dimension()),
                      std::vector<Real>(thetas.size())};
  engine.losses_and_gradients(thetas, batch, loss, result.losses, result.gradients);
  return result;
}

template <class Real>
std::vector<double> as_doubles(std::span<const Real> numbers) {
  return {numbers.begin(), numbers.end()};
}

template <class Real>
bool same_bits(std::span<const Real> a, std::span<const Real> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// A random network of any depth, width, functions and biases that the engine takes.
Network random_network(Rng& rng) {
  const std::array<std::size_t, 9> widths{1, 2, 3, 4, 5, 8, 13, 33, 64};
  Network network{.input = {widths[rng.below(widths.size())]}, .layers = {}};
  if (rng.below(4) == 0) {
    network.input = {2, 1, 3};
    network.layers.push_back(Flatten{});
  }
  const std::size_t depth = 1 + rng.below(4);
  const std::array<Layer, 3> functions{sigmoid, relu, hyperbolic};
  if (rng.below(6) == 0) {
    network.layers.push_back(functions[rng.below(3)]);
  }
  for (std::size_t i = 0; i < depth; ++i) {
    network.layers.push_back(
        Linear{.out_features = widths[rng.below(widths.size())], .bias = rng.below(2) == 0});
    for (std::size_t more = rng.below(3); more > 0; --more) {
      network.layers.push_back(functions[rng.below(3)]);
    }
  }
  return network;
}

double theta_scale(const Network& network) {
  std::size_t widest = 1;
  for (const Shape& shape : shapes(network)) {
    widest = std::max(widest, shape[0]);
  }
  return 1.5 / std::sqrt(static_cast<double>(widest));
}

TEST(Population, LossesAgreeWithTheReferenceForRandomNetworks) {
  const std::array<std::size_t, 7> counts{1, 3, 15, 16, 17, 64, 255};
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const Network network = random_network(rng);
    const Data data(network, counts[seed % counts.size()], rng);
    const std::size_t dimension = layout_of(network).dimension();
    const auto thetas = random_thetas<float>(3 * dimension, theta_scale(network), rng);
    const auto exact = as_doubles<float>(thetas);
    const auto doubles = std::vector<double>(exact);
    for (const Simd level : available_simd()) {
      Population<float> floats(network, level);
      Population<double> wide(network, level);
      for (const Loss loss : losses) {
        std::array<double, 3> found{};
        std::array<double, 3> found_wide{};
        floats.losses(thetas, data.view(), loss, found);
        wide.losses(doubles, data.view(), loss, found_wide);
        for (std::size_t b = 0; b < 3; ++b) {
          const double expected = reference_loss(
              network, std::span(exact).subspan(b * dimension, dimension), data.view(), loss);
          const double scale = 1.0 + std::abs(expected);
          EXPECT_NEAR(found[b], expected, 4e-6 * scale)
              << "seed " << seed << ", " << name_of(level) << ", " << name_of(loss);
          EXPECT_NEAR(found_wide[b], expected, 2e-14 * scale)
              << "seed " << seed << ", " << name_of(level) << ", " << name_of(loss);
        }
      }
    }
  }
}

// Central difference of the reference loss along one coordinate.
double difference(const Network& network,
                  std::vector<double> theta,
                  std::size_t p,
                  const BatchView& batch,
                  Loss loss) {
  constexpr double step = 1e-6;
  const double middle = theta[p];
  theta[p] = middle + step;
  const double above = reference_loss(network, theta, batch, loss);
  theta[p] = middle - step;
  return (above - reference_loss(network, theta, batch, loss)) / (2 * step);
}

TEST(Population, GradientsAgreeWithCentralDifferencesForRandomNetworks) {
  const std::array<std::size_t, 6> counts{1, 3, 15, 16, 17, 40};
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    Rng rng(seed);
    const Network network = random_network(rng);
    const Data data(network, counts[seed % counts.size()], rng);
    const std::size_t dimension = layout_of(network).dimension();
    const auto theta = random_thetas<double>(dimension, theta_scale(network), rng);
    const std::vector<float> narrow(theta.begin(), theta.end());
    for (const Loss loss : losses) {
      Population<double> widest(network);
      const Result<double> exact = evaluate(widest, theta, data.view(), loss);
      for (int trial = 0; trial < 6; ++trial) {
        const std::size_t p = rng.below(dimension);
        EXPECT_NEAR(exact.gradients[p], difference(network, theta, p, data.view(), loss), 2e-8)
            << "seed " << seed << ", " << name_of(loss) << ", coordinate " << p;
      }
      for (const Simd level : available_simd()) {
        Population<float> floats(network, level);
        Population<double> wide(network, level);
        const Result<float> found = evaluate(floats, narrow, data.view(), loss);
        const Result<double> found_wide = evaluate(wide, theta, data.view(), loss);
        for (std::size_t p = 0; p < dimension; ++p) {
          const double scale = 1.0 + std::abs(exact.gradients[p]);
          ASSERT_NEAR(found.gradients[p], exact.gradients[p], 1e-5 * scale)
              << "seed " << seed << ", " << name_of(level) << ", " << name_of(loss) << ", " << p;
          ASSERT_NEAR(found_wide.gradients[p], exact.gradients[p], 1e-13 * scale)
              << "seed " << seed << ", " << name_of(level) << ", " << name_of(loss) << ", " << p;
        }
      }
    }
  }
}

// Results of a theta must not depend on how many others are in the call, and so not on whether
// samples or thetas were in lanes, nor on the calls before.
template <class Real>
void expect_independence(const Network& network, Simd level, std::uint64_t seed) {
  Rng rng(seed);
  Population<Real> engine(network, level);
  const std::size_t dimension = engine.dimension();
  const std::array<std::size_t, 12> counts{1, 2, 3, 7, 8, 15, 16, 17, 31, 50, 63, 255};
  for (const std::size_t samples : counts) {
    const Data data(network, samples, rng);
    for (const Loss loss : losses) {
      const auto all = random_thetas<Real>(40 * dimension, theta_scale(network), rng);
      const Result<Real> together = evaluate(engine, all, data.view(), loss);
      std::vector<double> checked(40);
      engine.losses(all, data.view(), loss, checked);
      EXPECT_EQ(checked, together.losses) << name_of(level) << ", " << samples << " samples";
      for (const std::size_t population : {1u, 2u, 9u, 16u, 17u, 39u}) {
        const std::size_t first = rng.below(41 - population);
        const std::vector<Real> some(
            all.begin() + static_cast<std::ptrdiff_t>(first * dimension),
            all.begin() + static_cast<std::ptrdiff_t>((first + population) * dimension));
        const Result<Real> apart = evaluate(engine, some, data.view(), loss);
        EXPECT_TRUE(
            same_bits<double>(apart.losses, std::span(together.losses).subspan(first, population)))
            << name_of(level) << ", " << samples << " samples, " << population << " thetas";
        EXPECT_TRUE(same_bits<Real>(
            apart.gradients,
            std::span(together.gradients).subspan(first * dimension, population * dimension)))
            << name_of(level) << ", " << samples << " samples, " << population << " thetas";
      }
    }
  }
}

TEST(Population, ResultsOfAThetaDoNotDependOnTheOthers) {
  const std::vector<Network> networks{quadratic_network(),
                                      cubic_network(),
                                      perceptron({1, 4, 4, 1}, {relu}, true),
                                      perceptron({3, 7, 2}, {hyperbolic}, true),
                                      perceptron({2, 9, 5, 4, 3}, {sigmoid, relu}, false)};
  for (const Simd level : available_simd()) {
    for (std::size_t i = 0; i < networks.size(); ++i) {
      expect_independence<float>(networks[i], level, i);
      expect_independence<double>(networks[i], level, i);
    }
  }
}

TEST(Population, InstructionSetsAgreeToRounding) {
  for (const Network& network : {quadratic_network(), cubic_network()}) {
    Rng rng(5);
    const Data data(network, 300, rng);
    const std::size_t dimension = layout_of(network).dimension();
    const auto thetas = random_thetas<float>(4 * dimension, 1.0, rng);
    Population<float> plain(network, Simd::plain);
    const Result<float> expected = evaluate(plain, thetas, data.view(), Loss::absolute);
    for (const Simd level : available_simd()) {
      Population<float> engine(network, level);
      const Result<float> found = evaluate(engine, thetas, data.view(), Loss::absolute);
      for (std::size_t b = 0; b < 4; ++b) {
        EXPECT_NEAR(found.losses[b], expected.losses[b], 1e-7) << name_of(level);
      }
      for (std::size_t i = 0; i < thetas.size(); ++i) {
        EXPECT_NEAR(found.gradients[i], expected.gradients[i], 1e-6) << name_of(level);
      }
    }
  }
}

TEST(Population, LossOverTenThousandSamplesIsAccurate) {
  for (const Network& network : {quadratic_network(), cubic_network()}) {
    Rng rng(8);
    const Data data(network, 10000, rng);
    const auto theta = random_thetas<float>(layout_of(network).dimension(), 1.0, rng);
    const auto exact = as_doubles<float>(theta);
    for (const Simd level : available_simd()) {
      for (const Loss loss : {Loss::absolute, Loss::squared}) {
        Population<float> engine(network, level);
        double found = 0.0;
        engine.losses(theta, data.view(), loss, {&found, 1});
        const double expected = reference_loss(network, exact, data.view(), loss);
        EXPECT_NEAR(found, expected, 1.5e-7 * expected) << name_of(level) << ", " << name_of(loss);
      }
    }
  }
}

// The value of a function of one number, through a network 1 -> 1 with weight 1.
template <class Real>
std::vector<Real> values(const Layer& function, Simd level, const std::vector<float>& x) {
  Population<Real> engine(
      {.input = {1}, .layers = {Linear{.out_features = 1, .bias = false}, function}}, level);
  std::vector<Real> found(x.size());
  const std::array<Real, 1> one{1};
  engine.forward(one, {.count = x.size(), .inputs = x.data()}, found);
  return found;
}

TEST(Population, FunctionsAreAccurateToAFewUnitsInTheLastPlace) {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) {
    x.push_back(static_cast<float>(i) * 0.005f);
    x.push_back(static_cast<float>(i) * 1e-5f);
  }
  for (const Simd level : available_simd()) {
    const auto s = values<float>(sigmoid, level, x);
    const auto t = values<float>(hyperbolic, level, x);
    const auto wide_s = values<double>(sigmoid, level, x);
    const auto wide_t = values<double>(hyperbolic, level, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact_s = 1.0 / (1.0 + std::exp(-static_cast<double>(x[i])));
      const double exact_t = std::tanh(static_cast<double>(x[i]));
      // x log2(e) is rounded once, an error of |x| half units in 2^(x log2(e)).
      const double argument = 1.0 + std::abs(static_cast<double>(x[i]));
      ASSERT_NEAR(s[i], exact_s, 2.5e-7 * exact_s * argument) << name_of(level) << ", x = " << x[i];
      ASSERT_NEAR(t[i], exact_t, 3e-7 * std::abs(exact_t)) << name_of(level) << ", x = " << x[i];
      ASSERT_NEAR(wide_s[i], exact_s, 5e-16 * exact_s * argument) << "x = " << x[i];
      ASSERT_NEAR(wide_t[i], exact_t, 6e-16 * std::abs(exact_t)) << "x = " << x[i];
    }
  }
}

TEST(Population, FunctionsSaturateAndPassNaNOn) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x{-infinity, -1e30f, -200.0f, 200.0f, 1e30f, infinity, nan, -nan};
  for (const Simd level : available_simd()) {
    const auto s = values<float>(sigmoid, level, x);
    const auto t = values<float>(hyperbolic, level, x);
    const auto r = values<float>(relu, level, x);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LT(s[i], 1e-37f) << name_of(level);
      EXPECT_GE(s[i], 0.0f) << name_of(level);
      EXPECT_EQ(t[i], -1.0f) << name_of(level);
      EXPECT_EQ(r[i], 0.0f) << name_of(level);
      EXPECT_EQ(s[i + 3], 1.0f) << name_of(level);
      EXPECT_EQ(t[i + 3], 1.0f) << name_of(level);
      EXPECT_EQ(r[i + 3], x[i + 3]) << name_of(level);
    }
    for (std::size_t i = 6; i < 8; ++i) {
      EXPECT_TRUE(std::isnan(s[i]) && std::isnan(t[i]) && std::isnan(r[i])) << name_of(level);
    }
  }
}

TEST(Population, ANaNAmongTheWeightsMakesTheLossNaN) {
  // Payload bits must not be taken for an exponent.
  const float nan = std::bit_cast<float>(0x7fc01235u);
  for (const Network& network :
       {quadratic_network(), cubic_network(), perceptron({2, 3, 4}, {hyperbolic}, true)}) {
    Rng rng(3);
    const std::size_t dimension = layout_of(network).dimension();
    for (const std::size_t samples : {5u, 256u}) {
      const Data data(network, samples, rng);
      for (const Simd level : available_simd()) {
        Population<float> engine(network, level);
        for (std::size_t p = 0; p < dimension; ++p) {
          auto thetas = random_thetas<float>(20 * dimension, 1.0, rng);
          thetas[3 * dimension + p] = nan;
          for (const Loss loss : losses) {
            if (loss == Loss::cross_entropy && engine.outputs() == 1) {
              continue;  // the loss of a single class is 0, whatever its logit
            }
            const Result<float> found = evaluate(engine, thetas, data.view(), loss);
            for (std::size_t b = 0; b < 20; ++b) {
              ASSERT_EQ(std::isnan(found.losses[b]), b == 3)
                  << name_of(level) << ", " << name_of(loss) << ", parameter " << p;
            }
          }
        }
      }
    }
  }
}

TEST(Population, ForwardGivesTheOutputsOfTheReference) {
  Rng rng(11);
  const Network network = perceptron({3, 10, 6, 5}, {hyperbolic, sigmoid}, true);
  const Data data(network, 37, rng);
  const auto theta = random_thetas<float>(layout_of(network).dimension(), 0.7, rng);
  std::vector<double> expected(37 * 5);
  reference_forward(network, as_doubles<float>(theta), data.view(), expected);
  std::vector<float> found(37 * 5);
  const auto engine = make_population_engine(network);
  engine->forward(theta, data.view(), found);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-6);
  }
}

TEST(Population, EngineEqualsThePopulationBehindIt) {
  Rng rng(12);
  const Network network = cubic_network();
  const Data data(network, 100, rng);
  const auto engine = make_population_engine(network);
  Population<float> population(network);
  ASSERT_EQ(engine->dimension(), 33u);
  ASSERT_EQ(engine->outputs(), 1u);
  const auto thetas = random_thetas<float>(5 * 33, 1.0, rng);
  const Result<float> expected = evaluate(population, thetas, data.view(), Loss::squared);
  Result<float> found{std::vector<double>(5), std::vector<float>(5 * 33)};
  engine->losses_and_gradients(
      thetas, data.view(), Loss::squared, nullptr, found.losses, found.gradients);
  EXPECT_EQ(found.losses, expected.losses);
  EXPECT_EQ(found.gradients, expected.gradients);
  EXPECT_EQ(engine->preferred_population(10000), 1u);
  EXPECT_EQ(engine->preferred_population(4), population.lanes());
}

TEST(Population, AStepDownTheGradientLowersTheLoss) {
  Rng rng(13);
  const Network network = quadratic_network();
  const Data data(network, 256, rng);
  Population<float> engine(network);
  auto theta = random_thetas<float>(24, 1.0, rng);
  const Result<float> before = evaluate(engine, theta, data.view(), Loss::absolute);
  for (std::size_t i = 0; i < 24; ++i) {
    theta[i] -= 0.01f * before.gradients[i];
  }
  EXPECT_LT(evaluate(engine, theta, data.view(), Loss::absolute).losses[0], before.losses[0]);
}

template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(PopulationErrors, NetworksThatDoNotFitAreNamed) {
  EXPECT_NE(message_of([] {
              Population<float>(perceptron({1, 65, 1}, {sigmoid}, true));
            }).find("layer 0 has an input or output of 65 numbers, expected at most 64"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              Population<float>(perceptron({65, 2}, {}, true));
            }).find("65"),
            std::string::npos);
  EXPECT_EQ(message_of([] {
              Population<float>(perceptron({64, 64, 64}, {relu}, true));
            }),
            "no error");
  EXPECT_NE(message_of([] {
              Population<float>({.input = {1, 4, 4}, .layers = {Conv2d{.out_channels = 2}}});
            }).find("expected a multilayer perceptron"),
            std::string::npos);
  EXPECT_NE(
      message_of([] { Population<float>({.input = {3}, .layers = {relu}}); }).find("no parameters"),
      std::string::npos);
}

TEST(PopulationErrors, ArgumentsThatDoNotFitAreNamed) {
  Rng rng(1);
  const Network network = perceptron({2, 3, 2}, {sigmoid}, true);
  Data data(network, 4, rng);
  Population<float> engine(network);
  const std::vector<float> theta(engine.dimension());
  std::vector<float> gradient(engine.dimension());
  double loss = 0.0;
  EXPECT_NE(message_of([&] {
              engine.losses(std::span(theta).first(3), data.view(), Loss::absolute, {&loss, 1});
            }).find("expected 17 numbers in thetas, got 3"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              engine.losses_and_gradients(
                  theta, data.view(), Loss::absolute, {&loss, 1}, std::span(gradient).first(5));
            }).find("in gradients, got 5"),
            std::string::npos);
  BatchView empty = data.view();
  empty.count = 0;
  EXPECT_NE(message_of([&] {
              engine.losses(theta, empty, Loss::absolute, {&loss, 1});
            }).find("at least one sample"),
            std::string::npos);
  BatchView unlabelled = data.view();
  unlabelled.labels = nullptr;
  EXPECT_NE(message_of([&] {
              engine.losses(theta, unlabelled, Loss::cross_entropy, {&loss, 1});
            }).find("labels"),
            std::string::npos);
  data.labels[2] = 2;
  EXPECT_NE(message_of([&] {
              engine.losses(theta, data.view(), Loss::cross_entropy, {&loss, 1});
            }).find("expected labels in [0, 2), sample 2 has 2"),
            std::string::npos);
}

class SimdVariable : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("ISTHMUS_SIMD")) {
      before_ = value;
    }
  }
  void TearDown() override { setenv("ISTHMUS_SIMD", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST_F(SimdVariable, NamesTheInstructionSet) {
  for (const Simd level : available_simd()) {
    setenv("ISTHMUS_SIMD", std::string(name_of(level)).c_str(), 1);
    EXPECT_EQ(population::chosen_simd(), level);
  }
  setenv("ISTHMUS_SIMD", "", 1);
  EXPECT_EQ(population::chosen_simd(), available_simd().back());
}

TEST_F(SimdVariable, OfAnUnknownSetIsAnError) {
  setenv("ISTHMUS_SIMD", "sse9", 1);
  const std::string message = message_of([] { population::chosen_simd(); });
  EXPECT_NE(message.find("ISTHMUS_SIMD: expected one of plain"), std::string::npos) << message;
  EXPECT_NE(message.find("got 'sse9'"), std::string::npos) << message;
}

}  // namespace
}  // namespace isthmus
