// SPDX-License-Identifier: MIT
#include "isthmus/strings/breadth_first.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/data/dataset.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/path/measures.h"
#include "support/fake_objective.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using fake::FakeObjective;
using fake::FakeOptions;
using Theta = std::vector<float>;

GreedyOptions options_for(double threshold) {
  GreedyOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  return options;
}

// Two points of the unit circle, 120 degrees apart: the line between them climbs to 9/16.
const Theta ring_a{1.0F, 0.0F};
const Theta ring_b{-0.5F, static_cast<float>(0.5 * std::numbers::sqrt3)};
// Two points off it, of different losses: 1.56 and 0.41.
const Theta off_a{1.5F, 0.0F};
const Theta off_b{-0.3F, static_cast<float>(0.3 * std::numbers::sqrt3)};

// A journal in memory with its parts; dies instead of keeping piece number `dies_at` of all.
struct MemoryJournal final : StringJournal {
  struct Pieces {
    std::map<std::pair<std::string, std::size_t>, BeadRecord> beads;
    std::map<std::pair<std::string, std::pair<std::size_t, std::size_t>>, SegmentCheck> checks;
    std::size_t dies_at = std::numeric_limits<std::size_t>::max();
    std::size_t kept = 0;
    std::mutex mutex;

    void count() {
      if (kept++ == dies_at) {
        throw std::runtime_error("power failure");
      }
    }
  };
  std::shared_ptr<Pieces> all = std::make_shared<Pieces>();
  std::string name;

  std::optional<BeadRecord> find_bead(std::size_t bead) override {
    const std::lock_guard lock(all->mutex);
    const auto found = all->beads.find({name, bead});
    return found == all->beads.end() ? std::nullopt : std::optional(found->second);
  }
  void keep_bead(std::size_t bead, const BeadRecord& record) override {
    const std::lock_guard lock(all->mutex);
    all->count();
    EXPECT_TRUE(all->beads.emplace(std::pair(name, bead), record).second) << bead;
  }
  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override {
    const std::lock_guard lock(all->mutex);
    const auto found = all->checks.find({name, {left, right}});
    return found == all->checks.end() ? std::nullopt : std::optional(found->second);
  }
  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override {
    const std::lock_guard lock(all->mutex);
    all->count();
    EXPECT_TRUE(all->checks.emplace(std::pair(name, std::pair(left, right)), check).second);
  }
  std::unique_ptr<StringJournal> part(std::string_view part_name) override {
    auto part = std::make_unique<MemoryJournal>();
    part->all = all;
    part->name = name + "/" + std::string(part_name);
    return part;
  }
};

struct Ground {
  FakeObjective objective;
  Workers workers;
  Evaluators evaluators;

  explicit Ground(FakeOptions options, std::size_t threads = 1)
      : objective(std::move(options)), workers(threads), evaluators(objective, workers) {}

  StringSummary connect(const Theta& a,
                        const Theta& b,
                        const GreedyOptions& options,
                        const BreadthFirstTerms& terms = {},
                        StringJournal* journal = nullptr) {
    return connect_breadth_first(evaluators, a, b, options, terms, {.journal = journal});
  }
};

void expect_same(const StringSummary& a, const StringSummary& b) {
  EXPECT_EQ(a.path.beads, b.path.beads);
  EXPECT_EQ(a.bead_numbers, b.bead_numbers);
  EXPECT_EQ(sentence(a.ending), sentence(b.ending));
  EXPECT_EQ(a.rounds, b.rounds);
  EXPECT_EQ(a.max_metric, b.max_metric);
  EXPECT_EQ(a.max_t, b.max_t);
  EXPECT_EQ(a.best_max_metric, b.best_max_metric);
  EXPECT_EQ(a.value_a, b.value_a);
  EXPECT_EQ(a.value_b, b.value_b);
  EXPECT_EQ(a.cost.gradient_samples_beads, b.cost.gradient_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_beads, b.cost.forward_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_checks, b.cost.forward_samples_checks);
}

