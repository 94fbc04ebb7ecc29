// SPDX-License-Identifier: MIT
#include "isthmus/strings/greedy.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/path/measures.h"
#include "support/fake_objective.h"
#include "support/strings.h"

namespace isthmus {
namespace {

using fake::FakeObjective;
using fake::FakeOptions;
using testing::bits;
using testing::expect_all_costs_counted;
using testing::expect_same;
using testing::MemoryJournal;
using Theta = std::vector<float>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

GreedyOptions options_for(double threshold) {
  GreedyOptions options;
  options.threshold = threshold;
  options.alpha = 0.5;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  return options;
}

// Two points of the unit circle, 120 degrees apart: the line between them climbs to 9/16.
const Theta ring_a{1.0f, 0.0f};
const Theta ring_b{-0.5f, static_cast<float>(0.5 * std::numbers::sqrt3)};

// Everything that connect_greedy needs.
struct Ground {
  FakeObjective objective;
  Workers workers;
  Evaluators evaluators;

  explicit Ground(FakeOptions options, std::size_t threads = 1)
      : objective(std::move(options)), workers(threads), evaluators(objective, workers) {}

  StringSummary connect(const Theta& a,
                        const Theta& b,
                        const GreedyOptions& options,
                        StringJournal* journal = nullptr,
                        const Stop* stop = nullptr,
                        const std::function<void(const StringProgress&)>& progress = nullptr) {
    return connect_greedy(
        evaluators, a, b, options, {.journal = journal, .stop = stop, .progress = progress});
  }
};

// A bead was put in by some round between two beads that are its neighbours among the older ones.
void expect_births_follow_the_rounds(const StringSummary& summary) {
  ASSERT_EQ(summary.births.size(), summary.path.size());
  const auto& births = summary.births;
  for (std::size_t i = 1; i + 1 < births.size(); ++i) {
    ASSERT_GE(births[i].round, 1u);
    EXPECT_LE(births[i].round, summary.rounds);
    std::size_t left = i - 1;
    while (births[left].round >= births[i].round) {
      --left;
    }
    std::size_t right = i + 1;
    while (births[right].round >= births[i].round) {
      ++right;
    }
    EXPECT_EQ(births[i].left, summary.bead_numbers[left]);
    EXPECT_EQ(births[i].right, summary.bead_numbers[right]);
    EXPECT_GE(births[i].t, 0.0);
    EXPECT_LE(births[i].t, 1.0);
  }
}

// What every summary must satisfy, whatever came of the string.
void expect_consistent(Ground& on,
                       const StringSummary& summary,
                       const GreedyOptions& options,
                       const Theta& a,
                       const Theta& b) {
  EXPECT_EQ(summary.path.size(), 2 + summary.beads_inserted);
  EXPECT_EQ(summary.segments.size(), summary.path.segments());
  ASSERT_EQ(summary.bead_numbers.size(), summary.path.size());
  EXPECT_EQ(summary.bead_numbers.front(), 0u);
  EXPECT_EQ(summary.bead_numbers.back(), 1u);
  EXPECT_EQ(std::set(summary.bead_numbers.begin(), summary.bead_numbers.end()).size(),
            summary.path.size());
  EXPECT_TRUE(std::ranges::equal(summary.path.bead(0), a)) << "end points stay as they are";
  EXPECT_TRUE(std::ranges::equal(summary.path.bead(summary.path.size() - 1), b));
  EXPECT_FALSE(sentence(summary.ending).empty());
  expect_births_follow_the_rounds(summary);

  // From nothing but the beads, on the same grid: the same bits.
  SegmentGrid grid = options.grid;
  grid.bound = options.tolerance * options.threshold;
  grid.comparison = options.training.comparison;
  grid.stop_at_failure = false;
  const std::vector<SegmentCheck> again = check_path(on.evaluators, summary.path, grid);
  ASSERT_EQ(again.size(), summary.segments.size());
  bool all_pass = true;
  double largest = -1.0;
  double largest_t = nan;
  for (std::size_t i = 0; i < again.size(); ++i) {
    expect_same(again[i], summary.segments[i], false);
    all_pass = all_pass && again[i].passed;
    if (worse(again[i].worst_value, largest)) {
      largest = again[i].worst_value;
      largest_t = (static_cast<double>(i) + again[i].worst_t) / static_cast<double>(again.size());
    }
  }
  EXPECT_EQ(bits(summary.max_metric), bits(largest));
  EXPECT_EQ(summary.max_t, largest_t);
  EXPECT_EQ(summary.verdict == Verdict::connected, all_pass);
}

TEST(Greedy, AStraightLineThatPassesGetsNoBead) {
  Ground on({.surface = fake::double_well(), .samples = 5});
  const Theta a{-1.0f, 0.0f};
  const Theta b{1.0f, 0.0f};
  const GreedyOptions options = options_for(1.0);  // the pass itself
  const StringSummary summary = on.connect(a, b, options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.beads_inserted, 0u);
  EXPECT_EQ(summary.rounds, 0u);
  EXPECT_EQ(summary.max_metric, 1.0);
  EXPECT_EQ(summary.max_t, 0.5);
  EXPECT_EQ(on.objective.looks(), 101u) << "every grid point once, the ends too";
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, a, b);
}

TEST(Greedy, IdenticalEndPointsAreConnected) {
  Ground on({.surface = fake::ring()});
  const GreedyOptions options = options_for(0.1);
  const StringSummary summary = on.connect(ring_a, ring_a, options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.path.size(), 2u);
  const PathLength length = length_of(summary.path, on.objective.layout(), Coordinates::all);
  EXPECT_EQ(length.length, 0.0);
  EXPECT_EQ(length.normalized, 1.0);
  expect_consistent(on, summary, options, ring_a, ring_a);
}

TEST(Greedy, ARingValleyConnectsWithTheExpectedBeads) {
  // Beads are trained until (r^2 - 1)^2 <= 0.025, so r^2 is about 0.842. Segments over 60 degrees
  // still fail (0.096 halfway), those over 30 degrees pass (0.046): two rounds, one and two beads.
  Ground on({.surface = fake::ring(), .samples = 3});
  GreedyOptions options = options_for(0.05);
  options.training.optimizer = Sgd{.learning_rate = 0.002};
  const StringSummary summary = on.connect(ring_a, ring_b, options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.rounds, 2u);
  EXPECT_EQ(summary.beads_inserted, 3u);
  EXPECT_EQ(summary.beads_unreached, 0u);
  EXPECT_EQ(summary.bead_numbers, (std::vector<std::size_t>{0, 3, 2, 4, 1}));
  EXPECT_LE(summary.max_metric, 0.05);
  for (std::size_t i = 1; i + 1 < summary.path.size(); ++i) {
    const auto bead = summary.path.bead(i);
    EXPECT_NEAR(std::hypot(bead[0], bead[1]), std::sqrt(0.842), 0.01);
    EXPECT_NEAR(std::atan2(bead[1], bead[0]), static_cast<double>(i) * std::numbers::pi / 6, 0.05);
  }
  const PathLength length = length_of(summary.path, on.objective.layout(), Coordinates::all);
  EXPECT_GT(length.normalized, 1.05);
  EXPECT_LT(length.normalized, 2.0 * std::numbers::pi / 3.0 / std::numbers::sqrt3);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, ring_a, ring_b);
}

