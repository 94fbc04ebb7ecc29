// SPDX-License-Identifier: MIT
#include "isthmus/study/study.h"

#include <gtest/gtest.h>

#include <cmath>
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

StudyOptions small_study() {
  StudyOptions options = default_options(task_of("quadratic"), Protocol::strict);
  options.thresholds = {0.2, 0.1};
  options.pairs = 3;
  return options;
}

StudyResult run_in(const std::filesystem::path& folder,
                   const StudyOptions& options,
                   bool resume,
                   std::size_t threads = 1,
                   const std::function<void(const StudyProgress&)>& progress = nullptr,
                   const Stop* stop = nullptr) {
  RunDirectory run(folder, run_configuration(options), resume);
  Workers workers(threads);
  return run_study(options, nullptr, run, workers, stop, progress);
}

TEST(Study, AWorkerThatThrowsLosesNothingThatWasFinished) {
  const TemporaryFolder folder;
  const StudyOptions options = small_study();
  run_in(folder / "unbroken", options, false);
  for (const std::size_t threads : {1u, 2u}) {
    const std::filesystem::path place = folder.path() / std::to_string(threads);
    const auto fail = [](const StudyProgress& event) {
      if (event.kind == StudyProgress::Kind::cell_finished && event.cells_done >= 3) {
        throw std::runtime_error("a worker gave up");
      }
    };
    expect_error<std::runtime_error>([&] { run_in(place, options, false, threads, fail); },
                                     {"a worker gave up"});
    std::size_t resumed = 0;
    run_in(place, options, true, threads, [&](const StudyProgress& event) {
      resumed = event.kind == StudyProgress::Kind::started ? event.cells_done : resumed;
    });
    EXPECT_GE(resumed, 3u);
    for (const char* file : {"cells.csv", "curve.csv", "summary.json", "paths/0.1_2.safetensors"}) {
      EXPECT_EQ(bytes_of(place / file), bytes_of(folder / "unbroken" / file)) << file;
    }
  }
}

TEST(Study, StopsWithAMessageThatSaysHowToGoOn) {
  const TemporaryFolder folder;
  Stop stop;
  const auto request = [&](const StudyProgress& event) {
    if (event.kind == StudyProgress::Kind::string) {
      stop.request();
    }
  };
  expect_error<Interrupted>(
      [&] { run_in(folder / "run", small_study(), false, 2, request, &stop); },
      {"interrupted", "--resume", "run"});
}

TEST(Study, EndPointsOfAPairAreCountedOnceAPair) {
  const TemporaryFolder folder;
  StudyOptions options = small_study();
  for (const EndPointsOf kind : {EndPointsOf::pair, EndPointsOf::threshold}) {
    options.endpoints_of = kind;
    const std::filesystem::path place = folder.path() / std::string(name_of(kind));
    const StudyResult result = run_in(place, options, false);
    std::uint64_t expected = 0;
    for (const CellRow& row : result.cells) {
      expected += kind == EndPointsOf::threshold || row.threshold == 0.1
                      ? row.gradient_samples_endpoints
                      : 0;
    }
    const Json summary = Json::parse(bytes_of(place / "summary.json"));
    EXPECT_EQ(summary["gradient_samples_endpoints"], expected);
  }
}

