// SPDX-License-Identifier: MIT
#include "isthmus/strings/growing_string.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "support/fake_objective.h"
#include "support/strings.h"

namespace isthmus {
namespace {

using testing::MemoryJournal;
using Theta = std::vector<float>;

StringOptions options_for(double threshold) {
  StringOptions options;
  options.threshold = threshold;
  options.alpha = 0.5;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  return options;
}

Theta on_ring(double degrees, double radius = 1.0) {
  const double angle = degrees * std::numbers::pi / 180.0;
  return {static_cast<float>(radius * std::cos(angle)),
          static_cast<float>(radius * std::sin(angle))};
}

struct Ground {
  fake::FakeObjective objective{{.surface = fake::ring()}};
  Workers workers{1};
  Evaluators evaluators{objective, workers};

  GrowingString string(const std::vector<Theta>& beads,
                       const StringOptions& options,
                       const StringCallbacks& callbacks = {}) {
    const std::vector<std::span<const float>> views(beads.begin(), beads.end());
    return {evaluators, options, callbacks, views};
  }
};

std::vector<std::size_t> numbers_of(const GrowingString& string) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < string.size(); ++i) {
    numbers.push_back(string.bead(i).number);
  }
  return numbers;
}

using Numbers = std::vector<std::size_t>;

TEST(GrowingString, BeginsAsAPolylineOfAnyNumberOfBeads) {
  Ground on;
  // Chords of 30 degrees of the unit circle reach (1 - cos^2 15)^2 = 0.0045.
  GrowingString string =
      on.string({on_ring(0), on_ring(30), on_ring(60), on_ring(90)}, options_for(0.005));
  EXPECT_EQ(numbers_of(string), (Numbers{0, 2, 3, 1}));
  EXPECT_EQ(string.open_segments(), (Numbers{0, 1, 2})) << "nothing was looked at";
  EXPECT_TRUE(string.evaluate_end_points());
  string.check_segments();
  EXPECT_TRUE(string.passes());
  const StringSummary summary = string.finish(string.ending(Ending::Kind::connected));
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.path.size(), 4U);
  EXPECT_EQ(summary.beads_inserted, 0U);
  EXPECT_NEAR(summary.max_metric, std::pow(std::sin(std::numbers::pi / 12.0), 4), 1e-6);
  EXPECT_EQ(summary.best_max_metric, summary.max_metric);
  EXPECT_NEAR(summary.worst.t, 0.5, 1e-12);
  EXPECT_EQ(summary.cost.forward_samples_beads + summary.cost.forward_samples_checks,
            on.objective.samples_looked_at());
}

TEST(GrowingString, ForgetsWhatItKnewOfSegmentsWhoseBeadsChange) {
  Ground on;
  GrowingString string =
      on.string({on_ring(0), on_ring(30), on_ring(60), on_ring(90)}, options_for(0.005));
  string.check_segments();
  string.replace(1, on_ring(40));
  EXPECT_EQ(numbers_of(string), (Numbers{0, 4, 3, 1}));
  EXPECT_FALSE(string.check(0));
  EXPECT_FALSE(string.check(1));
  EXPECT_TRUE(string.check(2));
  string.check_segments();
  EXPECT_EQ(string.open_segments(), (Numbers{0})) << "40 degrees are too many";
  EXPECT_EQ(string.insert(std::vector<Cut>{{.segment = 0, .t = 0.25}}), (Numbers{1}));
  EXPECT_EQ(numbers_of(string), (Numbers{0, 5, 4, 3, 1}));
  EXPECT_FLOAT_EQ(string.bead(1).theta[1], 0.25F * on_ring(40)[1]);
  EXPECT_FALSE(string.check(0));
  EXPECT_FALSE(string.check(1));
  EXPECT_TRUE(string.check(2));
  string.check_segments();
  string.drop(2);
  EXPECT_EQ(numbers_of(string), (Numbers{0, 5, 3, 1}));
  EXPECT_TRUE(string.check(0));
  EXPECT_FALSE(string.check(1)) << "a new segment, between 5 and 3";
  EXPECT_TRUE(string.check(2));
  EXPECT_THROW(string.drop(0), InternalError);
  EXPECT_THROW(string.replace(3, on_ring(80)), InternalError);
  string.free_end_points();
  string.replace(3, on_ring(80));
  EXPECT_EQ(numbers_of(string), (Numbers{0, 5, 3, 6}));
  EXPECT_TRUE(string.check(0));
  EXPECT_FALSE(string.check(2));
}

