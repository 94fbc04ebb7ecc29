// SPDX-License-Identifier: MIT
#include "isthmus/strings/neb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/strings/relax.h"
#include "support/fake_objective.h"
#include "support/strings.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::expect_same;
using testing::MemoryJournal;
using testing::StateJournal;
using testing::TemporaryFolder;
using Theta = std::vector<float>;

const Theta ring_a{1.0F, 0.0F};
const Theta ring_b{-0.5F, static_cast<float>(0.5 * std::numbers::sqrt3)};

StringOptions options_for(double threshold) {
  StringOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.01};
  return options;
}

struct Ground {
  Surface surface;
  std::unique_ptr<Objective> objective;
  Workers workers;
  Evaluators evaluators;

  explicit Ground(Surface the_surface, std::size_t threads = 1)
      : surface(std::move(the_surface)),
        objective(make_surface_objective(surface)),
        workers(threads),
        evaluators(*objective, workers) {}

  StringSummary connect(const StringOptions& options,
                        const NebTerms& terms,
                        const StringCallbacks& callbacks = {}) {
    return connect_neb(evaluators, surface.from.theta, surface.to.theta, options, terms, callbacks);
  }

  double highest_pivot(const StringSummary& string) {
    double highest = 0.0;
    for (std::size_t i = 1; i + 1 < string.path.size(); ++i) {
      highest = std::max(highest, surface.loss(string.path.bead(i), {}));
    }
    return highest;
  }
};

// left - bead - right is a right angle with legs of 1 and 2.
Theta tangent_for(const std::array<double, 3>& losses) {
  Theta tangent(2);
  improved_tangent(Theta{0.0F, 0.0F}, Theta{1.0F, 0.0F}, Theta{1.0F, 2.0F}, losses, tangent);
  return tangent;
}

void expect_along(const Theta& tangent, double x, double y) {
  const double length = std::hypot(x, y);
  EXPECT_NEAR(tangent[0], x / length, 1e-7);
  EXPECT_NEAR(tangent[1], y / length, 1e-7);
}

TEST(ImprovedTangent, IsThatOfThePaperByHand) {
  expect_along(tangent_for({1.0, 2.0, 4.0}), 0.0, 2.0);  // uphill: towards the right one
  expect_along(tangent_for({4.0, 2.0, 1.0}), 1.0, 0.0);  // downhill: from the left one
  // A maximum between 0 and 1: changes 3 and 2, the right neighbour is higher: 3 (0, 2) + 2 (1, 0).
  expect_along(tangent_for({0.0, 3.0, 1.0}), 2.0, 6.0);
  expect_along(tangent_for({1.0, 3.0, 0.0}), 3.0, 4.0);  // 2 (0, 2) + 3 (1, 0)
  expect_along(tangent_for({3.0, 0.0, 1.0}), 3.0, 2.0);  // a minimum: 1 (0, 2) + 3 (1, 0)
  expect_along(tangent_for({1.0, 0.0, 3.0}), 1.0, 6.0);  // 3 (0, 2) + 1 (1, 0)
  expect_along(tangent_for({0.0, 0.0, 1.0}), 0.0, 2.0);  // level, then uphill
  expect_along(tangent_for({2.0, 2.0, 2.0}), 1.0, 2.0);  // right - left
  Theta nowhere(2, 5.0F);
  improved_tangent(ring_a, ring_a, ring_a, {0.0, 1.0, 0.0}, nowhere);
  EXPECT_EQ(nowhere, (Theta{0.0F, 0.0F}));
}

TEST(Resample, KeepsTheSharesOfTheLength) {
  const Path bent{.dimension = 2, .beads = {0, 0, 3, 0, 3, 1}};
  const std::vector<double> shares{0.125, 0.25, 0.5, 0.125};
  EXPECT_EQ(resample(bent, shares).beads, (std::vector<float>{0, 0, 0.5, 0, 1.5, 0, 3, 0.5, 3, 1}));
}

