// SPDX-License-Identifier: MIT
// Run directories: what is in them, and what becomes of them when something goes wrong.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

// Many small cells.
const Arguments many_cells{
    "sweep", "quadratic", "--thresholds", "0.05,0.02,0.01", "--pairs", "20", "--out"};
// Few cells with beads that take their time: each bead and check is kept on its own.
const Arguments few_cells{
    "connect", "mnist-mlp", "--data", "data", "--thresholds", "0.2,0.1", "--pairs", "2", "--out"};

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Json json_of(const std::filesystem::path& file) {
  return Json::parse(bytes_of(file));
}

std::string first_line(const std::filesystem::path& file) {
  const std::string text = bytes_of(file);
  return text.substr(0, text.find('\n'));
}

TEST(Run, FilesAreThoseOfTheContract) {
  const TemporaryFolder folder;
  const Arguments arguments{"connect",
                            "quadratic",
                            "--thresholds",
                            "0.05,0.2",
                            "--pairs",
                            "3",
                            "--seed",
                            "11",
                            "--json",
                            "--out",
                            "run"};
  const Json report = Json::parse(expect_run(folder.path(), arguments, 0).out);
  EXPECT_EQ(report["run"], "run");
  EXPECT_EQ(first_line(folder / "run/cells.csv"),
            "threshold,pair,seed,verdict,max_metric,max_t,normalized_length,"
            "normalized_length_weights,beads,beads_inserted,rounds,gradient_samples_endpoints,"
            "gradient_samples_beads,forward_samples_checks,max_metric_train,proof,bound,"
            "check_evaluations,joined,tries,aligned");
  EXPECT_EQ(first_line(folder / "run/curve.csv"),
            "threshold,pairs,connected,length_mean,length_sem,length_weights_mean,"
            "length_weights_sem,beads_mean,beads_sem,direct");
  const auto cells = read_table(folder / "run/cells.csv");
  ASSERT_EQ(cells.size(), 7u);
  EXPECT_EQ(cells[1][0], "0.2") << "thresholds descending";
  EXPECT_EQ(cells[4][0], "0.05");
  EXPECT_EQ(cells[6][1], "2");
  EXPECT_EQ(cells[6][2], "11");
  const auto curve = read_table(folder / "run/curve.csv");
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_EQ(curve[1][1], "3");
  for (const char* file : {"config.json", "manifest.json", "summary.json", "timing.json"}) {
    EXPECT_TRUE(json_of(folder / "run" / file).is_object()) << file;
  }
  EXPECT_EQ(bytes_of(folder / "run/config.json").find("threads"), std::string::npos);
  EXPECT_NE(bytes_of(folder / "run/figure.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(files_in(folder / "run/paths", ".safetensors"), 6u);
  EXPECT_FALSE(std::filesystem::exists(folder / "run/checkpoint"));
  // A strict pair trains its end points once: the cost of a pair is that of its lowest threshold.
  std::uint64_t cost = 0;
  for (std::size_t i = 4; i < 7; ++i) {
    EXPECT_GE(std::stoull(cells[i][11]), std::stoull(cells[i - 3][11]));
    cost += std::stoull(cells[i][11]);
  }
  EXPECT_EQ(json_of(folder / "run/summary.json")["gradient_samples_endpoints"], cost);
  EXPECT_GT(json_of(folder / "run/cells/0.05_0.json")["details"]["forward_samples_other_split"], 0);
}

TEST(Run, PathFilesAreThoseOfTheContract) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
  const std::string content = bytes_of(folder / "run/paths/0.1_0.safetensors");
  std::uint64_t size = 0;
  for (int i = 7; i >= 0; --i) {
    size = size << 8U | static_cast<unsigned char>(content[static_cast<std::size_t>(i)]);
  }
  const Json header = Json::parse(content.substr(8, size));
  const Json& theta = header["theta"];
  EXPECT_EQ(theta["dtype"], "F32");
  const std::string beads = cell_of(folder / "run/cells.csv", "beads");
  EXPECT_EQ(theta["shape"], (Json{std::stoi(beads), 24}));
  const Json& metadata = header["__metadata__"];
  EXPECT_EQ(metadata["format"], "isthmus-path-1");
  EXPECT_EQ(metadata["task"], "quadratic");
  EXPECT_EQ(metadata["threshold"], "0.1");
  EXPECT_EQ(metadata["metric"], "mean_absolute_error");
  EXPECT_EQ(metadata["split"], "test");
  EXPECT_TRUE(Json::parse(metadata["network"].get<std::string>()).contains("layers"));
  const Json layout = Json::parse(metadata["layout"].get<std::string>());
  ASSERT_EQ(layout.size(), 3u);
  EXPECT_EQ(layout[1],
            (Json{{"name", "2.weight"}, {"offset", 4}, {"shape", {4, 4}}, {"role", "weight"}}));
}

TEST(Run, AThresholdThatNoTrainingReaches) {
  const TemporaryFolder folder;
  const Outcome outcome = expect_run(
      folder.path(),
      {"connect", "quadratic", "--threshold", "1e-9", "--endpoint-max-steps", "60", "--out", "run"},
      0);
  const std::filesystem::path cells = folder / "run/cells.csv";
  EXPECT_EQ(cell_of(cells, "verdict"), "endpoint_not_reached");
  EXPECT_GT(std::stod(cell_of(cells, "max_metric")), 1e-9);
  EXPECT_EQ(cell_of(cells, "gradient_samples_endpoints"), std::to_string(2 * 60 * 256));
  EXPECT_NE(outcome.out.find("did not reach"), std::string::npos) << outcome.out;
  const Json trained = Json::parse(expect_run(folder.path(),
                                              {"train",
                                               "quadratic",
                                               "--threshold",
                                               "1e-9",
                                               "--endpoint-max-steps",
                                               "60",
                                               "--out",
                                               "a.safetensors",
                                               "--json"},
                                              0)
                                       .out);
  EXPECT_EQ(trained["termination"], "budget");
  EXPECT_EQ(trained["steps"], 60);
}

TEST(Run, AThresholdAboveTheLossAtInitialisation) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "100", "--out", "run"}, 0);
  const std::filesystem::path cells = folder / "run/cells.csv";
  EXPECT_EQ(cell_of(cells, "verdict"), "connected");
  EXPECT_EQ(cell_of(cells, "gradient_samples_endpoints"), std::to_string(2 * 256))
      << "the pass that looks at each, no step";
  EXPECT_EQ(cell_of(cells, "normalized_length"), "1");
  EXPECT_EQ(cell_of(cells, "beads"), "2");
  const Outcome trained = expect_run(
      folder.path(), {"train", "quadratic", "--threshold", "100", "--out", "a", "--json"}, 0);
  EXPECT_EQ(Json::parse(trained.out)["steps"], 0);
}