TEST(Greedy, AWallThatCannotBePassedIsAnOutcomeWithNumbers) {
  Ground on({.surface = fake::wall(), .samples = 2});
  GreedyOptions options = options_for(0.5);
  options.max_rounds = 5;
  const Theta a{-2.0f, 0.0f};
  const Theta b{2.5f, 0.1f};
  const StringSummary summary = on.connect(a, b, options);
  EXPECT_EQ(summary.verdict, Verdict::not_connected);
  EXPECT_EQ(summary.rounds, 5u);
  EXPECT_EQ(summary.beads_inserted, 5u) << "one segment holds the wall, round after round";
  EXPECT_GT(summary.max_metric, 0.5);
  EXPECT_NE(sentence(summary.ending).find("1 of 6 segments exceed the threshold after 5 rounds"),
            std::string::npos)
      << sentence(summary.ending);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, a, b);
}

TEST(Greedy, ABeadThatStaysAboveTheBoundEndsTheString) {
  Ground on({.surface = fake::double_well()});
  GreedyOptions options = options_for(0.5);
  options.training.max_steps = 50;
  const Theta a{-1.0f, 0.0f};
  const Theta b{1.0f, 0.0f};  // the bead starts on the saddle, whose gradient is 0
  const StringSummary summary = on.connect(a, b, options);
  EXPECT_EQ(summary.verdict, Verdict::not_connected);
  EXPECT_EQ(summary.rounds, 1u);
  EXPECT_EQ(summary.beads_unreached, 1u);
  EXPECT_EQ(summary.max_metric, 1.0);
  EXPECT_NE(sentence(summary.ending).find("bead 2 stayed at"), std::string::npos)
      << sentence(summary.ending);
  EXPECT_NE(sentence(summary.ending).find("50 steps"), std::string::npos)
      << sentence(summary.ending);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, a, b);
}

TEST(Greedy, ABeadThatMissesItsTargetBelowTheBoundIsGoodEnough) {
  // The floor of the valley is 0.4: the target 0.25 is out of reach, the threshold 0.5 is not.
  const auto ring = fake::ring();
  Ground on({.surface = [ring](auto theta, auto gradient) { return 0.4 + ring(theta, gradient); }});
  GreedyOptions options = options_for(0.5);
  options.training.max_steps = 300;
  const StringSummary summary = on.connect(ring_a, ring_b, options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_GT(summary.beads_inserted, 0u);
  EXPECT_EQ(summary.beads_unreached, summary.beads_inserted);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, ring_a, ring_b);
}

TEST(Greedy, EndPointsAboveTheThresholdAreAVerdict) {
  Ground on({.surface = fake::ring()});
  const GreedyOptions options = options_for(0.1);
  const Theta high{0.5f, 0.0f};
  const StringSummary summary = on.connect(high, ring_b, options);
  EXPECT_EQ(summary.verdict, Verdict::endpoint_not_reached);
  EXPECT_EQ(summary.value_a, 0.5625);
  EXPECT_LT(summary.value_b, 1e-6);
  EXPECT_EQ(summary.rounds, 0u);
  EXPECT_NE(sentence(summary.ending).find("0.5625"), std::string::npos) << sentence(summary.ending);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, high, ring_b);
}

TEST(Greedy, NanEndPointsAreAVerdict) {
  Ground on({.surface = fake::ring()});
  const Theta broken{std::numeric_limits<float>::quiet_NaN(), 0.0f};
  for (const bool always_insert : {false, true}) {
    GreedyOptions options = options_for(0.1);
    options.always_insert = always_insert;
    const StringSummary summary = on.connect(ring_a, broken, options);
    EXPECT_EQ(summary.verdict,
              always_insert ? Verdict::not_connected : Verdict::endpoint_not_reached);
    EXPECT_TRUE(std::isnan(summary.value_b));
    EXPECT_TRUE(std::isnan(summary.max_metric));
    EXPECT_FALSE(std::isnan(summary.max_t));
  }
}

TEST(Greedy, NanOnTheWayIsNotPassed) {
  const auto well = fake::double_well();
  Ground on({.surface = [well](auto theta, auto gradient) {
    const double value = well(theta, gradient);
    return std::abs(theta[0]) < 0.1f ? nan : value;
  }});
  const GreedyOptions options = options_for(1.5);
  const StringSummary summary = on.connect({-1.0f, 0.0f}, {1.0f, 0.0f}, options);
  EXPECT_EQ(summary.verdict, Verdict::not_connected);
  EXPECT_EQ(summary.beads_unreached, 1u);
  EXPECT_TRUE(std::isnan(summary.max_metric));
  EXPECT_NE(sentence(summary.ending).find("nan"), std::string::npos) << sentence(summary.ending);
}

