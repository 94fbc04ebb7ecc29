// SPDX-License-Identifier: MIT
#include "isthmus/certify/certifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "isthmus/certify/exact_proof.h"
#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/objective/network_objective.h"

namespace isthmus {
namespace {

struct Case {
  std::string name;
  Network network;
  Loss loss;
  Penalty penalty{};
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

Activation act(Activation::Kind kind) {
  return {kind};
}

std::vector<Case> cases() {
  const Activation relu = act(Activation::Kind::relu);
  const Activation sigmoid = act(Activation::Kind::sigmoid);
  const Activation tanh = act(Activation::Kind::tanh);
  const Linear ten{.out_features = 10};
  const Pool2d max_pool{.kind = Pool2d::Kind::max, .kernel = 2, .stride = 2};
  const Pool2d max_same{
      .kind = Pool2d::Kind::max, .kernel = 3, .stride = 2, .padding = Padding::same};
  const Pool2d mean_pool{.kind = Pool2d::Kind::average, .kernel = 2, .stride = 2};
  const Conv2d conv{.out_channels = 3, .kernel = 3, .padding = Padding::same};
  const Conv2d stride{.out_channels = 5, .kernel = 3, .stride = 2};
  const Network perceptron{
      {1, 5, 5},
      {Flatten{}, Linear{.out_features = 7}, relu, Linear{.out_features = 9}, relu, ten}};
  const Network deep{{4},
                     {Linear{.out_features = 8},
                      relu,
                      Linear{.out_features = 8, .bias = false},
                      relu,
                      Linear{.out_features = 8},
                      relu,
                      Linear{.out_features = 3}}};
  const Network images{{2, 8, 8},
                       {conv, relu, max_pool, stride, relu, Flatten{}, Dropout{0.5}, ten}};
  const Network padded{
      {2, 7, 7},
      {Conv2d{.out_channels = 4, .kernel = 2, .stride = 2, .padding = {2, 1}},
       relu,
       Pool2d{.kind = Pool2d::Kind::max, .kernel = 3, .stride = 2, .padding = {1, 0}},
       Pool2d{.kind = Pool2d::Kind::average,
              .kernel = 2,
              .stride = 1,
              .padding = {1, 1},
              .count_padding = true},
       Flatten{},
       ten}};
  const Network pools{{1, 9, 9},
                      {mean_pool, conv, tanh, mean_pool, conv, relu, max_same, Flatten{}, ten}};
  const Network sigmoids{{1},
                         {Linear{.out_features = 4},
                          sigmoid,
                          Linear{.out_features = 4, .bias = false},
                          sigmoid,
                          Linear{.out_features = 1},
                          sigmoid}};
  const Network tanhs{{3},
                      {Linear{.out_features = 6},
                       tanh,
                       Linear{.out_features = 5},
                       tanh,
                       Linear{.out_features = 2}}};
  return {
      {"perceptron_cross_entropy", perceptron, Loss::cross_entropy},
      {"images_cross_entropy", images, Loss::cross_entropy},
      {"pools_cross_entropy", pools, Loss::cross_entropy},
      {"padded_cross_entropy", padded, Loss::cross_entropy},
      {"linear_cross_entropy", {{6}, {ten}}, Loss::cross_entropy},
      {"deep_squared", deep, Loss::squared},
      {"deep_absolute", deep, Loss::absolute},
      {"sigmoids_absolute", sigmoids, Loss::absolute},
      {"sigmoids_squared", sigmoids, Loss::squared},
      {"tanhs_absolute", tanhs, Loss::absolute},
      {"tanhs_squared", tanhs, Loss::squared},
      {"perceptron_cross_entropy_l2",
       perceptron,
       Loss::cross_entropy,
       {Penalty::Kind::l2, 0.01, Penalty::Over::all}},
      {"deep_squared_l1", deep, Loss::squared, {Penalty::Kind::l1, 0.05, Penalty::Over::weights}},
      {"sigmoids_absolute_l2",
       sigmoids,
       Loss::absolute,
       {Penalty::Kind::l2, 0.3, Penalty::Over::weights}},
      {"tanhs_squared_l1", tanhs, Loss::squared, {Penalty::Kind::l1, 0.3, Penalty::Over::all}}};
}

struct Instance {
  std::shared_ptr<const Dataset> data;
  std::unique_ptr<Objective> objective;
  std::vector<float> a;
  std::vector<float> b;
};

Samples random_samples(const Case& one, std::size_t count, Rng& rng) {
  Samples samples;
  samples.count = count;
  samples.input_shape = one.network.input;
  samples.values.resize(count * samples.features());
  for (float& value : samples.values) {
    value = static_cast<float>(rng.normal());
  }
  const std::size_t outputs = output_size(one.network);
  if (one.loss == Loss::cross_entropy) {
    for (std::size_t i = 0; i < count; ++i) {
      samples.labels.push_back(static_cast<std::int32_t>(rng.below(outputs)));
    }
  } else {
    samples.targets.resize(count * outputs);
    for (float& value : samples.targets) {
      value = static_cast<float>(rng.normal());
    }
  }
  return samples;
}

Instance make_instance(const Case& one, std::uint64_t seed, double scale, double distance) {
  Rng rng(seed, 1);
  auto data = std::make_shared<Dataset>();
  data->classes = output_size(one.network);
  data->train = random_samples(one, 3, rng);
  data->test = random_samples(one, 70, rng);
  Instance instance;
  instance.data = data;
  NetworkObjectiveOptions options;
  options.network = one.network;
  options.data = data;
  options.loss = one.loss;
  options.penalty = one.penalty;
  instance.objective = make_network_objective(std::move(options));
  for (std::size_t i = 0; i < instance.objective->dimension(); ++i) {
    const double a = scale * rng.normal();
    instance.a.push_back(static_cast<float>(a));
    instance.b.push_back(static_cast<float>(a + distance * scale * rng.normal()));
  }
  return instance;
}

// By the definition of a penalty and the names of the tensors.
double reference_penalty(const Penalty& penalty,
                         const Layout& layout,
                         std::span<const double> theta) {
  double sum = 0.0;
  for (const Tensor& tensor : layout.tensors()) {
    if (penalty.over == Penalty::Over::all || tensor.name.ends_with("weight")) {
      for (const double x : theta.subspan(tensor.offset, tensor.size())) {
        sum += penalty.kind == Penalty::Kind::l1 ? std::abs(x) : x * x;
      }
    }
  }
  return penalty.any() ? penalty.strength * sum : 0.0;
}

// The metric at t from the definitions, in double.
double reference_metric(const Case& one, const Instance& instance, Metric metric, double t) {
  const Samples& samples = instance.data->test;
  std::vector<double> theta(instance.a.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] =
        (1.0 - t) * static_cast<double>(instance.a[i]) + t * static_cast<double>(instance.b[i]);
  }
  const BatchView batch{.count = samples.count,
                        .inputs = samples.values.data(),
                        .targets = samples.targets.data(),
                        .labels = samples.labels.data()};
  if (metric != Metric::error_rate) {
    const double loss = reference_loss(one.network, theta, batch, loss_of(metric));
    return metric == Metric::perplexity
               ? std::exp(loss)
               : loss + reference_penalty(one.penalty, instance.objective->layout(), theta);
  }
  const std::size_t outputs = output_size(one.network);
  std::vector<double> logits(samples.count * outputs);
  reference_forward(one.network, theta, batch, logits);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < samples.count; ++i) {
    const auto own = static_cast<std::size_t>(samples.labels[i]);
    bool right = true;
    for (std::size_t j = 0; j < outputs; ++j) {
      right = right && (j == own || logits[i * outputs + own] > logits[i * outputs + j]);
    }
    wrong += right ? 0 : 1;
  }
  return static_cast<double>(wrong) / static_cast<double>(samples.count);
}

std::vector<Metric> metrics_of(Loss loss) {
  switch (loss) {
    case Loss::absolute:
      return {Metric::mean_absolute_error};
    case Loss::squared:
      return {Metric::mean_squared_error};
    case Loss::cross_entropy:
      break;
  }
  return {Metric::cross_entropy, Metric::perplexity, Metric::error_rate};
}

class CertifierNetworks : public testing::TestWithParam<Case> {};

// How many intervals each kind of network is to be tried on: the environment variable
// ISTHMUS_INTERVALS, for `make check-intervals`; a few hundred without it.
std::size_t intervals_wanted() {
  const char* const text = std::getenv("ISTHMUS_INTERVALS");
  return text ? std::stoul(text) : 0;
}

// Every bound of every interval holds at places inside it, whatever the width.
TEST_P(CertifierNetworks, NoSampledValueExceedsItsBound) {
  const Case& one = GetParam();
  Workers workers(1);
  std::size_t looked = 0;
  std::size_t intervals = 0;
  for (std::uint64_t seed = 0; seed < 12 || intervals < intervals_wanted(); ++seed) {
    const double scale = seed % 3 == 0 ? 0.2 : seed % 3 == 1 ? 0.6 : 1.5;
    const double distance = seed % 2 == 0 ? 1.0 : 0.1;
    const Instance instance = make_instance(one, seed, scale, distance);
    for (const Metric metric : metrics_of(one.loss)) {
      const Certifier certifier(*instance.objective, Split::test, metric);
      CertifyOptions options;
      options.gap = 0.0;  // never satisfied by a loss: the widths of the first wave are judged
      options.max_evaluations = metric == Metric::error_rate ? 30.0 : 1.0;
      options.first_level = seed % 5;
      const SegmentProof proof =
          certifier.certify(instance.a, instance.b, options, workers, nullptr);
      Rng rng(seed, 2);
      ASSERT_FALSE(proof.intervals.empty());
      EXPECT_EQ(proof.intervals.front().t0, 0.0);
      EXPECT_EQ(proof.intervals.back().t1, 1.0);
      double largest = 0.0;
      intervals += proof.intervals.size();
      for (std::size_t i = 0; i < proof.intervals.size(); ++i) {
        const IntervalBound& interval = proof.intervals[i];
        if (i > 0) {
          EXPECT_EQ(interval.t0, proof.intervals[i - 1].t1);
        }
        for (std::size_t k = 0; k < 12; ++k) {
          const double s = k == 0 ? 0.0 : k == 1 ? 1.0 : rng.uniform();
          const double t = interval.t0 + s * (interval.t1 - interval.t0);
          const double value = reference_metric(one, instance, metric, t);
          EXPECT_LE(value, interval.bound) << one.name << " seed " << seed << " t " << t;
          largest = std::max(largest, value);
          ++looked;
        }
      }
      EXPECT_LE(largest, proof.bound);
      EXPECT_LE(proof.largest_seen, proof.bound);
      const double at_t = reference_metric(one, instance, metric, proof.t);
      EXPECT_TRUE(std::isfinite(proof.largest_seen));
      EXPECT_GE(at_t, proof.largest_seen * (1.0 - 1e-7) - 1e-7) << one.name << " seed " << seed;
      if (metric != Metric::error_rate && std::isfinite(at_t)) {  // a tie is not certainly wrong
        EXPECT_LE(at_t, proof.largest_seen * (1.0 + 1e-7) + 1e-7) << one.name << " seed " << seed;
      }
    }
  }
  EXPECT_GT(looked, 500U);
  RecordProperty("intervals", static_cast<int>(intervals));
  RecordProperty("places", static_cast<int>(looked));
}

// Within the budget the bound comes down to what is attained.
TEST_P(CertifierNetworks, TheGapCloses) {
  const Case& one = GetParam();
  Workers workers(2);
  const Instance instance = make_instance(one, 77, 0.4, 0.7);
  for (const Metric metric : metrics_of(one.loss)) {
    const Certifier certifier(*instance.objective, Split::test, metric);
    CertifyOptions options;
    options.gap = metric == Metric::error_rate ? 0.0 : 1e-3;
    options.max_evaluations = 3000.0;
    const SegmentProof proof = certifier.certify(instance.a, instance.b, options, workers, nullptr);
    EXPECT_EQ(proof.outcome, SegmentProof::Outcome::proven) << one.name;
    EXPECT_LE(proof.bound, proof.largest_seen * (1.0 + 1.001e-3) + 1e-11);
    // No denser grid finds more.
    for (std::size_t k = 0; k <= 200; ++k) {
      EXPECT_LE(reference_metric(one, instance, metric, static_cast<double>(k) / 200.0),
                proof.bound);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Certifier,
                         CertifierNetworks,
                         testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

// One unit |(1 - t) (-1) + t 1| against 0: the maximum is at the ends, and with target 1 in the
// middle, between all points of any even grid that leaves 1/2 out.
TEST(Certifier, AMaximumBetweenAllGridPoints) {
  Case one{"hat", {{1}, {Linear{.out_features = 1, .bias = false}, Activation{}}}, Loss::absolute};
  Rng rng(1, 1);
  Instance instance = make_instance(one, 1, 1.0, 1.0);
  auto data = std::make_shared<Dataset>();
  data->test.count = 2;
  data->test.input_shape = {1};
  data->test.values = {1.0F, -1.0F};
  data->test.targets = {1.0F, 1.0F};
  data->train = data->test;
  NetworkObjectiveOptions options;
  options.network = one.network;
  options.data = data;
  options.loss = Loss::absolute;
  instance.objective = make_network_objective(std::move(options));
  // relu(w x) with w from -1 to 1: the mean of |relu(w) - 1| and |relu(-w) - 1| peaks at w = 0.
  const std::vector<float> a{-1.0F};
  const std::vector<float> b{1.0F};
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::test, Metric::mean_absolute_error);
  const SegmentProof proof = certifier.certify(a, b, {.gap = 1e-3}, workers, nullptr);
  EXPECT_EQ(proof.outcome, SegmentProof::Outcome::proven);
  EXPECT_NEAR(proof.largest_seen, 1.0, 1e-3);
  EXPECT_GE(proof.bound, 1.0);
  EXPECT_LE(proof.bound, 1.0 + 2e-3);
}

// Three samples behind three hidden units are taken exactly; the same eight times over have the
// same mean loss, and go through branch and bound.
TEST(Certifier, TheExactMaximumOfFewSamplesIsThatOfBranchAndBound) {
  Workers workers(1);
  for (const Loss loss : {Loss::squared, Loss::absolute}) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE(seed);
      const bool bias = seed % 2 == 0;
      const Case one{"plane",
                     {{2},
                      {Linear{.out_features = 3, .bias = bias},
                       act(Activation::Kind::relu),
                       Linear{.out_features = 2, .bias = bias}}},
                     loss};
      const Metric metric = metrics_of(loss).front();
      Instance instance = make_instance(one, seed, 1.0, 1.0);
      Rng rng(seed, 9);
      auto few = std::make_shared<Dataset>();
      few->test = random_samples(one, 3, rng);
      few->train = few->test;
      auto many = std::make_shared<Dataset>(*few);
      for (int k = 0; k < 3; ++k) {
        Samples& test = many->test;
        const Samples once = test;
        test.count *= 2;
        test.values.insert(test.values.end(), once.values.begin(), once.values.end());
        test.targets.insert(test.targets.end(), once.targets.begin(), once.targets.end());
      }
      NetworkObjectiveOptions options{.network = one.network, .data = many, .loss = loss};
      const auto repeated = make_network_objective(options);
      options.data = few;
      instance.objective = make_network_objective(options);
      instance.data = few;
      ASSERT_TRUE(exact_problem(*instance.objective, Split::test, metric));
      ASSERT_FALSE(exact_problem(*repeated, Split::test, metric));
      const Certifier exactly(*instance.objective, Split::test, metric);
      const Certifier searching(*repeated, Split::test, metric);
      CertifyOptions wanted;
      wanted.gap = 1e-6;
      wanted.max_evaluations = 1e5;
      const SegmentProof exact = exactly.certify(instance.a, instance.b, wanted, workers);
      const SegmentProof found = searching.certify(instance.a, instance.b, wanted, workers);
      EXPECT_EQ(exact.outcome, SegmentProof::Outcome::proven);
      ASSERT_EQ(found.outcome, SegmentProof::Outcome::proven);
      EXPECT_GE(found.bound, exact.largest_seen);
      EXPECT_GE(exact.bound, found.largest_seen);
      EXPECT_LE(exact.bound - exact.largest_seen, 1e-10 * (1.0 + exact.bound));
      EXPECT_GE(exact.evaluations, 1.0);
      EXPECT_EQ(exact.samples, static_cast<std::uint64_t>(std::llround(3.0 * exact.evaluations)));
      ASSERT_EQ(exact.intervals.size(), 1U);
      EXPECT_EQ(exact.intervals[0].t0, 0.0);
      EXPECT_EQ(exact.intervals[0].t1, 1.0);
      EXPECT_EQ(exact.intervals[0].bound, exact.bound);
      const double top = reference_metric(one, instance, metric, exact.t);
      EXPECT_NEAR(top, exact.largest_seen, 1e-12 * (1.0 + top));
      for (int k = 0; k <= 300; ++k) {
        EXPECT_LE(reference_metric(one, instance, metric, k / 300.0), exact.bound);
      }
      CertifyOptions judged;
      judged.threshold = exact.bound;
      EXPECT_EQ(exactly.certify(instance.a, instance.b, judged, workers).outcome,
                SegmentProof::Outcome::proven);
      judged.threshold = exact.largest_seen * (1.0 - 1e-9);
      EXPECT_EQ(exactly.certify(instance.a, instance.b, judged, workers).outcome,
                SegmentProof::Outcome::violated);
    }
  }
}

// Where the exact maximum does not apply, branch and bound does.
TEST(Certifier, WhatIsNotTakenExactly) {
  const Case plain{
      "plane",
      {{2}, {Linear{.out_features = 3}, act(Activation::Kind::relu), Linear{.out_features = 2}}},
      Loss::squared};
  const auto is_exact = [](const Case& one) {
    const Instance instance = make_instance(one, 1, 1.0, 1.0);
    return exact_problem(*instance.objective, Split::train, metrics_of(one.loss).front())
        .has_value();  // 3 samples
  };
  EXPECT_TRUE(is_exact(plain));
  Case other = plain;
  other.penalty = {Penalty::Kind::l2, 0.1, Penalty::Over::all};
  EXPECT_FALSE(is_exact(other));
  other = plain;
  other.loss = Loss::cross_entropy;
  EXPECT_FALSE(is_exact(other));
  other = plain;
  other.network.layers[1] = act(Activation::Kind::tanh);
  EXPECT_FALSE(is_exact(other));
  other = plain;
  other.network.layers[2] = Linear{.out_features = 2, .bias = false};
  EXPECT_FALSE(is_exact(other));
  other = plain;
  other.network.layers[0] = Linear{.out_features = 6};
  EXPECT_FALSE(is_exact(other));
  // Weights that the exact maximum does not take.
  Instance instance = make_instance(plain, 1, 1e32, 1.0);
  auto seen = std::make_shared<Dataset>(*instance.data);
  seen->test = seen->train;
  instance.data = seen;
  EXPECT_FALSE(
      prove_exactly(*exact_problem(*instance.objective, Split::train, Metric::mean_squared_error),
                    instance.a,
                    instance.b,
                    {}));
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::train, Metric::mean_squared_error);
  const SegmentProof proof = certifier.certify(instance.a, instance.b, {.gap = 0.5}, workers);
  for (int k = 0; k <= 100; ++k) {
    EXPECT_LE(reference_metric(plain, instance, Metric::mean_squared_error, k / 100.0),
              proof.bound);
  }
}

