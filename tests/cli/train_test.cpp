// SPDX-License-Identifier: MIT
// `isthmus train`: what it tells on its way, and what it calls by another name than `connect`.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "command.h"

namespace isthmus::testing {
namespace {

TEST(Train, SaysWhatAFlagOfConnectIsHere) {
  const TemporaryFolder folder;
  struct Case {
    std::string flag;
    std::string_view advice;
  };
  const std::vector<Case> all{
      {"--max-steps", "'--max-steps': train has --endpoint-max-steps"},
      {"--max-steps=9", "'--max-steps=9': train has --endpoint-max-steps"},
      {"--bead-average", ": train has --endpoint-average"},
      {"--bead-optimizer", ": train has --optimizer"},
      {"--endpoint-optimizer", ": train has --optimizer"},
      {"--weight-decay", ": train has --endpoint-weight-decay"},
      {"--thresholds", ": train has --threshold"},
      {"--pairs", ": train has --pair"},
      {"--resume", ": train goes on from its state without it"},
      {"--max-rounds", ": it is an option of connect, sweep, components"},
      {"--from", ": it is an option of connect, theory"},
      {"--frobnicate", "not expected here: '--frobnicate'\n"},
  };
  for (const Case& each : all) {
    expect_run(folder.path(),
               {"train", "quadratic", each.flag, "9", "--out", "a.safetensors"},
               64,
               {"not expected here", each.advice});
  }
  EXPECT_EQ(folder.entries(), 0u);
  // What is advised is taken.
  expect_run(folder.path(),
             {"train", "quadratic", "--endpoint-max-steps", "9", "--out", "a.safetensors"},
             0);
  expect_run(folder.path(), {"connect", "quadratic", "--pair", "2"}, 64, {"connect has --pairs"});
  expect_run(folder.path(), {"theory", "relu", "--gap", "1"}, 64, {"an option of verify"});
  expect_run(folder.path(), {"--points", "3"}, 64, {"'--points'", "option of connect, sweep"});
}

// Where no one watches a terminal, a line every 15 seconds.
TEST(Train, TellsItsProgressInLines) {
  const TemporaryFolder folder;
  Process process(folder.path(),
                  {"train",
                   "quadratic",
                   "--threshold",
                   "1e-9",
                   "--endpoint-max-steps",
                   "1000000000",
                   "--pair",
                   "2",
                   "--side",
                   "B",
                   "--out",
                   "a.safetensors"});
  std::this_thread::sleep_for(std::chrono::seconds(17));
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  expect_outcome(outcome, 130, {"pair 2: end point B, step ", "(to reach 1e-09)  [", "goes on"});
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("cells"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace isthmus::testing
