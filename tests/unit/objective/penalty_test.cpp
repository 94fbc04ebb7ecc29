// SPDX-License-Identifier: MIT
#include "isthmus/objective/penalty.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/data/generated.h"
#include "isthmus/objective/batches.h"
#include "isthmus/objective/gradient_check.h"
#include "isthmus/objective/network_objective.h"
#include "support/objective_conformance.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

const std::vector<Penalty> penalties{
    {Penalty::Kind::l1, 0.03, Penalty::Over::all},
    {Penalty::Kind::l1, 0.03, Penalty::Over::weights},
    {Penalty::Kind::l2, 0.25, Penalty::Over::all},
    {Penalty::Kind::l2, 0.25, Penalty::Over::weights},
};

// A perceptron with biases on the quadratic task, for either loss.
NetworkObjectiveOptions regression(const Penalty& penalty) {
  auto data = std::make_shared<Dataset>();
  data->name = "quadratic";
  data->train = midpoint_samples(Polynomial::quadratic, 64);
  data->test = data->train;
  NetworkObjectiveOptions options;
  const Activation sigmoid{Activation::Kind::sigmoid};
  options.network = {.input = {1},
                     .layers = {Linear{.out_features = 4}, sigmoid, Linear{.out_features = 1}}};
  options.data = data;
  options.penalty = penalty;
  return options;
}

// A small convnet on labels: the other engine.
NetworkObjectiveOptions classification(const Penalty& penalty) {
  Rng rng(5, 1);
  auto data = std::make_shared<Dataset>();
  data->name = "noise";
  data->classes = 3;
  data->train.count = 40;
  data->train.input_shape = {1, 3, 3};
  for (std::size_t i = 0; i < 40; ++i) {
    data->train.labels.push_back(static_cast<std::int32_t>(rng.below(3)));
    for (std::size_t pixel = 0; pixel < 9; ++pixel) {
      data->train.values.push_back(static_cast<float>(rng.normal()));
    }
  }
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = {.input = {1, 3, 3},
                     .layers = {Conv2d{.out_channels = 2, .kernel = 3, .padding = Padding::same},
                                Activation{Activation::Kind::tanh},
                                Flatten{},
                                Linear{.out_features = 3}}};
  options.data = data;
  options.loss = Loss::cross_entropy;
  options.penalty = penalty;
  return options;
}

// From the definition and the names of the tensors.
double obvious_penalty(const Penalty& penalty, const Layout& layout, std::span<const float> theta) {
  double sum = 0.0;
  for (const Tensor& tensor : layout.tensors()) {
    if (penalty.over == Penalty::Over::weights && tensor.name.ends_with("bias")) {
      continue;
    }
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      const auto x = static_cast<double>(theta[tensor.offset + i]);
      sum += penalty.kind == Penalty::Kind::l1 ? std::fabs(x) : std::pow(x, 2.0);
    }
  }
  return penalty.strength * sum;
}

TEST(Penalty, IsAddedToTheMetricsThatAreLosses) {
  for (const Penalty& penalty : penalties) {
    SCOPED_TRACE(text_of(penalty));
    for (const auto& make : {regression, classification}) {
      const auto with = make_network_objective(make(penalty));
      const auto without = make_network_objective(make({}));
      EXPECT_EQ(with->penalty(), penalty);
      EXPECT_FALSE(without->penalty().any());
      const std::size_t count = 3;
      const std::size_t dimension = with->dimension();
      std::vector<float> thetas = testing::starting_points(*with, count);
      for (float& number : thetas) {
        number -= 0.1F;  // biases start at 0
      }
      std::vector<double> total(count);
      std::vector<double> loss(count);
      for (const Metric metric : {Metric::mean_absolute_error,
                                  Metric::mean_squared_error,
                                  Metric::cross_entropy,
                                  Metric::error_rate,
                                  Metric::perplexity}) {
        if (!with->supports(metric)) {
          continue;
        }
        with->evaluator()->metrics(Split::test, metric, thetas, total);
        without->evaluator()->metrics(Split::test, metric, thetas, loss);
        for (std::size_t i = 0; i < count; ++i) {
          const double expected = obvious_penalty(
              penalty, with->layout(), std::span(thetas).subspan(i * dimension, dimension));
          EXPECT_GT(expected, 0.01);
          const bool is_loss = metric != Metric::error_rate && metric != Metric::perplexity;
          EXPECT_EQ(includes_penalty(metric), is_loss);
          if (is_loss) {
            EXPECT_NEAR(total[i] - loss[i], expected, 1e-12 * (1.0 + expected)) << name_of(metric);
          } else {
            EXPECT_EQ(total[i], loss[i]) << name_of(metric);
          }
        }
      }
    }
  }
}

TEST(Penalty, ObjectivesConform) {
  for (const Penalty& penalty : penalties) {
    SCOPED_TRACE(text_of(penalty));
    for (const Loss loss : {Loss::absolute, Loss::squared}) {
      NetworkObjectiveOptions options = regression(penalty);
      options.loss = loss;
      const auto objective = make_network_objective(options);
      testing::expect_conformance(*objective, 16);
      const Metric metric =
          loss == Loss::absolute ? Metric::mean_absolute_error : Metric::mean_squared_error;
      EXPECT_TRUE(objective->training_loss_is(metric, Split::test));
    }
    testing::expect_conformance(*make_network_objective(classification(penalty)), 16);
  }
}