TEST(Study, TellsWhichPairsWereRepaired) {
  const TemporaryFolder folder;
  StudyOptions options = default_options(task_of("cubic"), Protocol::strict);
  options.thresholds = {0.158};
  options.pairs = 10;
  options.repair.tries = 2;
  const StudyResult with = run_in(folder / "with", options, false);
  options.repair.mode = RepairMode::none;
  options.string.stagnation = 0;
  const StudyResult without = run_in(folder / "without", options, false);
  std::size_t repaired = 0;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < with.cells.size(); ++i) {
    const CellRow& row = with.cells[i];
    const CellRow& alone = without.cells[i];
    EXPECT_EQ(alone.tries, 0u);
    EXPECT_EQ(alone.joined, alone.verdict == Verdict::connected ? "direct" : "");
    EXPECT_LE(row.tries, 2u);
    const Json details = Json::parse(
        bytes_of(folder / ("with/cells/0.158_" + std::to_string(i) + ".json")))["details"];
    if (row.verdict == Verdict::connected) {
      EXPECT_EQ(row.proof, "proven");
      EXPECT_EQ(details["ending"]["kind"], "connected");
      repaired += row.joined == "repaired" ? 1 : 0;
      EXPECT_TRUE(row.joined == "direct" || row.tries > 0);
    } else {
      EXPECT_EQ(alone.verdict, Verdict::not_connected) << "nothing is lost";
      EXPECT_EQ(row.joined, "");
      EXPECT_EQ(row.tries, 2u);
      EXPECT_GT(row.gradient_samples_beads, alone.gradient_samples_beads);
      EXPECT_EQ(details["ending"]["kind"], "rounds") << "as it would have ended alone";
      EXPECT_EQ(details["ending"]["limit"], 12);
      EXPECT_GT(details["best_max_metric"], 0.158);
      ++failed;
    }
  }
  EXPECT_GT(repaired, 0u);
  EXPECT_GT(failed, 0u);
  ASSERT_EQ(with.curve.size(), 1u);
  EXPECT_EQ(with.curve[0].connected, options.pairs - failed);
  EXPECT_EQ(with.curve[0].direct, options.pairs - failed - repaired);
  EXPECT_EQ(Json::parse(bytes_of(folder / "with/summary.json"))["repaired"], repaired);
}

TEST(Study, AnEndPointThatIsNotProvenIsNotRepaired) {
  // Thetas at a threshold that is their value as computed: in real numbers about half of them lie
  // above it, by a rounding.
  StudyOptions options = default_options(task_of("quadratic"), Protocol::strict);
  options.problem.risk_points = 256;
  const auto objective = make_objective(options, 0, nullptr);
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  std::size_t unproven = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<float> a(objective->dimension());
    objective->initialise(seed, 0, a);
    double value = 0.0;
    evaluators.of(0).metrics(Split::test, Metric::mean_absolute_error, a, {&value, 1});
    MethodOptions string = options.string;
    string.threshold = value;
    string.max_rounds = 1;
    string.training.max_steps = 10;
    std::vector<float> b = a;
    b[0] += 1.0F;
    const RepairedString found =
        connect_repaired(evaluators, a, b, string, {.mode = RepairMode::restarts, .tries = 1});
    if (found.string.ending.kind == Ending::Kind::end_point_unproven) {
      ++unproven;
      EXPECT_EQ(found.tries, 0u);
      EXPECT_EQ(found.string.verdict, Verdict::not_connected);
      EXPECT_EQ(found.string.ending.bead, 0u);
      EXPECT_GT(found.string.ending.value, value);
      EXPECT_LT(found.string.ending.value, value * (1.0 + 1e-6));
      EXPECT_NE(sentence(found.string.ending).find("end point A reaches"), std::string::npos);
    }
  }
  EXPECT_GT(unproven, 0u);
  EXPECT_LT(unproven, 20u);
}

TEST(Study, BeadsTrainWithPolyaksStepsWhereTheLossIsTheMetric) {
  const TemporaryFolder folder;
  StudyOptions options = small_study();
  options.string.training.optimizer = Polyak{};
  const StudyResult polyak = run_in(folder / "polyak", options, false);
  options.string.training.optimizer = Adam{.learning_rate = 0.01};
  const StudyResult adam = run_in(folder / "adam", options, false);
  std::uint64_t fewer = 0;
  std::uint64_t more = 0;
  for (std::size_t i = 0; i < polyak.cells.size(); ++i) {
    EXPECT_EQ(polyak.cells[i].verdict, Verdict::connected);
    EXPECT_EQ(polyak.cells[i].gradient_samples_endpoints, adam.cells[i].gradient_samples_endpoints);
    fewer += polyak.cells[i].gradient_samples_beads;
    more += adam.cells[i].gradient_samples_beads;
  }
  EXPECT_LT(2 * fewer, more);
  options.string.training.optimizer = Polyak{};
  options.problem.risk = Risk::empirical;
  expect_error<UsageError>([&] { make_objective(options, 0, nullptr); },
                           {"polyak", "training loss of full batches"});
}

