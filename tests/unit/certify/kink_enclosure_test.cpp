// SPDX-License-Identifier: MIT
#include "isthmus/certify/kink_enclosure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "isthmus/certify/kink_pieces.h"
#include "isthmus/certify/rounding.h"
#include "isthmus/certify/segment_run.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"
#include "isthmus/objective/network_objective.h"

namespace isthmus {
namespace {

TEST(KinkProducts, AreSumsOfProducts) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed, 1);
    const std::size_t inputs = 1 + rng.below(20);
    const std::size_t outputs = 1 + rng.below(20);
    const std::size_t width = 1 + rng.below(40);
    const std::size_t stride = width + kink_margin;
    std::vector<std::uint32_t> rows;
    std::vector<std::uint32_t> columns;
    std::vector<double> weights(inputs * outputs);
    for (double& weight : weights) {
      weight = rng.normal();
    }
    for (std::uint32_t i = 0; i < outputs; ++i) {
      if (i == 0 || rng.below(2) == 0) {
        rows.push_back(i);
      }
    }
    for (std::uint32_t i = 0; i < inputs; ++i) {
      if (rng.below(2) == 0) {
        columns.push_back(i);
      }
    }
    std::vector<double> in(columns.size() * stride + kink_margin);
    for (double& number : in) {
      number = rng.normal();
    }
    std::vector<double> out(rows.size() * stride + kink_margin, 7.0);
    multiply_picked({weights.data(), inputs, rows, columns}, in.data(), out.data(), stride, width);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t c = 0; c < width; ++c) {
        double sum = 0.0;
        for (std::size_t k = 0; k < columns.size(); ++k) {
          sum += weights[rows[i] * inputs + columns[k]] * in[k * stride + c];
        }
        EXPECT_NEAR(out[i * stride + c], sum, 1e-13);
      }
    }
  }
}

TEST(KinkProducts, SumsOfRangesHoldWhatTheyAreMadeOf) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed, 2);
    const std::size_t count = rng.below(6);
    std::vector<Parts> low(count);
    std::vector<Parts> high(count);
    std::vector<Parts> size(count);
    std::vector<double> largest(count, 0.0);
    std::vector<double> plain(count);
    std::vector<double> turned(count);
    for (std::size_t k = 0; k < count; ++k) {
      plain[k] = rng.normal();
      turned[k] = rng.normal();
      for (std::size_t part = 0; part < kink_parts; ++part) {
        low[k][part] = rng.normal();
        high[k][part] = low[k][part] + rng.uniform();
        size[k][part] = std::max(std::abs(low[k][part]), std::abs(high[k][part]));
        largest[k] = std::max(largest[k], size[k][part]);
      }
    }
    KinkSums sums;
    sum_tables(plain.data(), turned.data(), {low, high, size, largest}, sums);
    double magnitude = 0.0;
    for (std::size_t part = 0; part < kink_parts; ++part) {
      double least = 0.0;
      double most = 0.0;
      double beside = 0.0;
      magnitude = 0.0;
      for (std::size_t k = 0; k < count; ++k) {
        least += std::min(plain[k] * low[k][part], plain[k] * high[k][part]);
        most += std::max(plain[k] * low[k][part], plain[k] * high[k][part]);
        beside += std::abs(turned[k]) * size[k][part];
        magnitude += (std::abs(plain[k]) + std::abs(turned[k])) * largest[k];
      }
      EXPECT_NEAR(sums.low[part], least, 1e-13);
      EXPECT_NEAR(sums.high[part], most, 1e-13);
      EXPECT_NEAR(sums.turned[part], beside, 1e-13);
    }
    EXPECT_NEAR(sums.magnitude, magnitude, 1e-13);
  }
}