TEST(Run, AStringThatDoesNotCloseIsAVerdict) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.01", "--max-beads", "3", "--out", "run"},
             0);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "not_connected");
  EXPECT_GT(std::stod(cell_of(folder / "run/cells.csv", "max_metric")), 0.01);
}

TEST(Run, ThePaperProtocol) {
  const TemporaryFolder folder;
  for (const char* risk : {"oracle", "empirical"}) {
    expect_run(folder.path(),
               {"connect",
                "quadratic",
                "--threshold",
                "0.125",
                "--protocol",
                "paper",
                "--risk",
                risk,
                "--risk-points",
                "500",
                "--out",
                risk},
               0);
    EXPECT_EQ(cell_of(folder.path() / risk / "cells.csv", "verdict"), "connected");
    EXPECT_GE(std::stoi(cell_of(folder.path() / risk / "cells.csv", "beads")), 3);
    expect_run(folder.path(), {"verify", risk}, 0);
  }
}

TEST(RunDirectory, AnExistingRunIsNotTouched) {
  const TemporaryFolder folder;
  const Arguments command{"connect", "quadratic", "--threshold", "0.2", "--out", "run"};
  expect_run(folder.path(), command, 0);
  std::filesystem::copy(
      folder / "run", folder / "before", std::filesystem::copy_options::recursive);
  expect_run(folder.path(), command, 64, {"run: a run is there already", "--resume", "--out"});
  expect_run(
      folder.path(),
      {"connect", "quadratic", "--thresholds", "0.1", "--seed", "2", "--out", "run", "--resume"},
      78,
      {"thresholds: [0.2] there, [0.1] here", "seed: 1 there, 2 here"});
  folder.write("mine/thesis.tex", "x");
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.2", "--out", "mine"},
             64,
             {"mine", "other files"});
  EXPECT_EQ(bytes_of(folder / "mine/thesis.tex"), "x");
  expect_same_runs(folder / "run", folder / "before");
  expect_run(folder.path(), with(command, {"--resume"}), 0);
  expect_same_runs(folder / "run", folder / "before");
}

TEST(RunDirectory, Damaged) {
  const TemporaryFolder folder;
  const Arguments command{
      "connect", "quadratic", "--threshold", "0.2", "--pairs", "2", "--out", "run"};
  const Arguments resume = with(command, {"--resume"});
  expect_run(folder.path(), command, 0);
  const std::filesystem::path run = folder / "run";
  std::filesystem::copy(run, folder / "before", std::filesystem::copy_options::recursive);
  const std::string config = bytes_of(run / "config.json");
  const auto expect_both = [&](int code, std::initializer_list<std::string_view> parts) {
    expect_run(folder.path(), resume, code, parts);
    expect_run(folder.path(), {"report", "run"}, code, parts);
  };
  replace_in(run / "config.json", "isthmus-run-1", "isthmus-run-0");
  expect_both(78, {"config.json", "isthmus-run-1", "isthmus-run-0", "another version"});
  folder.write("run/config.json", config.substr(0, config.size() / 2));
  expect_both(65, {"config.json", "JSON"});
  folder.write("run/config.json", config);
  replace_in(run / "config.json", "\"version\": \"", "\"version\": \"9");
  expect_run(folder.path(), resume, 78, {"version: \"9"});
  folder.write("run/config.json", config);
  // A cell that is damaged is named; without it, it is computed again.
  const std::string cell = bytes_of(run / "cells/0.2_1.json");
  folder.write("run/cells/0.2_1.json", cell.substr(0, 100));
  expect_run(folder.path(), resume, 65, {"0.2_1.json", "damaged", "Delete this file", "--resume"});
  folder.write("run/cells/0.2_1.json", bytes_of(run / "cells/0.2_0.json"));
  expect_run(folder.path(), resume, 65, {"0.2_1.json", "pair 1", "pair 0"});
  std::filesystem::remove(run / "cells/0.2_1.json");
  expect_run(folder.path(), resume, 0);
  expect_same_runs(run, folder / "before");
  std::filesystem::remove(run / "paths/0.2_0.safetensors");
  expect_run(folder.path(), resume, 0);
  expect_same_runs(run, folder / "before");
  folder.write("run/cells.csv", bytes_of(run / "cells.csv") + "0.2,7,\n");
  expect_run(folder.path(), {"report", "run"}, 65, {"cells.csv"});
  expect_run(folder.path(), resume, 0);
  expect_same_runs(run, folder / "before");
  expect_run(folder.path(), {"report", "none"}, 66, {"none"});
  expect_run(folder.path(), {"report", "run/config.json"}, 65, {"expected a run directory"});
}

