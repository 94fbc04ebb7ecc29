// SPDX-License-Identifier: MIT
// The path of Theorem 2.4 and its bound.
#include "isthmus/theory/relu_path.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/theory/relu_instances.h"

namespace isthmus {
namespace {

// F by its definition, sample by sample.
double reference(const ReluProblem& problem, std::span<const double> theta) {
  const auto [n, m, outputs, biases] = problem.network;
  const double* w = theta.data();
  const double* b = w + m * n;
  const double* v = b + (biases ? m : 0);
  const double* c = v + outputs * m;
  double sum = 0.0;
  for (std::size_t s = 0; s < problem.samples(); ++s) {
    for (std::size_t o = 0; o < outputs; ++o) {
      double f = biases ? c[o] : 0.0;
      for (std::size_t i = 0; i < m; ++i) {
        double z = biases ? b[i] : 0.0;
        for (std::size_t j = 0; j < n; ++j) {
          z += w[i * n + j] * problem.inputs[s * n + j];
        }
        f += v[o * m + i] * std::max(0.0, z);
      }
      sum += std::pow(f - problem.targets[s * outputs + o], 2);
    }
  }
  double penalty = 0.0;
  for (std::size_t i = 0; i < m; ++i) {
    double square = 0.0;
    for (std::size_t o = 0; o < outputs; ++o) {
      square += std::pow(v[o * m + i], 2);
    }
    penalty += std::sqrt(square);
  }
  return sum / double(problem.samples()) + problem.kappa * penalty;
}

std::vector<double> point(std::span<const double> points, std::size_t p, double place) {
  const auto k = std::min(std::size_t(place), points.size() / p - 2);
  const double t = place - double(k);
  std::vector<double> theta(p);
  for (std::size_t i = 0; i < p; ++i) {
    theta[i] = (1.0 - t) * points[k * p + i] + t * points[(k + 1) * p + i];
  }
  return theta;
}

ReluProblem problem_of(
    std::size_t n, std::size_t m, std::size_t outputs, bool biases, double kappa) {
  ReluProblem problem = random_relu_problem(
      {.inputs = n, .hidden = m, .outputs = outputs, .samples = 60, .kappa = kappa}, m + outputs);
  problem.network.biases = biases;
  return problem;
}

// Ends that are no optimum, so that every piece moves.
ReluPair rough_pair(const ReluProblem& problem) {
  ReluPair pair = random_relu_pair(problem, 3, 1);
  for (std::size_t i = 0; i < pair.a.size(); i += 2) {
    pair.a[i] *= 0.75;
    pair.b[i] += 0.125;
  }
  for (std::vector<double>* end : {&pair.a, &pair.b}) {
    for (double& value : *end) {
      value = double(float(value));
    }
  }
  return pair;
}

struct Shape {
  std::size_t n, m, outputs;
  bool biases;
};
constexpr Shape shapes[] = {{2, 6, 1, false}, {3, 8, 1, true}, {3, 7, 3, true}, {2, 2, 1, false}};

TEST(ReluPath, StaysBelowItsBoundPieceByPiece) {
  for (const Shape& shape : shapes) {
    for (const double kappa : {0.0, 0.001, 0.1}) {
      const ReluProblem problem = problem_of(shape.n, shape.m, shape.outputs, shape.biases, kappa);
      const ReluPair pair = rough_pair(problem);
      const std::size_t p = problem.network.dimension();
      const ReluPath path = connect_relu(problem, pair.a, pair.b, {.rounds = 30});
      ASSERT_EQ(path.points.size(), 12 * p);
      EXPECT_EQ(std::vector<double>(path.points.begin(), path.points.begin() + std::ptrdiff_t(p)),
                pair.a);
      EXPECT_EQ(std::vector<double>(path.points.end() - std::ptrdiff_t(p), path.points.end()),
                pair.b);
      for (std::size_t k = 0; k < 11; ++k) {
        for (int i = 0; i <= 20; ++i) {
          const double value = reference(problem, point(path.points, p, double(k) + i / 20.0));
          EXPECT_LE(value, path.pieces[k].bound * (1.0 + 1e-12)) << path.pieces[k].name << kappa;
        }
        EXPECT_LE(path.pieces[k].bound, path.bound());
      }
    }
  }
}

// Moves of slots that carry no weight, and of weights between copies, keep F.
TEST(ReluPath, SlotMovesKeepTheLoss) {
  for (const Shape& shape : shapes) {
    const ReluProblem problem = problem_of(shape.n, shape.m, shape.outputs, shape.biases, 0.01);
    const ReluPair pair = rough_pair(problem);
    const std::size_t p = problem.network.dimension();
    const ReluPath path = connect_relu(problem, pair.a, pair.b, {.rounds = 30});
    for (const std::size_t k : {2, 4, 5, 6, 8}) {
      const double first = reference(problem, point(path.points, p, double(k)));
      for (const double t : {0.25, 0.5, 0.75, 1.0}) {
        EXPECT_NEAR(reference(problem, point(path.points, p, double(k) + t)), first, 1e-14 * first)
            << path.pieces[k].name;
      }
    }
  }
}

TEST(ReluPath, SegmentsHaveTheMaximumOfTheDefinition) {
  for (const Shape& shape : shapes) {
    const ReluProblem problem = problem_of(shape.n, shape.m, shape.outputs, shape.biases, 0.2);
    const ReluPair pair = rough_pair(problem);
    std::vector<double> line = pair.a;
    line.insert(line.end(), pair.b.begin(), pair.b.end());
    double sampled = 0.0;
    for (int i = 0; i <= 2000; ++i) {
      sampled = std::max(sampled, reference(problem, point(line, pair.a.size(), i / 2000.0)));
    }
    const LossMaximum found = penalized_maximum(problem, pair.a, pair.b);
    EXPECT_GE(found.upper, sampled);
    EXPECT_LE(found.lower, found.upper);
    // Sampled places miss the maximum by a little; several outputs have chords for a penalty.
    EXPECT_LE(found.upper, sampled * (shape.outputs == 1 ? 1.0 + 1e-5 : 1.01));
    EXPECT_NEAR(penalized_loss(problem, pair.a), reference(problem, pair.a), 1e-12);
  }
}

// One unit w = 1 on x = 1, y = 1: min (b - 1)^2 + kappa |b| is at b = 1 - kappa / 2.
TEST(ReluPath, LassoIsTheClosedForm) {
  const ReluProblem problem{.network = {.inputs = 1, .hidden = 2, .outputs = 1},
                            .inputs = {1.0},
                            .targets = {1.0},
                            .kappa = 0.5};
  const std::vector<double> a{1.0, -1.0, 3.0, 1.0};
  const ReluPath path = connect_relu(problem, a, a);
  EXPECT_NEAR(path.lasso_a, 0.25 * 0.25 + 0.5 * 0.75, 1e-7);
  EXPECT_NEAR(path.gap_a, 0.0, 1e-7);
  EXPECT_NEAR(path.oracle, path.lasso_a, 1e-7);
  EXPECT_EQ(path.constant, 2.0);  // (E y^2)^(3/2) sqrt(E x^2) / kappa
  EXPECT_EQ(path.units, 1u);
}

TEST(ReluPath, WithoutPenaltyTheConstantIsInfinite) {
  const ReluProblem problem = problem_of(2, 5, 1, false, 0.0);
  const ReluPair pair = rough_pair(problem);
  const ReluPath path = connect_relu(problem, pair.a, pair.b, {.rounds = 10});
  EXPECT_TRUE(std::isinf(path.constant));
  EXPECT_TRUE(std::isinf(path.a_priori));
  EXPECT_TRUE(std::isfinite(path.bound()));
}

TEST(ReluPath, IsTheSameTwice) {
  const ReluProblem problem = problem_of(3, 6, 1, false, 0.001);
  const ReluPair pair = rough_pair(problem);
  EXPECT_EQ(connect_relu(problem, pair.a, pair.b).points,
            connect_relu(problem, pair.a, pair.b).points);
}

// Columns stay within the angle that was allowed.
TEST(ReluPath, TurnsNoColumnFurtherThanAllowed) {
  std::size_t turned = 0;
  for (std::size_t index = 0; index < 6; ++index) {
    const ReluProblem problem =
        random_relu_problem({.inputs = 5, .hidden = 4, .samples = 100, .kappa = 0.0001}, index);
    const ReluPair pair = random_relu_pair(problem, 2, index);
    const ReluPath path =
        connect_relu(problem, pair.a, pair.b, {.choice = ReluChoice::maximum, .rounds = 50});
    turned += path.angle > 0.0 ? 1 : 0;
    const std::size_t p = problem.network.dimension();
    for (std::size_t i = 0; i < 4; ++i) {
      double dot = 0.0, one = 0.0, other = 0.0;
      for (std::size_t j = 0; j < 5; ++j) {
        const double from = path.points[p + i * 5 + j];
        const double to = path.points[2 * p + i * 5 + j];
        dot += from * to;
        one += from * from;
        other += to * to;
      }
      // Sampled, on the piece whose bound is that of the theorem's step 2.
      EXPECT_LE(reference(problem, point(path.points, p, 1.0 + double(i) / 4.0)),
                path.pieces[1].bound * (1.0 + 1e-12));
      EXPECT_LE(std::acos(std::min(1.0, dot / std::sqrt(one * other))), path.angle + 1e-6);
    }
  }
  EXPECT_GT(turned, 0u);
}

TEST(ReluPath, RefusesWhatTheTheoremDoesNotHave) {
  ReluProblem problem = problem_of(2, 4, 1, false, 0.01);
  const ReluPair pair = rough_pair(problem);
  const auto refuse = [&](const std::string& part, const auto& call) {
    try {
      call();
      ADD_FAILURE() << "expected a refusal with: " << part;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  const auto join = [&] { connect_relu(problem, pair.a, pair.b); };
  std::vector<double> longer = pair.b;
  longer.push_back(0.0);
  refuse("expected 12 numbers each, got 12 and 13", [&] { connect_relu(problem, pair.a, longer); });
  std::vector<double> nan = pair.b;
  nan[3] = std::numeric_limits<double>::quiet_NaN();
  refuse("got NaN", [&] { connect_relu(problem, pair.a, nan); });
  refuse("angles", [&] { connect_relu(problem, pair.a, pair.b, {.angles = {0.1}}); });
  refuse("angles", [&] { connect_relu(problem, pair.a, pair.b, {.angles = {0.0, 2.0}}); });
  problem.kappa = -1.0;
  refuse("kappa", join);
  problem.kappa = 0.01;
  problem.inputs[7] = std::numeric_limits<double>::quiet_NaN();
  refuse("inputs: expected numbers", join);
  problem.inputs.pop_back();
  refuse("inputs: expected 120 numbers", join);
  problem.network.hidden = 1;
  refuse("at least 2", join);
  // Before any memory is taken.
  refuse("samples: expected at most",
         [&] { random_relu_problem({.hidden = 4000, .samples = 100'000'000'000}, 0); });
}

}  // namespace
}  // namespace isthmus