// What a look at the beads alone tells is what the summary says, and every sample was counted.
void expect_consistent(Ground& on, const StringSummary& summary, const GreedyOptions& options) {
  EXPECT_EQ(summary.cost.forward_samples_beads + summary.cost.forward_samples_checks,
            on.objective.samples_looked_at());
  EXPECT_EQ(summary.cost.gradient_samples_beads,
            on.objective.gradients() * on.objective.samples(Split::train));
  SegmentGrid grid = options.grid;
  grid.bound = options.bound();
  grid.stop_at_failure = false;
  double largest = 0.0;
  bool all_pass = true;
  for (const SegmentCheck& check : check_path(on.evaluators, summary.path, grid)) {
    largest = std::max(largest, check.worst_value);
    all_pass = all_pass && check.passed;
  }
  EXPECT_EQ(summary.max_metric, largest);
  EXPECT_EQ(summary.verdict == Verdict::connected, all_pass);
}

// A ring of radius 10, where a bead from (0, 5) is thrown off and starts again, at both levels: the
// state of one training must never pass for that of another one.
TEST(BreadthFirst, ABeadThatStartsAgainDoesSoOnBatchesOfItsOwn) {
  Ground on({.surface = fake::two_weights([](double x, double y, double* dx, double* dy) {
               const double s = x * x + y * y - 100.0;
               *dx = 4.0 * x * s;
               *dy = 4.0 * y * s;
               return s * s;
             })});
  GreedyOptions options = options_for(4000.0);
  options.restart_dead = true;
  const Theta a{static_cast<float>(5.0 * std::numbers::sqrt3), 5.0F};
  const StringSummary summary = on.connect(a, {-a[0], a[1]}, options);
  EXPECT_EQ(summary.verdict, Verdict::connected) << sentence(summary.ending);
  const auto streams = on.objective.streams();
  EXPECT_GE(streams.size(), 4U);
  EXPECT_EQ(std::set(streams.begin(), streams.end()).size(), streams.size());
}

TEST(BreadthFirst, ComesDownTheRingBetweenEndPointsThatStay) {
  Ground on({.surface = fake::ring(), .samples = 3});
  const GreedyOptions options = options_for(0.02);
  const StringSummary summary = on.connect(ring_a, ring_b, options);
  EXPECT_EQ(summary.verdict, Verdict::connected) << sentence(summary.ending);
  EXPECT_EQ(summary.bead_numbers.front(), 0U);
  EXPECT_EQ(summary.bead_numbers.back(), 1U);
  EXPECT_TRUE(std::ranges::equal(summary.path.bead(0), ring_a));
  for (std::size_t i = 1; i + 1 < summary.path.size(); ++i) {
    const auto bead = summary.path.bead(i);
    EXPECT_NEAR(std::hypot(bead[0], bead[1]), 1.0, 0.5 * std::sqrt(0.02)) << "(r^2 - 1)^2 <= L0";
  }
  expect_consistent(on, summary, options);
}

TEST(BreadthFirst, RandomEndPointsTrainWithTheBeads) {
  Ground on({.surface = fake::ring()});
  const GreedyOptions options = options_for(0.02);
  const StringSummary summary = on.connect(off_a, off_b, options, {.from_random = true});
  EXPECT_EQ(summary.verdict, Verdict::connected) << sentence(summary.ending);
  // The slopes of the ring are radial: both ends slide to it and keep their angle.
  const auto a = summary.path.bead(0);
  const auto b = summary.path.bead(summary.path.size() - 1);
  EXPECT_EQ(a[1], 0.0F);
  EXPECT_NEAR(std::atan2(b[1], b[0]), 2.0 * std::numbers::pi / 3.0, 1e-6);
  for (const double value : {summary.value_a, summary.value_b}) {
    EXPECT_LE(value, 0.95 * 0.02);
    EXPECT_GT(value, 0.25 * 0.02) << "no further than it had to";
  }
  EXPECT_GT(summary.bead_numbers.front(), 1U) << "it is not the one that was given";
  expect_consistent(on, summary, options);
}