TEST(RunDirectory, UnwritablePlaces) {
  const TemporaryFolder folder;
  folder.write("file", "x");
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.2", "--out", "file/run"},
             73,
             {"file/run", "Choose another place"});
  expect_run(
      folder.path(), {"connect", "quadratic", "--threshold", "0.2", "--out", "file"}, 73, {"file"});
  expect_run(folder.path(),
             {"train", "quadratic", "--threshold", "0.2", "--out", "file/a.safetensors"},
             73,
             {"file/a.safetensors", "cannot be written"});
  expect_run(folder.path(),
             {"train", "quadratic", "--threshold", "0.2", "--out", "none/a.safetensors"},
             73,
             {"none/a.safetensors"});
  EXPECT_EQ(bytes_of(folder / "file"), "x");
}

TEST(RunDirectory, ADiskThatFillsUp) {
  const TemporaryFolder folder;
  const Arguments command{"connect", "quadratic", "--threshold", "0.2", "--pairs", "80", "--out"};
  expect_run(folder.path(), with(command, {"unbroken"}), 0);
  // No room for the tables; then not even for one path.
  for (const std::uint64_t limit : {7000u, 3000u, 500u}) {
    const std::string name = "run" + std::to_string(limit);
    const Outcome outcome =
        run(folder.path(), with(command, {name}), {.largest_file = limit, .output = {}});
    expect_outcome(outcome, 73, {name, "cannot be written", "Free space", "intact"});
    EXPECT_EQ(files_in(folder.path() / name, ".partial"), 0u);
    expect_run(folder.path(), with(command, {name, "--resume"}), 0);
    expect_same_runs(folder.path() / name, folder / "unbroken");
  }
  folder.write("a.safetensors", "old");
  expect_outcome(run(folder.path(),
                     {"train", "quadratic", "--threshold", "0.2", "--out", "a.safetensors"},
                     {.largest_file = 100, .output = {}}),
                 73,
                 {"a.safetensors"});
  EXPECT_EQ(bytes_of(folder / "a.safetensors"), "old");
}

// Waits for something that a process does; false if it ended first.
template <typename Condition>
bool wait_for(Process& process, const Condition& happened) {
  while (process.running()) {
    if (happened()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

TEST(RunDirectory, OneProcessAtATime) {
  const TemporaryFolder folder;
  Process first(folder.path(), with(many_cells, {"run", "--threads", "1"}));
  ASSERT_TRUE(wait_for(first, [&] { return files_in(folder / "run/cells", ".json") > 0; }));
  expect_run(
      folder.path(), with(many_cells, {"run", "--resume"}), 64, {"another process", "--out"});
  expect_run(folder.path(), {"report", "run", "--no-figure"}, 0);
  expect_outcome(first.wait(), 0);
  expect_run(folder.path(), with(many_cells, {"run", "--resume"}), 0);
}

TEST(RunDirectory, ThreadsDoNotChangeIt) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  for (const Arguments& command : {many_cells, few_cells}) {
    expect_run(folder.path(), with(command, {"one", "--threads", "1"}), 0);
    expect_run(folder.path(), with(command, {"two", "--threads", "2"}), 0);
    expect_same_runs(folder / "two", folder / "one");
    std::filesystem::remove_all(folder / "one");
    std::filesystem::remove_all(folder / "two");
  }
}

TEST(Interruption, BySignalsEndsWithTheSameFiles) {
  const TemporaryFolder folder;
  expect_run(folder.path(), with(many_cells, {"unbroken"}), 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove_all(folder / "run");
    Process process(folder.path(), with(many_cells, {"run", "--threads", "1"}));
    ASSERT_TRUE(wait_for(process, [&] { return files_in(folder / "run/cells", ".json") > 2; }));
    process.send(signal);
    expect_outcome(process.wait(), 130, {"interrupted", "run", "--resume"});
    EXPECT_FALSE(std::filesystem::exists(folder / "run/summary.json"));
    const Outcome report = expect_run(folder.path(), {"report", "run", "--no-figure"}, 0);
    EXPECT_NE(report.out.find("Unfinished"), std::string::npos) << report.out;
    expect_run(folder.path(), with(many_cells, {"run", "--resume"}), 0);
    expect_same_runs(folder / "run", folder / "unbroken");
  }
}

// Kills a run again and again, each time going on with what is there; returns how often a later
// process found something to go on with.
int kill_and_resume(const TemporaryFolder& folder,
                    const Arguments& command,
                    const std::vector<std::string>& kept,
                    int kills) {
  const auto start = Clock::now();
  expect_run(folder.path(), with(command, {"unbroken"}), 0);
  const std::chrono::duration<double> whole = Clock::now() - start;
  std::mt19937 moments(3);
  int found = 0;
  for (int kill = 0; kill < kills;) {
    const int threads = 1 + kill % 2;
    Process process(folder.path(),
                    with(command, {"run", "--resume", "--threads", std::to_string(threads)}));
    std::this_thread::sleep_for(whole * (0.0005 * static_cast<double>(moments() % 1000)));
    if (process.running()) {
      process.send(SIGKILL);
    }
    if (process.wait().signal == SIGKILL) {
      ++kill;
      std::size_t pieces = 0;
      for (const std::string& place : kept) {
        const std::filesystem::path inside = folder / "run" / place;
        if (std::filesystem::is_directory(inside)) {
          pieces += files_in(inside, ".json") + files_in(inside, ".safetensors");
        }
      }
      found += pieces > 0 ? 1 : 0;
      continue;
    }
    expect_outcome(process.wait(), 0);
    expect_same_runs(folder / "run", folder / "unbroken");
    std::filesystem::remove_all(folder / "run");
  }
  expect_run(folder.path(), with(command, {"run", "--resume"}), 0);
  expect_same_runs(folder / "run", folder / "unbroken");
  return found;
}

TEST(Interruption, KillsOfManyCells) {
  const TemporaryFolder folder;
  EXPECT_GT(kill_and_resume(folder, many_cells, {"cells"}, 20), 5);
}

TEST(Interruption, KillsOfBeadsAndEndPoints) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const int found = kill_and_resume(
      folder, few_cells, {"checkpoint", "checkpoint/0.1_0", "checkpoint/0.1_1", "cells"}, 20);
  EXPECT_GT(found, 5);
  const auto cells = read_table(folder / "run/cells.csv");
  EXPECT_GT(std::stoi(cells.at(3).at(8)), 2) << "there are beads to resume";
}

TEST(Interruption, KillsOfABreadthFirstString) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  Arguments command = few_cells;
  command.insert(command.begin() + 2, {"--method", "breadth-first", "--from-random"});
  const int found = kill_and_resume(
      folder, command, {"checkpoint/0.2_0", "checkpoint/0.1_0", "checkpoint/0.1_1", "cells"}, 8);
  EXPECT_GT(found, 2);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "connected");
}

