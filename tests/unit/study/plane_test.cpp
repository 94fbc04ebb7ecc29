// SPDX-License-Identifier: MIT
#include "isthmus/study/plane.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <memory>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/picture_tables.h"
#include "isthmus/study/curvature.h"
#include "isthmus/study/study.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::TemporaryFolder;
using Theta = std::vector<float>;

std::unique_ptr<Objective> objective_of(const char* task) {
  StudyOptions options = default_options(task_of(task), Protocol::strict);
  options.thresholds = {0.1};
  return make_objective(options, 0, nullptr);
}

struct Ground {
  std::unique_ptr<Objective> objective;
  Workers workers{2};
  Evaluators evaluators;

  explicit Ground(const char* task)
      : objective(objective_of(task)), evaluators(*objective, workers) {}

  Theta start(std::uint64_t stream) const {
    Theta theta(objective->dimension());
    objective->initialise(1, stream, theta);
    return theta;
  }
  double value(std::span<const float> theta) const {
    double value = 0.0;
    objective->evaluator()->metrics(Split::test, Metric::mean_absolute_error, theta, {&value, 1});
    return value;
  }
  Theta gradient(const Theta& theta) const {
    const auto source = objective->batches(1, 1, 0);
    Theta result(theta.size());
    double loss = 0.0;
    objective->evaluator()->losses_and_gradients(
        theta, source->next(), nullptr, {&loss, 1}, result);
    return result;
  }
};

TEST(Plane, GridAgreesWithDirectEvaluation) {
  Ground on("quadratic");
  const TemporaryFolder folder;
  const Theta a = on.start(1);
  const Theta b = on.start(2);
  const Theta c = on.start(3);
  Path path{.dimension = a.size(), .beads = a};
  path.beads.insert(path.beads.end(), c.begin(), c.end());
  path.beads.insert(path.beads.end(), b.begin(), b.end());
  PlaneOptions options;
  options.points = 9;
  options.threshold = 0.1;
  make_plane(on.evaluators, {a, b, c}, path, options, folder.path(), "p", nullptr);
  const auto grid = parse_plane(read_file(folder / "p.plane.csv"), "grid");
  ASSERT_EQ(grid.size(), 81u);
  const Plane plane(a, b, c);
  Theta theta(a.size());
  for (const PlaneRow& row : grid) {
    plane.at(row.x, row.y, theta);
    EXPECT_EQ(row.metric, on.value(theta));
    const Plane::Foot foot = plane.foot_of(theta);
    EXPECT_NEAR(foot.x, row.x, 1e-5);
    EXPECT_NEAR(foot.y, row.y, 1e-5);
    EXPECT_NEAR(foot.off, 0.0, 1e-5);
  }
  const auto points = parse_plane_points(read_file(folder / "p.plane_points.csv"), "points");
  ASSERT_EQ(points.size(), 6u);
  EXPECT_NEAR(points[1].x, std::sqrt(squared_distance(a, b)), 1e-9);
  EXPECT_EQ(points[2].metric, on.value(c));
  EXPECT_GT(points[2].y, 0.0);
  EXPECT_EQ(points[4].name, "bead 1");
  EXPECT_EQ(farthest_bead(path), 1u);
}

TEST(Plane, RefusesThreeNetworksOnOneLine) {
  const Theta a{0, 0, 0};
  const Theta b{1, 2, 3};
  const Theta c{2, 4, 6};
  EXPECT_THROW(Plane(a, b, c), UsageError);
  EXPECT_THROW(Plane(a, a, c), UsageError);
  EXPECT_NO_THROW(Plane(a, b, Theta{2, 4, 6.1F}));
  Path path{.dimension = 3, .beads = {0, 0, 0, 1, 2, 3}};
  EXPECT_THROW(farthest_bead(path), UsageError);
  path.beads.insert(path.beads.end(), c.begin(), c.end());
  EXPECT_THROW(farthest_bead(path), UsageError);
}

