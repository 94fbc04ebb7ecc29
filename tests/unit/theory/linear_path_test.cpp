// SPDX-License-Identifier: MIT
// Paths of deep linear networks: that they exist, join, keep the level, and go down.
#include "isthmus/theory/linear_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/theory/linear_instances.h"

namespace isthmus {
namespace {

LinearLoss loss_of(const LinearInstance& instance, double ridge = 0.0) {
  return LinearLoss(instance.a.widths, {instance.inputs, instance.targets}, ridge);
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return std::sqrt(sum);
}

double norm(const std::vector<double>& a) {
  return distance(a, std::vector<double>(a.size()));
}

// Joints bit for bit, and no jump at them: a point very near an end is near it.
void expect_continuous(const LinearPath& path, const LinearNetwork& a, const LinearNetwork& b) {
  EXPECT_EQ(path.point(0, 0.0), a.theta);
  EXPECT_EQ(path.point(path.pieces() - 1, 1.0), b.theta);
  for (std::size_t i = 0; i < path.pieces(); ++i) {
    const std::vector<double> first = path.point(i, 0.0);
    const std::vector<double> last = path.point(i, 1.0);
    if (i > 0) {
      EXPECT_EQ(path.point(i - 1, 1.0), first) << path.name(i);
    }
    // Square roots of t and of singular values: what is 1e-14 away in t may be 1e-6 away in theta.
    const double near = 1e-5 * (1.0 + norm(first) + norm(last));
    EXPECT_LT(distance(path.point(i, 1e-14), first), near) << path.name(i);
    EXPECT_LT(distance(path.point(i, 1.0 - 1e-14), last), near) << path.name(i);
  }
}

void expect_within_level(const LinearPathLoss& found, const std::string& what) {
  EXPECT_LE(found.excess(), 1e-9 * std::max(found.first, found.last) + 1000.0 * found.rounding)
      << what << ": piece " << found.piece;
}

TEST(LinearPath, StaysWithinTheLevelOfItsEnds) {
  const LinearInstanceOptions options{.widths = {}, .layers = 0, .samples = 40, .seed = 7};
  for (std::size_t i = 0; i < 60; ++i) {
    const LinearInstance instance = random_instance(options, i);
    const LinearPath path = connect_linear(instance.a, instance.b);
    EXPECT_EQ(path.pieces(), 6 * instance.a.layers() - 5);
    expect_continuous(path, instance.a, instance.b);
    expect_within_level(measure(path, loss_of(instance), 11), "instance " + std::to_string(i));
  }
}

TEST(LinearPath, IsTheSameBitsTwice) {
  const LinearInstance instance = random_instance({}, 2);
  EXPECT_EQ(connect_linear(instance.a, instance.b).point(1, 0.3),
            connect_linear(instance.a, instance.b).point(1, 0.3));
}

TEST(LinearPath, OfOneLayerIsStraight) {
  const LinearInstance instance =
      random_instance({.widths = {3, 2}, .layers = 0, .samples = 9, .seed = 1}, 0);
  const LinearPath path = connect_linear(instance.a, instance.b);
  EXPECT_EQ(path.pieces(), 1u);
  EXPECT_DOUBLE_EQ(path.point(0, 0.25)[1], 0.75 * instance.a.theta[1] + 0.25 * instance.b.theta[1]);
}

TEST(LinearPath, KeepsTheProductUntilTheNormalForm) {
  // Two ends with the same product: no loss of the product can tell the points of the path apart.
  LinearInstance instance =
      random_instance({.widths = {2, 4, 3, 5}, .layers = 0, .samples = 12, .seed = 3}, 0);
  instance.b = instance.a;
  for (std::size_t i = 0; i < 8; ++i) {
    instance.b.theta[i] *= 2.0;
  }
  for (std::size_t i = 8; i < 20; ++i) {
    instance.b.theta[i] *= 0.5;
  }
  const LinearLoss loss = loss_of(instance);
  const LinearPathLoss found = measure(connect_linear(instance.a, instance.b), loss, 9);
  EXPECT_NEAR(found.maximum, found.first, 1e-12 * found.first);
  EXPECT_LE(found.rise, 1e-12 * found.first);
}

TEST(LinearPath, DescendsToTheGlobalMinimum) {
  const LinearInstanceOptions options{.widths = {}, .layers = 0, .samples = 40, .seed = 11};
  for (std::size_t i = 0; i < 60; ++i) {
    const LinearInstance instance = random_instance(options, i);
    const LinearLoss loss = loss_of(instance);
    const LinearPath path = descend_linear(instance.a, loss);
    const LinearPathLoss found = measure(path, loss, 11);
    const double floor = 1000.0 * found.rounding;
    EXPECT_LE(found.rise, floor) << i;
    EXPECT_NEAR(found.last, loss.minimum(), 1e-8 * loss.minimum() + floor) << i;
    // Strictly falling on the last piece, as the parabola says.
    const double half = loss(path.point(path.pieces() - 1, 0.5));
    EXPECT_NEAR(
        half, loss.minimum() + 0.25 * (found.first - loss.minimum()), 1e-9 * found.first + floor);
  }
}

TEST(LinearPath, WithARidgeStaysWithinTheLevelOfItsEnds) {
  const LinearInstanceOptions options{.widths = {}, .layers = 2, .samples = 40, .seed = 5};
  for (std::size_t i = 0; i < 60; ++i) {
    const LinearInstance instance = random_instance(options, i);
    const LinearLoss loss = loss_of(instance, 0.1);
    const LinearPath path = connect_ridge(instance.a, instance.b);
    expect_continuous(path, instance.a, instance.b);
    const LinearPathLoss found = measure(path, loss, 11);
    expect_within_level(found, "instance " + std::to_string(i));
    // Until the factors are balanced the product stays and the norm falls; the convex bound after.
    const std::size_t middle = path.pieces() / 2;
    const double from = loss(path.point(middle, 0.0));
    const double to = loss(path.point(middle, 1.0));
    EXPECT_LE(from, found.first + 1000.0 * found.rounding);
    EXPECT_LE(to, found.last + 1000.0 * found.rounding);
    for (const double t : {0.2, 0.5, 0.8}) {
      EXPECT_LE(loss(path.point(middle, t)), (1.0 - t) * from + t * to + 1000.0 * found.rounding);
    }
  }
}

// By hand: targets whose singular values are 3 and 2, or half of them out of sight.
TEST(LinearLoss, MinimumOfNarrowNetworks) {
  // Inputs with covariance 1 / 2: the minimum is the energy beyond the first singular value.
  const std::vector<double> inputs{1, 0, 0, 1};
  const std::vector<double> targets{3, 0, 0, 2};
  EXPECT_NEAR(LinearLoss({2, 1, 2}, {inputs, targets}).minimum(), 4.0 / 2.0, 1e-14);
  EXPECT_NEAR(LinearLoss({2, 3, 2}, {inputs, targets}).minimum(), 0.0, 1e-14);
  // One input sees nothing of the second sample.
  const std::vector<double> blind{1, 0};
  EXPECT_NEAR(LinearLoss({1, 2, 2}, {blind, targets}).minimum(), 4.0 / 2.0, 1e-14);
}

TEST(LinearLoss, IsTheFormula) {
  const std::vector<double> inputs{2, 3};
  const std::vector<double> targets{1, 5};
  const LinearLoss loss({1, 2, 1}, {inputs, targets}, 0.5);
  const std::vector<double> theta{1, -1, 2, 1};  // product 1
  EXPECT_DOUBLE_EQ(loss(theta), 0.5 * (1.0 + 4.0) + 0.5 * 7.0);
}

template <class Work>
void expect_refused(const Work& work, std::initializer_list<const char*> parts) {
  try {
    work();
    ADD_FAILURE() << "accepted";
  } catch (const UsageError& error) {
    for (const char* part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(LinearPath, RefusesWrongInput) {
  const LinearNetwork narrow{{2, 2, 2}, std::vector<double>(8, 1.0)};
  const LinearNetwork wide{{2, 3, 2}, std::vector<double>(12, 1.0)};
  expect_refused([&] { connect_linear(narrow, narrow); },
                 {"hidden layer 1", "min(inputs, outputs) = 2", "got 2", "--counterexample"});
  expect_refused([&] { connect_linear(narrow, wide); }, {"one shape", "2-2-2", "2-3-2"});
  LinearNetwork broken = wide;
  broken.theta[3] = std::numeric_limits<double>::quiet_NaN();
  expect_refused([&] { connect_linear(wide, broken); }, {"end point B", "nan", "place 3"});
  broken.theta.pop_back();
  expect_refused([&] { connect_linear(broken, wide); }, {"end point A", "12 numbers", "got 11"});
  const LinearNetwork deep{{1, 2, 2, 1}, std::vector<double>(8, 1.0)};
  expect_refused([&] { connect_ridge(deep, deep); }, {"two layers", "got 3"});
}

TEST(LinearPath, RefusesToDescendFromAMinimum) {
  const std::vector<double> inputs{1, 2};
  const std::vector<double> targets{2, 4};
  const LinearLoss loss({1, 2, 1}, {inputs, targets});
  expect_refused([&] { descend_linear({{1, 2, 1}, {1, 1, 1, 1}}, loss); }, {"global minimum"});
  EXPECT_EQ(descend_linear({{1, 2, 1}, {1, 1, 1, 0}}, loss).pieces(), 4u);
  const LinearLoss ridge({1, 2, 1}, {inputs, targets}, 0.1);
  expect_refused([&] { descend_linear({{1, 2, 1}, {1, 1, 1, 0}}, ridge); }, {"ridge 0"});
  expect_refused([&] { LinearLoss({1, 2, 1}, {inputs, targets}, -1.0); }, {"ridge", "-1"});
  expect_refused([&] { LinearLoss({1, 3, 3}, {inputs, targets}); }, {"1 inputs", "3 targets"});
}

}  // namespace
}  // namespace isthmus
