// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/core/verdict.h"
#include "isthmus/path/path.h"
#include "isthmus/path/segment.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// Where a segment that fails gets its bead.
enum class TStar {
  half,    ///< t = 1/2
  argmax,  ///< the grid point with the largest value (every point is looked at then)
};

std::string_view name_of(TStar t_star);
TStar t_star_of(std::string_view name);

/// What it takes for a segment to pass.
enum class CheckKind {
  sampled,    ///< every point of the grid
  screened,   ///< every point of the grid, on the samples that can matter (error rates; screen.h)
  certified,  ///< a proof for all of it (docs/certificate.md)
};

std::string_view name_of(CheckKind check);
CheckKind check_kind_of(std::string_view name);

/// Greedy Dynamic String Sampling: Freeman & Bruna 2017, Algorithm 1, as its authors ran it. Every
/// segment that exceeds the threshold gets a bead at t*, which is trained to alpha times the
/// threshold; round after round, until every segment passes or a limit is met.
struct GreedyOptions {
  double threshold = 0.0;  ///< L0
  double alpha = 0.95;     ///< a bead trains until its metric reaches alpha * L0; in (0, 1]
  double tolerance = 1.0;  ///< a segment passes if its values reach tolerance * L0; >= 1
  TStar t_star = TStar::half;
  /// true: the first bead is put in without a look at the straight line (the published scripts).
  bool always_insert = false;
  std::size_t max_rounds = 12;   ///< of inserting, training and checking; >= 1
  std::size_t max_beads = 4096;  ///< end points included
  /// No round starts after this many gradient steps of all beads together.
  std::size_t max_total_steps = std::numeric_limits<std::size_t>::max();
  /// No round starts after this many seconds; a limit that depends on the machine.
  double max_seconds = std::numeric_limits<double>::infinity();
  /// Its bound, comparison and stop_at_failure follow from threshold, tolerance, training, t_star.
  SegmentGrid grid{};
  CheckKind check = CheckKind::sampled;
  double max_evaluations = 100.0;  ///< of one proof, in full passes over the split
  TrainOptions training{};         ///< of the beads; its metric and split are those of the grid
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< names this pair and threshold; each bead derives its own

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// A bead that was put in and trained.
struct BeadRecord {
  std::vector<float> theta;  ///< (P)
  TrainSummary summary;
};

/// Keeps finished pieces of a string, so that one that was interrupted goes on where it stopped.
/// Beads are numbered in the order in which they are put in: 0 and 1 are the end points. Calls come
/// from any worker thread, also at once.
class StringJournal {
 public:
  virtual ~StringJournal() = default;
  virtual std::optional<BeadRecord> find_bead(std::size_t bead) = 0;
  virtual void keep_bead(std::size_t bead, const BeadRecord& record) = 0;
  virtual std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) = 0;
  virtual void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) = 0;
  /// Where the state of a bead in training is kept (see TrainCheckpoint); none: nowhere.
  virtual std::optional<TrainCheckpoint> checkpoint(std::size_t /*bead*/) { return std::nullopt; }
};

/// What a string tells while it grows. Calls may come from any worker thread, also at once.
struct StringProgress {
  enum class Kind { round_started, bead_step, bead_trained, segment_checked };
  Kind kind = Kind::round_started;
  std::size_t round = 0;          ///< 0: the straight line
  std::size_t beads = 0;          ///< end points included
  std::size_t open_segments = 0;  ///< segments that failed when the round started
  std::size_t bead = 0;           ///< bead_step, bead_trained: its number
  TrainProgress training{};       ///< bead_step
  TrainSummary trained{};         ///< bead_trained
  bool passed = false;            ///< segment_checked
  double worst_value = 0.0;       ///< segment_checked
};

struct StringCost {
  std::uint64_t gradient_samples_beads = 0;
  std::uint64_t forward_samples_beads = 0;  ///< looks at the metric while beads train
  std::uint64_t forward_samples_checks = 0;
};

/// A string as it ended.
struct StringSummary {
  Verdict verdict = Verdict::not_connected;
  std::string reason;  ///< one sentence
  Path path;
  std::vector<SegmentCheck> segments;     ///< (M - 1), proven, or every grid point looked at
  std::vector<std::size_t> bead_numbers;  ///< (M): order of insertion; 0 and 1 are the end points
  double value_a = 0.0;                   ///< full-split metric of the end points
  double value_b = 0.0;
  /// The metric is proven to be nowhere larger on the path; NaN where a segment was sampled.
  double bound = std::numeric_limits<double>::quiet_NaN();
  double max_metric = 0.0;  ///< largest value seen: over the grids, or the places proofs looked at
  double max_t = 0.0;       ///< (segment + t) / (M - 1) of it
  std::size_t beads_inserted = 0;
  std::size_t beads_unreached = 0;  ///< of those, how many did not reach their target
  std::size_t rounds = 0;
  StringCost cost;
};

/// Joins two end points. a and b (P) stay as they are, and are the first and the last bead. Beads
/// and segments of a round run in parallel; the result does not depend on the number of workers.
/// Throws UsageError for invalid options and Interrupted when `stop` is raised, and passes on what
/// the objective or the journal throw, after all workers have come to rest; that a bead does not
/// reach its target, or the string does not close, is an outcome with its numbers.
StringSummary connect_greedy(Evaluators& evaluators,
                             std::span<const float> a,
                             std::span<const float> b,
                             const GreedyOptions& options,
                             StringJournal* journal = nullptr,
                             const Stop* stop = nullptr,
                             const std::function<void(const StringProgress&)>& progress = nullptr);

}  // namespace isthmus
