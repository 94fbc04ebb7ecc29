// SPDX-License-Identifier: MIT
#include "isthmus/report/run.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "cells.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/report/comparison.h"
#include "isthmus/report/figure.h"
#include "isthmus/report/profile.h"
#include "isthmus/report/table.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::cell;

// A finished run of two thresholds and two pairs on the disk.
class ReadRun : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / (std::string("isthmus_read_run_") + info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "cells");
    cells_ = {cell(0.1, 0, 1.25, 3),
              cell(0.1, 1, 1.5, 4),
              cell(0.01, 0, no_value, 50),
              cell(0.01, 1, 2.5, 12)};
    config_ = {{"format", "isthmus-run-1"},
               {"task", "quadratic"},
               {"protocol", "strict"},
               {"thresholds", {0.1, 0.01}},
               {"pairs", 2},
               {"metric", "mean_absolute_error"},
               {"split", "test"},
               {"max_seconds", nullptr},
               {"problem", {{"risk", "oracle"}}}};
    write_json(folder_ / "config.json", config_);
    for (const char* name : {"manifest.json", "summary.json", "timing.json"}) {
      write_json(folder_ / name, Json::object());
    }
    write("cells.csv", to_csv(cells_));
    write("curve.csv", to_csv(curve_of(cells_)));
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  std::string refusal() const {
    try {
      read_run(folder_);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no DataError";
  }

  fs::path folder_;
  std::vector<CellRow> cells_;
  Json config_;
};

TEST_F(ReadRun, ReadsAFinishedRun) {
  const RunRecord run = read_run(folder_);
  EXPECT_EQ(run.task, "quadratic");
  EXPECT_EQ(run.metric, "mean_absolute_error");
  EXPECT_EQ(run.split, "test");
  EXPECT_EQ(run.protocol, "strict");
  EXPECT_EQ(run.risk, "oracle");
  EXPECT_EQ(run.penalty, "");
  EXPECT_EQ(run.planned_cells(), 4u);
  EXPECT_TRUE(run.complete());
  EXPECT_EQ(run.cells, cells_);
  EXPECT_EQ(run.curve, curve_of(cells_));
  EXPECT_TRUE(run.missing.empty());
  EXPECT_TRUE(run.notes.empty());
}

TEST_F(ReadRun, SaysItsPenalty) {
  const std::size_t notes = comparison_notes(read_run(folder_)).size();
  config_["problem"]["penalty"] = "l2:0.001";
  write_json(folder_ / "config.json", config_);
  const RunRecord run = read_run(folder_);
  EXPECT_EQ(run.penalty, "l2:0.001");
  EXPECT_NE(figure_data(run).subtitle.find("penalty l2:0.001"), std::string::npos);
  EXPECT_NE(report_text(run, TableForm::text).find("penalty l2:0.001"), std::string::npos);
  EXPECT_EQ(comparison_notes(run).size(), notes + 1) << "the published runs have none";
}

TEST_F(ReadRun, ReadsAnUnfinishedRunAndSaysWhatIsMissing) {
  for (const char* name : {"manifest.json", "summary.json", "timing.json", "curve.csv"}) {
    fs::remove(folder_ / name);
  }
  cells_.pop_back();
  write("cells.csv", to_csv(cells_));
  for (const char* name : {"0.1_0.json", "0.1_1.json", "0.01_0.json", "0.01_1.json"}) {
    write("cells/" + std::string(name), "{}");
  }
  const RunRecord run = read_run(folder_);
  EXPECT_FALSE(run.complete());
  EXPECT_EQ(run.curve.size(), 2u);
  EXPECT_EQ(
      run.missing,
      (std::vector<std::string>{"manifest.json", "curve.csv", "summary.json", "timing.json"}));
  ASSERT_EQ(run.notes.size(), 3u);
  EXPECT_NE(run.notes[0].find("3 of 4"), std::string::npos);
  EXPECT_NE(run.notes[1].find("1 more finished"), std::string::npos);
  EXPECT_NE(run.notes[2].find("summary.json"), std::string::npos);
}

TEST_F(ReadRun, ReadsARunThatHasOnlyItsConfiguration) {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().filename() != "config.json") {
      fs::remove_all(entry.path());
    }
  }
  const RunRecord run = read_run(folder_);
  EXPECT_TRUE(run.cells.empty());
  EXPECT_FALSE(run.complete());
  EXPECT_EQ(run.missing.size(), 5u);
}

TEST_F(ReadRun, ACurveOfOtherCellsIsANote) {
  write("curve.csv", to_csv(curve_of({cells_[0]})));
  const RunRecord run = read_run(folder_);
  ASSERT_EQ(run.notes.size(), 1u);
  EXPECT_NE(run.notes[0].find("curve.csv is not the curve of cells.csv"), std::string::npos);
  EXPECT_EQ(run.curve, curve_of(cells_));
}