TEST(Greedy, LimitsEndTheStringBeforeTheNextRound) {
  const auto connect = [](auto change) {
    Ground on({.surface = fake::ring()});
    GreedyOptions options = options_for(0.01);
    options.alpha = 0.95;
    change(options);
    const StringSummary summary = on.connect(ring_a, ring_b, options);
    expect_all_costs_counted(on.objective, summary);
    expect_consistent(on, summary, options, ring_a, ring_b);
    return summary;
  };
  const StringSummary unlimited = connect([](GreedyOptions&) {});
  ASSERT_EQ(unlimited.verdict, Verdict::connected);
  ASSERT_GT(unlimited.rounds, 3u);

  const StringSummary rounds = connect([](GreedyOptions& o) { o.max_rounds = 2; });
  EXPECT_EQ(rounds.verdict, Verdict::not_connected);
  EXPECT_EQ(rounds.rounds, 2u);
  EXPECT_NE(sentence(rounds.ending).find("after 2 rounds"), std::string::npos)
      << sentence(rounds.ending);

  const StringSummary beads = connect([](GreedyOptions& o) { o.max_beads = 5; });
  EXPECT_EQ(beads.verdict, Verdict::not_connected);
  EXPECT_EQ(beads.path.size(), 5u);
  EXPECT_NE(sentence(beads.ending).find("the limit is 5"), std::string::npos)
      << sentence(beads.ending);

  const StringSummary steps = connect([](GreedyOptions& o) { o.max_total_steps = 1; });
  EXPECT_EQ(steps.verdict, Verdict::not_connected);
  EXPECT_EQ(steps.rounds, 1u);
  EXPECT_NE(sentence(steps.ending).find("gradient steps"), std::string::npos)
      << sentence(steps.ending);

  const StringSummary seconds = connect([](GreedyOptions& o) { o.max_seconds = 1e-12; });
  EXPECT_EQ(seconds.verdict, Verdict::not_connected);
  EXPECT_EQ(seconds.rounds, 0u);
  EXPECT_NE(sentence(seconds.ending).find("seconds"), std::string::npos)
      << sentence(seconds.ending);

  // A limit that is just met does not count as passed.
  const StringSummary just = connect([&](GreedyOptions& o) {
    o.max_rounds = unlimited.rounds;
    o.max_beads = unlimited.path.size();
  });
  expect_same(just, unlimited);
}

std::size_t steps_of(const StringSummary& summary) {
  return summary.ending.steps;
}

TEST(Greedy, TheBudgetOfAllBeadsHoldsWithinARound) {
  Ground reference({.surface = fake::ring()});
  GreedyOptions options = options_for(0.01);
  options.alpha = 0.95;
  MemoryJournal whole;
  const StringSummary unlimited = reference.connect(ring_a, ring_b, options, &whole);
  ASSERT_EQ(unlimited.verdict, Verdict::connected);
  const std::size_t needed = steps_of(unlimited);
  ASSERT_EQ(needed, reference.objective.gradients());
  std::set<std::size_t> rounds;
  for (std::size_t budget = 1; budget < needed + 8; budget += 1 + needed / 40) {
    SCOPED_TRACE(budget);
    options.max_total_steps = budget;
    Ground on({.surface = fake::ring()});
    MemoryJournal journal;
    const StringSummary summary = on.connect(ring_a, ring_b, options, &journal);
    EXPECT_LE(on.objective.gradients(), budget);
    EXPECT_EQ(on.objective.gradients(), steps_of(summary));
    expect_all_costs_counted(on.objective, summary);
    expect_consistent(on, summary, options, ring_a, ring_b);
    rounds.insert(summary.rounds);
    if (summary.verdict == Verdict::connected) {
      expect_same(summary, unlimited);
    } else {
      EXPECT_EQ(summary.ending.kind, Ending::Kind::steps) << sentence(summary.ending);
    }
    for (const std::size_t threads : {2u, 3u}) {
      Ground more({.surface = fake::ring()}, threads);
      expect_same(more.connect(ring_a, ring_b, options), summary);
    }
    // The same journal, resumed with the same budget and with one that is enough.
    Ground again({.surface = fake::ring()});
    expect_same(again.connect(ring_a, ring_b, options, &journal), summary);
    options.max_total_steps = std::numeric_limits<std::size_t>::max();
    Ground larger({.surface = fake::ring()});
    expect_same(larger.connect(ring_a, ring_b, options, &journal), unlimited);
  }
  EXPECT_GE(rounds.size(), 3u);
}

TEST(Greedy, ChecksEachSegmentOnce) {
  Ground on({.surface = fake::ring()});
  const GreedyOptions options = options_for(0.01);
  MemoryJournal journal;  // refuses a segment that it has
  const StringSummary summary = on.connect(ring_a, ring_b, options, &journal);
  ASSERT_EQ(summary.verdict, Verdict::connected);
  // A binary tree: every bead splits one segment that failed.
  EXPECT_EQ(journal.checks.size(), 1 + 2 * summary.beads_inserted);
  std::uint64_t samples = 2;
  for (const auto& [ends, check] : journal.checks) {
    samples += check.samples;
    EXPECT_LE(check.samples, check.passed ? 101u : 40u);
  }
  EXPECT_EQ(summary.cost.forward_samples_checks, samples);
  expect_all_costs_counted(on.objective, summary);
}

TEST(Greedy, DoesNotDependOnTheNumberOfWorkers) {
  for (const std::size_t population : {1u, 4u}) {
    for (const TStar t_star : {TStar::half, TStar::argmax}) {
      for (const double threshold : {0.01, 0.2}) {
        GreedyOptions options = options_for(threshold);
        options.t_star = t_star;
        options.alpha = 0.95;
        const auto connect = [&](std::size_t threads) {
          Ground on({.surface = fake::ring(), .samples = 3, .population = population}, threads);
          StringSummary summary = on.connect(ring_a, ring_b, options);
          expect_all_costs_counted(on.objective, summary);
          return summary;
        };
        const StringSummary one = connect(1);
        EXPECT_EQ(one.verdict, Verdict::connected);
        for (const std::size_t threads : {2u, 3u}) {
          expect_same(connect(threads), one);
        }
      }
    }
  }
}

