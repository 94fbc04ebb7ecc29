// SPDX-License-Identifier: MIT
#include "isthmus/certify/enclosure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isthmus/certify/kernels.h"

namespace isthmus {
namespace {

// One network between two weights, everything at hand.
struct Setting {
  explicit Setting(const Network& network, std::vector<float> from, std::vector<float> to)
      : steps(steps_of(network)),
        a(std::move(from)),
        b(std::move(to)),
        weights(steps, a, b, false),
        enclosure(steps) {
    for (std::size_t step = 0; step < steps.size(); ++step) {
      const bool linear = steps[step].kind == Step::Kind::linear;
      at_a.emplace_back();
      at_b.emplace_back();
      changes.emplace_back();
      if (linear) {
        weights.fill(0.0, step, 0, at_a.back());
        weights.fill(1.0, step, 0, at_b.back());
        weights.fill(0.0, 1.0, step, 0, changes.back());
      }
    }
    for (std::size_t step = 0; step < steps.size(); ++step) {
      between.left.push_back(&at_a[step]);
      between.right.push_back(&at_b[step]);
      between.change.push_back(&changes[step]);
      between.norms.push_back(steps[step].kind == Step::Kind::linear ? &weights.norms(step, 0)
                                                                     : nullptr);
    }
  }

  // `known`: as where the values of the first linear step are kept.
  Deviation enclose(const Rows& inputs, double largest_input, bool known) {
    enclosure.forward(inputs, between.left, steps.size(), left);
    enclosure.forward(inputs, between.right, steps.size(), right);
    if (known) {
      const std::size_t first = first_linear(steps);
      for (EndValues* end : {&left, &right}) {
        EndValues kept;
        kept.values.resize(steps.size());
        kept.values[first] = end->values[first];
        enclosure.forward_from(first, end == &left ? between.left : between.right, kept);
        *end = std::move(kept);
      }
    }
    Deviation deviation;
    enclosure.enclose(left, right, between, largest_input, deviation);
    return deviation;
  }

