// SPDX-License-Identifier: MIT
// What tests of string methods share: a journal in memory, and comparisons bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "isthmus/strings/string_callbacks.h"
#include "isthmus/strings/string_summary.h"
#include "support/fake_objective.h"
#include "support/temporary_folder.h"

namespace isthmus::testing {

// Keeps everything in memory; dies (once) instead of keeping piece number `dies_at`.
class MemoryJournal : public StringJournal {
 public:
  std::map<std::size_t, BeadRecord> beads;
  std::map<std::pair<std::size_t, std::size_t>, SegmentCheck> checks;
  std::size_t dies_at = std::numeric_limits<std::size_t>::max();
  std::size_t kept = 0;

  std::optional<BeadRecord> find_bead(std::size_t bead) override {
    const std::lock_guard lock(mutex_);
    const auto found = beads.find(bead);
    return found == beads.end() ? std::nullopt : std::optional(found->second);
  }
  void keep_bead(std::size_t bead, const BeadRecord& record) override {
    const std::lock_guard lock(mutex_);
    count();
    EXPECT_TRUE(beads.emplace(bead, record).second) << "bead " << bead << " was kept before";
  }
  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override {
    const std::lock_guard lock(mutex_);
    const auto found = checks.find({left, right});
    return found == checks.end() ? std::nullopt : std::optional(found->second);
  }
  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override {
    const std::lock_guard lock(mutex_);
    count();
    EXPECT_TRUE(checks.emplace(std::pair(left, right), check).second)
        << "segment " << left << ", " << right << " was checked before";
  }

 private:
  void count() {
    if (kept++ == dies_at) {
      throw std::runtime_error("power failure");
    }
  }

  std::mutex mutex_;
};

// With states of trainings too, after every so many steps.
class StateJournal final : public MemoryJournal {
 public:
  explicit StateJournal(std::size_t steps) : steps_(steps) {}

  TemporaryFolder folder;
  std::optional<TrainCheckpoint> checkpoint(std::size_t bead) override {
    return TrainCheckpoint{.file = folder / std::to_string(bead), .steps = steps_};
  }

 private:
  std::size_t steps_;
};

inline std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

inline void expect_same(const SegmentCheck& a, const SegmentCheck& b, bool with_samples = true) {
  EXPECT_EQ(a.passed, b.passed);
  EXPECT_EQ(bits(a.worst_value), bits(b.worst_value));
  EXPECT_EQ(bits(a.worst_t), bits(b.worst_t));
  ASSERT_EQ(a.values.size(), b.values.size());
  for (std::size_t k = 0; k < a.values.size(); ++k) {
    EXPECT_EQ(bits(a.values[k]), bits(b.values[k])) << k;
  }
  if (with_samples) {
    EXPECT_EQ(a.samples, b.samples);
  }
}

inline void expect_same(const StringSummary& a, const StringSummary& b) {
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(sentence(a.ending), sentence(b.ending));
  EXPECT_EQ(a.path.dimension, b.path.dimension);
  ASSERT_EQ(a.path.beads.size(), b.path.beads.size());
  for (std::size_t i = 0; i < a.path.beads.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(a.path.beads[i]),
              std::bit_cast<std::uint32_t>(b.path.beads[i]));
  }
  ASSERT_EQ(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < a.segments.size(); ++i) {
    expect_same(a.segments[i], b.segments[i]);
  }
  EXPECT_EQ(a.bead_numbers, b.bead_numbers);
  EXPECT_EQ(a.births, b.births);
  EXPECT_EQ(bits(a.value_a), bits(b.value_a));
  EXPECT_EQ(bits(a.value_b), bits(b.value_b));
  EXPECT_EQ(bits(a.max_metric), bits(b.max_metric));
  EXPECT_EQ(bits(a.max_t), bits(b.max_t));
  EXPECT_EQ(a.beads_inserted, b.beads_inserted);
  EXPECT_EQ(a.beads_unreached, b.beads_unreached);
  EXPECT_EQ(a.rounds, b.rounds);
  EXPECT_EQ(a.cost.gradient_samples_beads, b.cost.gradient_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_beads, b.cost.forward_samples_beads);
  EXPECT_EQ(a.cost.forward_samples_checks, b.cost.forward_samples_checks);
}

// Every sample that was spent is in the summary.
inline void expect_all_costs_counted(const fake::FakeObjective& objective,
                                     const StringSummary& summary) {
  EXPECT_EQ(summary.cost.forward_samples_beads + summary.cost.forward_samples_checks,
            objective.samples_looked_at());
  EXPECT_EQ(summary.cost.gradient_samples_beads,
            objective.gradients() * objective.samples(Split::train));
}

}  // namespace isthmus::testing
