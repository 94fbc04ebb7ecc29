// SPDX-License-Identifier: MIT
#include "isthmus/strings/repair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <mutex>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/path/measures.h"
#include "support/fake_objective.h"
#include "support/parted_journal.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using fake::FakeObjective;
using fake::FakeOptions;
using testing::expect_error;
using testing::PartedJournal;
using Theta = std::vector<float>;

// Two opposite points of the unit circle: the bead of the direct string starts at the centre, on
// top of the hill, where the gradient is zero.
const Theta east{1.0f, 0.0f};
const Theta west{-1.0f, 0.0f};

MethodOptions options_for(double threshold) {
  MethodOptions options;
  options.threshold = threshold;
  options.alpha = 0.5;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 500;
  options.seed = 3;
  return options;
}

constexpr RepairOptions three_tries{.mode = RepairMode::restarts, .tries = 3};

struct Ground {
  FakeObjective objective;
  Workers workers;
  Evaluators evaluators;

  explicit Ground(FakeOptions options, std::size_t threads = 1)
      : objective(std::move(options)), workers(threads), evaluators(objective, workers) {}

  RepairedString connect(const MethodOptions& options,
                         const RepairOptions& repair,
                         const StringCallbacks& callbacks = {}) {
    return connect_repaired(evaluators, east, west, options, repair, callbacks);
  }
};

void expect_same(const StringSummary& a, const StringSummary& b) {
  EXPECT_EQ(sentence(a.ending), sentence(b.ending));
  EXPECT_EQ(a.ending.steps, b.ending.steps);
  EXPECT_TRUE(std::ranges::equal(
      a.path.beads,
      b.path.beads,
      {},
      [](float x) { return std::bit_cast<std::uint32_t>(x); },
      [](float x) { return std::bit_cast<std::uint32_t>(x); }));
  EXPECT_EQ(a.bead_numbers, b.bead_numbers);
  EXPECT_EQ(a.max_metric, b.max_metric);
  EXPECT_EQ(a.max_t, b.max_t);
  EXPECT_EQ(a.rounds, b.rounds);
  EXPECT_EQ(a.beads_inserted, b.beads_inserted);
  EXPECT_EQ(a.beads_unreached, b.beads_unreached);
  EXPECT_EQ(a.cost.gradient_samples_beads, b.cost.gradient_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_beads, b.cost.forward_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_checks, b.cost.forward_samples_checks);
}

void expect_all_costs_counted(const FakeObjective& objective, const StringSummary& summary) {
  EXPECT_EQ(summary.cost.forward_samples_beads + summary.cost.forward_samples_checks,
            objective.samples_looked_at());
  EXPECT_EQ(summary.cost.gradient_samples_beads,
            objective.gradients() * objective.samples(Split::train));
}

TEST(Repair, ARestartJoinsWhatTheDirectStringDoesNot) {
  Ground on({.surface = fake::ring(), .samples = 3});
  const MethodOptions options = options_for(0.05);
  const RepairedString found = on.connect(options, three_tries);
  const StringSummary& string = found.string;
  EXPECT_EQ(string.verdict, Verdict::connected) << sentence(string.ending);
  EXPECT_TRUE(found.repaired);
  EXPECT_EQ(found.tries, 1u);
  expect_all_costs_counted(on.objective, string);
  EXPECT_TRUE(std::ranges::equal(string.path.bead(0), east));
  EXPECT_TRUE(std::ranges::equal(string.path.bead(string.path.size() - 1), west));
  // The centre, which is what failed, is not on the way; from the beads alone, all of it passes.
  SegmentGrid grid = options.grid;
  grid.bound = options.threshold;
  for (const SegmentCheck& check : check_path(on.evaluators, string.path, grid)) {
    EXPECT_TRUE(check.passed);
  }
  for (std::size_t i = 0; i < string.path.size(); ++i) {
    EXPECT_GT(std::hypot(string.path.bead(i)[0], string.path.bead(i)[1]), 0.8);
  }
  EXPECT_EQ(string.beads_unreached, 1u) << "the bead of the direct string";
  EXPECT_EQ(string.beads_inserted, string.path.size() - 2 + 1) << "and it counts";
}

TEST(Repair, CStartsBesideTheMiddleOfTheChordAtThatPartOfItsLength) {
  // Where no bead moves C is where it starts.
  for (const double rho : {0.3, 0.5}) {
    Ground on({.surface = [](auto, auto gradient) {
      std::ranges::fill(gradient, 0.0f);
      return 1.0;
    }});
    MethodOptions options = options_for(0.5);
    options.always_insert = true;  // else the end points themselves are what fails
    options.training.max_steps = 1;
    const RepairOptions repair{.mode = RepairMode::restarts, .tries = 1, .rho = {rho, rho}};
    PartedJournal kept;
    const auto journal = kept.open();
    const RepairedString found = on.connect(options, repair, {.journal = journal.get()});
    EXPECT_EQ(found.tries, 1u);
    const auto middle = journal->part("try1")->find_bead(2);
    ASSERT_TRUE(middle);
    EXPECT_NEAR(middle->theta[0], 0.0f, 1e-6);
    EXPECT_NEAR(std::abs(middle->theta[1]), 2.0 * rho, 1e-6) << "the chord is 2 long";
  }
}