TEST(Study, RefusesAMetricThatTheTaskHasNot) {
  StudyOptions options = small_study();
  options.string.grid.metric = Metric::error_rate;
  expect_error<UsageError>([&] { make_objective(options, 0, nullptr); },
                           {"error_rate", "quadratic"});
}

TEST(RunDirectory, KeepsPiecesUntilTheirCellIsThere) {
  const TemporaryFolder folder;
  const Json config = run_configuration(small_study());
  Snapshot point{.target = 0.1, .theta = {1.5F, -0.1F}, .summary = {}};
  point.summary.termination = Termination::reached;
  point.summary.first_metric = no_value;
  point.summary.last_metric = 0.1 / 3.0;
  point.summary.steps = 12;
  SegmentCheck check{
      .passed = true, .worst_value = 1.0 / 3.0, .worst_t = 0.5, .values = {0.1, 0.2}};
  check.values.push_back(no_value);
  {
    RunDirectory run(folder / "run", config, false);
    EXPECT_FALSE(run.find_endpoint("x"));
    EXPECT_FALSE(run.find_cell(0.1, 0));
    run.keep_endpoint("x", point);
    const auto journal = run.journal(0.1, 0);
    EXPECT_FALSE(journal->find_bead(2));
    EXPECT_FALSE(journal->find_check(0, 1));
    journal->keep_bead(2, {.theta = point.theta, .summary = point.summary});
    journal->keep_check(0, 2, check);
    journal->part("leg")->keep_bead(2, {.theta = {1.0f}, .summary = {.steps = 5}});
    testing::expect_error<UsageError>([&] { RunDirectory(folder / "run", config, true); },
                                      {"another process"});
  }
  RunDirectory run(folder / "run", config, true);
  const auto back = run.find_endpoint("x");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->target, point.target);
  EXPECT_EQ(back->theta, point.theta);
  EXPECT_EQ(back->summary.last_metric, point.summary.last_metric);
  EXPECT_TRUE(std::isnan(back->summary.first_metric));
  const auto journal = run.journal(0.1, 0);
  ASSERT_TRUE(journal->find_bead(2));
  EXPECT_EQ(journal->find_bead(2)->summary.steps, 12u);
  ASSERT_TRUE(journal->part("leg")->find_bead(2));
  EXPECT_EQ(journal->part("leg")->find_bead(2)->summary.steps, 5u);
  EXPECT_FALSE(journal->part("other leg")->find_bead(2));
  const auto found = journal->find_check(0, 2);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->worst_value, check.worst_value);
  EXPECT_TRUE(found->passed);
  ASSERT_EQ(found->values.size(), 3u);
  EXPECT_TRUE(std::isnan(found->values[2]));
  folder.write("run/checkpoint/0.1_0/check_0_2.json", "{\"passed\": tr");
  expect_error<DataError>([&] { journal->find_check(0, 2); },
                          {"check_0_2.json", "damaged", "Delete this file"});
  folder.write("run/checkpoint/x.safetensors", "short");
  expect_error<DataError>([&] { run.find_endpoint("x"); }, {"x.safetensors", "damaged"});
  run.forget_checkpoints();
  EXPECT_FALSE(run.find_endpoint("x"));
}

TEST(RunDirectory, ForgetsWhatAKilledProcessWasWriting) {
  const TemporaryFolder folder;
  const Json config = run_configuration(small_study());
  { RunDirectory(folder / "run", config, false); }
  folder.write("run/cells/0.1_0.json.17.partial", "{");
  { RunDirectory(folder / "run", config, true); }
  EXPECT_FALSE(std::filesystem::exists(folder / "run/cells/0.1_0.json.17.partial"));
}

}  // namespace
}  // namespace isthmus