// At every place of every part, for every deviation that is allowed there.
TEST(KinkUnit, HoldsWhateverTheDeviation) {
  std::size_t simple = 0;
  std::size_t kinked = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed, 3);
    const double z0 = rng.normal();
    const double z1 = seed % 3 == 0 ? rng.normal() : z0 + 0.3 * rng.normal();
    const double scale = seed % 2 == 0 ? 0.05 : 1.0;
    Parts low;
    Parts high;
    for (std::size_t part = 0; part < kink_parts; ++part) {
      low[part] = scale * rng.normal();
      high[part] = low[part] + scale * rng.uniform();
    }
    const Kink kink = kink_of(z0, z1, low, high);
    simple += kink.simple ? 1 : 0;
    kinked += kink.simple ? 0 : 1;
    ASSERT_GE(kink.slope, 0.0);
    ASSERT_LE(kink.slope, 1.0);
    for (int round = 0; round < 200; ++round) {
      const double s = round == 0 ? 0.0 : round == 1 ? 1.0 : rng.uniform();
      const auto part = std::min(kink_parts - 1, static_cast<std::size_t>(s * kink_parts));
      const double r = round % 3 == 0 ? 0.0 : round % 3 == 1 ? 1.0 : rng.uniform();
      const double x = low[part] + r * (high[part] - low[part]);
      const double chord_behind = (1.0 - s) * std::max(z0, 0.0) + s * std::max(z1, 0.0);
      const double behind = std::max((1.0 - s) * z0 + s * z1 + x, 0.0) - chord_behind;
      EXPECT_LE(std::abs(behind), kink.reach + 1e-15);
      if (kink.simple) {
        EXPECT_NEAR(behind, kink.slope * x, 1e-15);
      } else {
        EXPECT_GE(behind - kink.slope * x, kink.low[part] - 1e-15) << seed;
        EXPECT_LE(behind - kink.slope * x, kink.high[part] + 1e-15) << seed;
      }
    }
  }
  EXPECT_GT(simple, 50U);
  EXPECT_GT(kinked, 50U);
}

// A unit without a deviation before it: what it adds is the corner under the chord, and known up to
// its change along one part.
TEST(KinkUnit, ACornerIsKnown) {
  const Kink kink = kink_of(-1.0, 1.0, {}, {});
  EXPECT_FALSE(kink.simple);
  EXPECT_EQ(kink.slope, 0.5);
  for (std::size_t part = 0; part < kink_parts; ++part) {
    // Under the chord by s up to the middle, then by 1 - s.
    const double first = static_cast<double>(part) / kink_parts;
    const double last = static_cast<double>(part + 1) / kink_parts;
    const double most = std::min(first, 1.0 - first);
    const double least = std::min(last, 1.0 - last);
    EXPECT_NEAR(kink.high[part], -std::min(most, least), 1e-12);
    EXPECT_NEAR(kink.low[part], std::max(-std::max(most, least), -0.5), 1e-12);
  }
  EXPECT_NEAR(kink.reach, 0.5, 1e-12);
  EXPECT_TRUE(kink_of(0.1, 1.0, {}, {}).simple);
  EXPECT_TRUE(kink_of(-0.1, -1.0, {}, {}).simple);
}