TEST(Repair, NoneIsTheMethodAlone) {
  Ground alone({.surface = fake::ring()});
  Ground on({.surface = fake::ring()});
  const MethodOptions options = options_for(0.05);
  const StringSummary direct = connect(alone.evaluators, east, west, options);
  ASSERT_EQ(direct.verdict, Verdict::not_connected);
  const RepairedString found = on.connect(options, {});
  EXPECT_EQ(found.tries, 0u);
  EXPECT_FALSE(found.repaired);
  expect_same(found.string, direct);
}

TEST(Repair, AStringThatConnectsIsLeftAlone) {
  Ground on({.surface = fake::double_well()});
  const RepairedString found = on.connect(options_for(1.0), three_tries);
  EXPECT_EQ(found.string.verdict, Verdict::connected);
  EXPECT_EQ(found.tries, 0u);
  EXPECT_FALSE(found.repaired);
}

TEST(Repair, WhenEveryTryFailsTheDirectStringIsWhatIsToldWithTheCostsOfAll) {
  Ground alone({.surface = fake::double_well()});
  Ground on({.surface = fake::double_well(), .samples = 2});
  const MethodOptions options = options_for(0.5);  // the pass is at 1, and nothing is around it
  const StringSummary direct = connect(alone.evaluators, east, west, options);
  const RepairedString found = on.connect(options, three_tries);
  EXPECT_EQ(found.string.verdict, Verdict::not_connected);
  EXPECT_EQ(found.tries, 3u);
  EXPECT_FALSE(found.repaired);
  EXPECT_EQ(found.string.path.beads, direct.path.beads);
  EXPECT_EQ(sentence(found.string.ending), sentence(direct.ending));
  EXPECT_GT(found.string.ending.steps, direct.ending.steps);
  expect_all_costs_counted(on.objective, found.string);
}

TEST(Repair, EndPointsAboveTheThresholdAreNotRepaired) {
  Ground on({.surface = fake::ring()});
  const Theta high{0.5f, 0.0f};
  const RepairedString found =
      connect_repaired(on.evaluators, high, west, options_for(0.05), three_tries);
  EXPECT_EQ(found.string.verdict, Verdict::endpoint_not_reached);
  EXPECT_EQ(found.tries, 0u);
}

TEST(Repair, OneDimensionHasNoWayRound) {
  const auto objective = make_surface_objective(double_well(1));
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  MethodOptions options = options_for(0.5);
  options.grid.metric = Metric::mean_squared_error;
  for (const Metric metric : {Metric::mean_squared_error, Metric::mean_absolute_error}) {
    if (objective->supports(metric)) {
      options.grid.metric = metric;
    }
  }
  const RepairedString found = connect_repaired(
      evaluators, double_well(1).from.theta, double_well(1).to.theta, options, three_tries);
  EXPECT_EQ(found.string.verdict, Verdict::not_connected);
  EXPECT_EQ(found.tries, 0u);
}

TEST(Repair, LimitsAreOfAllStringsTogether) {
  Ground on({.surface = fake::double_well()});
  MethodOptions options = options_for(0.5);
  options.max_total_steps = 500;  // what the stuck bead of the direct string takes
  RepairedString found = on.connect(options, three_tries);
  EXPECT_EQ(found.tries, 0u);
  EXPECT_EQ(found.string.ending.steps, 500u);
  options.max_total_steps = 700;
  found = on.connect(options, three_tries);
  EXPECT_GT(found.tries, 0u);
  EXPECT_LE(found.string.ending.steps, 700u);
  options = options_for(0.5);
  options.max_beads = 2;  // no room for C
  found = on.connect(options, three_tries);
  EXPECT_EQ(found.tries, 0u);
  EXPECT_EQ(found.string.ending.kind, Ending::Kind::beads);
}

// Repaired by the first try.
RepairedString on_the_ring(std::size_t threads, const StringCallbacks& callbacks = {}) {
  Ground on({.surface = fake::ring(), .samples = 2, .population = 4}, threads);
  return on.connect(options_for(0.01), three_tries, callbacks);
}