TEST(Certifier, EqualEndsNeedOneInterval) {
  const Case one = cases()[0];
  const Instance instance = make_instance(one, 3, 0.5, 0.0);
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::test, Metric::cross_entropy);
  const SegmentProof proof =
      certifier.certify(instance.a, instance.a, {.gap = 1e-6}, workers, nullptr);
  EXPECT_EQ(proof.outcome, SegmentProof::Outcome::proven);
  EXPECT_EQ(proof.intervals.size(), 1U);
  EXPECT_NEAR(proof.bound, reference_metric(one, instance, Metric::cross_entropy, 0.0), 1e-9);
}

TEST(Certifier, AThresholdIsProvenOrRefuted) {
  const Case one = cases()[0];
  const Instance instance = make_instance(one, 4, 0.6, 1.0);
  Workers workers(1);
  for (const Metric metric : metrics_of(one.loss)) {
    const Certifier certifier(*instance.objective, Split::test, metric);
    CertifyOptions options;
    options.gap = metric == Metric::error_rate ? 0.0 : 1e-4;
    options.max_evaluations = 1e4;
    const SegmentProof exact = certifier.certify(instance.a, instance.b, options, workers, nullptr);
    ASSERT_EQ(exact.outcome, SegmentProof::Outcome::proven);
    CertifyOptions above;
    above.threshold = exact.bound * 1.001;
    EXPECT_EQ(certifier.certify(instance.a, instance.b, above, workers, nullptr).outcome,
              SegmentProof::Outcome::proven);
    CertifyOptions below;
    below.threshold = exact.largest_seen * 0.99;
    const SegmentProof refuted = certifier.certify(instance.a, instance.b, below, workers, nullptr);
    EXPECT_EQ(refuted.outcome, SegmentProof::Outcome::violated);
    EXPECT_GT(reference_metric(one, instance, metric, refuted.t), below.threshold);
  }
}

