// SPDX-License-Identifier: MIT
// Where a saved path is looked at again.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/study/saved_path.h"
#include "isthmus/study/shorten_path.h"
#include "isthmus/study/study.h"
#include "isthmus/study/task.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

constexpr std::size_t points = 20;
constexpr auto file_name = "0.1_0.safetensors";

// A run of the paper protocol, of one pair and few points; its path file.
std::filesystem::path make_run(const std::filesystem::path& folder) {
  StudyOptions options = default_options(task_of("quadratic"), Protocol::paper);
  options.thresholds = {0.1};
  options.pairs = 1;
  options.string.grid.points = points;
  RunDirectory run(folder, run_configuration(options), false);
  Workers workers(1);
  run_study(options, nullptr, run, workers);
  return folder / "paths" / file_name;
}

// The file as an earlier version wrote it (nothing), or with another word.
std::filesystem::path rewrite(const std::filesystem::path& file,
                              const std::filesystem::path& target,
                              const std::optional<std::string>& include_end) {
  PathFile path = read_path(file);
  path.metadata.erase("include_end");
  if (include_end) {
    path.metadata["include_end"] = *include_end;
  }
  std::filesystem::create_directories(target.parent_path());
  write_path(target, path);
  return target;
}

Verification verify(const std::filesystem::path& file,
                    std::optional<std::size_t> given_points = std::nullopt) {
  Workers workers(1);
  VerifyOptions options;
  options.points = given_points;
  return verify_path(file, options, workers);
}

bool is_below(const std::filesystem::path& file, double threshold) {
  Workers workers(1);
  VerifyOptions options;
  options.threshold = threshold;
  return verify_path(file, options, workers).below;
}

double value_at(Evaluator& evaluator, const Path& path, std::size_t segment, double t) {
  std::vector<float> theta(path.dimension);
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = static_cast<float>((1.0 - t) * static_cast<double>(path.bead(segment)[i]) +
                                  t * static_cast<double>(path.bead(segment + 1)[i]));
  }
  double value = 0.0;
  evaluator.metrics(Split::test, Metric::mean_absolute_error, theta, {&value, 1});
  return value;
}

// Expects `count` values a segment, at t = k / steps, and end point B's.
void expect_places(const std::filesystem::path& file,
                   const Verification& seen,
                   std::size_t count,
                   double steps) {
  SCOPED_TRACE(file);
  const SavedPath saved = load_path(file, {}, {}, {}, {});
  const Path& path = saved.path.path;
  const auto evaluator = saved.objective->evaluator();
  ASSERT_EQ(seen.segments.size(), path.segments());
  EXPECT_EQ(seen.grid.points, count);
  double largest = value_at(*evaluator, path, path.segments() - 1, 1.0);
  EXPECT_EQ(seen.value_b, largest);
  for (std::size_t i = 0; i < path.segments(); ++i) {
    ASSERT_EQ(seen.segments[i].values.size(), count);
    for (std::size_t k = 0; k < count; ++k) {
      const double value = value_at(*evaluator, path, i, static_cast<double>(k) / steps);
      EXPECT_EQ(seen.segments[i].values[k], value) << i << ", " << k;
      largest = std::max(largest, value);
    }
  }
  EXPECT_EQ(seen.max_metric, largest);
}

TEST(Verify, LooksWhereTheRunLooked) {
  const TemporaryFolder folder;
  const std::filesystem::path file = make_run(folder / "run");
  EXPECT_EQ(read_path(file).metadata.at("include_end"), "false");
  expect_places(file, verify(file), points, 20.0);
  // Alone, elsewhere.
  const auto moved = rewrite(file, folder / "moved.safetensors", "false");
  expect_places(moved, verify(moved), points, 20.0);
  // Told how many: both ends, whatever the file says.
  expect_places(file, verify(file, 21), 21, 20.0);
  expect_places(file, verify(file, 20), 20, 19.0);
}

TEST(Verify, AFileOfAnEarlierVersionIsLookedAtAsItsRunSays) {
  const TemporaryFolder folder;
  const std::filesystem::path file = make_run(folder / "run");
  const auto elsewhere = rewrite(file, folder / "elsewhere/p.safetensors", std::nullopt);
  expect_places(elsewhere, verify(elsewhere), points, 19.0);
  // Not one of the paths of that run.
  const auto beside = rewrite(file, folder / "run/other/p.safetensors", std::nullopt);
  expect_places(beside, verify(beside), points, 19.0);
  const auto within = rewrite(file, file, std::nullopt);
  expect_places(within, verify(within), points, 20.0);
  // What the file says comes first.
  rewrite(file, file, "true");
  expect_places(file, verify(file), points, 19.0);
}

TEST(Verify, AGridThatIsNoneIsRefused) {
  const TemporaryFolder folder;
  const std::filesystem::path file = make_run(folder / "run");
  const auto wrong = rewrite(file, folder / "p.safetensors", "no");
  expect_error<DataError>([&] { verify(wrong); },
                          {"p.safetensors", "'include_end'", "true or false", "'no'"});
  rewrite(file, file, std::nullopt);
  const std::filesystem::path config = folder / "run/config.json";
  Json json = read_json(config);
  json["include_end"] = 1;
  write_json(config, json);
  expect_error<DataError>([&] { verify(file); },
                          {"config.json", "include_end", "true or false", "found 1"});
  json.erase("include_end");
  write_json(config, json);
  expect_places(file, verify(file), points, 19.0);
}

// End points that miss the threshold: the worst of the straight line is often its end.
TEST(Verify, LooksAtTheEndThatTheGridLeavesOut) {
  const TemporaryFolder folder;
  StudyOptions options = default_options(task_of("quadratic"), Protocol::paper);
  options.thresholds = {0.1};
  options.pairs = 6;
  options.endpoints.max_steps = 20;
  RunDirectory run(folder / "run", run_configuration(options), false);
  Workers workers(1);
  const StudyResult result = run_study(options, nullptr, run, workers);
  std::size_t at_the_end = 0;
  for (const CellRow& row : result.cells) {
    const auto file = folder / "run/paths" / path_file_name(row.threshold, row.pair);
    const Verification seen = verify(file);
    EXPECT_EQ(seen.max_metric, std::max(row.max_metric, seen.value_b));
    EXPECT_FALSE(seen.below);
    if (seen.value_b > row.max_metric) {
      ++at_the_end;
      EXPECT_EQ(seen.max_t, 1.0);
      EXPECT_EQ(seen.segments.back().worst_value, seen.value_b);
      // That value alone is above the bound.
      EXPECT_FALSE(is_below(file, (row.max_metric + seen.value_b) / 2.0));
      EXPECT_TRUE(is_below(file, seen.value_b));
    } else {
      EXPECT_EQ(seen.max_t, row.max_t);
    }
  }
  EXPECT_GT(at_the_end, 0u);
}

TEST(Verify, AShortenedPathIsLookedAtWhereShorteningLooked) {
  const TemporaryFolder folder;
  const std::filesystem::path file = make_run(folder / "run");
  const std::filesystem::path shorter = folder / "s.safetensors";
  Workers workers(1);
  ShortenPathOptions options;
  options.terms.relax_iterations = 300;
  const Shortening result = shorten_path(file, shorter, options, workers);
  ASSERT_TRUE(result.shorter);
  const Verification seen = verify(shorter);
  expect_places(shorter, seen, points, 19.0);
  EXPECT_EQ(seen.max_metric, result.string.max_metric);
}

}  // namespace
}  // namespace isthmus