  std::vector<Step> steps;
  std::vector<float> a;
  std::vector<float> b;
  SegmentWeights weights;
  Enclosure enclosure;
  std::vector<StepWeights> at_a;
  std::vector<StepWeights> at_b;
  std::vector<StepChange> changes;
  IntervalWeights between;
  EndValues left;
  EndValues right;
};

Rows constant_rows(std::size_t count, double value) {
  Lanes row{};
  row.at.fill(value);
  return Rows(count, row);
}

// What is computed before the first linear step is not at hand where that step's values are kept.
TEST(Enclosure, TheRadiusDoesNotDependOnWhatIsKept) {
  const Network network{{1, 4, 4},
                        {Pool2d{.kind = Pool2d::Kind::max, .kernel = 2, .stride = 2},
                         Flatten{},
                         Linear{.out_features = 1, .bias = false}}};
  const std::vector<float> theta{1.0F, -1.0F, 1.0F, -1.0F};
  Setting setting(network, theta, theta);
  const Rows inputs = constant_rows(16, 1000.0);
  const Deviation all = setting.enclose(inputs, 1000.0, false);
  const Deviation kept = setting.enclose(inputs, 1000.0, true);
  EXPECT_EQ(all.radius, kept.radius);
  EXPECT_GE(kept.radius, 0x1p-53 * 4000.0);
}

// 3969 additions of one number round the same way for long.
TEST(Enclosure, TheRadiusCoversTheMeanOfAWideWindow) {
  const Network network{{1, 63, 63},
                        {Pool2d{.kind = Pool2d::Kind::average, .kernel = 63, .stride = 63},
                         Flatten{},
                         Linear{.out_features = 1, .bias = false}}};
  const std::vector<float> theta{1.0F};
  Setting setting(network, theta, theta);
  double furthest = 0.0;
  for (const float value : {0.1F, 0.3F, 0.7F, 0.9F, 0.55F}) {
    const double mean = static_cast<double>(value);
    const Deviation deviation = setting.enclose(constant_rows(3969, mean), mean, false);
    const double off = std::abs(setting.left.values.back()[0][0] - mean);
    EXPECT_LE(off, deviation.radius) << value;
    furthest = std::max(furthest, off / mean);
  }
  EXPECT_GT(furthest, 100.0 * 0x1p-53);
}

// Weights of 3e38 in eight layers: units that are off at both ends and, for all that is known, huge
// in between. What overflows must not come back as a small number.
TEST(Enclosure, DeviationsThatOverflowGiveNoFiniteRadius) {
  Network network{{1}, {}};
  std::vector<float> from;
  std::vector<float> to;
  const auto layer = [&](float a, float b) {
    if (!from.empty()) {
      network.layers.emplace_back(Activation{Activation::Kind::relu});
    }
    network.layers.emplace_back(Linear{.out_features = 1, .bias = false});
    from.push_back(a);
    to.push_back(b);
  };
  layer(-1.0F, 1.0F);
  layer(1.0F, -1.0F);
  for (int k = 0; k < 8; ++k) {
    layer(3e38F, 3e38F);
  }
  for (int k = 0; k < 3; ++k) {
    layer(1.0F, 1.0F);
  }
  layer(1e-30F, 1e-30F);
  Setting setting(network, from, to);
  EXPECT_FALSE(std::isfinite(setting.enclose(constant_rows(1, 1.0), 1.0, false).radius));
}

TEST(Enclosure, NormsAreNotBelowTheExactSums) {
  std::vector<float> theta(4097, 0x1p-54F);
  theta[0] = 1.0F;
  const Setting setting({{4097}, {Linear{.out_features = 1, .bias = false}}}, theta, theta);
  EXPECT_GE(setting.between.norms[0]->weights, 1.0 + 0x1p-42);
}

// Two layers whose outputs cancel: rounding of the first is carried on, and that of the second
// counts all terms.
TEST(Enclosure, TheRadiusCarriesEarlierRounding) {
  const Network network{
      {2}, {Linear{.out_features = 2, .bias = false}, Linear{.out_features = 1, .bias = false}}};
  const std::vector<float> theta{1.0F, -1.0F, 1.0F, -1.0F, 1e6F, -1e6F};
  Setting setting(network, theta, theta);
  const Deviation deviation = setting.enclose(constant_rows(2, 1.0), 1.0, false);
  EXPECT_GE(deviation.radius, 2e6 * 0x1p-53 * 2.0);
  const std::vector<float> second{1.0F, 0.0F, 0.0F, 1.0F, 1e6F, -1e6F};
  Setting other(network, second, second);
  EXPECT_GE(other.enclose(constant_rows(2, 1.0), 1.0, false).radius, 2e6 * 0x1p-53 * 3.0);
}

// A chord that turns: rounding of the deviation itself.
TEST(Enclosure, DeviationsAreRoundedOutwards) {
  const Network network{
      {1}, {Linear{.out_features = 1, .bias = false}, Linear{.out_features = 1, .bias = false}}};
  Setting setting(network, {1.0F, 1.0F}, {2.0F, 3.0F});
  const Deviation deviation = setting.enclose(constant_rows(1, 1.0), 1.0, false);
  // (1 + s) (1 + 2 s) = 1 + 5 s - 2 s (1 - s)
  EXPECT_LE(deviation.low[0][0], -2.0 - 0x1p-52);
  EXPECT_GE(deviation.high[0][0], -2.0 + 0x1p-52);
  EXPECT_LE(deviation.high[0][0] - deviation.low[0][0], 1e-12);
}

// Three weights that multiply: (1 + s)(1 + 2 s) = 1 + 5 s - 2 q, times a third.
TEST(Enclosure, TheDeviationOfAProductOfWeights) {
  const Linear one{.out_features = 1, .bias = false};
  const Network network{{1}, {one, one, one}};
  const Rows inputs = constant_rows(1, 1.0);
  Setting rising(network, {1.0F, 1.0F, 1.0F}, {2.0F, 3.0F, 4.0F});
  const Deviation up = rising.enclose(inputs, 1.0, false);
  EXPECT_NEAR(up.low[0][0], -15.0 - 8.0, 1e-11);  // -D dh + W1 m
  EXPECT_NEAR(up.high[0][0], -15.0 - 2.0, 1e-11);
  Setting falling(network, {1.0F, 1.0F, 4.0F}, {2.0F, 3.0F, 1.0F});
  const Deviation down = falling.enclose(inputs, 1.0, false);
  EXPECT_NEAR(down.low[0][0], 15.0 - 8.0, 1e-11);
  EXPECT_NEAR(down.high[0][0], 15.0 - 2.0, 1e-11);
}

// Bounds around 0 have no middle, but reach both ways; one lane counts for all.
TEST(Enclosure, SymmetricBoundsAreNotZero) {
  for (const Kernels* loops : {&kernels(), &plain_kernels()}) {
    const Lanes none{};
    Lanes low{};
    Lanes high{};
    low[5] = -1.0;
    high[5] = 1.0;
    Lanes change;
    Lanes center;
    Lanes spread;
    EXPECT_FALSE(loops->prepare(none, none, low, high, change, center, spread).bounds);
    EXPECT_EQ(spread[5], 1.0);
    EXPECT_TRUE(loops->prepare(none, none, none, none, change, center, spread).bounds);
  }
}

// relu(2 s - 1) deviates by [-2, -1]: center -1.5, spread 0.5.
TEST(Enclosure, TheDeviationBehindAKink) {
  const Linear one{.out_features = 1, .bias = false};
  const Network network{{1}, {one, Activation{Activation::Kind::relu}, one}};
  for (const bool rises : {true, false}) {
    Setting setting(network, {-1.0F, rises ? 0.0F : 4.0F}, {1.0F, rises ? 4.0F : 0.0F});
    const Deviation deviation = setting.enclose(constant_rows(1, 1.0), 1.0, false);
    const double bend = rises ? -4.0 : 4.0;
    EXPECT_NEAR(deviation.low[0][0], bend - 6.0 - 2.0, 1e-11);
    EXPECT_NEAR(deviation.high[0][0], bend + 2.0, 1e-11);
  }
}

TEST(Enclosure, TheRadiusThroughSigmoidAndTanh) {
  const Linear one{.out_features = 1, .bias = false};
  const std::vector<float> theta{1e6F, -1e6F};
  const Rows inputs = constant_rows(2, 1.0);
  Setting plain({{2}, {one}}, theta, theta);
  const double radius = plain.enclose(inputs, 1.0, false).radius;
  Setting tanh({{2}, {one, Activation{Activation::Kind::tanh}}}, theta, theta);
  EXPECT_GE(tanh.enclose(inputs, 1.0, false).radius, radius);
  Setting sigmoid({{2}, {one, Activation{Activation::Kind::sigmoid}}}, theta, theta);
  EXPECT_GE(sigmoid.enclose(inputs, 1.0, false).radius, 0.25 * radius);
  EXPECT_LE(sigmoid.enclose(inputs, 1.0, false).radius, 0.26 * radius);
  const std::vector<float> zeros{0.0F, 0.0F};
  for (const Activation::Kind kind : {Activation::Kind::sigmoid, Activation::Kind::tanh}) {
    Setting at_zero({{2}, {one, Activation{kind}}}, zeros, zeros);
    EXPECT_GE(at_zero.enclose(inputs, 1.0, false).radius, 0x1p-49);
  }
}

TEST(Enclosure, AveragesOfDeviationsAreRoundedOutwards) {
  const Conv2d conv{.out_channels = 1, .kernel = 1, .bias = false};
  const Network network{
      {1, 63, 63}, {conv, conv, Pool2d{.kind = Pool2d::Kind::average, .kernel = 63, .stride = 63}}};
  Setting setting(network, {1.0F, 1.0F}, {2.0F, 3.0F});
  for (const double value : {0.1, 0.3, 0.7, 0.9, 0.55}) {
    const Deviation deviation = setting.enclose(constant_rows(3969, value), value, false);
    EXPECT_LE(deviation.low[0][0], -2.0 * value);
    EXPECT_GE(deviation.high[0][0], -2.0 * value);
  }
}

}  // namespace
}  // namespace isthmus