// Strings that end in different ways, for the tests of interruptions.
struct Case {
  std::string name;
  fake::Surface surface;
  Theta a;
  Theta b;
  GreedyOptions options;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"connected", fake::ring(), ring_a, ring_b, options_for(0.02)});
  all.push_back({"argmax", fake::ring(), ring_a, ring_b, options_for(0.05)});
  all.back().options.t_star = TStar::argmax;
  all.push_back({"wall", fake::wall(), {-2.0f, 0.0f}, {2.5f, 0.1f}, options_for(0.5)});
  all.back().options.max_rounds = 3;
  all.push_back({"stuck", fake::double_well(), {-1.0f, 0.0f}, {1.0f, 0.0f}, options_for(0.5)});
  all.back().options.training.max_steps = 20;
  all.push_back({"always_insert", fake::ring(), ring_a, ring_b, options_for(0.05)});
  all.back().options.always_insert = true;
  all.push_back({"averages on bends", fake::ring(), ring_a, ring_b, options_for(0.002)});
  all.back().options.training.average = 0.9;
  all.back().options.bead_bend = 1.0;
  return all;
}

// A ring of radius 10: at a rate of .02 the bead of two points 120 degrees apart is thrown from
// (0, 5) to (0, 35), and farther at every step. Clipped, it walks .02 a step to 3800: r^2 > 38.36,
// which takes 60 steps.
TEST(GreedyJournal, ABeadThatIsLostStartsAgainWithClippedGradients) {
  const FakeOptions wide{
      .surface = fake::two_weights([](double x, double y, double* dx, double* dy) {
        const double s = x * x + y * y - 100.0;
        *dx = 4.0 * x * s;
        *dy = 4.0 * y * s;
        return s * s;
      }),
      .samples = 3};
  const Theta a{static_cast<float>(5.0 * std::numbers::sqrt3), 5.0F};
  const Theta b{-a[0], a[1]};
  GreedyOptions options = options_for(4000.0);
  options.alpha = 0.95;
  const StringSummary lost = Ground(wide).connect(a, b, options);
  EXPECT_EQ(lost.verdict, Verdict::not_connected);
  EXPECT_EQ(lost.ending.kind, Ending::Kind::stuck_bead);
  options.restart_dead = true;
  MemoryJournal whole;
  const StringSummary found = Ground(wide).connect(a, b, options, &whole);
  EXPECT_EQ(found.verdict, Verdict::connected);
  ASSERT_EQ(found.path.size(), 3U);
  EXPECT_NEAR(found.path.bead(1)[1], 6.2, 0.021);
  // What was lost is counted.
  EXPECT_EQ(found.ending.steps, lost.ending.steps + 60);
  EXPECT_EQ(found.beads_unreached, 0U);
  for (std::size_t dies_at = 0; dies_at < whole.kept; ++dies_at) {
    MemoryJournal journal;
    journal.dies_at = dies_at;
    EXPECT_THROW(Ground(wide).connect(a, b, options, &journal), std::runtime_error);
    expect_same(Ground(wide, 2).connect(a, b, options, &journal), found);
  }
  // Of a budget the second training has what the first one left.
  options.max_total_steps = lost.ending.steps + 30;
  const StringSummary few = Ground(wide).connect(a, b, options);
  EXPECT_EQ(few.ending.kind, Ending::Kind::steps) << sentence(few.ending);
  EXPECT_EQ(few.ending.steps, options.max_total_steps);
  options.max_total_steps = std::numeric_limits<std::size_t>::max();
  options.training.clip_norm = 100.0;  // clipped anyway: steps of 2, from one side to the other
  EXPECT_EQ(Ground(wide).connect(a, b, options).ending.kind, Ending::Kind::connected);
}

TEST(GreedyJournal, ResumesAtEveryPointWithTheSameBits) {
  for (const Case& c : cases()) {
    Ground reference({.surface = c.surface, .samples = 3});
    MemoryJournal whole;
    const StringSummary unbroken = reference.connect(c.a, c.b, c.options, &whole);
    const std::size_t pieces = whole.kept;
    ASSERT_GT(pieces, 0u);
    for (std::size_t threads = 1; threads <= 2; ++threads) {
      for (std::size_t dies_at = 0; dies_at < pieces; ++dies_at) {
        SCOPED_TRACE(c.name + ", piece " + std::to_string(dies_at) + ", " +
                     std::to_string(threads) + " workers");
        MemoryJournal journal;
        journal.dies_at = dies_at;
        Ground first({.surface = c.surface, .samples = 3}, threads);
        EXPECT_THROW(first.connect(c.a, c.b, c.options, &journal), std::runtime_error);
        Ground second({.surface = c.surface, .samples = 3}, threads);
        expect_same(second.connect(c.a, c.b, c.options, &journal), unbroken);
        if (threads == 1) {
          EXPECT_EQ(journal.beads.size(), whole.beads.size());
          EXPECT_EQ(journal.checks.size(), whole.checks.size());
        }
      }
    }
    // With everything kept nothing is trained again.
    Ground last({.surface = c.surface, .samples = 3});
    expect_same(last.connect(c.a, c.b, c.options, &whole), unbroken);
    EXPECT_EQ(last.objective.gradients(), 0u);
    EXPECT_EQ(whole.kept, pieces);
  }
}

