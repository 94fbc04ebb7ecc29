// SPDX-License-Identifier: MIT
#include "isthmus/strings/string_summary.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {

StringCost& StringCost::operator+=(const StringCost& other) {
  gradient_samples_beads += other.gradient_samples_beads;
  forward_samples_beads += other.forward_samples_beads;
  forward_samples_checks += other.forward_samples_checks;
  return *this;
}

StringSummary joined(StringSummary left, StringSummary right) {
  const Path& tail = right.path;
  Path& path = left.path;
  if (path.dimension != tail.dimension || path.size() < 2 || tail.size() < 2 ||
      !std::ranges::equal(path.bead(path.size() - 1), tail.bead(0))) {
    throw UsageError("joined strings: expected the first to end where the second begins");
  }
  const std::size_t left_segments = left.segments.size();
  path.beads.insert(path.beads.end(),
                    tail.beads.begin() + static_cast<std::ptrdiff_t>(tail.dimension),
                    tail.beads.end());
  // Numbers stay distinct: those of the second string count on from those of the first.
  const std::size_t first = *std::ranges::max_element(left.bead_numbers) + 1;
  left.bead_numbers.back() = first;
  for (std::size_t i = 1; i < right.bead_numbers.size(); ++i) {
    const std::size_t number = right.bead_numbers[i];
    left.bead_numbers.push_back(number == 1 ? 1 : first + number - 1);
  }
  // So do rounds. The bead where they meet was there before either grew.
  for (BeadBirth& birth : left.births) {
    birth.right = birth.right == 1 ? first : birth.right;
  }
  const auto renumbered = [&](std::size_t number) {
    return number == 0 ? first : number == 1 ? 1 : first + number - 1;
  };
  for (std::size_t i = 1; i < right.births.size(); ++i) {
    BeadBirth birth = right.births[i];
    if (birth.round > 0) {
      birth = {.round = birth.round + left.rounds,
               .left = renumbered(birth.left),
               .right = renumbered(birth.right),
               .t = birth.t};
    }
    left.births.push_back(birth);
  }
  std::ranges::move(right.segments, std::back_inserter(left.segments));
  left.value_b = right.value_b;
  left.bound = std::isnan(right.bound) ? right.bound : std::max(left.bound, right.bound);
  if (worse(right.worst.value, left.worst.value)) {
    left.worst = right.worst;
    left.worst.segment += left_segments;
  }
  left.max_metric = left.worst.value;
  left.max_t = (static_cast<double>(left.worst.segment) + left.worst.t) /
               static_cast<double>(left.segments.size());
  if (worse(right.best_max_metric, left.best_max_metric)) {
    left.best_max_metric = right.best_max_metric;
  }
  Ending ending = left.verdict == Verdict::connected ? right.ending : left.ending;
  ending.segments = left.ending.segments + right.ending.segments;
  ending.open_segments = left.ending.open_segments + right.ending.open_segments;
  ending.rounds = left.ending.rounds + right.ending.rounds;
  ending.steps = left.ending.steps + right.ending.steps;
  left.ending = ending;
  left.verdict = verdict_of(ending.kind);
  left.beads_inserted += right.beads_inserted + 1;
  left.beads_unreached += right.beads_unreached;
  left.rounds += right.rounds;
  left.cost += right.cost;
  return left;
}

}  // namespace isthmus
