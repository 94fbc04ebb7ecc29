// SPDX-License-Identifier: MIT
#include "isthmus/core/run_schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

CellRow cell(
    double threshold, std::size_t pair, Verdict verdict, double length, std::uint64_t beads) {
  return {.threshold = threshold,
          .pair = pair,
          .seed = 1000 + pair,
          .verdict = verdict,
          .max_metric = 0.75 * threshold,
          .max_t = 0.5,
          .normalized_length = length,
          .normalized_length_weights = length + 0.125,
          .beads = beads,
          .beads_inserted = beads - 2,
          .rounds = 1,
          .gradient_samples_endpoints = 1'000'000,
          .gradient_samples_beads = 250'000,
          .forward_samples_checks = 40'000,
          .max_metric_train = 0.5 * threshold,
          .proof = "sampled:101",
          .check_evaluations = 40,
          .joined = verdict == Verdict::connected ? "direct" : ""};
}

std::vector<CellRow> some_cells() {
  CellRow missed;
  missed.threshold = 0.01;
  missed.pair = 2;
  missed.verdict = Verdict::endpoint_not_reached;
  return {cell(0.1, 0, Verdict::connected, 1, 3),
          cell(0.1, 1, Verdict::connected, 1.5, 4),
          cell(0.1, 2, Verdict::connected, 3.5, 8),
          cell(0.01, 0, Verdict::connected, 2, 5),
          cell(0.01, 1, Verdict::not_connected, 9, 100),
          missed};
}

TEST(Verdict, NamesReadBack) {
  for (const Verdict verdict :
       {Verdict::connected, Verdict::not_connected, Verdict::endpoint_not_reached}) {
    EXPECT_EQ(find_named<Verdict>(name_of(verdict)), verdict);
  }
  EXPECT_FALSE(find_named<Verdict>("Connected"));
}

TEST(RunSchema, CellsReadBackBitForBit) {
  std::vector<CellRow> cells = some_cells();
  cells[0].max_metric = 0.1 + 0.2;  // 17 digits
  EXPECT_EQ(parse_cells(to_csv(cells), "cells.csv"), cells);
}

TEST(RunSchema, CellsHaveTheAgreedForm) {
  EXPECT_EQ(
      to_csv(std::vector<CellRow>{cell(0.5, 3, Verdict::connected, 1.25, 4)}),
      "threshold,pair,seed,verdict,max_metric,max_t,normalized_length,normalized_length_weights,"
      "beads,beads_inserted,rounds,gradient_samples_endpoints,gradient_samples_beads,"
      "forward_samples_checks,max_metric_train,proof,bound,check_evaluations,joined,tries,"
      "aligned\n"
      "0.5,3,1003,connected,0.375,0.5,1.25,1.375,4,2,1,1000000,250000,40000,0.25,sampled:101,,"
      "40,direct,0,raw\n");
}

TEST(RunSchema, ReadsTablesOfEarlierVersions) {
  const CellRow row = cell(0.5, 3, Verdict::connected, 1.25, 4);
  const auto first_fields = [](const std::string& text, std::size_t count) {
    std::string cut;
    std::size_t field = 0;
    for (const char c : text) {
      field = c == '\n' ? 0 : field + (c == ',' ? 1 : 0);
      cut += field < count || c == '\n' ? std::string(1, c) : "";
    }
    return cut;
  };
  const std::string text = to_csv(std::vector<CellRow>{row});
  EXPECT_EQ(parse_cells(first_fields(text, 18), "cells.csv").at(0), row);
  CellRow without_proof = row;
  without_proof.proof = "";
  without_proof.check_evaluations = no_value;
  EXPECT_EQ(parse_cells(first_fields(text, 15), "cells.csv").at(0), without_proof);
  const std::vector<CurveRow> curve = curve_of({row});
  EXPECT_EQ(parse_curve(first_fields(to_csv(curve), 9), "curve.csv"), curve);
}

TEST(RunSchema, TheCurveTellsDirectOnes) {
  CellRow repaired = cell(0.1, 1, Verdict::connected, 1.5, 4);
  repaired.joined = "repaired";
  const CurveRow row = curve_of({cell(0.1, 0, Verdict::connected, 1, 3), repaired}).at(0);
  EXPECT_EQ(row.connected, 2u);
  EXPECT_EQ(row.direct, 1u);
}

TEST(RunSchema, KnowsWhatAPathWasCheckedBy) {
  for (const std::string proof : {"proven", "screened:21", "sampled:101", ""}) {
    CellRow row = cell(0.5, 3, Verdict::connected, 1.25, 4);
    row.proof = proof;
    EXPECT_EQ(parse_cells(to_csv(std::vector<CellRow>{row}), "cells.csv")[0].proof, proof);
  }
  for (const std::string proof : {"screened:", "screened", "sampled:x", "guessed"}) {
    CellRow row = cell(0.5, 3, Verdict::connected, 1.25, 4);
    row.proof = proof;
    EXPECT_THROW(parse_cells(to_csv(std::vector<CellRow>{row}), "cells.csv"), DataError) << proof;
  }
}