// The constructed path is built again and its beads are taken from where they were, whatever B was
// moved to.
TEST(Interruption, KillsOfStringsThatBeginWithATheorem) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  folder.write("net.json",
               R"({"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear",
    "out_features": 24}, {"type": "relu"}, {"type": "linear", "out_features": 24}, {"type": "relu"},
    {"type": "linear", "out_features": 10}]})");
  for (const char* align : {"none", "weights"}) {
    const int found =
        kill_and_resume(folder,
                        {"connect",
                         "--network",
                         "net.json",
                         "--data",
                         "data",
                         "--thresholds",
                         "0.2,0.1",
                         "--start",
                         "theory",
                         "--align",
                         align,
                         "--out"},
                        {"checkpoint", "checkpoint/0.2_0", "checkpoint/0.1_0", "cells"},
                        8);
    EXPECT_GT(found, 2) << align;
    EXPECT_EQ(json_of(folder / "run/cells/0.2_0.json")["details"]["start"], "dropout") << align;
    std::uint64_t trained = 0;
    for (const char* name : {"run/cells/0.2_0.json", "run/cells/0.1_0.json"}) {
      trained += json_of(folder / name)["row"]["gradient_samples_beads"].get<std::uint64_t>();
    }
    EXPECT_GT(trained, 0U) << "there are beads to resume";
    std::filesystem::remove_all(folder / "run");
    std::filesystem::remove_all(folder / "unbroken");
  }
}

// A state is kept every few steps, so that kills come in the middle of training.
TEST(Interruption, KillsInsideTraining) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  Arguments command = few_cells;
  command.insert(command.begin() + 2, {"--checkpoint-seconds", "0.002"});
  kill_and_resume(folder, command, {"cells"}, 8);
  // Once more, watching: a state is there while an end point trains, and the next process has it.
  std::filesystem::remove_all(folder / "run");
  Process process(folder.path(), with(command, {"run", "--threads", "1"}));
  ASSERT_TRUE(wait_for(process,
                       [&] { return std::filesystem::exists(folder / "run/endpoints/0A.state"); }));
  process.send(SIGKILL);
  process.wait();
  EXPECT_TRUE(std::filesystem::exists(folder / "run/endpoints/0A.state"));
  expect_run(folder.path(), with(command, {"run", "--resume"}), 0);
  expect_same_runs(folder / "run", folder / "unbroken");
}

TEST(Interruption, KillsInsideTrain) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  const auto command = [](const std::string& threshold, const std::string& out) {
    return Arguments{"train",
                     "mnist-mlp",
                     "--data",
                     "data",
                     "--threshold",
                     threshold,
                     "--out",
                     out,
                     "--checkpoint-seconds",
                     "0.001"};
  };
  const auto states = [&] { return files_in(folder.path(), ".state"); };
  expect_run(folder.path(), command("0.05", "whole.safetensors"), 0);
  EXPECT_EQ(states(), 0u) << "it is over";
  for (const int signal : {SIGKILL, SIGINT}) {
    Process process(folder.path(), command("0.05", "a.safetensors"));
    ASSERT_TRUE(wait_for(process, [&] { return states() > 0; }));
    process.send(signal);
    const Outcome outcome = process.wait();
    if (signal == SIGINT) {
      expect_outcome(outcome, 130, {"interrupted", "a.safetensors", ".state", "goes on"});
    }
    EXPECT_EQ(states(), 1u);
    EXPECT_FALSE(std::filesystem::exists(folder / "a.safetensors"));
    // Another threshold is another training.
    const Outcome other = expect_run(folder.path(), command("0.3", "a.safetensors"), 0);
    EXPECT_EQ(other.err.find("going on"), std::string::npos);
    const Outcome last = expect_run(folder.path(), command("0.05", "a.safetensors"), 0);
    EXPECT_NE(last.err.find("going on from a.safetensors."), std::string::npos) << last.err;
    EXPECT_EQ(bytes_of(folder / "a.safetensors"), bytes_of(folder / "whole.safetensors"));
    EXPECT_EQ(states(), 0u);
    std::filesystem::remove(folder / "a.safetensors");
  }
}