// Of the losses that training sees: an engine's gradient, and its penalty's, against differences of
// the sum in double.
TEST(Penalty, GradientsAgreeWithDifferences) {
  for (const Penalty& penalty : penalties) {
    SCOPED_TRACE(text_of(penalty));
    for (const auto& make : {regression, classification}) {
      const NetworkObjectiveOptions options = make(penalty);
      const auto objective = make_network_objective(options);
      std::vector<float> theta = testing::starting_points(*objective, 1);
      for (float& number : theta) {
        number -= 0.1F;
      }
      const auto source = objective->batches(1, 1, 0);
      const BatchView batch = source->next();
      std::vector<float> gradient(theta.size());
      double loss = 0.0;
      objective->evaluator()->losses_and_gradients(theta, batch, nullptr, {&loss, 1}, gradient);
      const auto reference = [&](std::span<const double> x) {
        const std::vector<float> rounded(x.begin(), x.end());  // every argument is a float
        return reference_loss(options.network, x, batch, options.loss) +
               obvious_penalty(penalty, objective->layout(), rounded);
      };
      const GradientCheck own = check_gradient(objective->layout(), theta, gradient, reference);
      EXPECT_TRUE(own.passed);
      EXPECT_NEAR(own.loss, loss, 1e-5 * loss);
      EXPECT_TRUE(check_gradient(options.network, options.loss, batch, theta, {}, penalty).passed);
      // Without the penalty's part it is found wrong.
      std::vector<float> bare(theta.size());
      make_network_objective(make({}))->evaluator()->losses_and_gradients(
          theta, batch, nullptr, {&loss, 1}, bare);
      EXPECT_FALSE(check_gradient(objective->layout(), theta, bare, reference).passed);
    }
  }
}

TEST(Penalty, TheSubgradientOfAnAbsoluteValueAtZeroIsZero) {
  Layout layout;
  layout.add("0.weight", {4}, Role::weight);
  layout.add("0.bias", {2}, Role::bias);
  const std::vector<float> theta{0.0F, -0.0F, 2.0F, -3.0F, 5.0F, -7.0F};
  const PenaltyTerm all({Penalty::Kind::l1, 0.5, Penalty::Over::all}, layout);
  EXPECT_EQ(all.value(theta), 8.5);
  std::vector<float> gradient(6, 1.0F);
  all.add_gradient(theta, gradient);
  EXPECT_EQ(gradient, (std::vector<float>{1.0F, 1.0F, 1.5F, 0.5F, 1.5F, 0.5F}));
  const PenaltyTerm weights({Penalty::Kind::l2, 0.5, Penalty::Over::weights}, layout);
  EXPECT_EQ(weights.value(theta), 6.5);
  gradient.assign(6, 1.0F);
  weights.add_gradient(theta, gradient);
  EXPECT_EQ(gradient, (std::vector<float>{1.0F, 1.0F, 3.0F, -2.0F, 1.0F, 1.0F}));
}

// A sum of floats would stop growing at 2^24.
TEST(Penalty, SumsAreInDouble) {
  Layout layout;
  layout.add("0.weight", {20'000'001}, Role::weight);
  const std::vector<float> theta(20'000'001, 1.0F);
  for (const Penalty::Kind kind : {Penalty::Kind::l1, Penalty::Kind::l2}) {
    EXPECT_EQ(PenaltyTerm({kind, 1.0, Penalty::Over::all}, layout).value(theta), 20'000'001.0);
  }
}

TEST(Penalty, SurvivesItsText) {
  EXPECT_EQ(text_of({}), "none");
  EXPECT_EQ(penalty_of("none"), Penalty{});
  EXPECT_EQ(text_of(penalties[3]), "l2:0.25:weights");
  for (Penalty penalty : penalties) {
    penalty.strength /= 3.0;
    EXPECT_EQ(penalty_of(text_of(penalty)), penalty);
  }
  EXPECT_EQ(penalty_of("l1:1e-4").strength, 1e-4);
}

TEST(Penalty, RefusesWhatIsNone) {
  for (const char* text : {"",
                           "l2",
                           "l2:",
                           "l3:0.1",
                           "l2:x",
                           "l2:0.1x",
                           "l2:0.1:",
                           "l2:0.1:biases",
                           "l2:0.1:weights:",
                           "l2:0.1:weights:all",
                           "none:0.1",
                           "l2:1e999"}) {
    expect_error<UsageError>([&] { (void)penalty_of(text); },
                             {"penalty", "l2:STRENGTH", ":weights", fmt::format("'{}'", text)});
  }
  for (const char* text : {"l2:0", "l1:-0.1", "l2:nan", "l2:inf"}) {
    expect_error<UsageError>([&] { (void)penalty_of(text); }, {"penalty", "> 0", "got "});
  }
  Penalty negative{Penalty::Kind::l2, -1.0, Penalty::Over::all};
  EXPECT_THROW((void)make_network_objective(regression(negative)), UsageError);
  negative.kind = Penalty::Kind::none;
  EXPECT_NO_THROW((void)make_network_objective(regression(negative)));
}

}  // namespace
}  // namespace isthmus