struct Case {
  std::string name;
  Network network;
  double bias = 0.0;  // what is added to those of hidden units
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

Network perceptron(const std::vector<std::size_t>& hidden, std::size_t outputs) {
  Network network{{6}, {}};
  for (const std::size_t width : hidden) {
    network.layers.emplace_back(Linear{.out_features = width});
    network.layers.emplace_back(Activation{Activation::Kind::relu});
  }
  network.layers.emplace_back(Linear{.out_features = outputs});
  return network;
}

std::vector<Case> cases() {
  const Activation relu{Activation::Kind::relu};
  return {{"two", perceptron({9, 8}, 4)},
          {"four", perceptron({7, 12, 5, 9}, 3)},
          {"six", perceptron({8, 8, 8, 8, 8, 8}, 5)},
          {"chain", perceptron({1, 1, 1, 1}, 2), 3.0},
          {"chain_of_pairs", perceptron({2, 2, 2}, 2), 4.0},
          {"without_bias",
           {{6},
            {Linear{.out_features = 9, .bias = false},
             relu,
             Linear{.out_features = 7, .bias = false},
             relu,
             Linear{.out_features = 3, .bias = false}}}},
          {"image",
           {{1, 5, 5},
            {Conv2d{.out_channels = 2, .kernel = 3},
             relu,
             Flatten{},
             Linear{.out_features = 8},
             relu,
             Linear{.out_features = 6},
             relu,
             Linear{.out_features = 3}}}}};
}

struct Instance {
  std::shared_ptr<const Dataset> data;
  std::unique_ptr<Objective> objective;
  std::vector<float> a;
  std::vector<float> b;
};

Instance make_instance(const Case& one, std::size_t samples, std::uint64_t seed, double distance) {
  Rng rng(seed, 4);
  auto data = std::make_shared<Dataset>();
  data->classes = output_size(one.network);
  data->test.count = samples;
  data->test.input_shape = one.network.input;
  data->test.values.resize(samples * data->test.features());
  for (float& value : data->test.values) {
    value = static_cast<float>(rng.normal());
  }
  for (std::size_t i = 0; i < samples; ++i) {
    data->test.labels.push_back(static_cast<std::int32_t>(rng.below(data->classes)));
  }
  data->train = data->test;
  Instance instance;
  instance.data = data;
  NetworkObjectiveOptions options;
  options.network = one.network;
  options.data = data;
  options.loss = Loss::cross_entropy;
  instance.objective = make_network_objective(std::move(options));
  const Layout layout = layout_of(one.network);
  for (const Tensor& tensor : layout.tensors()) {
    const bool bias = tensor.name.ends_with("bias");
    const double fan = bias ? 1.0 : static_cast<double>(tensor.shape.back());
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      const double a = rng.normal() * (bias ? 0.3 : 1.5 / std::sqrt(fan)) + (bias ? one.bias : 0.0);
      instance.a.push_back(static_cast<float>(a));
      instance.b.push_back(static_cast<float>(a + distance * rng.normal() / std::sqrt(fan)));
    }
  }
  return instance;
}

// All margins of all samples at t, by the definition of the network, in double.
std::vector<double> reference_margins(const Case& one, const Instance& instance, double t) {
  const Samples& samples = instance.data->test;
  std::vector<double> theta(instance.a.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] =
        (1.0 - t) * static_cast<double>(instance.a[i]) + t * static_cast<double>(instance.b[i]);
  }
  const std::size_t outputs = output_size(one.network);
  std::vector<double> logits(samples.count * outputs);
  reference_forward(
      one.network,
      theta,
      {.count = samples.count, .inputs = samples.values.data(), .labels = samples.labels.data()},
      logits);
  for (std::size_t i = 0; i < samples.count; ++i) {
    const double own = logits[i * outputs + static_cast<std::size_t>(samples.labels[i])];
    for (std::size_t j = 0; j < outputs; ++j) {
      logits[i * outputs + j] -= own;
    }
  }
  return logits;
}

// Those at places of an interval, both ends among them.
std::vector<std::vector<double>> margins_along(const Case& one,
                                               const Instance& instance,
                                               const TimeInterval& interval,
                                               std::size_t places) {
  std::vector<std::vector<double>> margins;
  for (std::size_t k = 0; k < places; ++k) {
    const double s = static_cast<double>(k) / static_cast<double>(places - 1);
    margins.push_back(
        reference_margins(one, instance, interval.t0 + s * (interval.t1 - interval.t0)));
  }
  return margins;
}

class KinkNetworks : public testing::TestWithParam<Case> {};

