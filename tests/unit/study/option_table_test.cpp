// SPDX-License-Identifier: MIT
#include "isthmus/study/option_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "isthmus/core/error.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/study/components.h"
#include "isthmus/study/task.h"
#include "isthmus/train/option_table.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

// Each default is in its range and reads back from JSON; what is out of range is refused by name.
template <class S>
void walk(const OptionTable<S>& table, const S& defaults) {
  std::set<std::string_view> keys;
  EXPECT_NO_THROW(check_options(table, defaults));
  for (const Option<S>& option : table) {
    SCOPED_TRACE(option.key);
    EXPECT_TRUE(keys.insert(option.key).second) << "two options of one key";
    EXPECT_FALSE(option.text.help.empty());
    EXPECT_FALSE(option.range.empty());
    EXPECT_FALSE(option.outside.empty());
    S other = defaults;
    const Json value = Json::parse(option.get(defaults).dump());
    option.set(other, value);
    EXPECT_EQ(option.get(other), option.get(defaults));
    for (const Json& outside : option.outside) {
      SCOPED_TRACE(outside.dump());
      const std::string name(option_name(option.key, option.text));
      expect_error<UsageError>([&] { option.set(other, outside); },
                               {name + ": expected ", ", got "});
    }
    EXPECT_EQ(option.get(other), option.get(defaults)) << "what was refused is not kept";
  }
}

TEST(OptionTables, HoldTheirDefaultsAndRefuseTheRest) {
  walk(train_option_table(), TrainOptions{});
  walk(train_flag_table(), TrainOptions{});
  walk(problem_option_table(), Problem{});
  walk(string_option_table(), StringOptions{});
  walk(greedy_option_table(), GreedyOptions{});
  walk(method_option_table(), MethodOptions{});
  walk(shorten_option_table(), ShortenTerms{});
  for_each_terms(MethodOptions{},
                 [](const auto& table, const auto& terms, Method) { walk(table, terms); });
  walk(repair_option_table(), RepairOptions{});
  walk(study_option_table(), default_options(task_of("quadratic"), Protocol::strict));
  walk(components_option_table(), ComponentsOptions{});
}

TEST(OptionTables, SayRangesAsMessagesDo) {
  const auto alpha = from_key(string_option_table(), "alpha").front();
  StringOptions options;
  expect_error<UsageError>([&] { alpha.parse(options, "2"); },
                           {"alpha: expected a number in (0, 1], got 2"});
  const auto beads = from_key(string_option_table(), "max_beads").front();
  expect_error<UsageError>([&] { beads.parse(options, "1"); },
                           {"max-beads: expected at least 2, got 1"});
  const auto points = from_key(string_option_table(), "points").front();
  expect_error<UsageError>([&] { points.parse(options, "100000000000"); },
                           {"points: expected at least 2 and at most 1000000, got 100000000000"});
}

TEST(OptionTables, NoLimitIsNull) {
  StringOptions options;
  const auto steps = from_key(string_option_table(), "max_total_steps").front();
  EXPECT_EQ(steps.get(options), Json(nullptr));
  steps.set(options, Json(7));
  EXPECT_EQ(options.max_total_steps, 7u);
  steps.set(options, Json(nullptr));
  EXPECT_EQ(options.max_total_steps, std::numeric_limits<std::size_t>::max());
}

TEST(OptionTables, EveryConfigurationReadsBack) {
  for (const Task& task : tasks()) {
    for (const Protocol protocol : {Protocol::strict, Protocol::paper}) {
      if (protocol == Protocol::paper && task.data.find('-') != std::string_view::npos &&
          task.published_thresholds.empty() && task.name != "fashion-mnist") {
        continue;  // the two tasks of planes have no script
      }
      SCOPED_TRACE(task.name);
      const Json json = to_json(default_options(task, protocol));
      EXPECT_EQ(to_json(options_from_json(Json::parse(json.dump()))), json);
    }
  }
  StudyOptions averaged = default_options(task_of("quadratic"), Protocol::strict);
  averaged.string.training.average = 0.9;
  averaged.endpoints.average = 0.99;
  averaged.string.bead_bend = 0.5;
  averaged.string.training.importance = 0.4;
  averaged.string.training.damping = 0.3;
  const Json json = to_json(averaged);
  const StudyOptions read = options_from_json(json);
  EXPECT_EQ(read.string.training.average, 0.9);
  EXPECT_EQ(read.string.bead_bend, 0.5);
  EXPECT_EQ(read.string.training.importance, 0.4);
  EXPECT_EQ(read.string.training.damping, 0.3);
  EXPECT_EQ(read.endpoints.average, 0.99);
  EXPECT_EQ(to_json(read), json);
  averaged.string.training.average = 0.0;
  averaged.endpoints.average = 0.0;
  averaged.string.bead_bend = 0.0;
  averaged.string.training.importance = 0.0;
  averaged.string.training.damping = 0.0;
  for (const char* key :
       {"bead_average", "bead_bend", "bead_damping", "bead_importance", "endpoint_average"}) {
    EXPECT_TRUE(json.contains(key));
    EXPECT_FALSE(to_json(averaged).contains(key)) << "runs from before have none";
  }
  averaged.string.training.average = 0.9;
  averaged.string.method = Method::bezier;
  EXPECT_FALSE(to_json(averaged).contains("bead_average")) << "it decides nothing there";
  Json broken = to_json(default_options(task_of("quadratic"), Protocol::strict));
  broken["alpha"] = 2;
  expect_error<DataError>([&] { options_from_json(broken); }, {"configuration: alpha", "got 2"});
  broken.erase("beads");
  broken["alpha"] = 0.5;
  expect_error<DataError>([&] { options_from_json(broken); }, {"configuration", "beads"});
}

TEST(Schedules, ReadBack) {
  for (const std::string text :
       {"constant", "cosine:1000", "staircase:2323:0.5 from step 9292", "exponential:100:0.9"}) {
    EXPECT_EQ(text_of(schedule_of(text)), text);
  }
  for (const std::string text :
       {"", "cosine", "staircase:10", "staircase:0:1", "cosine:x", "ramp:3"}) {
    expect_error<UsageError>([&] { schedule_of(text); }, {"schedule: expected", "'" + text + "'"});
  }
}

}  // namespace
}  // namespace isthmus
