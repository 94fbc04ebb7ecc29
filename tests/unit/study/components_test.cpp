// SPDX-License-Identifier: MIT
#include "isthmus/study/components.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/study/run_directory.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::bytes_of;
using testing::expect_error;
using testing::TemporaryFolder;

ComponentsOptions small() {
  ComponentsOptions options{.study = default_options(task_of("quadratic"), Protocol::strict)};
  options.study.repair.mode = RepairMode::none;
  options.study.string.stagnation = 0;
  options.study.thresholds = {0.1, 0.02};
  options.networks = 5;
  options.widths = {2, 3};
  return options;
}

ComponentsResult run_in(const std::filesystem::path& folder,
                        const ComponentsOptions& options,
                        std::size_t threads = 1,
                        const std::function<void(const StudyProgress&)>& progress = nullptr,
                        const Stop* stop = nullptr) {
  RunDirectory run(folder, run_configuration(options), true);
  Workers workers(threads);
  return run_components(options, nullptr, run, workers, stop, progress);
}

// Every file of a run by its name.
std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[std::filesystem::relative(entry.path(), folder).string()] = bytes_of(entry.path());
    }
  }
  return files;
}

TEST(Components, EndWithTheSameFilesWhateverTheThreadsAndInterruptions) {
  const TemporaryFolder folder;
  const ComponentsResult result = run_in(folder / "unbroken", small());
  ASSERT_EQ(result.rows.size(), 4u);
  EXPECT_EQ(result.rows[0].width, 2u);
  EXPECT_EQ(result.rows[3].width, 3u);
  const auto expected = files_of(folder / "unbroken");
  EXPECT_TRUE(expected.lower_bound("width_3/paths/0.02_")->first.ends_with(".safetensors"));
  EXPECT_TRUE(expected.contains("graphs/width_2_0.1.graphml"));
  run_in(folder / "two", small(), 2);
  EXPECT_EQ(files_of(folder / "two"), expected);
  std::size_t resumed = 0;
  std::size_t interruptions = 0;
  for (std::size_t after = 1;; after += 3) {
    std::size_t finished = 0;
    const auto fail = [&](const StudyProgress& event) {
      resumed += event.kind == StudyProgress::Kind::started ? event.cells_done : 0;
      finished += event.kind == StudyProgress::Kind::cell_finished ? 1 : 0;
      if (finished == after) {
        throw std::runtime_error("a worker gave up");
      }
    };
    try {
      run_in(folder / "broken", small(), 1 + after % 2, fail);
      break;
    } catch (const std::runtime_error&) {
      ++interruptions;
    }
  }
  EXPECT_GT(interruptions, 1u);
  EXPECT_GT(resumed, 0u);
  EXPECT_EQ(files_of(folder / "broken"), expected);
  // A finished run has nothing left to do.
  std::size_t events = 0;
  run_in(folder / "unbroken", small(), 1, [&](const StudyProgress&) { ++events; });
  EXPECT_EQ(events, 1u);
  EXPECT_EQ(files_of(folder / "unbroken"), expected);
}

TEST(Components, NetworksAreTheEndPointsOfAStudy) {
  const TemporaryFolder folder;
  ComponentsOptions options = small();
  options.widths.clear();
  const ComponentsResult result = run_in(folder / "components", options);
  StudyOptions study = options.study;
  study.pairs = 2;
  RunDirectory run(folder / "study", run_configuration(study), false);
  Workers workers(1);
  run_study(study, nullptr, run, workers);
  for (const ComponentGraph& graph : result.graphs) {
    for (const std::size_t pair : {0u, 1u}) {
      const Json details = run.find_cell(graph.threshold, pair)->details;
      EXPECT_NEAR(details["metric_a"].get<double>(), graph.nodes[2 * pair].value, 1e-6);
      EXPECT_NEAR(details["metric_b"].get<double>(), graph.nodes[2 * pair + 1].value, 1e-6);
    }
  }
}

TEST(Components, MoreNetworksAndThresholdsGoOnFromFewer) {
  const TemporaryFolder folder;
  ComponentsOptions options = small();
  options.widths.clear();
  run_in(folder / "whole", options);
  ComponentsOptions fewer = options;
  fewer.networks = 3;
  fewer.study.thresholds = {0.1};
  run_in(folder / "widened", fewer);
  run_in(folder / "widened", options);
  for (const char* file : {"components.csv", "graph.json", "cells.csv", "config.json"}) {
    EXPECT_EQ(bytes_of(folder / "widened" / file), bytes_of(folder / "whole" / file)) << file;
  }
  expect_error<ConfigurationError>([&] { run_in(folder / "whole", fewer); },
                                   {"networks: 5 there, 3 here"});
}

TEST(Components, StopSaysHowToGoOn) {
  const TemporaryFolder folder;
  Stop stop;
  const auto request = [&](const StudyProgress& event) {
    if (event.kind == StudyProgress::Kind::string) {
      stop.request();
    }
  };
  expect_error<Interrupted>([&] { run_in(folder / "run", small(), 2, request, &stop); },
                            {"interrupted", "--resume", "run;"});
}

TEST(Components, RefusesWhatHasNone) {
  ComponentsOptions options = small();
  options.networks = 1;
  expect_error<UsageError>([&] { options.validate(); }, {"networks", "at least 2", "got 1"});
  options = small();
  options.study.problem.risk = Risk::empirical;
  expect_error<UsageError>([&] { options.validate(); }, {"risk", "oracle"});
  options = small();
  options.study = default_options(task_of("mnist"), Protocol::strict);
  options.study.repair.mode = RepairMode::none;
  expect_error<UsageError>([&] { options.validate(); }, {"widths", "dense", "mnist"});
  const auto widths = from_key(components_option_table(), "widths").front();
  for (const char* text : {"0", "2,", ",2", "2,,3", "2,2", "-1", "4097", "two", "2 3"}) {
    expect_error<UsageError>([&] { widths.parse(options, text); },
                             {"widths", "from 1 to 4096", text});
  }
}

TEST(Components, ADamagedLevelIsNamed) {
  const TemporaryFolder folder;
  ComponentsOptions options = small();
  options.networks = 2;
  options.widths.clear();
  run_in(folder / "run", options);
  folder.write("run/levels/0.1.json",
               R"({"networks": [], "pairs": [{"a": 0, "b": 1, "distance": 1}]})");
  expect_error<DataError>([&] { run_in(folder / "run", options); },
                          {"levels/0.1.json", "damaged", "Delete this file"});
}

}  // namespace
}  // namespace isthmus