TEST(RunSchema, TheOrderOfFinishingDoesNotShow) {
  const std::vector<CellRow> cells = some_cells();
  const std::string text = to_csv(cells);
  const std::string curve = to_csv(curve_of(cells));
  std::mt19937 generator(5);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<CellRow> shuffled = cells;
    std::shuffle(shuffled.begin(), shuffled.end(), generator);
    EXPECT_EQ(to_csv(shuffled), text);
    EXPECT_EQ(to_csv(curve_of(shuffled)), curve);
  }
}

TEST(RunSchema, TheCurveIsOverConnectedPairs) {
  const std::vector<CurveRow> curve = curve_of(some_cells());
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0].threshold, 0.1);
  EXPECT_EQ(curve[0].pairs, 3u);
  EXPECT_EQ(curve[0].connected, 3u);
  EXPECT_DOUBLE_EQ(curve[0].length_mean, 2);
  // Deviations -1, -0.5, 1.5: squares add up to 3.5.
  EXPECT_DOUBLE_EQ(curve[0].length_sem, std::sqrt(3.5 / 2 / 3));
  EXPECT_DOUBLE_EQ(curve[0].length_weights_mean, 2.125);
  EXPECT_DOUBLE_EQ(curve[0].beads_mean, 5);
  EXPECT_DOUBLE_EQ(curve[0].beads_sem, std::sqrt(14.0 / 2 / 3));
  EXPECT_EQ(curve[1].pairs, 3u);
  EXPECT_EQ(curve[1].connected, 1u);
  EXPECT_DOUBLE_EQ(curve[1].length_mean, 2);
  EXPECT_TRUE(std::isnan(curve[1].length_sem));
}

TEST(RunSchema, ACurveWithoutAConnectedPairHasNoMean) {
  const std::vector<CurveRow> curve = curve_of({cell(0.1, 0, Verdict::not_connected, 3, 9)});
  ASSERT_EQ(curve.size(), 1u);
  EXPECT_EQ(curve[0].connected, 0u);
  EXPECT_TRUE(std::isnan(curve[0].length_mean));
  EXPECT_TRUE(std::isnan(curve[0].beads_mean));
  EXPECT_EQ(parse_curve(to_csv(curve), "curve.csv"), curve);
  EXPECT_TRUE(curve_of({}).empty());
}

TEST(RunSchema, CurvesReadBackBitForBit) {
  const std::vector<CurveRow> curve = curve_of(some_cells());
  EXPECT_EQ(parse_curve(to_csv(curve), "curve.csv"), curve);
}

TEST(RunSchema, ConnectedPairsOfNoLengthCountWithoutIt) {
  CellRow same = cell(0.1, 3, Verdict::connected, 0, 2);
  same.normalized_length = no_value;  // two identical end points: a distance of 0
  same.normalized_length_weights = no_value;
  const std::vector<CurveRow> curve = curve_of({cell(0.1, 0, Verdict::connected, 1.5, 4), same});
  EXPECT_EQ(curve.at(0).connected, 2u);
  EXPECT_EQ(curve.at(0).length_mean, 1.5);
  EXPECT_EQ(curve.at(0).beads_mean, 3);
}

std::string refusal(const std::string& from, const std::string& to) {
  std::string text = to_csv(some_cells());
  const std::size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  text.replace(place, from.size(), to);
  try {
    parse_cells(text, "run/cells.csv");
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

TEST(RunSchema, RefusesDamagedCells) {
  EXPECT_EQ(refusal("connected", "conected"),
            "run/cells.csv, line 2, column 4 (verdict): expected \"connected\", \"not_connected\" "
            "or \"endpoint_not_reached\", found \"conected\"");
  EXPECT_EQ(refusal("0.1,1,1001", "0.1,0,1001"),
            "run/cells.csv, line 3, column 2 (pair): expected each pair once at a threshold, found "
            "\"0\"");
  EXPECT_EQ(refusal("0.1,1,1001", "nan,1,1001"),
            "run/cells.csv, line 3, column 1 (threshold): expected a finite number, found \"nan\"");
  EXPECT_EQ(refusal("max_t,", "t,"),
            "run/cells.csv, line 1, column 6: expected the heading \"max_t\", found \"t\"");
}

TEST(RunSchema, RefusesDamagedCurves) {
  const std::string head = to_csv(std::vector<CurveRow>{});
  EXPECT_THROW(parse_curve(head + "0.1,2,3,1,1,1,1,1,1,1\n", "curve.csv"), DataError);
  EXPECT_THROW(parse_curve(head + "0.1,2,1,1,1,1,1,1,1,2\n", "curve.csv"), DataError);
  EXPECT_THROW(parse_curve(head + "0.1,2,1,1,1,1,1,1,1,1\n0.1,2,1,1,1,1,1,1,1,1\n", "curve.csv"),
               DataError);
  EXPECT_NO_THROW(parse_curve(head + "0.1,2,1,1,,1,nan,1,,1\n", "curve.csv"));
}

TEST(RunSchema, PathFilesAreNamedByThresholdAndPair) {
  EXPECT_EQ(path_file_name(0.01, 3), "0.01_3.safetensors");
  EXPECT_EQ(path_file_name(2.5e-5, 0), "2.5e-05_0.safetensors");
}

}  // namespace
}  // namespace isthmus
