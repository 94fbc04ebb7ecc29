// SPDX-License-Identifier: MIT
#include "isthmus/certify/exact.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/network.h"

namespace isthmus {
namespace {

using Values = std::vector<double>;

// A segment with its samples. The data are floats, so that the reference can read them.
struct Segment {
  ReluNetwork network;
  std::vector<float> float_inputs;
  std::vector<float> float_targets;
  Values inputs;
  Values targets;
  Values from;
  Values to;

  LossMaximum maximum(Loss loss) const {
    return maximum_on_segment(network, {inputs, targets}, loss, from, to);
  }

  // By the definition, sample by sample, in the library's oldest code.
  double loss_at(double t, Loss loss) const {
    Values theta(from.size());
    for (std::size_t k = 0; k < theta.size(); ++k) {
      theta[k] = (1.0 - t) * from[k] + t * to[k];
    }
    const Network reference{{network.inputs},
                            {Linear{.out_features = network.hidden, .bias = network.biases},
                             Activation{Activation::Kind::relu},
                             Linear{.out_features = network.outputs, .bias = network.biases}}};
    const BatchView batch{.count = targets.size() / network.outputs,
                          .inputs = float_inputs.data(),
                          .targets = float_targets.data()};
    return reference_loss(reference, theta, batch, loss);
  }

  double sampled_maximum(Loss loss, int points) const {
    double largest = 0.0;
    for (int k = 0; k < points; ++k) {
      largest = std::max(largest, loss_at(static_cast<double>(k) / (points - 1), loss));
    }
    return largest;
  }
};

Segment make_segment(const ReluNetwork& network,
                     const Values& inputs,
                     const Values& targets,
                     const Values& from,
                     const Values& to) {
  return {network,
          {inputs.begin(), inputs.end()},
          {targets.begin(), targets.end()},
          inputs,
          targets,
          from,
          to};
}

Segment random_segment(std::uint64_t seed) {
  Rng rng(seed, stream_name({0x736567U}));
  const ReluNetwork network{.inputs = 1 + rng.below(3),
                            .hidden = 1 + rng.below(8),
                            .outputs = 1 + rng.below(3),
                            .biases = rng.below(2) == 0};
  const auto draw = [&rng](std::size_t count) {
    Values values(count);
    for (double& value : values) {
      value = static_cast<float>(rng.normal());
    }
    return values;
  };
  const std::size_t samples = 1 + rng.below(25);
  const Values inputs = draw(samples * network.inputs);
  const Values targets = draw(samples * network.outputs);
  const Values from = draw(network.dimension());
  return make_segment(network, inputs, targets, from, draw(network.dimension()));
}

void expect_encloses(const LossMaximum& found, double value, double tolerance) {
  EXPECT_LE(found.lower, value + tolerance);
  EXPECT_GE(found.upper, value - tolerance);
  EXPECT_LE(found.upper - found.lower, tolerance);
}

TEST(ExactMaximum, AgreesWithDenseSampling) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const Segment segment = random_segment(seed);
    for (const Loss loss : {Loss::squared, Loss::absolute}) {
      const LossMaximum found = segment.maximum(loss);
      const double sampled = segment.sampled_maximum(loss, 20001);
      const double rounding = 1e-11 * (1.0 + found.upper);
      EXPECT_GE(found.upper, sampled - rounding);
      EXPECT_LE(found.upper - found.lower, rounding);
      EXPECT_LE(found.upper, sampled + 1e-5 * (1.0 + sampled)) << "and not far above";
      EXPECT_NEAR(segment.loss_at(found.t, loss), found.lower, rounding);
    }
  }
}

TEST(ExactMaximum, IsNeverBelowASample) {
  for (std::uint64_t seed = 100; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    const Segment segment = random_segment(seed);
    for (const Loss loss : {Loss::squared, Loss::absolute}) {
      const LossMaximum found = segment.maximum(loss);
      const double rounding = 1e-11 * (1.0 + found.upper);
      EXPECT_GE(found.upper, segment.sampled_maximum(loss, 101) * (1.0 - 1e-13));
      EXPECT_NEAR(segment.loss_at(found.t, loss), found.lower, rounding);
      EXPECT_LE(found.upper - found.lower, rounding);
    }
  }
}

