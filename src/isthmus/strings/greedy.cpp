// SPDX-License-Identifier: MIT
#include "isthmus/strings/greedy.h"

#include <array>
#include <optional>
#include <vector>

namespace isthmus {
namespace {

// One in every open segment.
std::vector<Cut> cuts_of(const GrowingString& string, TStar t_star) {
  std::vector<Cut> cuts;
  for (const std::size_t segment : string.open_segments()) {
    const auto& check = string.check(segment);
    cuts.push_back(
        {.segment = segment, .t = t_star == TStar::argmax && check ? check->worst_t : 0.5});
  }
  return cuts;
}

}  // namespace

StringSummary grow_greedily(GrowingString& string, TStar t_star, const TrainRound& train) {
  while (!string.passes()) {
    const std::vector<Cut> cuts = cuts_of(string, t_star);
    if (const std::optional<Ending> limit = string.limit_met(cuts.size())) {
      return string.finish(*limit);
    }
    string.start_round();
    const std::vector<std::size_t> fresh = string.insert(cuts);
    if (train) {
      train(string, fresh);
    } else {
      string.train_beads(fresh);
    }
    if (const std::optional<Ending> stuck = string.stuck_among(fresh)) {
      return string.finish(*stuck);
    }
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
  StringOptions common = options;
  common.grid.stop_at_failure = options.t_star == TStar::half;
  GrowingString string(evaluators, common, callbacks, std::array{a, b});
  // The published scripts do not look at their end points again, nor at the straight line.
  if (!string.evaluate_end_points() && !options.always_insert) {
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  if (!options.always_insert) {
    string.check_segments();
  }
  return grow_greedily(string, options.t_star, train);
}

}  // namespace isthmus
