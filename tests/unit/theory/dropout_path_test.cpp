// SPDX-License-Identifier: MIT
// Paths between networks that can do with half of their units.
#include "isthmus/theory/dropout_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

std::vector<float> random_theta(const Perceptron& network, std::uint64_t seed) {
  Rng random(seed);
  std::vector<float> theta(network.dimension());
  std::ranges::generate(theta, [&] { return float(random.normal()); });
  return theta;
}

// The library's oldest code, in double, at t between two nodes.
class Loss1 {
 public:
  explicit Loss1(const Perceptron& network) {
    network_.input = {network.widths.front()};
    for (std::size_t k = 1; k < network.widths.size(); ++k) {
      network_.layers.emplace_back(
          Linear{.out_features = network.widths[k], .bias = network.biases});
      if (k + 1 < network.widths.size()) {
        network_.layers.emplace_back(Activation{Activation::Kind::relu});
      }
    }
    Rng random(5);
    inputs_.resize(20 * network.widths.front());
    labels_.resize(20);
    std::ranges::generate(inputs_, [&] { return float(random.normal()); });
    std::ranges::generate(labels_, [&] { return int(random.below(network.widths.back())); });
  }
  double operator()(const std::vector<float>& points,
                    std::size_t p,
                    std::size_t k,
                    double t) const {
    std::vector<double> theta(p);
    for (std::size_t i = 0; i < p; ++i) {
      theta[i] = (1.0 - t) * points[k * p + i] + t * points[(k + 1) * p + i];
    }
    const BatchView batch{.count = 20, .inputs = inputs_.data(), .labels = labels_.data()};
    return reference_loss(network_, theta, batch, Loss::cross_entropy);
  }

 private:
  Network network_;
  std::vector<float> inputs_;
  std::vector<std::int32_t> labels_;
};

const Perceptron shapes[] = {{{3, 4, 2}, true},
                             {{3, 5, 6, 3}, true},
                             {{2, 4, 7, 2}, false},
                             {{2, 3, 2}, false},
                             {{3, 5, 4, 7, 2}, true},
                             {{2, 4, 2, 3, 5, 3}, true},
                             {{3, 6, 5, 4, 6, 3, 2}, false}};

TEST(DropoutPath, JoinsWithinTheLossesOfItsDecidingNodes) {
  for (const Perceptron& network : shapes) {
    const std::size_t p = network.dimension();
    const std::vector<float> a = random_theta(network, 1);
    const std::vector<float> b = random_theta(network, 2);
    const DropoutPath path = connect_dropout(network, a, b, random_halves(network, 3, 0), 2.0, 1.5);
    const std::size_t hidden = network.widths.size() - 2;
    const std::size_t pieces = 4 * hidden + 1;
    ASSERT_EQ(path.deciding.size(), 2 * hidden + 2);
    ASSERT_EQ(path.names.size(), pieces);
    ASSERT_EQ(path.points.size(), (pieces + 1) * p);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), path.points.begin()));
    EXPECT_TRUE(std::equal(b.begin(), b.end(), path.points.end() - std::ptrdiff_t(p)));
    const Loss1 loss(network);
    double bound = 0.0;
    for (const std::size_t node : path.deciding) {
      bound = std::max(
          bound,
          node < pieces ? loss(path.points, p, node, 0.0) : loss(path.points, p, node - 1, 1.0));
    }
    for (std::size_t k = 0; k < pieces; ++k) {
      for (int i = 0; i <= 10; ++i) {
        EXPECT_LE(loss(path.points, p, k, i / 10.0), bound * (1.0 + 1e-12)) << path.names[k];
      }
    }
  }
}