TEST(Certifier, TheNumberOfWorkersChangesNoBit) {
  const Case one = cases()[1];
  const Instance instance = make_instance(one, 5, 0.5, 1.0);
  Workers single(1);
  Workers pair(2);
  for (const Metric metric : metrics_of(one.loss)) {
    const Certifier certifier(*instance.objective, Split::test, metric);
    CertifyOptions options;
    options.gap = 0.05;
    const SegmentProof first = certifier.certify(instance.a, instance.b, options, single, nullptr);
    const SegmentProof second = certifier.certify(instance.a, instance.b, options, pair, nullptr);
    EXPECT_EQ(first.bound, second.bound);
    EXPECT_EQ(first.largest_seen, second.largest_seen);
    EXPECT_EQ(first.evaluations, second.evaluations);
    EXPECT_EQ(first.intervals.size(), second.intervals.size());
  }
}

TEST(Certifier, HugeWeightsRefuseTinyOnesHold) {
  const Case one = cases()[0];
  Workers workers(1);
  for (const double scale : {1e-30, 1e30}) {
    const Instance instance = make_instance(one, 6, scale, 1.0);
    const Certifier certifier(*instance.objective, Split::test, Metric::cross_entropy);
    CertifyOptions options;
    options.gap = 0.1;
    options.max_evaluations = 50.0;
    const SegmentProof proof = certifier.certify(instance.a, instance.b, options, workers, nullptr);
    for (std::size_t k = 0; k <= 20; ++k) {
      const double value =
          reference_metric(one, instance, Metric::cross_entropy, static_cast<double>(k) / 20.0);
      EXPECT_TRUE(value <= proof.bound || !std::isfinite(value)) << value << " " << proof.bound;
    }
  }
}