// Every margin lies in its enclosure, at many places of every part of intervals of every width; and
// the enclosure is not much wider than what the margin does where intervals are short.
TEST_P(KinkNetworks, NoMarginLeavesItsEnclosure) {
  const Case& one = GetParam();
  const std::size_t outputs = output_size(one.network);
  Workers workers(1);
  std::size_t looked = 0;
  std::size_t finite = 0;
  for (std::uint64_t seed = 0; seed < 16; ++seed) {
    const double distance = seed % 4 == 0 ? 1.0 : seed % 4 == 1 ? 0.3 : 0.1;
    const Instance instance = make_instance(one, 40, seed, distance);
    const CertifiedProblem problem =
        certified_problem(*instance.objective, Split::test, Metric::cross_entropy);
    ASSERT_TRUE(problem.kinks);
    const CertifyOptions options;
    SegmentRun run(problem, instance.a, instance.b, options, workers, nullptr);
    Rng rng(seed, 5);
    for (std::size_t level = 0; level < 6; level += 1 + rng.below(2)) {
      const double width = 1.0 / static_cast<double>(std::size_t{1} << level);
      const double t0 = width * static_cast<double>(rng.below(std::size_t{1} << level));
      const TimeInterval interval{t0, t0 + width};
      constexpr std::size_t places = 8 * kink_parts + 1;
      const auto truth = margins_along(one, instance, interval, places);
      run.enclose_kinks(
          problem.blocks,
          {&interval, 1},
          [&](std::size_t block,
              std::size_t,
              const Rows& left,
              const Rows& right,
              const std::vector<KinkBounds>& bounds,
              double radius) {
            const Block& own = problem.blocks[block];
            ASSERT_LT(radius, 1e-7);
            for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
              for (std::size_t j = 0; j < outputs; ++j) {
                for (std::size_t k = 0; k < places; ++k) {
                  const double s = static_cast<double>(k) / (places - 1);
                  const double chord = (1.0 - s) * left[j][lane] + s * right[j][lane];
                  const double value = truth[k][own.samples[lane] * outputs + j];
                  for (const std::size_t part : {k / 8, (k + 7) / 8 - (k > 0 ? 1 : 0)}) {
                    if (part < kink_parts) {
                      EXPECT_GE(value, chord + bounds[lane].low[j][part] - radius - 1e-13);
                      EXPECT_LE(value, chord + bounds[lane].high[j][part] + radius + 1e-13);
                      finite += std::isfinite(bounds[lane].high[j][part]) ? 1 : 0;
                      ++looked;
                    }
                  }
                }
              }
            }
          });
    }
  }
  EXPECT_GT(looked, 100000U);
  EXPECT_EQ(finite, looked);
}

// Between the times of a sample it is read right and wrong as they say, and its loss is below the
// sums of each part.
TEST_P(KinkNetworks, TimesAndSumsHold) {
  const Case& one = GetParam();
  const std::size_t outputs = output_size(one.network);
  Workers workers(1);
  std::size_t certain = 0;
  std::size_t right = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Instance instance = make_instance(one, 40, 100 + seed, seed % 2 == 0 ? 0.5 : 0.1);
    const CertifiedProblem problem =
        certified_problem(*instance.objective, Split::test, Metric::cross_entropy);
    const CertifyOptions options;
    SegmentRun run(problem, instance.a, instance.b, options, workers, nullptr);
    const TimeInterval interval{0.25, 0.5};
    constexpr std::size_t places = 16 * kink_parts + 1;
    const auto truth = margins_along(one, instance, interval, places);
    run.enclose_kinks(
        problem.blocks,
        {&interval, 1},
        [&](std::size_t block,
            std::size_t,
            const Rows& left,
            const Rows& right_values,
            const std::vector<KinkBounds>& bounds,
            double radius) {
          const Block& own = problem.blocks[block];
          std::vector<double> losses(places, 0.0);
          for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
            const WrongTimes times =
                wrong_times(left, right_values, bounds[lane], radius, own.label, lane, 0.25, 0.5);
            for (std::size_t k = 0; k < places; ++k) {
              const double t = 0.25 + 0.25 * static_cast<double>(k) / (places - 1);
              const auto inside = [&](const Range& range) {
                return range.from < t && t < range.to;
              };
              const auto holds = [&](const Range& range) {
                return range.from <= t && t <= range.to;
              };
              double largest = -1e300;
              double sum = 0.0;
              for (std::size_t j = 0; j < outputs; ++j) {
                const double margin = truth[k][own.samples[lane] * outputs + j];
                sum += std::exp(margin);
                if (j != static_cast<std::size_t>(own.label)) {
                  largest = std::max(largest, margin);
                }
              }
              losses[k] += std::log(sum);
              if (std::ranges::any_of(times.certain, inside)) {
                EXPECT_GE(largest, -1e-12);
                ++certain;
              }
              if (std::ranges::none_of(times.possible, holds)) {
                EXPECT_LT(largest, 1e-12);
                ++right;
              }
            }
          }
          for (std::size_t part = 0; part < kink_parts; ++part) {
            const double bound =
                part_sums(left, right_values, bounds, radius, own.label, part).bound(1);
            for (std::size_t k = 16 * part; k <= 16 * (part + 1); ++k) {
              EXPECT_LE(losses[k], bound);
            }
          }
        });
  }
  EXPECT_GT(certain, 500U);
  EXPECT_GT(right, 500U);
}