TEST(Widening, AddsPairsAndThresholdsToAFinishedRun) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  struct Case {
    std::string task;
    std::string narrow;
    std::string wide;
  };
  for (const Case& each : {Case{"quadratic", "0.1,0.05", "0.1,0.05,0.02"},
                           Case{"mnist-mlp", "0.3,0.2", "0.3,0.2,0.1"}}) {
    SCOPED_TRACE(each.task);
    const auto sweep =
        [&](const std::string& thresholds, const std::string& pairs, const Arguments& more) {
          Arguments all{"sweep",
                        each.task,
                        "--data",
                        "data",
                        "--thresholds",
                        thresholds,
                        "--pairs",
                        pairs,
                        "--out"};
          all.insert(all.end(), more.begin(), more.end());
          return all;
        };
    expect_run(folder.path(), sweep(each.wide, "2", {"fresh"}), 0);
    expect_run(folder.path(), sweep(each.narrow, "1", {"run"}), 0);
    const auto path = folder / "run/paths" / (each.narrow.substr(0, 3) + "_0.safetensors");
    const auto written = std::filesystem::last_write_time(path);
    expect_run(folder.path(), sweep(each.wide, "2", {"run", "--resume"}), 0);
    EXPECT_EQ(std::filesystem::last_write_time(path), written) << "a finished cell is left alone";
    expect_same_runs(folder / "run", folder / "fresh");
    // Not the other way round.
    expect_run(folder.path(),
               sweep(each.narrow, "2", {"run", "--resume"}),
               78,
               {"thresholds", "more pairs, more thresholds"});
    expect_run(folder.path(), sweep(each.wide, "1", {"run", "--resume"}), 78, {"pairs: 2 there"});
    std::filesystem::remove_all(folder / "run");
    std::filesystem::remove_all(folder / "fresh");
  }
}

// Trained, joined, proven and read back: loss and penalty together stay below the threshold.
TEST(Run, WithAPenalty) {
  const TemporaryFolder folder;
  const Arguments command{"connect", "quadratic", "--threshold", "0.15", "--out", "run"};
  Arguments with = command;
  with.insert(with.end(), {"--penalty", "l2:0.001"});
  expect_run(folder.path(), with, 0);
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "verdict"), "connected");
  EXPECT_EQ(cell_of(folder / "run/cells.csv", "proof"), "proven");
  EXPECT_LE(std::stod(cell_of(folder / "run/cells.csv", "bound")), 0.15);
  EXPECT_EQ(json_of(folder / "run/config.json")["penalty"], "l2:0.001");
  with.emplace_back("--resume");
  expect_run(folder.path(), with, 0);
  Arguments other = command;
  other.insert(other.end(), {"--penalty", "l2:0.002", "--resume"});
  expect_run(folder.path(), other, 78, {"penalty", "another configuration"});

  const std::string file = "run/paths/0.15_0.safetensors";
  const Outcome grid = expect_run(folder.path(), {"verify", file, "--json"}, 0);
  const Json looked = Json::parse(grid.out)[0];
  EXPECT_TRUE(looked["below"].get<bool>());
  const Outcome said =
      expect_run(folder.path(), {"verify", file, "--certified", "--gap", "0.001"}, 0);
  EXPECT_NE(said.out.find("with l2:0.001"), std::string::npos) << said.out;
  const Json proof = json_of(folder / "run/paths/certificate.json");
  EXPECT_EQ(proof["penalty"], "l2:0.001");
  // What a grid sees is at most what is proven, and not much less.
  EXPECT_LE(looked["max_metric"].get<double>(), proof["bound"].get<double>() + 1e-6);
  EXPECT_GE(looked["max_metric"].get<double>(), proof["bound"].get<double>() * 0.99);
  // The same path is far lower without the penalty, which the file says.
  replace_in(folder / file, "\\\"penalty\\\":\\\"l2:0.001\\\"", "\\\"penalty\\\":\\\"none\\\"    ");
  const Json bare = Json::parse(expect_run(folder.path(), {"verify", file, "--json"}, 0).out)[0];
  EXPECT_LT(bare["max_metric"].get<double>(), 0.9 * looked["max_metric"].get<double>());
}