TEST(Certifier, RefusesPenaltiesThatOverflow) {
  Case one = cases()[0];
  one.penalty = {Penalty::Kind::l2, 1e307, Penalty::Over::all};
  const Instance instance = make_instance(one, 6, 100.0, 1.0);
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::test, Metric::cross_entropy);
  EXPECT_THROW((void)certifier.certify(instance.a, instance.b, {}, workers), UsageError);
  // The error rate has none.
  const Certifier count(*instance.objective, Split::test, Metric::error_rate);
  EXPECT_NO_THROW((void)count.certify(instance.a, instance.b, {}, workers));
}

TEST(Certifier, RefusesWhatItCannotProve) {
  Case one = cases()[0];
  Instance instance = make_instance(one, 7, 0.5, 1.0);
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::test, Metric::error_rate);
  std::vector<float> bad = instance.a;
  bad[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW((void)certifier.certify(bad, instance.b, {}, workers, nullptr), UsageError);
  bad.resize(5);
  EXPECT_THROW((void)certifier.certify(bad, instance.b, {}, workers, nullptr), UsageError);
  EXPECT_THROW(Certifier(*instance.objective, Split::test, Metric::mean_squared_error), UsageError);
  one.network.layers.emplace_back(Activation{Activation::Kind::softmax});
  instance = make_instance(one, 7, 0.5, 1.0);
  const auto reason = reason_not_covered(one.network, Metric::error_rate);
  ASSERT_TRUE(reason);
  EXPECT_NE(reason->find("softmax"), std::string::npos);
}

