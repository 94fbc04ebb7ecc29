// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "isthmus/certify/segment_run.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// From one end to the other without a gap or an overlap, all equally wide.
void expect_partition(const std::vector<TimeInterval>& parts,
                      const TimeInterval& whole,
                      std::size_t count) {
  ASSERT_EQ(parts.size(), count);
  double at = whole.t0;
  for (const TimeInterval& part : parts) {
    EXPECT_EQ(part.t0, at);
    EXPECT_EQ(part.t1 - part.t0, (whole.t1 - whole.t0) / static_cast<double>(count));
    at = part.t1;
  }
  EXPECT_EQ(at, whole.t1);
}

TEST(Partition, PartsCoverTheirInterval) {
  for (const std::size_t count : {1U, 2U, 4U, 8U, 16U}) {
    for (const TimeInterval& whole :
         {TimeInterval{}, TimeInterval{0.25, 0.375}, TimeInterval{1.0 - least_width, 1.0}}) {
      std::vector<TimeInterval> parts;
      split(whole, count, parts);
      expect_partition(parts, whole, count);
    }
  }
}

TEST(Partition, SplittingAppends) {
  std::vector<TimeInterval> parts{{0.0, 0.5}};
  split({0.5, 1.0}, 2, parts);
  EXPECT_EQ(parts, (std::vector<TimeInterval>{{0.0, 0.5}, {0.5, 0.75}, {0.75, 1.0}}));
}

TEST(Partition, FirstIntervalsCoverTheSegment) {
  for (const std::size_t level : {0U, 1U, 5U, 10U}) {
    expect_partition(first_intervals(level), {}, std::size_t{1} << level);
  }
}

TEST(Partition, BlocksHoldEverySampleOnceAndOneLabelEach) {
  Rng rng(3, 1);
  Samples data;
  data.count = 150;
  for (std::size_t i = 0; i < data.count; ++i) {
    data.labels.push_back(static_cast<std::int32_t>(rng.below(3)));
  }
  std::vector<std::uint32_t> order(data.count);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  for (const Metric metric : {Metric::mean_squared_error, Metric::cross_entropy}) {
    CertifiedProblem problem;
    problem.data = &data;
    problem.metric = metric;
    std::multiset<std::uint32_t> held;
    for (const Block& block : problem.blocks_of(order)) {
      EXPECT_GE(block.samples.size(), 1U);
      EXPECT_LE(block.samples.size(), lane_count);
      held.insert(block.samples.begin(), block.samples.end());
      for (const std::uint32_t sample : block.samples) {
        EXPECT_EQ(block.label, problem.margins() ? data.labels[sample] : -1);
      }
    }
    EXPECT_EQ(held, std::multiset<std::uint32_t>(order.begin(), order.end()));
  }
}

}  // namespace
}  // namespace isthmus