// A bound over the whole path, at most the threshold, from the run and again from the file alone.
TEST(Verify, ProvesTheMaximumOfASavedPath) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.05", "--out", "run"}, 0);
  const auto rows = read_table(folder.path() / "run/cells.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1][15], "proven");
  EXPECT_LE(std::stod(rows[1][16]), 0.05);
  EXPECT_GE(std::stod(rows[1][16]), std::stod(rows[1][4]) - 1e-6);
  EXPECT_GT(std::stod(rows[1][17]), 0.0);
  const std::string file = "run/paths/0.05_0.safetensors";
  expect_run(folder.path(), {"verify", file, "--certified"}, 0);
  std::ifstream certificate(folder.path() / "run/paths/certificate.json");
  const Json proof = Json::parse(certificate);
  EXPECT_EQ(proof["format"], "isthmus-certificate-1");
  EXPECT_EQ(proof["path_sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(proof["metric"], "mean_absolute_error");
  EXPECT_LE(proof["bound"].get<double>(), 0.05);
  EXPECT_GE(proof["bound"].get<double>(), proof["largest_seen"].get<double>());
  for (const Json& segment : proof["segments"]) {
    double at = 0.0;
    for (const Json& interval : segment["intervals"]) {
      EXPECT_EQ(interval["t0"].get<double>(), at);
      EXPECT_LE(interval["bound"].get<double>(), segment["bound"].get<double>());
      at = interval["t1"].get<double>();
    }
    EXPECT_EQ(at, 1.0);
  }
  // Of the whole run, to a gap; and a statement that is false.
  expect_run(folder.path(), {"verify", "run", "--certified", "--gap", "0.01", "--json"}, 0);
  const auto refuted =
      expect_run(folder.path(), {"verify", file, "--certified", "--threshold", "0.01"}, 1);
  EXPECT_NE(refuted.err.find("not proven"), std::string::npos) << refuted.err;
  EXPECT_NE(refuted.err.find("above 0.01"), std::string::npos) << refuted.err;
  // And what does not fit together.
  expect_run(folder.path(), {"verify", file, "--certified", "--points", "5"}, 64);
  expect_run(folder.path(), {"verify", file, "--gap", "0.1"}, 64);
  expect_run(folder.path(), {"verify", file, "--certified", "--gap", "-1"}, 64);
  expect_run(folder.path(), {"connect", "quadratic", "--check", "maybe"}, 64);
}

// Whatever fails is shown with a value above the threshold, also where every value seen is below.
TEST(Connect, ShowsWhatMadeAPathFail) {
  const TemporaryFolder folder;
  const std::vector<std::string> undecided{"connect",
                                           "quadratic",
                                           "--threshold",
                                           "0.02",
                                           "--seed",
                                           "1",
                                           "--pairs",
                                           "6",
                                           "--max-evaluations",
                                           "0.001",
                                           "--max-rounds",
                                           "4",
                                           "--repair",
                                           "none",
                                           "--out",
                                           "run"};
  expect_run(folder.path(), undecided, 0);
  std::size_t bounds = 0;
  for (int pair = 0; pair < 6; ++pair) {
    const Json cell = Json::parse(bytes_of(
        folder / std::string("run/cells/0.02_").append(std::to_string(pair)).append(".json")));
    if (cell["row"]["verdict"] == "connected") {
      continue;
    }
    const Json& details = cell["details"];
    EXPECT_GT(cell["row"]["max_metric"], 0.02) << pair;
    const double end =
        std::max(details["metric_a"].get<double>(), details["metric_b"].get<double>());
    EXPECT_DOUBLE_EQ(details["barrier_over_max"].get<double>(),
                     cell["row"]["max_metric"].get<double>() - end);
    double seen = 0.0;
    for (const Json& point : details["profile"]) {
      seen = std::max(seen, point[3].get<double>());
    }
    EXPECT_EQ(seen, cell["row"]["max_metric"]) << pair;
    bounds += details.contains("undecided_bound") ? 1 : 0;
  }
  EXPECT_GT(bounds, 0U);
}

// No budget beyond the first look, a segment of length zero, and what has no proof.
TEST(Verify, ProofsAtTheBorder) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.01", "--out", "run"}, 0);
  const std::string file = "run/paths/0.01_0.safetensors";
  expect_run(folder.path(),
             {"verify", file, "--certified", "--max-evaluations", "0"},
             1,
             {"not proven", "undecided", "--max-evaluations allows more"});
  EXPECT_FALSE(Json::parse(bytes_of(folder / "run/paths/certificate.json"))["proven"].get<bool>());
  for (const char* budget : {"-1", "nan"}) {
    expect_run(folder.path(),
               {"verify", file, "--certified", "--max-evaluations", budget},
               64,
               {"--max-evaluations", ">= 0"});
  }
  expect_run(folder.path(),
             {"verify", file, "--certified", "--metric", "cross_entropy"},
             64,
             {"cross_entropy cannot be computed for the task quadratic"});
  const std::string content = bytes_of(folder / file);
  folder.write("cut.safetensors", content.substr(0, content.size() - 4));
  expect_run(folder.path(),
             {"verify", "cut.safetensors", "--certified"},
             65,
             {"cut.safetensors", "incomplete"});
  EXPECT_FALSE(std::filesystem::exists(folder / "certificate.json"));

  folder.write("a.safetensors", safetensors_content(quadratic_tensors(0.1F, "F32")));
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--threshold",
              "0.5",
              "--from",
              "a.safetensors",
              "--to",
              "a.safetensors",
              "--out",
              "still"},
             0);
  expect_run(folder.path(), {"verify", "still", "--certified", "--gap", "0"}, 0);
  const Json still = Json::parse(bytes_of(folder / "still/paths/certificate.json"));
  EXPECT_NEAR(still["bound"].get<double>(), still["largest_seen"].get<double>(), 1e-11);
}

