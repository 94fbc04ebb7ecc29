// SPDX-License-Identifier: MIT
#include "isthmus/report/table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cells.h"
#include "isthmus/report/comparison.h"

namespace isthmus {
namespace {

using testing::cell;
using testing::run_of;

CellRow unreached(double threshold, std::size_t pair) {
  CellRow row = cell(threshold, pair, no_value, 2);
  row.verdict = Verdict::endpoint_not_reached;
  return row;
}

RunRecord some_run() {
  return run_of("quadratic",
                "mean_absolute_error",
                {cell(0.1, 0, 1.5, 4),
                 cell(0.1, 1, 1.25, 5),
                 cell(0.01, 0, no_value, 100),
                 unreached(0.01, 1),
                 cell(0.07, 0, 1.5, 4)});
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Comparison, DividesByBothErrors) {
  const std::vector<ComparedThreshold> compared = compare_with_published(some_run());
  ASSERT_EQ(compared.size(), 2u);  // 0.07 was not published
  EXPECT_EQ(compared[0].threshold, 0.1);
  const ComparedValue& length = compared[0].length;
  EXPECT_DOUBLE_EQ(length.ours, 1.375);
  EXPECT_DOUBLE_EQ(length.error, 0.125);
  const double published_error = length.half_width / std::sqrt(10.0);
  EXPECT_DOUBLE_EQ(length.published_error, published_error);
  EXPECT_DOUBLE_EQ(length.z, (1.375 - length.published) / std::hypot(0.125, published_error));
  EXPECT_TRUE(std::isnan(compared[1].length.z));  // no connected pair
}

TEST(Comparison, IsEmptyWhereNothingWasPublished) {
  EXPECT_TRUE(
      compare_with_published(run_of("mnist-mlp", "error_rate", {cell(0.02, 0, 1, 3)})).empty());
  EXPECT_TRUE(comparison_notes(run_of("mnist-mlp", "error_rate", {cell(0.02, 0, 1, 3)})).empty());
}

TEST(Comparison, SaysWhenTheRulesDiffer) {
  RunRecord run = some_run();
  const std::size_t notes = comparison_notes(run).size();
  run.protocol = "strict";
  EXPECT_EQ(comparison_notes(run).size(), notes + 1);
}

TEST(Table, ShowsVerdictsMeasuresAndCosts) {
  const std::string text = report_text(some_run(), TableForm::text);
  EXPECT_TRUE(text.starts_with("quadratic: mean absolute error, test split, protocol paper\n"));
  EXPECT_TRUE(
      has(text, "0.1            2  2 (100 %)  2 (100 %)       0          0  1.1250  0.1250"));
  EXPECT_TRUE(
      has(text, "0.01           2    0 (0 %)    0 (0 %)       1          1       -       -"));
  EXPECT_TRUE(has(text, "3 of 5 connected, 1 not connected (failed), 1 with an end point"));
  EXPECT_TRUE(has(text, "1.00 M"));
  EXPECT_TRUE(has(text, "in all: 5.00 M gradient samples for end points, 12.5 M for beads; 200 k"));
  EXPECT_TRUE(has(text, "endpoint not reached"));
  EXPECT_TRUE(has(text, "sqrt(10)"));
}

TEST(Table, TellsRepairedPairsFromDirectOnes) {
  std::vector<CellRow> cells{
      cell(0.1, 0, 1.25, 4), cell(0.1, 1, 1.5, 4), cell(0.1, 2, no_value, 4)};
  cells[1].joined = "repaired";
  cells[1].tries = 1;
  cells[2].tries = 20;
  const std::string text =
      report_text(run_of("quadratic", "mean_absolute_error", cells), TableForm::text);
  EXPECT_TRUE(has(text, "0.1            3   2 (67 %)  1 (33 %)       1"));
  EXPECT_TRUE(has(text, "2 of 3 connected (1 of them repaired; 21 tries of repair in all), 1 not"));
  EXPECT_TRUE(has(text, "connected, repaired (1 try)"));
  EXPECT_TRUE(has(text, "not connected (20 tries)"));
}

TEST(Table, CountsSharedEndPointsOnce) {
  RunRecord run = some_run();
  run.protocol = "strict";  // two pairs
  EXPECT_TRUE(has(report_text(run, TableForm::text), "in all: 2.00 M gradient samples for end"));
}

TEST(Table, MarkdownHasRules) {
  const std::string text = report_text(some_run(), TableForm::markdown);
  EXPECT_TRUE(text.starts_with("## quadratic"));
  EXPECT_TRUE(has(text, "\n### Paths\n\n| threshold | pairs |"));
  EXPECT_TRUE(has(text, "\n|-----------|------:|"));
}

TEST(Table, AnEmptyRunSaysSo) {
  RunRecord run = run_of("quadratic", "mean_absolute_error", {});
  run.notes = {"Unfinished: 0 of 3 pairs and thresholds are done; --resume goes on."};
  const std::string text = report_text(run, TableForm::text);
  EXPECT_TRUE(has(text, "no finished pair yet"));
  EXPECT_TRUE(has(text, "0 of 3"));
}

TEST(Table, ManyPairsAreNotListed) {
  std::vector<CellRow> cells;
  for (std::size_t pair = 0; pair < 100; ++pair) {
    cells.push_back(cell(0.1, pair, 1.5, 4));
  }
  EXPECT_FALSE(has(report_text(run_of("quadratic", "mean_absolute_error", cells), TableForm::text),
                   "\nPairs\n"));
  EXPECT_TRUE(has(report_text(some_run(), TableForm::text), "\nPairs\n"));
}

TEST(Table, TimesAreInHumanUnits) {
  RunRecord run = some_run();
  run.timing = {{"seconds", 245.0}, {"processor_seconds", 480.0}, {"cells", {{"a", 1}}}};
  EXPECT_TRUE(has(report_text(run, TableForm::text), "time: 4 min 05 s, processor 8 min 00 s"));
}

TEST(Table, JsonHasNullForWhatDoesNotExist) {
  const Json json = report_json(some_run());
  ASSERT_EQ(json.at("thresholds").size(), 3u);
  const Json& first = json.at("thresholds").at(0);
  EXPECT_EQ(first.at("threshold"), 0.1);
  EXPECT_EQ(first.at("length_weights_mean"), 1.375);
  EXPECT_TRUE(first.at("published").at("length_weights").at("z").is_number());
  EXPECT_FALSE(json.at("thresholds").at(1).contains("published"));  // 0.07
  const Json& last = json.at("thresholds").at(2);
  EXPECT_TRUE(last.at("length_mean").is_null());
  EXPECT_EQ(last.at("endpoint_not_reached"), 1);
  EXPECT_EQ(json.at("verdicts").at("connected"), 3);
  EXPECT_EQ(json.at("cells").size(), 5u);
  EXPECT_EQ(Json::parse(json.dump()), json);
}

}  // namespace
}  // namespace isthmus