// The band settles on the way over the passes: its highest pivot and its largest value are those of
// the known pass, whether the threshold lies just above or just below it.
TEST(Neb, FindsThePassOfMuellerAndBrown) {
  Ground on(mueller_brown());
  const double pass = on.surface.pass_value;
  const StringSummary above = on.connect(options_for(1.005 * pass), {.pivots = 9});
  EXPECT_EQ(above.verdict, Verdict::connected) << sentence(above.ending);
  EXPECT_LE(above.max_metric, 1.005 * pass);
  EXPECT_GE(above.max_metric, pass - 1e-6);
  const StringSummary below =
      on.connect(options_for(0.99 * pass), {.pivots = 9, .cycles = 8, .excess = 0.0});
  EXPECT_EQ(below.verdict, Verdict::not_connected);
  EXPECT_EQ(below.ending.kind, Ending::Kind::rounds);
  EXPECT_NEAR(on.highest_pivot(below), pass, 0.005 * pass);
  EXPECT_NEAR(below.max_metric, pass, 0.005 * pass);
  EXPECT_GE(below.best_max_metric, pass - 1e-6);
}

// Three pivots: the middle one stays on the saddle, though it descends across the band.
TEST(Neb, HoldsAPivotOnTheSaddleOfTheDoubleWell) {
  Ground on(double_well(3));
  const StringSummary string = on.connect(options_for(0.9), {.cycles = 2, .steps = 200});
  EXPECT_EQ(string.verdict, Verdict::not_connected);
  EXPECT_NEAR(on.highest_pivot(string), 1.0, 1e-6);
}