// A perplexity that is violated exceeds the threshold; a gap is one of the perplexity, not of its
// logarithm.
TEST(Certifier, PerplexityIsJudgedAsShown) {
  const Case one = cases()[0];
  Workers workers(1);
  for (std::uint64_t seed = 20; seed < 32; ++seed) {
    const Instance instance = make_instance(one, seed, 0.6, 1.0);
    const Certifier certifier(*instance.objective, Split::test, Metric::perplexity);
    CertifyOptions options;
    options.gap = 0.3;
    options.max_evaluations = 1e4;
    const SegmentProof proof = certifier.certify(instance.a, instance.b, options, workers, nullptr);
    EXPECT_EQ(proof.outcome, SegmentProof::Outcome::proven) << seed;
    EXPECT_LE(proof.bound, proof.largest_seen * 1.3 + 1e-9);
    CertifyOptions at;
    at.threshold = proof.largest_seen;
    at.max_evaluations = 2.0;
    const SegmentProof judged = certifier.certify(instance.a, instance.b, at, workers, nullptr);
    EXPECT_EQ(judged.outcome == SegmentProof::Outcome::violated, judged.largest_seen > at.threshold)
        << seed;
  }
}

TEST(Certifier, RefusesSamplesAndOptionsThatAreNoNumbers) {
  const Case one{"pool_first",
                 {{1, 4, 4},
                  {Pool2d{.kind = Pool2d::Kind::max, .kernel = 2, .stride = 2},
                   Flatten{},
                   Linear{.out_features = 3}}},
                 Loss::cross_entropy};
  const Instance instance = make_instance(one, 8, 0.5, 1.0);
  Workers workers(1);
  const Certifier certifier(*instance.objective, Split::test, Metric::cross_entropy);
  CertifyOptions options;
  options.first_level = 64;
  EXPECT_THROW((void)certifier.certify(instance.a, instance.b, options, workers), UsageError);
  options = {};
  options.threshold = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)certifier.certify(instance.a, instance.b, options, workers), UsageError);
  options = {};
  options.max_evaluations = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)certifier.certify(instance.a, instance.b, options, workers), UsageError);
  auto data = std::make_shared<Dataset>(*instance.data);
  data->test.values[5] = std::numeric_limits<float>::quiet_NaN();
  NetworkObjectiveOptions bad;
  bad.network = one.network;
  bad.data = data;
  bad.loss = one.loss;
  const auto objective = make_network_objective(std::move(bad));
  EXPECT_THROW(Certifier(*objective, Split::test, Metric::cross_entropy), UsageError);
}

}  // namespace
}  // namespace isthmus
