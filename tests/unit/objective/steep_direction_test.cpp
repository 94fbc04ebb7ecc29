// SPDX-License-Identifier: MIT
#include "isthmus/objective/steep_direction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/window.h"
#include "isthmus/objective/network_objective.h"

namespace isthmus {
namespace {

using Vector = std::vector<double>;

Samples samples_of(std::vector<std::size_t> shape, std::vector<float> values) {
  Samples samples;
  samples.input_shape = std::move(shape);
  samples.count = values.size() / samples.features();
  samples.values = std::move(values);
  samples.labels.resize(samples.count);
  return samples;
}

std::unique_ptr<Objective> objective_of(std::vector<Layer> layers, const Samples& samples) {
  auto data = std::make_shared<Dataset>();
  data->name = "test";
  data->classes = 2;
  data->train = samples;
  data->test = samples;
  NetworkObjectiveOptions options;
  options.network = {.input = samples.input_shape, .layers = std::move(layers)};
  options.network.layers.emplace_back(Linear{.out_features = 2});
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  return make_network_objective(std::move(options));
}

// The mean of x x^T over some rows, row after row.
Vector second_moments(const std::vector<Vector>& rows) {
  const std::size_t n = rows[0].size();
  Vector moments(n * n);
  for (const Vector& x : rows) {
    for (std::size_t i = 0; i < n * n; ++i) {
      moments[i] += x[i / n] * x[i % n] / static_cast<double>(rows.size());
    }
  }
  return moments;
}

Vector times(const Vector& matrix, const Vector& x) {
  Vector y(x.size());
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    y[i / x.size()] += matrix[i] * x[i % x.size()];
  }
  return y;
}

double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

// The largest eigenvalue: the root of the ratio of traces of high powers.
double largest_of(Vector matrix, std::size_t n) {
  Vector x(n, 1.0);
  x[0] = 1.7;
  double value = 0.0;
  for (int i = 0; i < 3000; ++i) {
    Vector y = times(matrix, x);
    value = std::sqrt(dot(y, y) / dot(x, x));
    const double length = std::sqrt(dot(y, y));
    std::ranges::transform(y, x.begin(), [length](double v) { return v / length; });
  }
  return value;
}

void expect_steepest(const SteepDirection& found, const std::vector<Vector>& rows) {
  const std::size_t n = rows[0].size();
  ASSERT_EQ(found.direction.size(), n);
  const Vector u(found.direction.begin(), found.direction.end());
  EXPECT_NEAR(dot(u, u), 1.0, 1e-5);
  Vector moments = second_moments(rows);
  const double first = largest_of(moments, n);
  EXPECT_NEAR(std::sqrt(dot(times(moments, u), times(moments, u))), first, 1e-4 * first);
  EXPECT_NEAR(dot(u, times(moments, u)), first, 1e-4 * first);
  for (std::size_t i = 0; i < n * n; ++i) {
    moments[i] -= first * u[i / n] * u[i % n];
  }
  EXPECT_NEAR(found.excess, 1.0 - largest_of(moments, n) / first, 0.02);
}

std::vector<float> random_numbers(std::size_t count, double low, double high) {
  Rng rng(7, 1);
  std::vector<float> numbers(count);
  std::ranges::generate(numbers, [&] { return static_cast<float>(rng.uniform(low, high)); });
  return numbers;
}

TEST(SteepDirection, OfALinearLayerIsTheFirstEigenvectorOfItsInputs) {
  for (const bool bias : {true, false}) {
    const Samples samples = samples_of({5}, random_numbers(500, -0.2, 1.0));
    const auto objective =
        objective_of({Flatten{}, Linear{.out_features = 3, .bias = bias}}, samples);
    const SteepDirection* found = objective->steep_direction();
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->rows, 3U);
    EXPECT_EQ(found->columns, 5U);
    EXPECT_EQ(found->bias.has_value(), bias);
    std::vector<Vector> rows;
    for (std::size_t i = 0; i < samples.count; ++i) {
      rows.emplace_back(samples.values.begin() + static_cast<std::ptrdiff_t>(5 * i),
                        samples.values.begin() + static_cast<std::ptrdiff_t>(5 * i + 5));
      rows.back().resize(bias ? 6 : 5, 1.0);
    }
    expect_steepest(*found, rows);
    EXPECT_GT(found->excess, 0.5);  // these inputs are not centred
  }
}

TEST(SteepDirection, OfAConvolutionIsThatOfItsWindows) {
  const Conv2d conv{.out_channels = 4, .kernel = 3, .padding = Padding::same};
  const Samples samples = samples_of({2, 6, 7}, random_numbers(std::size_t{84} * 50, 0.0, 1.0));
  const auto objective = objective_of({conv, Flatten{}}, samples);
  const SteepDirection* found = objective->steep_direction();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->columns, 18U);
  std::vector<Vector> rows;
  for (std::size_t i = 0; i < samples.count; ++i) {
    for (std::size_t place = 0; place < 42; ++place) {
      Vector row(19);
      row[18] = 1.0;
      window_of(conv).each(
          {2, 6, 7}, place / 7, place % 7, [&](auto y, auto x, auto down, auto right) {
            for (std::size_t c = 0; c < 2; ++c) {
              row[9 * c + 3 * down + right] =
                  static_cast<double>(samples.values[84 * i + 42 * c + 7 * y + x]);
            }
          });
      rows.push_back(std::move(row));
    }
  }
  expect_steepest(*found, rows);
}

TEST(SteepDirection, DampsEachRowOfItsLayerAndNothingElse) {
  const SteepDirection along{.weight = 1,
                             .rows = 2,
                             .columns = 2,
                             .bias = 5,
                             .direction = {0.6F, 0.0F, 0.8F},
                             .excess = 0.5};
  //                              W: (1, 2), (3, 4)   b: 5, 6
  std::vector<float> gradient{9, 1, 2, 3, 4, 5, 6, 9};
  along.damp(gradient, 0.4);
  const float first = 0.2F * (0.6F * 1 + 0.8F * 5);
  const float second = 0.2F * (0.6F * 3 + 0.8F * 6);
  const std::vector<float> expected{
      9, 1 - 0.6F * first, 2, 3 - 0.6F * second, 4, 5 - 0.8F * first, 6 - 0.8F * second, 9};
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    EXPECT_NEAR(gradient[i], expected[i], 1e-6) << i;
  }
}

TEST(SteepDirection, OfInputsThatAreZero) {
  const auto objective = objective_of({Linear{.out_features = 3, .bias = false}},
                                      samples_of({4}, std::vector<float>(40, 0.0F)));
  ASSERT_NE(objective->steep_direction(), nullptr);
  std::vector<float> gradient(objective->dimension(), 2.0F);
  objective->steep_direction()->damp(gradient, 1.0);
  EXPECT_TRUE(std::ranges::all_of(gradient, [](float x) { return x == 2.0F; }));
}

TEST(SteepDirection, IsNotThereWithoutALayerOfThatKind) {
  const auto objective =
      objective_of({Activation{Activation::Kind::tanh}, Linear{.out_features = 3}},
                   samples_of({2}, random_numbers(20, 0.0, 1.0)));
  EXPECT_EQ(objective->steep_direction(), nullptr);
}

}  // namespace
}  // namespace isthmus
