// SPDX-License-Identifier: MIT
#include "isthmus/strings/breadth_first.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/strings/option_table.h"

namespace isthmus {
namespace {

constexpr std::uint64_t common_purpose = 0x636f6d6d6f6e;  // "common"

class BreadthFirst {
 public:
  BreadthFirst(GrowingString& string, const BreadthFirstTerms& terms)
      : string_(string), terms_(terms) {}

  // The largest number on the straight line; infinity if there is none.
  double first_level() {
    string_.set_level(std::numeric_limits<double>::infinity());
    string_.check_segments();
    double largest = -1.0;
    for (const double value : string_.check(0)->values) {
      largest = std::isfinite(value) ? std::max(largest, value) : largest;
    }
    return largest < 0.0 ? std::numeric_limits<double>::infinity() : largest;
  }

  // From level to level down to the last one. Returns where it could not follow.
  std::optional<Ending> fall(double level, double last) {
    do {
      const double followed = level;
      level = std::max(last, terms_.ratio * level);
      if (const std::optional<Ending> cause = follow(level)) {
        Ending ending = *cause;
        ending.kind = Ending::Kind::level;
        ending.cause = cause->kind;
        ending.level = level;
        ending.followed = followed;
        string_.set_level(last);
        return ending;
      }
    } while (level > last);
    return std::nullopt;
  }

 private:
  // Brings all of the string to a level. Returns what kept it from there.
  std::optional<Ending> follow(double level) {
    string_.set_level(level);
    const std::vector<std::size_t> high = places_above(string_.options().target());
    if (std::optional<Ending> limit = string_.limit_met(0, high.size())) {
      return limit;
    }
    string_.start_round();
    train(high);
    drop_needless();
    if (std::optional<Ending> stuck = give_up_beads()) {
      return stuck;
    }
    string_.check_segments();
    while (!string_.passes()) {
      const std::vector<Cut> cuts = cuts_of_open_segments();
      if (std::optional<Ending> limit = string_.limit_met(cuts.size())) {
        return limit;
      }
      string_.start_round();
      const std::vector<std::size_t> fresh = string_.insert(cuts);
      train(fresh);
      if (std::optional<Ending> stuck = string_.stuck_among(fresh)) {
        return stuck;
      }
      string_.check_segments();
    }
    return std::nullopt;
  }

  // Takes out the inner beads that stayed above the level: their segments get others. Ends that
  // stayed there are the end of the string, and so is a limit that cut beads short.
  std::optional<Ending> give_up_beads() {
    const std::vector<std::size_t> stuck = places_above(string_.options().bound());
    for (const std::size_t place : stuck) {
      if (place == 0 || place + 1 == string_.size() || string_.bead(place).cut) {
        return string_.stuck_among({{place}});
      }
    }
    for (std::size_t i = stuck.size(); i-- > 0;) {
      string_.drop(stuck[i]);
    }
    return std::nullopt;
  }

  std::vector<std::size_t> places_above(double value) const {
    const std::size_t ends = terms_.from_random ? 0 : 1;
    std::vector<std::size_t> places;
    for (std::size_t i = ends; i + ends < string_.size(); ++i) {
      if (!reaches(*string_.bead(i).value, value, string_.options().grid.comparison)) {
        places.push_back(i);
      }
    }
    return places;
  }

  void train(std::span<const std::size_t> places) {
    const std::uint64_t stream =
        stream_name({string_.options().stream, common_purpose, trainings_++});
    string_.train_beads(places, [&](std::size_t, TrainJob& job) { job.stream = stream; });
  }

  // Each bead is looked at once, as many at a time as do not touch.
  void drop_needless() {
    std::set<std::size_t> seen;  // by number
    while (true) {
      std::vector<std::size_t> places;
      for (std::size_t i = 1; i + 1 < string_.size(); ++i) {
        if ((places.empty() || places.back() + 1 < i) &&
            seen.insert(string_.bead(i).number).second) {
          places.push_back(i);
        }
      }
      if (places.empty()) {
        return;
      }
      string_.drop_needless(places);
    }
  }

  std::vector<Cut> cuts_of_open_segments() const {
    std::vector<Cut> cuts;
    for (const std::size_t segment : string_.open_segments()) {
      const double t = string_.check(segment)->worst_t;
      cuts.push_back({.segment = segment, .t = std::clamp(t, terms_.clip, 1.0 - terms_.clip)});
    }
    return cuts;
  }

  GrowingString& string_;
  const BreadthFirstTerms& terms_;
  std::uint64_t trainings_ = 0;
};

// Of end points that stay.
void refuse_unequal(const GrowingString& string) {
  const StringOptions& options = string.options();
  const std::array<double, 2> values{*string.bead(0).value, *string.bead(1).value};
  const auto reached = [&](double value) {
    return reaches(value, options.bound(), options.grid.comparison);
  };
  if (reached(values[0]) != reached(values[1])) {
    throw UsageError(fmt::format(
        "breadth-first: expected two end points of equal loss, both with {} {} {:.6g} (the "
        "threshold), got {:.6g} and {:.6g}: train the higher one to the threshold, or begin with "
        "random networks (--from-random)",
        string.evaluators().objective().metric_name(options.grid.metric),
        options.grid.comparison == Comparison::below ? "below" : "at most",
        options.bound(),
        values[0],
        values[1]));
  }
}

}  // namespace

StringSummary connect_breadth_first(Evaluators& evaluators,
                                    std::span<const float> a,
                                    std::span<const float> b,
                                    const GreedyOptions& options,
                                    const BreadthFirstTerms& terms,
                                    const StringCallbacks& callbacks) {
  check_options(breadth_first_option_table(), terms);
  StringOptions common = static_cast<const StringOptions&>(options);
  common.grid.stop_at_failure = false;
  GrowingString string(evaluators, common, callbacks, std::array{a, b});
  const bool reached = string.evaluate_end_points();
  if (terms.from_random) {
    string.free_end_points();
  } else if (!reached) {
    refuse_unequal(string);
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  BreadthFirst method(string, terms);
  const double level = std::max(method.first_level(), options.threshold);
  if (std::isinf(level)) {
    string.set_level(options.threshold);
    return string.finish(string.ending(Ending::Kind::end_point_not_reached));
  }
  const std::optional<Ending> failure = method.fall(level, options.threshold);
  string.evaluate_end_points();
  return string.finish(failure ? *failure : string.ending(Ending::Kind::connected));
}

}  // namespace isthmus