TEST(GreedyJournal, KeepsWhatWasFinishedWhenAskedToStop) {
  const Case c = cases().front();
  Ground reference({.surface = c.surface});
  const StringSummary unbroken = reference.connect(c.a, c.b, c.options);
  const std::size_t looks = reference.objective.looks();
  const std::size_t steps = reference.objective.gradients();
  ASSERT_GT(steps, 10u);
  for (std::size_t i = 0; i < 24; ++i) {
    // Stops in the middle of a look or of a step, until nothing is left to stop.
    MemoryJournal journal;
    const std::size_t at = i % 2 == 0 ? looks * i / 24 : steps * i / 24;
    Stop stop;
    std::atomic<std::size_t> events{0};
    FakeOptions options{.surface = c.surface};
    const auto count = [&] {
      if (events++ == at) {
        stop.request();
      }
    };
    if (i % 2 == 0) {
      options.before_look = [&](auto) { count(); };
    } else {
      options.before_step = count;
    }
    Ground first(options, 2);
    try {
      first.connect(c.a, c.b, c.options, &journal, &stop);
      EXPECT_LE(events, at + 2) << "only the last events of all may go unnoticed";
    } catch (const Interrupted&) {
      EXPECT_LT(journal.beads.size() + journal.checks.size(), 1 + 3 * unbroken.beads_inserted);
    }
    Ground second({.surface = c.surface}, 2);
    expect_same(second.connect(c.a, c.b, c.options, &journal), unbroken);
    EXPECT_LT(second.objective.gradients(), steps + 1);
  }
}

TEST(GreedyJournal, KeepsABeadThatMissedItsTargetBeforeItStops) {
  Stop stop;
  std::size_t steps = 0;
  Ground on({.surface = fake::double_well(), .before_step = [&] {
               if (++steps == 20) {
                 stop.request();  // in the last step of the budget
               }
             }});
  const Case stuck = cases()[3];
  MemoryJournal journal;
  EXPECT_THROW(on.connect(stuck.a, stuck.b, stuck.options, &journal, &stop), Interrupted);
  // Either the training in flight ended (and is kept), or it did not (and is not).
  for (const auto& [number, record] : journal.beads) {
    EXPECT_EQ(record.summary.termination, Termination::budget);
  }
}

TEST(GreedyJournal, RefusesPiecesOfAnotherString) {
  Ground on({.surface = fake::ring()});
  MemoryJournal journal;
  journal.beads[2] = {.theta = {1.0f}, .summary = {}};
  EXPECT_THROW(on.connect(ring_a, ring_b, options_for(0.05), &journal), InternalError);
  journal.beads.clear();
  journal.checks.clear();
  journal.checks[{0, 1}] = {.values = {0.0, 1.0}};
  EXPECT_THROW(on.connect(ring_a, ring_b, options_for(0.05), &journal), InternalError);
}

TEST(Greedy, PassesOnWhatAWorkerThrows) {
  for (const std::size_t threads : {1u, 2u, 3u}) {
    for (const std::size_t at : {0u, 1u, 2u, 50u, 200u}) {
      std::atomic<std::size_t> looks{0};
      bool broken = true;
      Ground on({.surface = fake::ring(),
                 .before_look =
                     [&](auto) {
                       if (looks++ == at && broken) {
                         throw std::runtime_error("no memory left");
                       }
                     }},
                threads);
      MemoryJournal journal;
      const GreedyOptions options = options_for(0.02);
      EXPECT_THROW(on.connect(ring_a, ring_b, options, &journal), std::runtime_error);
      // The pool still works, and what was finished is there.
      broken = false;
      EXPECT_EQ(on.connect(ring_a, ring_b, options, &journal).verdict, Verdict::connected);
    }
  }
}

TEST(GreedyPaper, AlwaysInsertsTheMidpoint) {
  Ground on({.surface = fake::ring()});
  GreedyOptions options = options_for(0.5);
  options.always_insert = true;
  options.grid.include_end = false;
  options.grid.points = 100;
  options.training.comparison = Comparison::below;
  options.training.skip_first_check = true;
  const Theta b{0.9f, 0.3f};
  const StringSummary summary = on.connect(ring_a, b, options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.beads_inserted, 1u);
  EXPECT_EQ(summary.path.size(), 3u) << "the smallest that was published";
  EXPECT_EQ(summary.rounds, 1u);
  EXPECT_EQ(summary.segments[0].values.size(), 100u);
  EXPECT_GT(on.objective.gradients(), 0u);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, ring_a, b);
}

TEST(GreedyPaper, DoesNotLookAtTheLastEndPoint) {
  Ground on({.surface = fake::ring()});
  GreedyOptions options = options_for(0.05);
  options.always_insert = true;
  options.grid.include_end = false;
  options.grid.points = 20;
  const Theta high{0.0f, 0.88f};  // stopped on its training loss, say: 0.0509 here
  const StringSummary summary = on.connect(ring_a, high, options);
  EXPECT_GT(summary.value_b, 0.05);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_LE(summary.max_metric, 0.05);
  expect_consistent(on, summary, options, ring_a, high);
}

TEST(GreedyPaper, ArgmaxAtTheLeftEndInsertsACopyThatIsTrained) {
  // A bowl: the left end point, above the threshold, is the largest value of its segment for ever.
  Ground on({.surface = fake::two_weights([](double x, double y, double* dx, double* dy) {
               *dx = 2.0 * x;
               *dy = 2.0 * y;
               return x * x + y * y;
             })});
  GreedyOptions options = options_for(0.5);
  options.alpha = 0.98;
  options.always_insert = true;
  options.t_star = TStar::argmax;
  options.grid.include_end = false;
  options.grid.points = 20;
  options.max_rounds = 4;
  options.training.comparison = Comparison::below;
  const Theta a{1.0f, 0.0f};
  const Theta b{0.0f, 0.0f};
  const StringSummary summary = on.connect(a, b, options);
  EXPECT_EQ(summary.verdict, Verdict::not_connected);
  EXPECT_EQ(summary.rounds, 4u);
  EXPECT_EQ(summary.bead_numbers, (std::vector<std::size_t>{0, 5, 4, 3, 2, 1}));
  EXPECT_EQ(summary.max_metric, 1.0);
  EXPECT_EQ(summary.max_t, 0.0);
  EXPECT_EQ(summary.path.bead(4)[0], 0.5f) << "the midpoint was below its target at once";
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_NEAR(summary.path.bead(i)[0], 0.68f, 0.03f) << "a copy of the left one, trained";
  }
  EXPECT_EQ(summary.path.bead(1)[0], summary.path.bead(3)[0]) << "from the same start";
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, a, b);
}

