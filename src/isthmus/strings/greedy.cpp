// SPDX-License-Identifier: MIT
#include "isthmus/strings/greedy.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "isthmus/path/path.h"

namespace isthmus {
namespace {

// Segments as they were cut from each other, one for each segment of the string.
class Gaps {
 public:
  explicit Gaps(const GrowingString& string) : gaps_(string.segments()) {}

  // The ending, if a segment that fails stays as long as it was for `limit` beads (0: never).
  std::optional<Ending> stagnant(const GrowingString& string, std::size_t limit);
  // One in every open segment; where some may stagnate, in those alone.
  std::vector<Cut> cuts(const GrowingString& string, const GreedyOptions& options) const;
  // Takes out those of the fresh beads, in order, that are stuck, as often as the options allow;
  // else the ending.
  std::optional<Ending> drop_stuck(GrowingString& string,
                                   std::vector<std::size_t>& fresh,
                                   std::size_t limit);
  // Beads were put in at `fresh`, in order, and trained.
  void cut(const GrowingString& string, std::span<const std::size_t> fresh);

 private:
  struct Gap {
    double parent = std::numeric_limits<double>::infinity();  // length
    double first = 0.0;       // length of the one that the count began from
    std::size_t count = 0;    // of beads that did not cut it
    std::size_t crowded = 0;  // of those, the ones that came to lie at its ends
    bool at_end = false;      // the last one did
    std::size_t stuck = 0;    // beads that were taken out of it
    bool seen = false;        // it counts
  };
  std::vector<Gap> gaps_;
};

double length_of(const GrowingString& string, std::size_t segment) {
  return distance(string.bead(segment).theta,
                  string.bead(segment + 1).theta,
                  string.evaluators().objective().layout(),
                  Coordinates::all);
}

std::optional<Ending> Gaps::stagnant(const GrowingString& string, std::size_t limit) {
  for (const std::size_t segment : string.open_segments()) {
    Gap& gap = gaps_[segment];
    if (gap.seen) {
      continue;
    }
    const double length = length_of(string, segment);
    const bool stays = length > 0.9 * gap.parent;
    gap = {.parent = length,
           .first = stays && gap.count > 0 ? gap.first
                    : stays                ? gap.parent
                                           : length,
           .count = stays ? gap.count + 1 : 0,
           .crowded = stays ? gap.crowded + (gap.at_end ? 1 : 0) : 0,
           .seen = true};
    if (limit > 0 && gap.count >= limit) {
      Ending ending = string.ending(gap.crowded == gap.count ? Ending::Kind::crowding
                                                             : Ending::Kind::stagnation);
      ending.limit = limit;
      ending.segment = segment;
      ending.length = length;
      ending.length_before = gap.first;
      return ending;
    }
  }
  return std::nullopt;
}

void Gaps::cut(const GrowingString& string, std::span<const std::size_t> fresh) {
  std::vector<Gap> gaps;
  auto bead = fresh.begin();
  for (const Gap& gap : gaps_) {
    gaps.push_back(gap);
    if (bead != fresh.end() && *bead == gaps.size()) {
      const double shorter = std::min(length_of(string, *bead - 1), length_of(string, *bead));
      gaps.back().at_end = shorter < 0.1 * gap.parent;
      gaps.back().stuck = 0;
      gaps.back().seen = false;
      gaps.push_back(gaps.back());
      ++bead;
    }
  }
  gaps_ = std::move(gaps);
}

std::vector<Cut> Gaps::cuts(const GrowingString& string, const GreedyOptions& options) const {
  constexpr std::array<double, 3> places{0.5, 0.25, 0.75};
  std::vector<Cut> cuts;
  const std::vector<std::size_t> open = string.open_segments();
  const bool all = options.stagnation == 0 || std::ranges::none_of(open, [&](std::size_t segment) {
                     return gaps_[segment].count > 0;
                   });
  for (const std::size_t segment : open) {
    const Gap& gap = gaps_[segment];
    if (all || gap.count > 0) {
      const auto& check = string.check(segment);
      const bool largest = options.t_star == TStar::argmax && gap.stuck == 0 && check;
      cuts.push_back(
          {.segment = segment, .t = largest ? check->worst_t : places[gap.stuck % places.size()]});
    }
  }
  return cuts;
}

std::optional<Ending> Gaps::drop_stuck(GrowingString& string,
                                       std::vector<std::size_t>& fresh,
                                       std::size_t limit) {
  std::optional<Ending> first = string.stuck_among(fresh);
  if (!first || first->kind != Ending::Kind::stuck_bead || limit == 0) {
    return first;
  }
  for (std::size_t i = fresh.size(); i-- > 0;) {
    std::optional<Ending> stuck = string.stuck_among(std::span(fresh).subspan(i, 1));
    if (!stuck) {
      continue;
    }
    Gap& gap = gaps_[fresh[i] - 1 - i];
    if (stuck->kind != Ending::Kind::stuck_bead || gap.stuck == limit) {
      return stuck;
    }
    ++gap.stuck;
    string.drop(fresh[i]);
    fresh.erase(fresh.begin() + static_cast<std::ptrdiff_t>(i));
    for (std::size_t k = i; k < fresh.size(); ++k) {
      --fresh[k];
    }
  }
  return std::nullopt;
}

StringOptions common_of(const GreedyOptions& options) {
  StringOptions common = options;
  common.grid.stop_at_failure = options.t_star == TStar::half;
  return common;
}

}  // namespace

StringSummary grow_greedily(GrowingString& string,
                            const GreedyOptions& options,
                            const TrainRound& train) {
  Gaps gaps(string);
  while (!string.passes()) {
    if (const std::optional<Ending> stagnant = gaps.stagnant(string, options.stagnation)) {
      return string.finish(*stagnant);
    }
    const std::vector<Cut> cuts = gaps.cuts(string, options);
    if (const std::optional<Ending> limit = string.limit_met(cuts.size())) {
      return string.finish(*limit);
    }
    if (cuts.size() == string.open_segments().size()) {
      string.start_round();
    }
    std::vector<std::size_t> fresh = string.insert(cuts, options.bead_bend);
    if (train) {
      train(string, fresh);
    } else {
      string.train_beads(fresh);
    }
    if (const std::optional<Ending> stuck = gaps.drop_stuck(string, fresh, options.stuck_tries)) {
      return string.finish(*stuck);
    }
    gaps.cut(string, fresh);
    string.check_segments();
  }
  return string.finish(string.ending(Ending::Kind::connected));
}

StringSummary connect_greedy(Evaluators& evaluators,
                             std::span<const float> a,
                             std::span<const float> b,
                             const GreedyOptions& options,
                             const StringCallbacks& callbacks,
                             const TrainRound& train) {
  GrowingString string(evaluators, common_of(options), callbacks, std::array{a, b});
  // The published scripts do not look at their end points again, nor at the straight line.
  if (!string.evaluate_end_points() && !options.always_insert) {
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  if (!options.always_insert) {
    string.check_segments();
  }
  return grow_greedily(string, options, train);
}

StringSummary connect_greedy_down(Evaluators& evaluators,
                                  std::span<const float> a,
                                  std::span<const float> b,
                                  const GreedyOptions& options,
                                  const StringCallbacks& callbacks) {
  GrowingString string(evaluators, common_of(options), callbacks, std::array{a, b});
  if (const std::optional<Ending> decided = string.decided_by_line()) {
    return string.finish(*decided);
  }
  const std::array<std::size_t, 2> inner{1, 2};
  if (const std::optional<Ending> limit = string.limit_met(inner.size())) {
    return string.finish(*limit);
  }
  string.start_round();
  string.insert(std::array{Cut{.segment = 0, .t = 0.0}});
  string.insert(std::array{Cut{.segment = 1, .t = 1.0}});
  string.train_beads(inner);
  if (const std::optional<Ending> stuck = string.stuck_among(inner)) {
    return string.finish(*stuck);
  }
  string.check_segments();
  return grow_greedily(string, options);
}

StringSummary connect_greedy_along(Evaluators& evaluators,
                                   std::span<const std::span<const float>> beads,
                                   const GreedyOptions& options,
                                   const StringCallbacks& callbacks) {
  GrowingString string(evaluators, common_of(options), callbacks, beads);
  if (!string.evaluate_end_points()) {
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  std::vector<std::size_t> inner(beads.size() - 2);
  std::iota(inner.begin(), inner.end(), std::size_t{1});
  string.evaluate_beads(inner);
  std::erase_if(inner, [&](std::size_t place) {
    return !worse(*string.bead(place).value, string.options().bound());
  });
  if (!inner.empty()) {
    if (const std::optional<Ending> limit = string.limit_met(0, inner.size())) {
      return string.finish(*limit);
    }
    string.start_round();
    string.train_beads(inner);
    if (const std::optional<Ending> stuck = string.stuck_among(inner)) {
      return string.finish(*stuck);
    }
  }
  string.check_segments();
  return grow_greedily(string, options);
}

}  // namespace isthmus