TEST(ExactMaximum, KnowsSmallCases) {
  const ReluNetwork one{.inputs = 1, .hidden = 1, .outputs = 1, .biases = false};
  // f = t (1 - t)
  const Segment product = make_segment(one, {1}, {0}, {0, 1}, {1, 0});
  expect_encloses(product.maximum(Loss::squared), 1.0 / 16.0, 1e-13);
  EXPECT_NEAR(product.maximum(Loss::squared).t, 0.5, 1e-6);
  expect_encloses(product.maximum(Loss::absolute), 0.25, 1e-13);
  // t (1 - t) - 3/16 is 0 at 1/4 and 3/4, and -3/16 at the ends.
  const Segment crossing = make_segment(one, {1}, {3.0 / 16.0}, {0, 1}, {1, 0});
  expect_encloses(crossing.maximum(Loss::absolute), 3.0 / 16.0, 1e-13);
  // A double zero: t (1 - t) - 1/4.
  const Segment touching = make_segment(one, {1}, {0.25}, {0, 1}, {1, 0});
  expect_encloses(touching.maximum(Loss::absolute), 0.25, 1e-13);
  // f = (1 - 2 t) relu(2 t - 1)
  const Segment kink = make_segment(one, {1}, {0}, {-1, 1}, {1, -1});
  expect_encloses(kink.maximum(Loss::squared), 1.0, 1e-12);
  EXPECT_EQ(kink.maximum(Loss::squared).t, 1.0);
}

TEST(ExactMaximum, AtEqualEnds) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Segment segment = random_segment(seed);
    segment.to = segment.from;
    for (const Loss loss : {Loss::squared, Loss::absolute}) {
      expect_encloses(segment.maximum(loss), segment.loss_at(0.0, loss), 1e-11);
    }
  }
}

TEST(ExactMaximum, WithKinksAtTheEnds) {
  const ReluNetwork one{.inputs = 1, .hidden = 1, .outputs = 1, .biases = false};
  for (const Loss loss : {Loss::squared, Loss::absolute}) {
    expect_encloses(make_segment(one, {1}, {0}, {0, 1}, {1, 1}).maximum(loss), 1.0, 1e-12);
    expect_encloses(make_segment(one, {1}, {0}, {1, 1}, {0, 1}).maximum(loss), 1.0, 1e-12);
    expect_encloses(make_segment(one, {1}, {1}, {0, 1}, {-1, 1}).maximum(loss), 1.0, 1e-12);
    expect_encloses(make_segment(one, {1}, {1}, {-1, 1}, {0, 1}).maximum(loss), 1.0, 1e-12);
    expect_encloses(make_segment(one, {0}, {2}, {-1, 1}, {1, 1}).maximum(loss),
                    loss == Loss::squared ? 4.0 : 2.0,
                    1e-13);
    expect_encloses(make_segment(one, {1}, {0}, {0, 0}, {0, 0}).maximum(loss), 0.0, 1e-100);
  }
}

TEST(ExactMaximum, SeesAPeakThatAGridMisses) {
  // A tent of height 1 and width 0.002 around t = 0.50125, from three units whose biases move.
  const double top = 0.50125;
  const double half = 1e-3;
  const ReluNetwork network{.inputs = 1, .hidden = 3, .outputs = 1, .biases = true};
  const Values from{0, 0, 0, half - top, -top, -half - top, 1 / half, -2 / half, 1 / half, 0};
  Values to = from;
  for (std::size_t k = 3; k < 6; ++k) {
    to[k] += 1.0;
  }
  const Segment segment = make_segment(network, {0}, {0}, from, to);
  EXPECT_LT(segment.sampled_maximum(Loss::squared, 401), 1e-6);
  expect_encloses(segment.maximum(Loss::squared), 1.0, 1e-7);
  EXPECT_NEAR(segment.maximum(Loss::squared).t, top, 1e-8);
  expect_encloses(segment.maximum(Loss::absolute), 1.0, 1e-7);
}

