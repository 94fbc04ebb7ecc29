// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/path/segment.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// A bead that was put in and trained.
struct BeadRecord {
  std::vector<float> theta;  ///< (P)
  TrainSummary summary;
};

/// Keeps finished pieces of a string, so that one that was interrupted goes on where it stopped.
/// The number of a bead stands for one parameter vector of this string (see GrowingString). Calls
/// come from any worker thread, also at once.
class StringJournal {
 public:
  virtual ~StringJournal() = default;
  virtual std::optional<BeadRecord> find_bead(std::size_t bead) = 0;
  virtual void keep_bead(std::size_t bead, const BeadRecord& record) = 0;
  virtual std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) = 0;
  virtual void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) = 0;
  /// A journal for a string that belongs to this one (a leg, a try), kept and forgotten with it;
  /// the same name gives the same again. Null: nothing is kept.
  virtual std::unique_ptr<StringJournal> part(std::string_view /*name*/) { return nullptr; }
  /// Where the state of a bead in training is kept (see TrainCheckpoint); none: nowhere.
  virtual std::optional<TrainCheckpoint> checkpoint(std::size_t /*bead*/) { return std::nullopt; }
};

/// What a string tells while it grows. Calls may come from any worker thread, also at once.
struct StringProgress {
  enum class Kind { round_started, bead_step, bead_trained, segment_checked };
  Kind kind = Kind::round_started;
  std::size_t attempt = 0;        ///< of repair, counted from 1; 0: the direct string
  std::size_t round = 0;          ///< 0: the string as it was given
  std::size_t beads = 0;          ///< end points included
  std::size_t open_segments = 0;  ///< segments that failed when the round started
  std::size_t bead = 0;           ///< bead_step, bead_trained: its number
  TrainProgress training{};       ///< bead_step
  TrainSummary trained{};         ///< bead_trained
  bool passed = false;            ///< segment_checked
  double worst_value = 0.0;       ///< segment_checked
};

/// Whom a string calls while it grows; each may be missing.
struct StringCallbacks {
  StringJournal* journal = nullptr;
  const Stop* stop = nullptr;
  std::function<void(const StringProgress&)> progress{};
};

}  // namespace isthmus