TEST_F(ReadRun, WhatIsNoRunDirectoryIsMissingInput) {
  EXPECT_THROW(read_run(folder_ / "nowhere"), MissingInput);
  fs::remove(folder_ / "config.json");
  EXPECT_THROW(read_run(folder_), MissingInput);
  EXPECT_THROW(read_run(folder_ / "cells.csv"), DataError);
}

TEST_F(ReadRun, AnotherVersionIsAConfigurationError) {
  config_["format"] = "isthmus-run-2";
  write_json(folder_ / "config.json", config_);
  EXPECT_THROW(read_run(folder_), ConfigurationError);
  config_.erase("format");
  write_json(folder_ / "config.json", config_);
  EXPECT_THROW(read_run(folder_), ConfigurationError);
}

TEST_F(ReadRun, RefusesDamagedJson) {
  for (const char* name : {"config.json", "manifest.json", "summary.json", "timing.json"}) {
    const std::string before = read_file(folder_ / name);
    for (const std::string damaged : {"", "{\"a\": ", "[1, 2]", "\xff\xfe"}) {
      write(name, damaged);
      EXPECT_NE(refusal().find(name), std::string::npos) << name << " " << damaged;
    }
    write(name, before);
  }
}

TEST_F(ReadRun, RefusesSettingsOfTheWrongKind) {
  for (const char* patch : {R"({"task": 3})",
                            R"({"thresholds": "0.1"})",
                            R"({"thresholds": [0.1, "x"]})",
                            R"({"pairs": -1})",
                            R"({"pairs": 1.5})"}) {
    Json config = config_;
    config.update(Json::parse(patch));
    write_json(folder_ / "config.json", config);
    EXPECT_NE(refusal().find("config.json: expected"), std::string::npos) << patch;
  }
}

TEST_F(ReadRun, RefusesCellsOfAnotherRun) {
  cells_.push_back(cell(0.05, 0, 1.5, 4));
  write("cells.csv", to_csv(cells_));
  EXPECT_NE(refusal().find("found pair 0 at threshold 0.05"), std::string::npos) << refusal();
  cells_.back() = cell(0.1, 2, 1.5, 4);
  write("cells.csv", to_csv(cells_));
  EXPECT_NE(refusal().find("found pair 2 at threshold 0.1"), std::string::npos) << refusal();
}

TEST_F(ReadRun, ATruncatedTableIsRefusedOrHasFewerRows) {
  const std::string text = to_csv(cells_);
  for (std::size_t length = 0; length < text.size(); ++length) {
    const bool whole_lines = length > 0 && text[length - 1] == '\n';
    if (!whole_lines && length % 7 != 0) {
      continue;
    }
    write("cells.csv", text.substr(0, length));
    if (whole_lines) {
      EXPECT_LT(read_run(folder_).cells.size(), cells_.size());
    } else {
      EXPECT_NE(refusal().find("cells.csv, line"), std::string::npos) << length;
    }
  }
}

TEST_F(ReadRun, DamagedBytesAreRefused) {
  const std::string text = to_csv(cells_);
  for (std::size_t at = 0; at < text.size(); at += 7) {
    std::string damaged = text;
    damaged[at] = '\x80';
    write("cells.csv", damaged);
    EXPECT_NE(refusal().find("cells.csv"), std::string::npos) << at;
  }
}

TEST_F(ReadRun, ReadsTheProfileOfACell) {
  write("cells/0.1_1.json",
        R"({"row": {}, "details": {"endpoint_distance": 2.5, "profile": [[0, 0.0, 0.0, 0.05],
            [0, 0.5, 1.25, null], [0, 1.0, 2.5, 0.06]]}})");
  write("cells/0.1_0.json", R"({"row": {}, "details": {"endpoint_distance": 2.5}})");
  write("cells/0.01_0.json", R"({"row": {}, "details": {"profile": [[0, 0.5]]}})");
  const RunRecord run = read_run(folder_);
  const auto profile = read_profile(run, 0.1, 1);
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->path.size(), 3u);
  EXPECT_EQ(profile->endpoint_distance, 2.5);
  EXPECT_TRUE(std::isnan(profile->path[1].value));
  EXPECT_EQ(profile->path[2].arc_length, 2.5);
  EXPECT_FALSE(read_profile(run, 0.1, 0));
  EXPECT_FALSE(read_profile(run, 0.01, 1));
  EXPECT_THROW(read_profile(run, 0.01, 0), DataError);
}

}  // namespace
}  // namespace isthmus