TEST(Neb, GoesRoundTheRingAndCountsWhatItCost) {
  const fake::FakeObjective objective{{.surface = fake::ring(), .samples = 3}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  const StringSummary string = connect_neb(evaluators, ring_a, ring_b, options_for(0.02), {});
  EXPECT_EQ(string.verdict, Verdict::connected) << sentence(string.ending);
  EXPECT_LE(string.max_metric, 0.02);
  EXPECT_EQ(string.path.size(), 5U);
  EXPECT_EQ(string.rounds, 1U);
  testing::expect_all_costs_counted(objective, string);
  // Springs without an end: pivots at equal distances (before the last step, a small one).
  for (std::size_t i = 0; i + 1 < string.path.size(); ++i) {
    const auto left = string.path.bead(i);
    const auto right = string.path.bead(i + 1);
    EXPECT_NEAR(std::hypot(right[0] - left[0], right[1] - left[1]), 0.52, 0.03);
  }
}

// Screened checks ask for the margins of pivots, which looks at the band do not keep.
TEST(Neb, CountsTheLooksThatScreenedChecksBeginWith) {
  fake::FakeOptions fake{.surface = fake::ring(), .metric = Metric::error_rate, .samples = 200};
  fake.margin = [surface = fake::ring()](std::span<const float> theta, std::size_t i) {
    return static_cast<float>((static_cast<double>(i) + 0.5) / 200.0 - surface(theta, {}));
  };
  const fake::FakeObjective objective{fake};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  StringOptions options = options_for(0.02);
  options.grid.metric = Metric::error_rate;
  options.check = CheckKind::screened;
  MemoryJournal journal;
  const StringCallbacks callbacks{.journal = &journal};
  const StringSummary string = connect_neb(evaluators, ring_a, ring_b, options, {}, callbacks);
  EXPECT_EQ(string.verdict, Verdict::connected) << sentence(string.ending);
  testing::expect_all_costs_counted(objective, string);
  expect_same(connect_neb(evaluators, ring_a, ring_b, options, {}, callbacks), string);
}

TEST(Neb, PutsNewPivotsWhereTheBandIsHighest) {
  Ground on(mueller_brown());
  const StringSummary string = on.connect(options_for(0.9 * on.surface.pass_value),
                                          {.cycles = 3, .insertions = 1, .excess = 0.0});
  EXPECT_EQ(string.path.size(), 2U + 3U + 2U);
  const StringSummary none =
      on.connect(options_for(0.9 * on.surface.pass_value), {.cycles = 3, .excess = 1.0});
  EXPECT_EQ(none.path.size(), 5U);
}

TEST(Neb, DoesNotDependOnTheNumberOfWorkers) {
  Ground one(mueller_brown(), 1);
  Ground two(mueller_brown(), 2);
  const NebTerms terms{.cycles = 3, .steps = 100};
  expect_same(one.connect(options_for(1.0), terms), two.connect(options_for(1.0), terms));
}

TEST(Neb, GoesOnFromWhatTheJournalHas) {
  Ground on(mueller_brown());
  const NebTerms terms{.cycles = 3, .steps = 100};
  const StringSummary whole = on.connect(options_for(1.0), terms);
  for (std::size_t dies_at = 0; dies_at < 20; dies_at += 3) {
    StateJournal journal(30);
    journal.dies_at = dies_at;
    EXPECT_THROW(on.connect(options_for(1.0), terms, {.journal = &journal}), std::runtime_error);
    expect_same(on.connect(options_for(1.0), terms, {.journal = &journal}), whole);
    EXPECT_EQ(journal.folder.entries(), 0U);
  }
}

// Pivots at 30 degrees are on the ring long before the steps are over; what is between is not.
TEST(Neb, ABudgetThatCutsNothingGoesOnToTheSameEnd) {
  const fake::FakeObjective objective{{.surface = fake::ring(), .samples = 3}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  StringOptions options = options_for(0.003);
  options.max_total_steps = 2500;  // less than 1000 for each of three
  MemoryJournal journal;
  const StringCallbacks callbacks{.journal = &journal};
  const StringSummary whole = connect_neb(evaluators, ring_a, ring_b, options, {}, callbacks);
  EXPECT_EQ(whole.verdict, Verdict::connected) << sentence(whole.ending);
  EXPECT_GT(whole.rounds, 1U);
  expect_same(connect_neb(evaluators, ring_a, ring_b, options, {}, callbacks), whole);
}

TEST(Neb, AStoppedCycleGoesOnFromItsState) {
  Ground on(mueller_brown());
  const NebTerms terms{.cycles = 2, .steps = 100, .look_every = 25};
  const StringSummary whole = on.connect(options_for(1.0), terms);
  StateJournal journal(30);
  std::size_t looks = 0;
  std::size_t stops = 0;
  for (;;) {
    Stop stop;
    const auto progress = [&](const StringProgress& news) {
      if (news.kind == StringProgress::Kind::bead_step && ++looks % 3 == 0) {
        stop.request();
      }
    };
    try {
      const StringSummary string = on.connect(
          options_for(1.0), terms, {.journal = &journal, .stop = &stop, .progress = progress});
      expect_same(string, whole);
      break;
    } catch (const Interrupted&) {
      ++stops;
    }
    ASSERT_LT(stops, 10U);
  }
  EXPECT_GE(stops, 2U);
}

TEST(Neb, EndsWhenItsStepsAreSpent) {
  Ground on(mueller_brown());
  StringOptions options = options_for(1.0);
  options.max_total_steps = 250;
  const StringSummary string = on.connect(options, {.steps = 60});
  EXPECT_EQ(string.ending.kind, Ending::Kind::steps) << sentence(string.ending);
  EXPECT_LE(string.ending.steps, 250U);
}

TEST(Neb, SaysWhichOptionIsWrong) {
  Ground on(mueller_brown());
  const auto refused = [&](const NebTerms& terms, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { on.connect(options_for(1.0), terms); }, parts);
  };
  refused({.pivots = 0}, {"neb-pivots", "at least 1 and at most 4096", "0"});
  refused({.cycles = 0}, {"neb-cycles", "at least 1", "0"});
  refused({.steps = 0}, {"neb-steps", "at least 1", "0"});
  refused({.excess = 1.5}, {"neb-excess", "[0, 1]", "1.5"});
}

}  // namespace
}  // namespace isthmus