TEST(Greedy, ArgmaxPutsTheBeadWhereTheValueIsLargest) {
  // A hill over the line from 0 to 1, highest at x = 0.3; down its side in y.
  Ground on({.surface = fake::two_weights([](double x, double y, double* dx, double* dy) {
               const double hill =
                   std::exp(-20.0 * (x - 0.3) * (x - 0.3) - 4.0 * (y - 0.2) * (y - 0.2));
               *dx = -40.0 * (x - 0.3) * hill;
               *dy = -8.0 * (y - 0.2) * hill;
               return hill;
             })});
  GreedyOptions options = options_for(0.6);
  options.t_star = TStar::argmax;
  options.alpha = 0.9;
  MemoryJournal journal;
  const Theta a{-1.0f, 0.0f};
  const Theta b{1.0f, 0.0f};
  const StringSummary summary = on.connect(a, b, options, &journal);
  ASSERT_GE(summary.beads_inserted, 1u);
  EXPECT_NEAR((journal.checks.at({0, 1}).worst_t), 0.65, 1e-12);
  EXPECT_NEAR(journal.beads.at(2).theta[0], 0.3f, 1e-4f) << "it slides down in y";
  EXPECT_LT(journal.beads.at(2).theta[1], 0.0f);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, a, b);
}

TEST(Greedy, ErrorRatesConnectWithFewerSamples) {
  const auto connect = [](TStar t_star) {
    Ground on(
        {.surface = fake::ring(), .metric = Metric::error_rate, .samples = 1000, .block = 20});
    GreedyOptions options = options_for(0.05);
    options.grid.metric = Metric::error_rate;
    options.grid.points = 21;
    options.t_star = t_star;
    const StringSummary summary = on.connect(ring_a, ring_b, options);
    EXPECT_EQ(summary.verdict, Verdict::connected);
    expect_all_costs_counted(on.objective, summary);
    expect_consistent(on, summary, options, ring_a, ring_b);
    return summary;
  };
  const StringSummary summary = connect(TStar::half);
  // 4 segments pass with 19 or 20 passes each; those that fail cost parts of a pass.
  const std::size_t passes = 19 * summary.path.segments();
  EXPECT_GE(summary.cost.forward_samples_checks, 1000 * passes);
  EXPECT_LE(summary.cost.forward_samples_checks, 1000 * (passes + 2 + summary.beads_inserted));
  EXPECT_GT(connect(TStar::argmax).cost.forward_samples_checks,
            summary.cost.forward_samples_checks);
}

// Sample i of n is misread where the surface exceeds its share (i + 0.5) / n: the error rate is
// that of the surface. Half of them change slower than the others.
FakeOptions with_margins(fake::Surface surface, std::size_t samples) {
  FakeOptions options{.surface = surface, .metric = Metric::error_rate, .samples = samples};
  options.margin = [surface, samples](std::span<const float> theta, std::size_t i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(samples);
    return static_cast<float>((share - surface(theta, {})) * (i % 2 == 0 ? 1.0 : 0.25));
  };
  return options;
}

GreedyOptions screened_options(double threshold) {
  GreedyOptions options = options_for(threshold);
  options.grid.metric = Metric::error_rate;
  options.grid.points = 21;
  options.check = CheckKind::screened;
  return options;
}

TEST(GreedyScreened, FindsTheStringOfTheWholeGridWithFewerSamples) {
  for (const double threshold : {0.02, 0.05, 0.3}) {
    for (const TStar t_star : {TStar::half, TStar::argmax}) {
      GreedyOptions options = screened_options(threshold);
      options.t_star = t_star;
      Ground on(with_margins(fake::ring(), 1000));
      const StringSummary screened = on.connect(ring_a, ring_b, options);
      expect_all_costs_counted(on.objective, screened);
      expect_consistent(on, screened, options, ring_a, ring_b);
      options.check = CheckKind::sampled;
      Ground reference(with_margins(fake::ring(), 1000));
      StringSummary sampled = reference.connect(ring_a, ring_b, options);
      EXPECT_LT(3 * screened.cost.forward_samples_checks, sampled.cost.forward_samples_checks);
      // Everything else is the same (but where looks in training stop).
      sampled.cost.forward_samples_checks = screened.cost.forward_samples_checks;
      sampled.cost.forward_samples_beads = screened.cost.forward_samples_beads;
      ASSERT_EQ(sampled.segments.size(), screened.segments.size());
      for (std::size_t i = 0; i < sampled.segments.size(); ++i) {
        sampled.segments[i].samples = screened.segments[i].samples;
      }
      expect_same(screened, sampled);
      for (const std::size_t threads : {2u, 3u}) {
        options.check = CheckKind::screened;
        Ground more(with_margins(fake::ring(), 1000), threads);
        expect_same(more.connect(ring_a, ring_b, options), screened);
      }
    }
  }
}

// A string that dies at any piece that it keeps goes on to what an unbroken one gives.
void expect_resumes_everywhere(const FakeOptions& objective, const GreedyOptions& options) {
  Ground reference(objective);
  MemoryJournal whole;
  const StringSummary unbroken = reference.connect(ring_a, ring_b, options, &whole);
  ASSERT_GT(whole.kept, 5u);
  for (std::size_t dies_at = 0; dies_at < whole.kept; ++dies_at) {
    SCOPED_TRACE(dies_at);
    MemoryJournal journal;
    journal.dies_at = dies_at;
    Ground first(objective);
    EXPECT_THROW(first.connect(ring_a, ring_b, options, &journal), std::runtime_error);
    Ground second(objective);
    expect_same(second.connect(ring_a, ring_b, options, &journal), unbroken);
  }
}