// All pieces but those of the output keep the loss.
TEST(DropoutPath, OnlyTheOutputChangesTheLoss) {
  for (const Perceptron& network : shapes) {
    const std::size_t p = network.dimension();
    const DropoutPath path = connect_dropout(network,
                                             random_theta(network, 1),
                                             random_theta(network, 2),
                                             random_halves(network, 3, 1),
                                             2.0,
                                             2.0);
    const Loss1 loss(network);
    for (std::size_t k = 0; k < path.names.size(); ++k) {
      if (path.names[k].find("output") == std::string::npos) {
        const double first = loss(path.points, p, k, 0.0);
        EXPECT_NEAR(loss(path.points, p, k, 0.37), first, 1e-12 * (1.0 + first)) << path.names[k];
        EXPECT_NEAR(loss(path.points, p, k, 1.0), first, 1e-12 * (1.0 + first)) << path.names[k];
      }
    }
  }
}

// Where every unit of a layer is the same, half of them twice as strong are the same network, layer
// after layer: all nodes have the loss of their end.
TEST(DropoutPath, EqualUnitsLoseNothing) {
  const Perceptron network{{3, 4, 6, 4, 2}, true};
  const std::size_t p = network.dimension();
  // One row for all units of the first layer, one number for all weights behind it, but that each
  // output has its own.
  const auto equal_units = [&](std::uint64_t seed) {
    Rng random(seed);
    std::vector<float> theta;
    for (std::size_t k = 1; k < network.widths.size(); ++k) {
      std::vector<float> numbers(std::max(network.widths[k], network.widths[k - 1]));
      std::ranges::generate(numbers, [&] { return float(std::abs(random.normal())); });
      for (std::size_t i = 0; i < network.widths[k]; ++i) {
        for (std::size_t j = 0; j < network.widths[k - 1]; ++j) {
          theta.push_back(k == 1 ? numbers[j] : k == 4 ? numbers[i] : numbers[0]);
        }
      }
      theta.insert(theta.end(), network.widths[k], float(random.normal()));
    }
    return theta;
  };
  const DropoutPath path = connect_dropout(
      network, equal_units(1), equal_units(2), random_halves(network, 3, 0), 2.0, 2.0);
  const Loss1 loss(network);
  const double at_a = loss(path.points, p, 0, 0.0);
  const double at_b = loss(path.points, p, path.names.size() - 1, 1.0);
  EXPECT_GT(std::abs(at_a - at_b), 1e-3);
  for (std::size_t k = 0; k < 7; ++k) {
    EXPECT_NEAR(loss(path.points, p, k, 0.0), at_a, 1e-6 * at_a) << path.names[k];
    EXPECT_NEAR(loss(path.points, p, 6 + k, 1.0), at_b, 1e-6 * at_b) << path.names[6 + k];
  }
}

TEST(DropoutPath, RefusesWhatItWasNotBuiltFor) {
  const Perceptron network{{3, 4, 2}, true};
  const std::vector<float> a = random_theta(network, 1);
  const DropoutHalves halves = random_halves(network, 3, 0);
  const auto refuse = [&](const std::string& part, const auto& call) {
    try {
      call();
      ADD_FAILURE() << "expected a refusal with: " << part;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refuse("at least one hidden layer", [&] {
    const Perceptron flat{{3, 2}, true};
    const std::vector<float> c = random_theta(flat, 1);
    connect_dropout(flat, c, c, random_halves(flat, 1, 0), 2.0, 2.0);
  });
  refuse("expected 26 numbers each, got 26 and 25",
         [&] { connect_dropout(network, a, std::span(a).first(25), halves, 2.0, 2.0); });
  refuse("got NaN", [&] {
    std::vector<float> c = a;
    c[5] = std::numeric_limits<float>::quiet_NaN();
    connect_dropout(network, a, c, halves, 2.0, 2.0);
  });
  refuse("two disjoint halves",
         [&] { connect_dropout(network, a, a, {.a = halves.a, .b = halves.a}, 2.0, 2.0); });
  refuse("two at least", [&] {
    const Perceptron thin{{3, 1, 2}, true};
    const std::vector<float> c = random_theta(thin, 1);
    connect_dropout(thin, c, c, random_halves(thin, 1, 0), 2.0, 2.0);
  });
  refuse("factors", [&] { connect_dropout(network, a, a, halves, 2.0, std::nan("")); });
}

}  // namespace
}  // namespace isthmus