TEST(BreadthFirst, AllBeadsOfATrainingSeeTheSameBatches) {
  Ground on({.surface = fake::ring()});
  const StringSummary summary = on.connect(off_a, off_b, options_for(0.02), {.from_random = true});
  ASSERT_EQ(summary.verdict, Verdict::connected);
  const auto streams = on.objective.streams();
  const std::set<std::pair<std::uint64_t, std::uint64_t>> different(streams.begin(), streams.end());
  EXPECT_GT(streams.size(), different.size() + 5);
  EXPECT_LE(different.size(), summary.rounds) << "one stream a training";
}

// What a surface of known passes lets a string do.
StringSummary over(const Surface& surface, double threshold, const BreadthFirstTerms& terms = {}) {
  const auto objective = make_surface_objective(surface);
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  GreedyOptions options = options_for(threshold);
  options.training.optimizer = Adam{.learning_rate = 0.002};
  return connect_breadth_first(evaluators, surface.from.theta, surface.to.theta, options, terms);
}

TEST(BreadthFirst, FollowsTheLevelDownToThePassAndNotBelow) {
  const Surface surface = mueller_brown();
  ASSERT_GT(surface.straight_barrier, 1.2 * surface.pass_value);
  const StringSummary above = over(surface, 1.02 * surface.pass_value);
  EXPECT_EQ(above.verdict, Verdict::connected) << sentence(above.ending);
  for (const double ratio : {0.8, 0.95}) {
    const StringSummary below = over(surface, 0.9 * surface.pass_value, {.ratio = ratio});
    EXPECT_EQ(below.verdict, Verdict::not_connected);
    const Ending& ending = below.ending;
    EXPECT_EQ(ending.kind, Ending::Kind::level) << sentence(ending);
    EXPECT_LT(ending.level, surface.pass_value);
    EXPECT_GE(ending.followed, 0.999 * surface.pass_value) << "no path is lower";
    EXPECT_TRUE(ending.level == ratio * ending.followed ||
                ending.level == 0.9 * surface.pass_value);
    EXPECT_NE(ending.cause, Ending::Kind::connected);
    EXPECT_GE(below.max_metric, 0.999 * surface.pass_value);
  }
}

TEST(BreadthFirst, BeginsAtTheStraightLine) {
  // Nothing leads below the straight line of two wells: the first level fails.
  const Surface surface = double_well(2);
  const StringSummary summary = over(surface, 0.5, {.ratio = 0.75});
  EXPECT_EQ(summary.ending.kind, Ending::Kind::level);
  EXPECT_EQ(summary.ending.followed, surface.straight_barrier);
  EXPECT_EQ(summary.ending.level, 0.75 * surface.straight_barrier);
  EXPECT_EQ(over(surface, 1.0).path.size(), 2U) << "the line itself passes at its own level";
}

TEST(BreadthFirst, RefusesEndPointsOfUnequalLossThatStay) {
  Ground on({.surface = fake::ring()});
  try {
    on.connect(ring_a, off_b, options_for(0.02));
    ADD_FAILURE() << "one end point lies above the threshold";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what())
                  .find("equal loss, both with mean_squared_error at most "
                        "0.02 (the threshold), got 0 and 0.4096"),
              std::string::npos)
        << error.what();
  }
  const StringSummary both = on.connect(off_a, off_b, options_for(0.02));
  EXPECT_EQ(both.verdict, Verdict::endpoint_not_reached);
  EXPECT_THROW(on.connect(ring_a, ring_b, options_for(0.02), {.ratio = 1.0}), UsageError);
  EXPECT_THROW(on.connect(ring_a, ring_b, options_for(0.02), {.clip = 0.6}), UsageError);
}