TEST(GrowingString, JudgesItsSegmentsByTheLevel) {
  Ground on;
  StringOptions options = options_for(0.005);
  options.grid.stop_at_failure = false;
  options.max_rounds = 1;
  GrowingString string =
      on.string({on_ring(0), on_ring(30), on_ring(60), on_ring(90), on_ring(120)}, options);
  string.set_level(0.1);
  string.start_round();
  string.check_segments();
  EXPECT_TRUE(string.passes());
  EXPECT_EQ(string.limit_met(0)->kind, Ending::Kind::rounds);
  const std::size_t looks = on.objective.looks();
  for (const auto& [level, passing] : {std::pair{0.0046, 4U}, {0.0043, 0U}}) {
    options.threshold = level;
    GrowingString lower =
        on.string({on_ring(0), on_ring(30), on_ring(60), on_ring(90), on_ring(120)}, options);
    lower.set_level(0.1);
    lower.check_segments();
    lower.set_level(level);
    EXPECT_EQ(lower.segments() - lower.open_segments().size(), passing);
  }
  EXPECT_EQ(on.objective.looks(), 3 * looks) << "what was seen is judged again without a look";
  string.set_level(0.05);
  EXPECT_FALSE(string.limit_met(0)) << "rounds are counted for each level";
  // Chords of 60 degrees reach 0.0625.
  string.evaluate_beads(Numbers{0, 1, 2, 3, 4});
  string.drop_needless(Numbers{1, 3});
  EXPECT_EQ(string.size(), 5U);
  string.set_level(0.07);
  string.drop_needless(Numbers{1, 3});
  EXPECT_EQ(numbers_of(string), (Numbers{0, 3, 1}));
  EXPECT_TRUE(string.passes());
  EXPECT_NEAR(string.check(1)->worst_value, 0.0625, 1e-6);
}

// Two levels, at each of which every inner bead is trained.
StringSummary falling(Ground& on, StringJournal* journal) {
  GrowingString string = on.string({on_ring(0), on_ring(20, 0.7), on_ring(40, 1.3), on_ring(60)},
                                   options_for(0.05),
                                   {.journal = journal});
  for (const double level : {0.1, 0.01}) {
    string.start_round();
    string.train_beads(Numbers{1, 2}, [&](std::size_t, TrainJob& job) { job.targets = {level}; });
    EXPECT_LE(*string.bead(1).value, level);
    EXPECT_LE(*string.bead(2).value, level);
    string.check_segments();
  }
  EXPECT_EQ(numbers_of(string), (Numbers{0, 4, 5, 1})) << "trained again";
  return string.finish(string.ending(Ending::Kind::connected));
}

TEST(GrowingString, TrainsBeadsAgainAndGoesOnFromItsJournal) {
  Ground on;
  MemoryJournal whole;
  const StringSummary unbroken = falling(on, &whole);
  EXPECT_EQ(whole.beads.size(), 4U);
  EXPECT_EQ(whole.checks.size(), 6U);
  for (std::size_t kept = 0; kept < 4; ++kept) {
    MemoryJournal part;
    for (const auto& [number, record] : whole.beads) {
      if (number < 2 + kept) {
        part.beads.emplace(number, record);
      }
    }
    Ground again;
    const StringSummary resumed = falling(again, &part);
    EXPECT_EQ(resumed.path.beads, unbroken.path.beads);
    EXPECT_EQ(resumed.cost.gradient_samples_beads, unbroken.cost.gradient_samples_beads);
    EXPECT_EQ(resumed.max_metric, unbroken.max_metric);
    EXPECT_EQ(part.beads.size(), 4U);
    if (kept > 0) {
      EXPECT_LT(again.objective.gradients(), on.objective.gradients());
    }
  }
}

TEST(GrowingString, TakesTrainingsOfTheMethodsOwn) {
  MemoryJournal journal;
  for (const bool resumed : {false, true}) {
    Ground on;
    GrowingString string =
        on.string({on_ring(0), on_ring(10), on_ring(20)}, options_for(0.05), {.journal = &journal});
    string.check_segments();
    EXPECT_EQ(string.begin_training(1), resumed);
    EXPECT_EQ(string.bead(1).number, 3U) << "it was looked at as number 2";
    if (!resumed) {
      string.end_training(1,
                          {.theta = on_ring(11),
                           .summary = {.termination = Termination::reached,
                                       .last_metric = 0.0,
                                       .steps = 7,
                                       .gradient_samples = 21,
                                       .forward_samples = 5}});
    }
    EXPECT_EQ(string.bead(1).theta, on_ring(11));
    EXPECT_EQ(string.ending(Ending::Kind::rounds).steps, 7U);
    string.check_segments();
    const StringSummary summary = string.finish(string.ending(Ending::Kind::connected));
    EXPECT_EQ(summary.cost.gradient_samples_beads, 21U);
    EXPECT_EQ(summary.cost.forward_samples_beads, 5U);
  }
}

// A string through some points of the ring, as it is.
StringSummary through(Ground& on, const std::vector<Theta>& beads, double threshold) {
  GrowingString string = on.string(beads, options_for(threshold));
  string.evaluate_end_points();
  string.check_segments();
  return string.finish(
      string.ending(string.passes() ? Ending::Kind::connected : Ending::Kind::rounds));
}

