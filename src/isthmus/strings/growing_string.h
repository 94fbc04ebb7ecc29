// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/strings/string_callbacks.h"
#include "isthmus/strings/string_options.h"
#include "isthmus/strings/string_summary.h"

namespace isthmus {

/// A place where a segment gets a bead.
struct Cut {
  std::size_t segment = 0;
  double t = 0.5;
};

/// A string while it grows: beads in order, and what is known of the segment behind each. It is
/// what all string methods work with; they decide what is put in and trained, and when it ends.
///
/// The number of a bead stands for one parameter vector, that of a bead put in for the one that its
/// training gives: 0 and 1 are the end points as given, and whatever is put in, replaced or trained
/// again gets the next one. So what is known of a segment between two numbers holds for good, a
/// journal can keep it, and the random streams of all trainings are distinct. A method whose
/// decisions follow from what the string tells alone is resumed from the journal with the same
/// result, bit for bit.
///
/// Beads and segments of one call run in parallel; results do not depend on the number of workers.
/// Every call may throw Interrupted when the stop of the callbacks is raised, and passes on what
/// the objective or the journal throw, after all workers have come to rest.
class GrowingString {
 public:
  struct Bead {
    std::size_t number = 0;
    std::vector<float> theta;     ///< (P)
    std::optional<double> value;  ///< full-split metric, where it is known
    /// Margins or losses of all samples, where checks are screened or looks estimated.
    std::vector<float> per_sample{};
    bool settled = false;  ///< trained or looked at: its number stands for this theta
    bool cut = false;      ///< its training ended for want of steps for all beads
    BeadBirth birth{};
  };

  /// The polyline through `beads` (P each, at least two): the first and the last are the end
  /// points, which stay as they are unless they are freed. Keeps the evaluators. Throws UsageError
  /// for invalid options, sizes, or a check that the objective does not allow.
  GrowingString(Evaluators& evaluators,
                const StringOptions& options,
                StringCallbacks callbacks,
                std::span<const std::span<const float>> beads);

  const StringOptions& options() const { return options_; }
  Evaluators& evaluators() const { return evaluators_; }
  std::size_t size() const { return beads_.size(); }
  std::size_t segments() const { return checks_.size(); }
  const Bead& bead(std::size_t place) const { return beads_[place]; }
  /// What is known of the segment between the beads at `segment` and behind it; nothing: it was not
  /// looked at since one of them changed.
  const std::optional<SegmentCheck>& check(std::size_t segment) const { return checks_[segment]; }
  /// What it took until now.
  const StringCost& cost() const { return summary_.cost; }
  /// Segments that fail, or were not looked at.
  std::vector<std::size_t> open_segments() const;

  // The parts of a method's loop.

  /// Looks at the end points. Returns whether both reach the bound.
  bool evaluate_end_points();
  /// What a method that begins with the straight line looks at first: its end points and its
  /// segments. Returns how the string ends where that decides it.
  std::optional<Ending> decided_by_line();
  /// Looks at every segment that was not looked at since its beads changed.
  void check_segments();
  /// Whether every segment passes. Where checks are screened the largest value is confirmed by a
  /// look at all samples, else the whole grid of its segment is looked at, and may fail.
  bool passes();
  /// The limit of the options that keeps the next round, which would add and train some beads, and
  /// train some others, from starting.
  std::optional<Ending> limit_met(std::size_t more_beads, std::size_t others = 0) const;
  /// Whether too few gradient steps are left for that many beads.
  bool steps_are_spent(std::size_t beads) const { return share_of_steps(beads) == 0; }
  /// Counts a round, and tells so.
  void start_round();
  /// Puts beads on some segments, given in order, or beside them towards the bends of the string as
  /// it was (place_start). Returns their places.
  std::vector<std::size_t> insert(std::span<const Cut> cuts, double bend = 0.0);
  /// Trains the beads at some places to the target together, and looks at those whose value is not
  /// known then. Beads that the journal has are not trained again. `prepare` is called for each of
  /// the others, in order, and may change its job: the targets, say. A bead that StringOptions::
  /// max_total_steps cuts short is not kept in the journal: a string that goes on from it with more
  /// steps ends as one that had them from the beginning.
  void train_beads(std::span<const std::size_t> places,
                   const std::function<void(std::size_t place, TrainJob&)>& prepare = {});
  /// A bead that stays above the bound itself can never be part of a path below it. (One that
  /// missed its target may still lie below the bound.) If it was cut short, that is the reason.
  std::optional<Ending> stuck_among(std::span<const std::size_t> places) const;
  /// The numbers of now, for an ending of that kind.
  Ending ending(Ending::Kind kind) const;
  /// Completes the checks, and takes everything out: the last call.
  StringSummary finish(const Ending& ending);