// A valley from (1, 0) to (-1, 0) that is a parabola of height 4: the first bead lies farther from
// both than they from each other, which counts as stagnation. C starts too far off to get anywhere.
RepairedString in_the_bent_valley(std::size_t threads, const StringCallbacks& callbacks = {}) {
  Ground on({.surface = fake::two_weights([](double x, double y, double* dx, double* dy) {
               const double d = y - 4.0 * (1.0 - x * x);
               *dx = 16.0 * x * d;
               *dy = 2.0 * d;
               return d * d;
             }),
             .samples = 2},
            threads);
  MethodOptions options = options_for(0.05);
  options.training.optimizer = Sgd{.learning_rate = 0.005};
  const StringSummary alone = connect(on.evaluators, east, west, options);
  on.objective.forget();
  options.stagnation = 1;
  const RepairedString found =
      on.connect(options, {.mode = RepairMode::restarts, .tries = 2, .rho = {1e3, 1e3}}, callbacks);
  EXPECT_EQ(alone.verdict, Verdict::connected);
  EXPECT_EQ(found.string.path.beads, alone.path.beads);
  if (!callbacks.journal) {
    expect_all_costs_counted(on.objective, found.string);
  }
  return found;
}

TEST(Repair, WhatTheMethodAloneConnectsIsConnected) {
  const RepairedString found = in_the_bent_valley(1);
  EXPECT_EQ(found.string.verdict, Verdict::connected);
  EXPECT_EQ(found.tries, 2u);
  EXPECT_FALSE(found.repaired);
}

TEST(Repair, GivesTheSameBitsForOneAndTwoThreads) {
  for (const auto grow : {on_the_ring, in_the_bent_valley}) {
    const RepairedString one = grow(1, {});
    ASSERT_EQ(one.string.verdict, Verdict::connected);
    const RepairedString two = grow(2, {});
    EXPECT_EQ(two.tries, one.tries);
    EXPECT_EQ(two.repaired, one.repaired);
    expect_same(two.string, one.string);
  }
}

TEST(Repair, GoesOnInTheMiddleOfATryWithTheSameBits) {
  for (const auto grow : {on_the_ring, in_the_bent_valley}) {
    const RepairedString unbroken = grow(1, {});
    PartedJournal whole;
    grow(1, {.journal = whole.open().get()});
    if (unbroken.repaired) {
      EXPECT_GT(whole.beads("/try1-left"), 0u);
      EXPECT_GT(whole.beads("/try1-right"), 0u);
    } else {
      EXPECT_EQ(whole.beads("/try2"), 1u);
      EXPECT_GT(whole.beads("/patient"), 0u);
    }
    for (std::size_t dies_at = 0; dies_at < whole.kept(); ++dies_at) {
      PartedJournal kept;
      kept.dies_at = dies_at;
      const auto journal = kept.open();
      EXPECT_THROW(grow(1, {.journal = journal.get()}), std::runtime_error);
      const RepairedString again = grow(1, {.journal = journal.get()});
      EXPECT_EQ(again.tries, unbroken.tries);
      EXPECT_EQ(again.repaired, unbroken.repaired);
      expect_same(again.string, unbroken.string);
    }
  }
}

TEST(Repair, SaysWhichTryItIs) {
  Ground on({.surface = fake::double_well()});
  std::mutex mutex;
  std::vector<std::size_t> attempts;
  on.connect(options_for(0.5), three_tries, {.progress = [&](const StringProgress& event) {
               const std::lock_guard lock(mutex);
               attempts.push_back(event.attempt);
             }});
  EXPECT_TRUE(std::ranges::is_sorted(attempts));
  attempts.erase(std::unique(attempts.begin(), attempts.end()), attempts.end());
  EXPECT_EQ(attempts, (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(Repair, ObeysAStop) {
  Ground on({.surface = fake::double_well()});
  Stop stop;
  EXPECT_THROW(on.connect(options_for(0.5),
                          three_tries,
                          {.stop = &stop,
                           .progress =
                               [&](const StringProgress& event) {
                                 if (event.attempt == 2) {
                                   stop.request();
                                 }
                               }}),
               Interrupted);
}

TEST(Repair, NamesWhatIsWrongWithItsOptions) {
  Ground on({.surface = fake::ring()});
  expect_error<UsageError>(
      [&] { on.connect(options_for(0.05), {.mode = RepairMode::restarts, .tries = 0}); },
      {"repair-tries: expected at least 1, got 0"});
  expect_error<UsageError>(
      [&] {
        on.connect(options_for(0.05), {.mode = RepairMode::restarts, .rho = {0.3, -0.5}});
      },
      {"rho", "-0.5"});
  EXPECT_EQ(on.objective.looks(), 0u);
  EXPECT_EQ(named<RepairMode>("restarts"), RepairMode::restarts);
  EXPECT_THROW(named<RepairMode>("hubs"), UsageError);
}

}  // namespace
}  // namespace isthmus