TEST(StringSummary, JoinsTwoStringsThatMeet) {
  Ground on;
  // Chords of 30 degrees reach 0.0045, one of 60 degrees 0.0625.
  const Theta c = on_ring(30);
  for (const double threshold : {0.005, 0.1}) {
    const StringSummary left = through(on, {on_ring(-30), on_ring(0), c}, threshold);
    const StringSummary right =
        through(on, {c, on_ring(90), on_ring(110), on_ring(120)}, threshold);
    const StringSummary whole = through(
        on, {on_ring(-30), on_ring(0), c, on_ring(90), on_ring(110), on_ring(120)}, threshold);
    const StringSummary both = joined(left, right);
    EXPECT_EQ(both.verdict, whole.verdict);
    EXPECT_EQ(both.ending.kind, whole.ending.kind);
    EXPECT_EQ(both.ending.segments, 5U);
    EXPECT_EQ(both.ending.open_segments, whole.ending.open_segments);
    EXPECT_EQ(both.path.beads, whole.path.beads);
    EXPECT_EQ(both.segments.size(), 5U);
    EXPECT_EQ(both.bead_numbers, (Numbers{0, 2, 3, 4, 5, 1}));
    EXPECT_EQ(both.value_a, whole.value_a);
    EXPECT_EQ(both.value_b, whole.value_b);
    EXPECT_EQ(both.max_metric, whole.max_metric);
    EXPECT_DOUBLE_EQ(both.max_t, whole.max_t);
    EXPECT_EQ(both.worst.segment, 2U);
    EXPECT_EQ(both.best_max_metric, whole.best_max_metric);
    EXPECT_EQ(both.beads_inserted, 1U) << "where they meet";
    EXPECT_EQ(both.births.size(), both.path.size());
    EXPECT_EQ(both.cost.forward_samples_checks,
              left.cost.forward_samples_checks + right.cost.forward_samples_checks);
    EXPECT_THROW(joined(right, left), UsageError);
  }
}

TEST(GrowingString, RefusesBeadsOfOtherLengths) {
  Ground on;
  EXPECT_THROW(on.string({Theta{1.0F}, on_ring(0)}, options_for(0.1)), UsageError);
  StringOptions wrong = options_for(0.1);
  wrong.alpha = 2.0;
  EXPECT_THROW(on.string({on_ring(0), on_ring(1)}, wrong), UsageError);
}

TEST(Ending, SaysItsReasonWithItsNumbers) {
  Ending ending{.metric = "mean_squared_error",
                .bound = 0.1,
                .segments = 6,
                .open_segments = 2,
                .rounds = 5,
                .steps = 100};
  const auto says = [&](Ending::Kind kind) {
    ending.kind = kind;
    return sentence(ending);
  };
  EXPECT_EQ(says(Ending::Kind::connected), "every segment passes");
  EXPECT_EQ(says(Ending::Kind::rounds),
            "2 of 6 segments exceed the threshold after 5 rounds (the limit)");
  ending.needed = 9;
  ending.limit = 8;
  EXPECT_EQ(says(Ending::Kind::beads), "the string would need 9 beads; the limit is 8");
  ending.limit = 100;
  EXPECT_EQ(says(Ending::Kind::steps), "100 gradient steps were spent; the limit is 100");
  ending.limit = 105;
  EXPECT_EQ(says(Ending::Kind::steps),
            "100 of 105 gradient steps (the limit) were spent: too few are left for 9 beads");
  ending.limit_seconds = 1.5;
  EXPECT_EQ(says(Ending::Kind::seconds), "the limit of 1.5 seconds is over");
  ending.value_a = 0.25;
  ending.value_b = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(says(Ending::Kind::end_point_not_reached),
            "the end points have mean_squared_error 0.25 and nan; the threshold is 0.1");
  ending.factor = 12.5;
  ending.difference = 3e-7;
  EXPECT_EQ(says(Ending::Kind::symmetry),
            "every segment passes: the end points are one network whose units are scaled by up to "
            "12.5 (residual 3.0e-07), and so are the beads");
  ending.bead = 4;
  ending.value = 0.125;
  ending.target = 0.05;
  ending.budget = 50;
  EXPECT_EQ(says(Ending::Kind::stuck_bead),
            "bead 4 stayed at mean_squared_error 0.125 (its target is 0.05; budget 50 steps)");
  ending.level = 0.4;
  ending.followed = 0.5;
  ending.cause = Ending::Kind::stuck_bead;
  EXPECT_EQ(says(Ending::Kind::level),
            "the string came down to mean_squared_error 0.5, and not to 0.4: bead 4 stayed at "
            "mean_squared_error 0.125 (its target is 0.05; budget 50 steps)");
  ending.cause = Ending::Kind::rounds;
  ending.limit = 12;
  EXPECT_EQ(
      says(Ending::Kind::level),
      "the string came down to mean_squared_error 0.5, and not to 0.4: 2 of 6 segments exceed "
      "the level after 12 rounds (the limit)");
  for (const auto& kind : enum_names<Ending::Kind>.all) {
    EXPECT_EQ(named<Ending::Kind>(kind.name), kind.value);
    EXPECT_EQ(verdict_of(kind.value) == Verdict::connected,
              kind.value == Ending::Kind::connected || kind.value == Ending::Kind::symmetry);
  }
}

}  // namespace
}  // namespace isthmus