TEST(Verify, NamesTheLayerThatHasNoProof) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  folder.write("net.json", R"({"input": [1, 28, 28], "layers": [{"type": "flatten"},
      {"type": "linear", "out_features": 10}, {"type": "softmax"}]})");
  const Arguments command{
      "connect", "--network", "net.json", "--data", "data", "--threshold", "0.5", "--out"};
  expect_run(folder.path(), with(command, {"run"}), 0);
  expect_run(folder.path(),
             {"verify", "run", "--data", "data", "--certified"},
             64,
             {"no proof of error_rate", "layer 2", "softmax"});
  expect_run(folder.path(),
             with(command, {"proof", "--check", "certified"}),
             64,
             {"layer 2", "softmax", "--check sampled"});
}

TEST(Connect, ScreensErrorRatesWithTheValuesOfTheWholeGrid) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  expect_run(folder.path(), with(few_cells, {"whole", "--check", "sampled"}), 0);
  expect_run(folder.path(), with(few_cells, {"screened", "--check", "screened"}), 0);
  const auto whole = read_table(folder / "whole/cells.csv");
  const auto screened = read_table(folder / "screened/cells.csv");
  ASSERT_EQ(whole.size(), screened.size());
  for (std::size_t row = 1; row < whole.size(); ++row) {
    for (std::size_t column = 0; column < 15; ++column) {
      if (whole[0][column] != "forward_samples_checks") {
        EXPECT_EQ(screened[row][column], whole[row][column]) << whole[0][column];
      }
    }
    if (screened[row][3] != "endpoint_not_reached") {
      EXPECT_TRUE(screened[row][15].starts_with("screened:")) << screened[row][15];
    }
    EXPECT_TRUE(whole[row][15].starts_with("sampled:")) << whole[row][15];
  }
  expect_run(folder.path(),
             {"connect", "ptb", "--threshold", "200", "--check", "screened", "--out", "no"},
             64,
             {"--check screened", "perplexity", "--check sampled"});
}

TEST(Verify, ReproducesTheMaximumFromTheFileAlone) {
  const TemporaryFolder folder;
  write_tiny_mnist(folder);
  expect_run(folder.path(), with(few_cells, {"images", "--check", "sampled"}), 0);
  expect_run(folder.path(),
             {"connect",
              "cubic",
              "--thresholds",
              "0.2,0.15",
              "--pairs",
              "2",
              "--check",
              "sampled",
              "--out",
              "cubic"},
             0);
  for (const std::string name : {"images", "cubic"}) {
    const Json all =
        Json::parse(expect_run(folder.path(), {"verify", name, "--data", "data", "--json"}, 0).out);
    auto rows = read_table(folder.path() / name / "cells.csv");
    rows.erase(rows.begin());
    ASSERT_EQ(all.size(), rows.size());
    for (const auto& row : rows) {
      const std::string file = name + "/paths/" + row[0] + "_" + row[1] + ".safetensors";
      const auto result = std::find_if(
          all.begin(), all.end(), [&](const Json& one) { return one["file"] == file; });
      ASSERT_NE(result, all.end()) << file;
      EXPECT_EQ((*result)["max_metric"].get<double>(), std::stod(row[4])) << file;
      EXPECT_EQ((*result)["normalized_length"].get<double>(), std::stod(row[6])) << file;
      EXPECT_EQ((*result)["below"], row[3] == "connected") << file;
    }
  }
  // Moved elsewhere, on another grid, on the other split.
  std::filesystem::rename(folder / "cubic/paths/0.15_1.safetensors", folder / "moved.safetensors");
  std::filesystem::remove_all(folder / "cubic");
  const Json moved = Json::parse(expect_run(folder.path(),
                                            {"verify",
                                             "moved.safetensors",
                                             "--points",
                                             "501",
                                             "--split",
                                             "train",
                                             "--threads",
                                             "1",
                                             "--json"},
                                            0)
                                     .out)[0];
  EXPECT_EQ(moved["points"], 501);
  EXPECT_EQ(moved["split"], "train");
  EXPECT_LE(moved["max_metric"].get<double>(), 0.15 * 1.02);
  EXPECT_EQ(moved["threshold"], 0.15);
}

TEST(Report, OfARun) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.1", "--pairs", "2", "--out", "run"},
             0);
  const std::string figure = bytes_of(folder / "run/figure.svg");
  std::filesystem::remove(folder / "run/figure.svg");
  const Outcome text = expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_NE(text.out.find("connected"), std::string::npos);
  EXPECT_EQ(bytes_of(folder / "run/figure.svg"), figure);
  EXPECT_NE(expect_run(folder.path(), {"report", "run", "--markdown"}, 0).out.find("|"),
            std::string::npos);
  EXPECT_TRUE(
      Json::parse(expect_run(folder.path(), {"report", "run", "--json"}, 0).out).is_object());
}

// A path that lost its end on the disk is made again, to the same bytes; times are added up.
TEST(Connect, ResumeMendsADamagedPath) {
  const TemporaryFolder folder;
  const Arguments command{
      "connect", "quadratic", "--threshold", "0.1", "--pairs", "2", "--out", "run"};
  expect_run(folder.path(), command, 0);
  const auto path = folder / "run/paths/0.1_1.safetensors";
  const std::string whole = bytes_of(path);
  const Json times = json_of(folder / "run/timing.json");
  std::filesystem::resize_file(path, whole.size() / 2);
  Arguments again = command;
  again.emplace_back("--resume");
  expect_run(folder.path(), again, 0);
  EXPECT_EQ(bytes_of(path), whole);
  EXPECT_EQ(json_of(folder / "run/timing.json")["cell_seconds"].size(), 2u);
  EXPECT_GT(json_of(folder / "run/timing.json")["seconds"], times["seconds"]);
}