TEST(GreedyScreened, ResumesAtEveryPointWithTheSameBits) {
  expect_resumes_everywhere(with_margins(fake::ring(), 200), screened_options(0.02));
}

// The loss of each sample is a share of the surface of its own, and all of them make the surface.
FakeOptions with_losses(fake::Surface surface, std::size_t samples) {
  FakeOptions options{.surface = surface, .samples = samples};
  options.sample_loss = [surface, samples](std::span<const float> theta, std::size_t i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(samples);
    return static_cast<float>(3.0 * share * share * surface(theta, {}));
  };
  return options;
}

GreedyOptions screened_losses(double threshold) {
  GreedyOptions options = screened_options(threshold);
  options.grid.metric = Metric::mean_squared_error;
  return options;
}

TEST(GreedyScreened, JoinsByLossesAsTheWholeGridDoes) {
  for (const double threshold : {0.02, 0.05, 0.3}) {
    GreedyOptions options = screened_losses(threshold);
    Ground on(with_losses(fake::ring(), 5000));
    const StringSummary screened = on.connect(ring_a, ring_b, options);
    expect_all_costs_counted(on.objective, screened);
    EXPECT_EQ(screened.verdict, Verdict::connected);
    for (const std::size_t threads : {2u, 3u}) {
      Ground more(with_losses(fake::ring(), 5000), threads);
      expect_same(more.connect(ring_a, ring_b, options), screened);
    }
    options.check = CheckKind::sampled;
    Ground reference(with_losses(fake::ring(), 5000));
    const StringSummary sampled = reference.connect(ring_a, ring_b, options);
    EXPECT_EQ(sampled.path.beads, screened.path.beads);
    EXPECT_NEAR(sampled.max_metric, screened.max_metric, 1e-6 * threshold);
    EXPECT_LT(2 * screened.cost.forward_samples_checks, sampled.cost.forward_samples_checks);
  }
}

TEST(GreedyScreened, ResumesByLossesAtEveryPointWithTheSameBits) {
  GreedyOptions options = screened_losses(0.02);
  expect_resumes_everywhere(with_losses(fake::ring(), 1500), options);
  options.training.average = 0.9;
  expect_resumes_everywhere(with_losses(fake::ring(), 1500), options);
}

// A flat valley; sample 0 is misread nowhere but near t = 1/2 of the line, sample 1 near there too,
// so narrowly and from so far above that nothing announces it.
FakeOptions with_a_spike(double width) {
  FakeOptions options{
      .surface = fake::two_weights([](double, double, double*, double*) { return 0.0; }),
      .metric = Metric::error_rate,
      .samples = 1000};
  options.margin = [width](std::span<const float> theta, std::size_t i) {
    const double x = theta[0];
    if (i == 0) {
      return static_cast<float>(std::abs(x - 0.5) - 0.01);
    }
    if (i == 1 && std::abs(x - 0.5) < width) {
      return -1.0f;
    }
    return 30.0f;
  };
  return options;
}

TEST(GreedyScreened, ConfirmsTheLargestValueOnAllSamples) {
  const Theta a{0.0f, 0.0f};
  const Theta b{1.0f, 0.0f};
  // One sample in a thousand may be misread. Two are, at the middle: the screen leaves sample 1
  // out, the look at all samples does not, and the segment fails.
  const GreedyOptions options = screened_options(0.0015);
  Ground narrow(with_a_spike(0.01));
  const StringSummary failed = narrow.connect(a, b, options);
  expect_all_costs_counted(narrow.objective, failed);
  EXPECT_EQ(failed.verdict, Verdict::not_connected);
  EXPECT_EQ(failed.max_metric, 0.002);
  // Without it the line passes, and its largest value is that of the grid.
  Ground none(with_a_spike(0.0));
  const StringSummary passed = none.connect(a, b, options);
  expect_all_costs_counted(none.objective, passed);
  expect_consistent(none, passed, options, a, b);
  EXPECT_EQ(passed.verdict, Verdict::connected);
  EXPECT_EQ(passed.max_metric, 0.001);
}

TEST(GreedyScreened, RefusesWhatHasNoMargins) {
  GreedyOptions options = screened_options(0.1);
  Ground none({.surface = fake::ring(), .metric = Metric::error_rate});
  EXPECT_THROW(none.connect(ring_a, ring_b, options), UsageError);
  options.grid.metric = Metric::mean_squared_error;
  Ground other({.surface = fake::ring()});
  EXPECT_THROW(other.connect(ring_a, ring_b, options), UsageError);
}

TEST(CheckKind, HasNames) {
  for (const CheckKind check : {CheckKind::sampled, CheckKind::screened, CheckKind::certified}) {
    EXPECT_EQ(named<CheckKind>(name_of(check)), check);
  }
  EXPECT_THROW(named<CheckKind>("guessed"), UsageError);
}

TEST(Greedy, AMeanTrainingLossIsNotTheValueOfABead) {
  // On the test split everything is twice as high as in training, and beads stop on the training
  // loss: they look as if they had reached their target.
  Ground on({.surface = fake::ring(), .on_test = 2.0});
  GreedyOptions options = options_for(0.05);
  options.alpha = 0.9;
  options.training.loss_window = 1;
  options.training.check_every = 1000;
  const StringSummary summary = on.connect(ring_a, ring_b, options);
  EXPECT_EQ(summary.verdict, Verdict::not_connected);
  EXPECT_NE(sentence(summary.ending).find("bead 2 stayed at"), std::string::npos)
      << sentence(summary.ending);
  expect_all_costs_counted(on.objective, summary);
  expect_consistent(on, summary, options, ring_a, ring_b);
}