  // For methods whose level falls. Their checks look at every point of the grid
  // (SegmentGrid::stop_at_failure is false), so what they saw counts for all levels.

  /// Makes `level` >= the threshold of the options the threshold from now on: targets and bounds
  /// follow, the limit of rounds counts anew, and what is known of segments is judged again. Proofs
  /// are for the threshold of the options alone: above it the grid is sampled in their place.
  void set_level(double level);
  /// Takes out those of some inner beads, no two of them neighbours, past which a straight segment
  /// passes.
  void drop_needless(std::span<const std::size_t> places);
  /// From now on the end points may be trained and replaced as other beads are.
  void free_end_points() { ends_are_free_ = true; }

  // For methods that move beads on their own.

  /// Puts another parameter vector in the place of an inner bead, or a free end point.
  void replace(std::size_t place, std::vector<float> theta);
  /// Looks at the beads at some places whose value is not known: screened checks need it of both
  /// ends.
  void evaluate_beads(std::span<const std::size_t> places);
  /// Takes an inner bead out.
  void drop(std::size_t place);
  /// How beads are trained from now on; metric and split stay those of the grid.
  void set_training(const TrainOptions& training);
  /// Before a training of the method's own: gives a settled bead a new number. Returns true if the
  /// journal has its end; then it is taken and counted, and there is nothing left to train.
  bool begin_training(std::size_t place);
  /// Takes what that training made of the bead: keeps it in the journal, unless it was cut short
  /// for want of steps, and counts what it cost.
  void end_training(std::size_t place, BeadRecord record, bool cut = false);
  /// Throws Interrupted if the stop is raised.
  void obey_stop() const;

 private:
  bool screens() const { return options_.check == CheckKind::screened; }
  bool keeps_per_sample() const { return options_.training.keep_per_sample; }
  bool proves() const { return certifier_ && options_.threshold == threshold_; }
  CheckKind check_kind() const {
    return certifier_ && !proves() ? CheckKind::sampled : options_.check;
  }
  void tell(StringProgress event) const;
  std::uint64_t evaluate(std::span<const std::size_t> places, bool trained = false);
  TrainJob job_of(std::size_t place,
                  std::size_t max_steps,
                  const std::optional<TrainSummary>& lost = std::nullopt);
  std::vector<float> start_of(const Cut& cut, double bend) const;
  std::vector<float> losses_around(std::size_t place) const;
  bool starts_again(const TrainSummary& summary) const;
  void restart(std::span<TrainJob> jobs,
               std::span<const std::size_t> places,
               std::size_t share,
               std::span<std::size_t> budgets,
               const std::function<void(std::size_t place, TrainJob&)>& prepare);
  std::size_t share_of_steps(std::size_t beads) const;
  void take(Bead& bead, const TrainSummary& summary);
  bool largest_confirmed();
  void judge(SegmentCheck& check) const;
  SegmentCheck look_at(const Bead& left,
                       const Bead& right,
                       const SegmentGrid& grid,
                       CheckKind how,
                       Evaluator& evaluator);
  void check(std::span<const std::size_t> segments,
             const SegmentGrid& grid,
             CheckKind how,
             StringJournal* journal);
  void complete_checks();
  StringPlace worst_seen() const;

  Evaluators& evaluators_;
  StringOptions options_;
  double threshold_;  // of the options as given; theirs is the level
  StringCallbacks callbacks_;
  std::optional<Certifier> certifier_;
  std::unique_ptr<StringJournal>
      samples_;  // the journal of what is sampled above the level of proofs
  bool ends_are_free_ = false;
  std::size_t rounds_before_level_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<Bead> beads_;
  std::vector<std::optional<SegmentCheck>> checks_;  // of the segment behind each bead
  std::size_t next_number_ = 2;
  std::size_t open_at_start_ = 0;  // of the round
  std::size_t steps_ = 0;
  StringSummary summary_;
};

}  // namespace isthmus