TEST(Verify, MissesAPathThatTheRunHad) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.1", "--pairs", "2", "--out", "all/run"},
             0);
  expect_run(folder.path(), {"verify", "all"}, 66, {"no run directory", "name one of run"});
  std::filesystem::remove(folder / "all/run/paths/0.1_1.safetensors");
  expect_run(folder.path(), {"verify", "all/run"}, 66, {"0.1_1.safetensors", "--resume"});
  expect_run(folder.path(),
             {"connect", "quadratic", "--checkpoint-seconds", "nan"},
             64,
             {"--checkpoint-seconds", "expected a finite number > 0, got 'nan'"});
}

TEST(Connect, SaysWhyAPairFailed) {
  const TemporaryFolder folder;
  const Outcome run = expect_run(folder.path(),
                                 {"connect",
                                  "quadratic",
                                  "--threshold",
                                  "0.01",
                                  "--max-rounds",
                                  "1",
                                  "--repair",
                                  "none",
                                  "--out",
                                  "run"},
                                 0);
  EXPECT_NE(run.out.find("pair 0 at 0.01: 2 of 2 segments exceed the threshold after 1 rounds"),
            std::string::npos)
      << run.out;
}

TEST(Connect, RefusesFlagsWithoutEffect) {
  const TemporaryFolder folder;
  const auto refused = [&](Arguments more, const std::string& why) {
    more.insert(more.begin(), {"connect", "quadratic", "--threshold", "0.1"});
    const Outcome outcome = expect_run(folder.path(), more, 64);
    EXPECT_NE(outcome.err.find(why), std::string::npos) << outcome.err;
  };
  refused({"--method", "bezier", "--stagnation", "3"},
          "--stagnation: an option of --method greedy");
  refused({"--method", "neb", "--max-rounds", "3"}, "--max-rounds: --method neb has --neb-cycles");
  refused({"--check", "sampled", "--max-evaluations", "3"},
          "--max-evaluations: the budget of a proof");
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
  refused({"--method", "compare", "--out", "run"}, "a run of one method is there");
}

// Pairs that failed go on as if they had the larger budget from the beginning; others stay.
TEST(Connect, ResumesWithLargerBudgets) {
  const TemporaryFolder folder;
  const auto sweep = [](const char* out, std::vector<std::string> more) {
    std::vector<std::string> all{
        "sweep", "quadratic", "--thresholds", "0.1,0.01", "--pairs", "6", "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_run(folder.path(), sweep("run", {"--max-rounds", "3", "--repair-tries", "1"}), 0);
  const std::string before = bytes_of(folder / "run/cells.csv");
  EXPECT_NE(before.find("not_connected"), std::string::npos) << before;
  EXPECT_NE(before.find(",connected"), std::string::npos) << before;
  expect_run(
      folder.path(), sweep("run", {"--resume", "--max-rounds", "12", "--repair-tries", "2"}), 0);
  expect_run(folder.path(), sweep("fresh", {"--max-rounds", "12", "--repair-tries", "2"}), 0);
  expect_same_runs(folder / "run", folder / "fresh");
  expect_run(folder.path(),
             sweep("run", {"--resume", "--max-rounds", "4", "--repair-tries", "2"}),
             78,
             {"max_rounds", "larger budgets"});
  EXPECT_EQ(bytes_of(folder / "run/cells.csv"), bytes_of(folder / "fresh/cells.csv"));
}

TEST(Compare, RunsEveryMethodOnTheSameEndPoints) {
  const TemporaryFolder folder;
  const std::vector<std::string> command{
      "connect", "two-gaussians", "--threshold", "0.45", "--method", "compare", "--out", "all"};
  const Outcome table = expect_run(folder.path(), command, 0);
  const std::string first = bytes_of(folder / "all/compare.csv");
  const auto rows = read_table(folder / "all/compare.csv");
  ASSERT_GT(rows.size(), 2u);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_NE(table.out.find(rows[i][1]), std::string::npos) << table.out;
  }
  // A row is what the method alone gives.
  expect_run(folder.path(),
             {"connect",
              "two-gaussians",
              "--threshold",
              "0.45",
              "--method",
              "constrained",
              "--out",
              "one"},
             0);
  EXPECT_EQ(bytes_of(folder / "one/cells.csv"), bytes_of(folder / "all/constrained/cells.csv"));
  // It is resumed, and not begun twice.
  EXPECT_NE(expect_run(folder.path(), command, 64).err.find("a run is there already"),
            std::string::npos);
  std::vector<std::string> again = command;
  again.emplace_back("--resume");
  expect_run(folder.path(), again, 0);
  EXPECT_EQ(bytes_of(folder / "all/compare.csv"), first);
  // Terms of any method may be given.
  EXPECT_NE(
      expect_run(folder.path(), {"connect", "quadratic", "--method", "compare", "--zeta", "-1"}, 64)
          .err.find("zeta: expected"),
      std::string::npos);
}

}  // namespace
}  // namespace isthmus::testing