// A stop in the middle keeps what is there, and the end is that of an unbroken grid.
TEST(Plane, GoesOnWhereItWasInterrupted) {
  Ground on("quadratic");
  const TemporaryFolder folder;
  const Theta a = on.start(1);
  const Theta b = on.start(2);
  const Theta c = on.start(3);
  const Path none{.dimension = a.size(), .beads = {}};
  PlaneOptions options;
  options.points = 12;
  Stop stop;
  std::size_t first = 0;
  const auto make = [&](const char* stem, const Stop* stop_of, std::size_t most) {
    first = 0;
    make_plane(on.evaluators,
               {a, b, c},
               none,
               options,
               folder.path(),
               stem,
               stop_of,
               [&](std::size_t done, std::size_t) {
                 first = first == 0 ? done : first;
                 if (done > most) {
                   stop.request();
                 }
               });
  };
  make("whole", nullptr, 1000);
  EXPECT_THROW(make("part", &stop, 40), Interrupted);
  EXPECT_TRUE(std::filesystem::exists(folder / "part.plane.unfinished.json"));
  make("part", nullptr, 1000);
  EXPECT_GT(first, 40u) << "what was done is not done again";
  EXPECT_EQ(read_file(folder / "part.plane.csv"), read_file(folder / "whole.plane.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder / "part.plane.unfinished.json"));
}

// Beads that were done are there when a stopped spectrum goes on, and nothing but them.
TEST(Curvature, GoesOnWhereItWasInterrupted) {
  Ground on("quadratic");
  const TemporaryFolder folder;
  Path path{.dimension = on.start(1).size(), .beads = {}};
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    const Theta theta = on.start(seed);
    path.beads.insert(path.beads.end(), theta.begin(), theta.end());
  }
  const std::vector<CurvatureRow> whole = curvature_along(on.evaluators, path, 5);
  const std::filesystem::path file = folder / "part.json";
  std::size_t first = 0;
  Stop stop;
  const auto along = [&](const std::string& key, const Stop* stop_of) {
    first = 0;
    return curvature_along(on.evaluators, path, 5, file, key, stop_of, [&](std::size_t done) {
      first = first == 0 ? done : first;
      if (done == 3) {
        stop.request();
      }
    });
  };
  EXPECT_THROW(along("key", &stop), Interrupted);
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(to_csv(along("key", nullptr)), to_csv(whole));
  EXPECT_GT(first, 3U) << "what was done is not done again";
  EXPECT_EQ(to_csv(along("another", nullptr)), to_csv(whole));
  EXPECT_EQ(first, 1U) << "of another path, it is";
}

// Against power iteration on the dense Hessian by differences: the squared loss of permuted-points
// is smooth where no unit switches.
TEST(Curvature, FindsTheEndsOfTheSpectrum) {
  Ground on("permuted-points");
  const Theta theta = on.start(4);
  const std::size_t size = theta.size();
  std::vector<Theta> hessian;
  for (std::size_t k = 0; k < size; ++k) {
    Theta up = theta;
    Theta down = theta;
    up[k] += 1e-2F;
    down[k] -= 1e-2F;
    up = on.gradient(up);
    down = on.gradient(down);
    for (std::size_t i = 0; i < size; ++i) {
      up[i] = (up[i] - down[i]) / 2e-2F;
    }
    hessian.push_back(up);
  }
  std::vector<double> vector(size, 1.0);
  vector.front() = 2.0;
  double largest = 0.0;
  for (int step = 0; step < 4000; ++step) {
    std::vector<double> next(size);
    double norm = 0.0;
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t i = 0; i < size; ++i) {
        next[k] += 0.5 * (hessian[k][i] + hessian[i][k]) * vector[i];
      }
      norm += next[k] * next[k];
    }
    largest = std::sqrt(norm);
    for (std::size_t k = 0; k < size; ++k) {
      vector[k] = next[k] / largest;
    }
  }
  const auto evaluator = on.objective->evaluator();
  const SpectrumEnds ends = spectrum_ends(*evaluator, *on.objective, theta, size, 1);
  EXPECT_NEAR(std::max(std::abs(ends.smallest), std::abs(ends.largest)), largest, 0.01 * largest);
  EXPECT_LT(ends.smallest, ends.largest);
  EXPECT_LT(ends.largest_error, 0.05 * largest);
  EXPECT_THROW(spectrum_ends(*evaluator, *on.objective, theta, 0, 1), UsageError);
}

}  // namespace
}  // namespace isthmus