INSTANTIATE_TEST_SUITE_P(KinkEnclosure,
                         KinkNetworks,
                         testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

// Everything is on throughout, and each layer one unit: a margin is a polynomial of t whose terms
// up to the second order in the change of the weights the form has, and the rest is of the third.
TEST(KinkEnclosure, TheRestIsOfThirdOrder) {
  const Case one = cases()[3];
  Workers workers(1);
  const Instance instance = make_instance(one, 8, 3, 0.05);
  const CertifiedProblem problem =
      certified_problem(*instance.objective, Split::test, Metric::cross_entropy);
  const CertifyOptions options;
  SegmentRun run(problem, instance.a, instance.b, options, workers, nullptr);
  double before = 0.0;
  for (const double width : {1.0, 0.5, 0.25}) {
    const TimeInterval interval{0.0, width};
    double widest = 0.0;
    run.enclose_kinks(problem.blocks,
                      {&interval, 1},
                      [&](std::size_t,
                          std::size_t,
                          const Rows&,
                          const Rows&,
                          const std::vector<KinkBounds>& bounds,
                          double) {
                        for (const KinkBounds& sample : bounds) {
                          for (std::size_t j = 0; j < sample.low.size(); ++j) {
                            // In the part where q and the skew vary least.
                            widest = std::max(widest, sample.high[j][3] - sample.low[j][3]);
                          }
                        }
                      });
    if (before > 0.0) {
      EXPECT_LT(widest, 0.3 * before);
    }
    before = widest;
  }
}

// The errors of four units of the first layer, all alike, add up behind weights of 1000 and 1.
TEST(KinkEnclosure, TheRadiusCarriesTheErrorsOfTheFirstLayer) {
  const std::vector<Step> steps = steps_of(Network{{1},
                                                   {Linear{.out_features = 4},
                                                    Activation{},
                                                    Linear{.out_features = 1},
                                                    Activation{},
                                                    Linear{.out_features = 1}}});
  const WeightNorms small{.weights = 1.0, .difference = 0.0, .bias = 1.0};
  const WeightNorms sums{.weights = 4000.0, .difference = 0.0, .bias = 0.0};
  const std::vector<double> thousands(4, 1000.0);
  const std::vector<double> one{1.0};
  const MatrixSizes second = matrix_sizes(thousands, thousands, 1, 4, true);
  const MatrixSizes third = matrix_sizes(one, one, 1, 1, false);
  EndValues ends;
  ends.largest = {1.0, 1e-9, 1e-9, 1e-9, 1e-9};
  const double radius = kink_radius(steps,
                                    ends,
                                    ends,
                                    {&small, nullptr, &sums, nullptr, &small},
                                    {nullptr, nullptr, &second, nullptr, &third},
                                    1.0);
  const double first = gamma(17) * 3.0;
  EXPECT_GE(radius, 4000.0 * first);
  EXPECT_LE(radius, 4001.0 * first + gamma(17) * 1.1);
}

// (1 + e) (1 - e) - 1 = -e^2 is lost in double: D dh looks like 0, and is not.
TEST(KinkEnclosure, CoefficientsAreRoundedOutwards) {
  constexpr double e = 0x1p-29;
  const std::vector<Step> steps =
      steps_of(Network{{1}, {Linear{.out_features = 2}, Activation{}, Linear{.out_features = 1}}});
  const auto row = [](double value) {
    Lanes lanes{};
    lanes.at.fill(value);
    return lanes;
  };
  EndValues left;
  EndValues right;
  left.values = {{row(1.0), row(1.0)}, {row(1.0), row(1.0)}, {row(0.0)}};
  right.values = {{row(2.0 - e), row(2.0)}, {row(2.0 - e), row(2.0)}, {row(0.0)}};
  const std::vector<double> a{0.0, 0.0};
  const std::vector<double> b{1.0 + e, -1.0};
  const MiddleWeights between{.middle = {0.5 * (1.0 + e), -0.5}, .difference = b};
  const MatrixSizes sizes = matrix_sizes(a, b, 1, 2, false);
  KinkEnclosure enclosure(steps);
  KinkBounds bounds;
  enclosure.enclose(left,
                    right,
                    0,
                    {.between = {nullptr, nullptr, &between},
                     .sizes = {nullptr, nullptr, &sizes},
                     .width = 1.0,
                     .zero = std::nullopt},
                    bounds);
  // -q D dh at the middle, in the part that ends there.
  EXPECT_GE(bounds.high[0][3], 0.25 * e * e);
  EXPECT_LE(bounds.low[0][3], 0.0);
  EXPECT_LE(bounds.high[0][3], 1e-12);
}

// Deep networks are proven with so few passes only by what each kink adds.
TEST(KinkEnclosure, ADeepNetworkIsProvenOnFewIntervals) {
  const Case one{"deep", perceptron({16, 16, 16, 16, 16, 16, 16, 16}, 5)};
  const Instance instance = make_instance(one, 200, 9, 0.1);
  for (const Metric metric : {Metric::cross_entropy, Metric::error_rate}) {
    const double gap = metric == Metric::error_rate ? 0.0 : 0.05;
    std::vector<SegmentProof> proofs;
    for (const std::size_t threads : {1, 3}) {
      Workers workers(threads);
      const Certifier certifier(*instance.objective, Split::test, metric);
      proofs.push_back(certifier.certify(
          instance.a, instance.b, {.gap = gap, .max_evaluations = 400.0}, workers, nullptr));
    }
    EXPECT_EQ(proofs[0].outcome, SegmentProof::Outcome::proven);
    EXPECT_LE(proofs[0].bound, proofs[0].largest_seen * (1.0 + gap) + 1e-9);
    EXPECT_LE(proofs[0].intervals.size(), 16U);
    // The same bits for any number of workers.
    EXPECT_EQ(proofs[0].bound, proofs[1].bound);
    EXPECT_EQ(proofs[0].largest_seen, proofs[1].largest_seen);
    EXPECT_EQ(proofs[0].t, proofs[1].t);
    EXPECT_EQ(proofs[0].evaluations, proofs[1].evaluations);
    // No dense sampling finds more.
    const std::size_t outputs = output_size(one.network);
    const Samples& samples = instance.data->test;
    for (int k = 0; k <= 400; ++k) {
      const std::vector<double> margins = reference_margins(one, instance, k / 400.0);
      double loss = 0.0;
      double wrong = 0.0;
      for (std::size_t i = 0; i < samples.count; ++i) {
        double sum = 0.0;
        bool right = true;
        for (std::size_t j = 0; j < outputs; ++j) {
          const double margin = margins[i * outputs + j];
          sum += std::exp(margin);
          right = right && (j == static_cast<std::size_t>(samples.labels[i]) || margin < 0.0);
        }
        loss += std::log(sum);
        wrong += right ? 0.0 : 1.0;
      }
      const double value = metric == Metric::error_rate ? wrong : loss;
      EXPECT_LE(value / static_cast<double>(samples.count), proofs[0].bound);
    }
  }
}

TEST(KinkEnclosure, IsForDenseLayersAndReluAlone) {
  const auto depth = [](std::vector<Layer> layers) {
    const std::vector<Step> steps = steps_of(Network{{6}, std::move(layers)});
    return kink_depth(steps);
  };
  const Activation relu{Activation::Kind::relu};
  const Activation tanh{Activation::Kind::tanh};
  const Linear four{.out_features = 4};
  EXPECT_EQ(depth({four, relu, four}), 1U);
  EXPECT_EQ(depth({four, relu, Dropout{0.5}, four, relu, four}), 2U);
  EXPECT_EQ(depth({four, tanh, four}), 0U);
  EXPECT_EQ(depth({four, relu, four, four}), 0U);
  EXPECT_EQ(depth({relu, four, relu, four}), 0U);
  EXPECT_EQ(depth({four}), 0U);
}

}  // namespace
}  // namespace isthmus