TEST(BreadthFirst, LimitsAreEndingsOfALevel) {
  const auto ends = [](auto change) {
    Ground on({.surface = fake::ring()});
    GreedyOptions options = options_for(0.01);
    change(options);
    const StringSummary summary = on.connect(ring_a, ring_b, options);
    expect_consistent(on, summary, options);
    EXPECT_EQ(summary.ending.kind, Ending::Kind::level) << sentence(summary.ending);
    EXPECT_LT(summary.ending.level, summary.ending.followed);
    return summary.ending.cause;
  };
  EXPECT_EQ(ends([](GreedyOptions& o) { o.max_rounds = 1; }), Ending::Kind::rounds);
  EXPECT_EQ(ends([](GreedyOptions& o) { o.max_beads = 4; }), Ending::Kind::beads);
  EXPECT_EQ(ends([](GreedyOptions& o) { o.max_total_steps = 20; }), Ending::Kind::steps);
  EXPECT_EQ(ends([](GreedyOptions& o) { o.max_seconds = 1e-12; }), Ending::Kind::seconds);
  EXPECT_EQ(ends([](GreedyOptions& o) { o.training.max_steps = 1; }), Ending::Kind::stuck_bead);
}

TEST(BreadthFirst, WhatIsNoNumberIsPassedByOrReported) {
  const auto ring = fake::ring();
  const auto broken_below = [ring](double radius) {
    return [ring, radius](std::span<const float> theta, std::span<float> gradient) {
      const double value = ring(theta, gradient);
      return std::hypot(theta[0], theta[1]) < radius ? std::nan("") : value;
    };
  };
  // The straight line comes within 0.5 of the centre.
  Ground on({.surface = broken_below(0.51)});
  GreedyOptions options = options_for(0.02);
  EXPECT_EQ(on.connect(ring_a, ring_b, options).ending.kind, Ending::Kind::level)
      << "its first bead starts where there is no loss";
  Ground nowhere({.surface = broken_below(5.0)});
  EXPECT_EQ(nowhere.connect(off_a, off_b, options, {.from_random = true}).verdict,
            Verdict::endpoint_not_reached);
}

// Sample i of n is misread where the surface exceeds its share (i + 0.5) / n: the error rate is
// that of the surface.
FakeOptions with_margins(std::size_t samples) {
  FakeOptions options{.surface = fake::ring(), .metric = Metric::error_rate, .samples = samples};
  options.margin = [surface = fake::ring(), samples](std::span<const float> theta, std::size_t i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(samples);
    return static_cast<float>(share - surface(theta, {}));
  };
  return options;
}

struct Case {
  std::string name;
  FakeOptions fake;
  GreedyOptions options;
  BreadthFirstTerms terms;
};

std::vector<Case> cases() {
  std::vector<Case> all{
      {"fixed", {.surface = fake::ring(), .samples = 3}, options_for(0.02), {}},
      {"random", {.surface = fake::ring(), .samples = 3}, options_for(0.02), {.from_random = true}},
      {"rounds", {.surface = fake::ring()}, options_for(0.02), {.from_random = true}},
      {"screened", with_margins(200), options_for(0.02), {}},
      {"error rate", with_margins(200), options_for(0.02), {.from_random = true}}};
  all[2].options.max_rounds = 1;
  all[3].options.check = CheckKind::screened;
  for (std::size_t i : {3U, 4U}) {
    all[i].options.grid.metric = Metric::error_rate;
    all[i].options.grid.points = 21;
  }
  return all;
}

StringSummary connect(const Case& c, Ground& on, StringJournal* journal = nullptr) {
  const bool random = c.terms.from_random;
  return on.connect(random ? off_a : ring_a, random ? off_b : ring_b, c.options, c.terms, journal);
}

// A 1-4-4-1 network of tanh units on 24 samples, from two initialisations.
struct NetworkGround {
  std::unique_ptr<Objective> objective;
  Workers workers;
  std::unique_ptr<Evaluators> evaluators;