TEST(ExactMaximum, OfAPath) {
  const ReluNetwork one{.inputs = 1, .hidden = 1, .outputs = 1, .biases = false};
  const Values inputs{1};
  const Values targets{0};
  const Values path{0, 1, 0, 4, 4, 0, 1, 0};  // 16 t (1 - t) on the second segment
  const LossMaximum found = maximum_on_path(one, {inputs, targets}, Loss::absolute, path);
  expect_encloses(found, 4.0, 1e-12);
  EXPECT_EQ(found.segment, 1u);
  EXPECT_NEAR(found.t, 0.5, 1e-6);
}

// The loss t^2 and the line |1 - 2 t|: together 1 at 0, 1/4 at the kink, 2 at 1.
TEST(ExactMaximum, AddsLines) {
  const ReluNetwork one{.inputs = 1, .hidden = 1, .outputs = 1, .biases = false};
  const Values input{1};
  const Values target{0};
  const auto maximum =
      [&](const Values& from, const Values& to, const std::vector<AddedLine>& lines) {
        return maximum_on_segment(one, {input, target}, Loss::squared, from, to, lines);
      };
  const std::vector<AddedLine> kink{{0.0, Interval(1.0), Interval(-2.0)},
                                    {0.5, Interval(-1.0), Interval(2.0)}};
  expect_encloses(maximum({1, 0}, {1, 1}, kink), 2.0, 1e-12);
  EXPECT_EQ(maximum({1, 0}, {1, 1}, kink).t, 1.0);
  // (1 - t)^2 / 4 + that is 1.25 at 0.
  expect_encloses(maximum({1, 0.5}, {1, 0}, kink), 1.25, 1e-12);
  EXPECT_THROW(maximum({1, 0}, {1, 1}, {kink[1], kink[0]}), UsageError);
  EXPECT_THROW(maximum({1, 0}, {1, 1}, {{0.0, Interval(std::nan("")), Interval(0.0)}}), UsageError);
}

TEST(ExactMaximum, RefusesWhatDoesNotFit) {
  const Segment good = random_segment(1);
  const auto refused = [](const Segment& segment, Loss loss = Loss::squared) {
    EXPECT_THROW(segment.maximum(loss), UsageError);
  };
  refused(good, Loss::cross_entropy);
  for (Values Segment::*const member :
       {&Segment::inputs, &Segment::targets, &Segment::from, &Segment::to}) {
    Segment bad = good;
    (bad.*member).push_back(1.0);
    if (member != &Segment::targets || good.network.outputs > 1) {
      refused(bad);
    }
    for (const double number : {std::nan(""), HUGE_VAL, 1e31}) {
      bad = good;
      (bad.*member).back() = number;
      refused(bad);
    }
  }
  Segment empty = good;
  empty.inputs.clear();
  empty.targets.clear();
  refused(empty);
  EXPECT_THROW(maximum_on_path(good.network, {good.inputs, good.targets}, Loss::squared, good.from),
               UsageError);
}

TEST(Intervals, ContainEveryResult) {
  Rng rng(3, 4);
  for (int k = 0; k < 100000; ++k) {
    const double scale = std::ldexp(1.0, static_cast<int>(rng.below(80)) - 40);
    const double a = scale * rng.normal();
    const double b = rng.normal();
    // long double has eleven bits more.
    const auto contains = [](Interval interval, long double value) {
      return static_cast<long double>(interval.low) <= value &&
             value <= static_cast<long double>(interval.high);
    };
    const auto x = static_cast<long double>(a);
    const auto y = static_cast<long double>(b);
    EXPECT_TRUE(contains(Interval(a) + Interval(b), x + y));
    EXPECT_TRUE(contains(Interval(a) - Interval(b), x - y));
    EXPECT_TRUE(contains(Interval(a) * Interval(b), x * y));
    EXPECT_TRUE(contains(Interval(a) / Interval(b), x / y));
    EXPECT_TRUE(contains(square(a), x * x));
    EXPECT_TRUE(contains(sqrt(std::abs(a)), std::sqrt(std::abs(x))));
  }
  EXPECT_EQ(square(Interval(-1.0, 2.0)).low, 0.0);
  EXPECT_FALSE((Interval(1.0) / Interval(-1.0, 1.0)).finite());
  const Interval product = Interval(-1.0, 2.0) * Interval(-3.0, 1.0);
  EXPECT_NEAR(product.low, -6.0, 1e-14);
  EXPECT_NEAR(product.high, 3.0, 1e-14);
}

}  // namespace
}  // namespace isthmus
