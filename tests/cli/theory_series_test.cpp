// SPDX-License-Identifier: MIT
// Series of `isthmus theory`: told, kept in a file, stopped, and gone on with to the same bits.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

Arguments theory(Arguments arguments, const Arguments& more = {}) {
  arguments.insert(arguments.begin(), "theory");
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// A file without some of its lines, the heading kept.
void thin_out(const std::filesystem::path& file) {
  std::istringstream lines(bytes_of(file));
  std::string text;
  std::string line;
  for (std::size_t i = 0; std::getline(lines, line); ++i) {
    text += i == 0 || i % 3 == 2 ? line + "\n" : "";
  }
  std::ofstream(file) << text;
}

class TheorySeries : public ::testing::TestWithParam<const char*> {};

TEST_P(TheorySeries, TakesTheRowsThatAreThere) {
  const TemporaryFolder folder;
  Arguments command{GetParam()};
  if (command[0] == "kernel") {
    command.insert(command.end(), {"--instances", "12", "--samples", "200"});
  } else if (command[0] == "linear") {
    command.insert(command.end(), {"--instances", "12", "--points", "20", "--descend"});
  } else if (command[0] == "relu") {
    command.insert(
        command.end(),
        {"--inputs", "2", "--hidden", "8", "--samples", "60", "--instances", "6", "--kappa", "0"});
  } else if (command[0] == "rate") {
    command.insert(command.end(),
                   {"--inputs",
                    "1,2",
                    "--widths",
                    "8,16",
                    "--instances",
                    "3",
                    "--samples",
                    "100",
                    "--greedy",
                    "8"});
  } else if (command[0] == "dropout") {
    folder.write(
        "net.json",
        R"({"input": [2], "layers": [{"type": "linear", "out_features": 6}, {"type": "relu"},
                    {"type": "linear", "out_features": 4}, {"type": "relu"}, {"type": "linear", "out_features": 5},
                    {"type": "relu"}, {"type": "linear", "out_features": 2}]})");
    for (const char* side : {"A", "B"}) {
      expect_run(folder.path(),
                 {"train",
                  "--network",
                  "net.json",
                  "--dataset",
                  "two-gaussians",
                  "--metric",
                  "mean_squared_error",
                  "--threshold",
                  "0.05",
                  "--side",
                  side,
                  "--out",
                  std::string(side) + ".safetensors"},
                 0);
    }
    command.insert(command.end(),
                   {"--network",
                    "net.json",
                    "--dataset",
                    "two-gaussians",
                    "--from",
                    "A.safetensors",
                    "--to",
                    "B.safetensors",
                    "--draws",
                    "4"});
  } else {
    expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
    command.insert(command.end(),
                   {"run/paths/0.1_0.safetensors", "--samples", "50", "--points", "7"});
  }
  const std::string plain = expect_run(folder.path(), theory(command), 0).out;
  const Arguments kept{"--rows", "rows.csv", "--threads", "2"};
  EXPECT_EQ(expect_run(folder.path(), theory(command, kept), 0).out, plain);
  const std::string rows = bytes_of(folder / "rows.csv");
  EXPECT_GT(read_table(folder / "rows.csv").size(), 6u);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(expect_run(folder.path(), theory(command, kept), 0).out, plain) << again;
    EXPECT_EQ(bytes_of(folder / "rows.csv"), rows) << again;
    thin_out(folder / "rows.csv");
  }
  // Rows of other seeds are other rows, and stay.
  EXPECT_EQ(expect_run(folder.path(), theory(command, kept), 0).out, plain);
  expect_run(folder.path(), theory(command, {"--rows", "rows.csv", "--seed", "2"}), 0);
  EXPECT_GT(read_table(folder / "rows.csv").size(), 12u);
  EXPECT_EQ(expect_run(folder.path(), theory(command, kept), 0).out, plain);
  // Not a file of such rows.
  folder.write("rows.csv", "a,b\n1,2\n");
  expect_run(folder.path(), theory(command, kept), 65, {"rows.csv", "expected"});
  EXPECT_EQ(bytes_of(folder / "rows.csv"), "a,b\n1,2\n");
}

INSTANTIATE_TEST_SUITE_P(Commands,
                         TheorySeries,
                         ::testing::Values("kernel", "linear", "relu", "rate", "dropout", "risk"),
                         [](const auto& one) { return std::string(one.param); });

TEST(TheoryInterruption, GoesOnToTheSame) {
  const TemporaryFolder folder;
  // Longer than the two seconds after which progress is told, on a fast machine with nothing else
  // to do too.
  const std::size_t instances = 2000;
  const std::string count = std::to_string(instances);
  const Arguments command =
      theory({"kernel", "--instances", count, "--samples", "10000", "--json"});
  const Outcome whole = expect_run(folder.path(), command, 0);
  EXPECT_NE(whole.err.find("theory kernel: "), std::string::npos) << whole.err;
  EXPECT_NE(whole.err.find(" of " + count + " rows, about "), std::string::npos) << whole.err;
  for (const char* rows : {"", "rows.csv"}) {
    Arguments stopped = command;
    if (*rows != '\0') {
      stopped.insert(stopped.end(), {"--rows", rows});
    }
    Process process(folder.path(), stopped);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    process.send(SIGINT);
    expect_outcome(process.wait(), 130, {*rows == '\0' ? "--rows" : "repeat the command"});
  }
  const std::size_t there = read_table(folder / "rows.csv").size();
  EXPECT_GT(there, 1u);
  EXPECT_LT(there, instances);
  Arguments on = command;
  on.insert(on.end(), {"--rows", "rows.csv"});
  EXPECT_EQ(expect_run(folder.path(), on, 0).out, whole.out);
}

}  // namespace
}  // namespace isthmus::testing