  explicit NetworkGround(std::size_t threads) : workers(threads) {
    auto data = std::make_shared<Dataset>();
    for (Samples* samples : {&data->train, &data->test}) {
      samples->count = 24;
      samples->input_shape = {1};
      for (std::size_t i = 0; i < 24; ++i) {
        const float x = (static_cast<float>(i) + 0.5F) / 24.0F;
        samples->values.push_back(x);
        samples->targets.push_back(x * x - 0.3F);
      }
    }
    const Network network{{1},
                          {testing::dense(4),
                           testing::activation(testing::tanh_kind),
                           testing::dense(4),
                           testing::activation(testing::tanh_kind),
                           testing::dense(1)}};
    objective = make_network_objective({.network = network, .data = data, .loss = Loss::absolute});
    evaluators = std::make_unique<Evaluators>(*objective, workers);
  }

  StringSummary connect(StringJournal* journal) {
    GreedyOptions options = options_for(0.02);
    options.check = CheckKind::certified;
    options.grid.metric = Metric::mean_absolute_error;
    options.training.optimizer = Adam{.learning_rate = 0.01};
    Theta a(objective->dimension());
    Theta b(objective->dimension());
    objective->initialise(3, 1, a);
    objective->initialise(3, 2, b);
    return connect_breadth_first(
        *evaluators, a, b, options, {.from_random = true}, {.journal = journal});
  }
};

TEST(BreadthFirst, IsProvenAtTheLastLevelAndResumesFromTheSamplesOfTheOthers) {
  NetworkGround on(1);
  MemoryJournal whole;
  const StringSummary unbroken = on.connect(&whole);
  EXPECT_EQ(unbroken.verdict, Verdict::connected) << sentence(unbroken.ending);
  EXPECT_LE(unbroken.bound, 0.02) << "NaN unless all of it is proven";
  EXPECT_GT(unbroken.path.size(), 2U);
  std::size_t sampled = 0;
  for (const auto& [key, check] : whole.all->checks) {
    EXPECT_EQ(key.first.empty(), !check.values.empty() && std::isnan(check.values[1]))
        << "proofs are not mixed with whole grids";
    sampled += key.first.empty() ? 0 : 1;
  }
  EXPECT_GT(sampled, 10U);
  const std::size_t pieces = whole.all->kept;
  for (std::size_t dies_at = 1; dies_at < pieces; dies_at += 1 + pieces / 7) {
    MemoryJournal journal;
    journal.all->dies_at = dies_at;
    NetworkGround first(2);
    EXPECT_THROW(first.connect(&journal), std::runtime_error);
    expect_same(NetworkGround(2).connect(&journal), unbroken);
  }
}

TEST(BreadthFirst, DoesNotDependOnTheNumberOfWorkers) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    Ground one(c.fake);
    const StringSummary summary = connect(c, one);
    expect_consistent(one, summary, c.options);
    EXPECT_EQ(summary.verdict == Verdict::connected, c.name != "rounds");
    for (const std::size_t threads : {2U, 3U}) {
      Ground more(c.fake, threads);
      expect_same(connect(c, more), summary);
    }
  }
}

TEST(BreadthFirst, ResumesAtEveryPointWithTheSameBits) {
  for (const Case& c : cases()) {
    Ground reference(c.fake);
    MemoryJournal whole;
    const StringSummary unbroken = connect(c, reference, &whole);
    Ground without(c.fake);
    expect_same(connect(c, without), unbroken);
    const std::size_t pieces = whole.all->kept;
    ASSERT_GT(pieces, 4U);
    for (std::size_t dies_at = 0; dies_at < pieces; dies_at += 1 + pieces / 40) {
      SCOPED_TRACE(c.name + ", piece " + std::to_string(dies_at));
      MemoryJournal journal;
      journal.all->dies_at = dies_at;
      Ground first(c.fake);
      EXPECT_THROW(connect(c, first, &journal), std::runtime_error);
      Ground second(c.fake);
      expect_same(connect(c, second, &journal), unbroken);
      EXPECT_EQ(journal.all->beads.size(), whole.all->beads.size());
    }
    Ground last(c.fake);
    expect_same(connect(c, last, &whole), unbroken);
    EXPECT_EQ(last.objective.gradients(), 0U) << "nothing is trained again";
  }
}

}  // namespace
}  // namespace isthmus