TEST(Greedy, TellsWhatItDoes) {
  for (const std::size_t threads : {1u, 2u}) {
    Ground on({.surface = fake::ring()}, threads);
    std::mutex mutex;
    std::vector<StringProgress> events;
    const StringSummary summary = on.connect(
        ring_a, ring_b, options_for(0.02), nullptr, nullptr, [&](const StringProgress& event) {
          const std::lock_guard lock(mutex);
          events.push_back(event);
        });
    ASSERT_EQ(summary.verdict, Verdict::connected);
    std::map<StringProgress::Kind, std::size_t> counts;
    std::set<std::size_t> trained;
    std::size_t beads = 2;
    for (const StringProgress& event : events) {
      ++counts[event.kind];
      EXPECT_LE(event.round, summary.rounds);
      if (event.kind == StringProgress::Kind::round_started) {
        EXPECT_EQ(event.round, counts[event.kind]);
        EXPECT_EQ(event.beads, beads);
        beads += event.open_segments;
      } else if (event.round > 0) {
        EXPECT_EQ(event.beads, beads) << "open_segments is that of the round's start";
      }
      if (event.kind == StringProgress::Kind::bead_trained) {
        EXPECT_TRUE(trained.insert(event.bead).second);
        EXPECT_EQ(event.trained.termination, Termination::reached);
      }
    }
    EXPECT_EQ(counts[StringProgress::Kind::round_started], summary.rounds);
    EXPECT_EQ(trained.size(), summary.beads_inserted);
    EXPECT_EQ(beads, summary.path.size());
    EXPECT_EQ(counts[StringProgress::Kind::segment_checked], 1 + 2 * summary.beads_inserted);
    EXPECT_GE(counts[StringProgress::Kind::bead_step], summary.beads_inserted);
  }
}

TEST(Greedy, EveryBeadOfEveryStringHasAStreamOfItsOwn) {
  Ground on({.surface = fake::ring()});
  std::set<std::pair<std::uint64_t, std::uint64_t>> streams;
  std::size_t beads = 0;
  for (const std::uint64_t seed : {0u, 1u}) {
    for (const std::uint64_t stream : {0u, 1u, 2u}) {
      GreedyOptions options = options_for(0.02);
      options.seed = seed;
      options.stream = stream;
      beads += on.connect(ring_a, ring_b, options).beads_inserted;
    }
  }
  for (const auto& name : on.objective.streams()) {
    streams.insert(name);
  }
  ASSERT_GT(beads, 6u);
  EXPECT_EQ(streams.size(), beads);
}

TEST(Greedy, NamesWhatIsWrongWithItsOptions) {
  Ground on({.surface = fake::ring()});
  const auto message = [&](auto change) -> std::string {
    GreedyOptions options = options_for(0.05);
    change(options);
    try {
      on.connect(ring_a, ring_b, options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no UsageError";
  };
  using O = GreedyOptions;
  EXPECT_EQ(message([](O& o) { o.threshold = 0.0; }),
            "threshold: expected a finite number > 0, got 0");
  EXPECT_EQ(message([](O& o) { o.threshold = nan; }),
            "threshold: expected a finite number > 0, got nan");
  EXPECT_EQ(message([](O& o) { o.alpha = 1.5; }), "alpha: expected a number in (0, 1], got 1.5");
  EXPECT_EQ(message([](O& o) { o.alpha = 0.0; }), "alpha: expected a number in (0, 1], got 0");
  EXPECT_EQ(message([](O& o) { o.tolerance = 0.5; }),
            "tolerance: expected a finite number >= 1, got 0.5");
  EXPECT_EQ(message([](O& o) { o.max_rounds = 0; }), "max-rounds: expected at least 1, got 0");
  EXPECT_EQ(message([](O& o) { o.max_beads = 1; }), "max-beads: expected at least 2, got 1");
  EXPECT_EQ(message([](O& o) { o.max_seconds = nan; }),
            "max-seconds: expected a number > 0, got nan");
  EXPECT_EQ(message([](O& o) { o.grid.points = 1; }),
            "points: expected at least 2 and at most " + std::to_string(most_points) + ", got 1");
  EXPECT_NE(message([](O& o) { o.training.max_steps = 0; }), "no UsageError");
  EXPECT_THROW(on.connect(Theta{1.0f}, ring_b, options_for(0.05)), UsageError);
  EXPECT_EQ(on.objective.looks(), 0u);
}

TEST(TStar, HasNames) {
  EXPECT_EQ(named<TStar>("half"), TStar::half);
  EXPECT_EQ(named<TStar>(name_of(TStar::argmax)), TStar::argmax);
  EXPECT_THROW(named<TStar>("third"), UsageError);
}

// Three beads of the arc: the middle one on the circle needs no training; a bead off it does.
TEST(GreedyAlong, BeginsWithThePolylineGiven) {
  const GreedyOptions options = options_for(0.1);
  for (const float radius : {1.0f, 0.1f}) {
    Ground on({.surface = fake::ring()});
    const Theta middle{0.5f * radius, static_cast<float>(0.5 * std::numbers::sqrt3) * radius};
    const std::array<std::span<const float>, 3> beads{ring_a, middle, ring_b};
    const StringSummary summary = connect_greedy_along(on.evaluators, beads, options);
    EXPECT_EQ(summary.verdict, Verdict::connected);
    if (radius == 1.0f) {
      EXPECT_EQ(summary.path.size(), 3u);
    }
    EXPECT_EQ(summary.cost.gradient_samples_beads > 0, radius < 1.0f);
    EXPECT_LE(summary.max_metric, 0.1);
    EXPECT_EQ(Theta(summary.path.bead(0).begin(), summary.path.bead(0).end()), ring_a);
    const std::span<const float> last = summary.path.bead(summary.path.size() - 1);
    EXPECT_EQ(Theta(last.begin(), last.end()), ring_b);
  }
  Ground on({.surface = fake::ring()});
  const Theta far{3.0f, 0.0f};
  const std::array<std::span<const float>, 3> beads{far, ring_a, ring_b};
  EXPECT_EQ(connect_greedy_along(on.evaluators, beads, options).verdict,
            Verdict::endpoint_not_reached);
}

}  // namespace
}  // namespace isthmus
