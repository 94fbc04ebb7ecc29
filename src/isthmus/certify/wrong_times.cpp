// SPDX-License-Identifier: MIT
#include "isthmus/certify/wrong_times.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace isthmus {
namespace {

constexpr double step = 0x1p-34;  // how far from a computed root a sign is looked at

// f(s) = (1 - s) m0 + s m1 + s (1 - s) c, with the sign known in spite of rounding.
struct Parabola {
  double m0;
  double m1;
  double c;

  double slack() const { return 0x1p-47 * (std::abs(m0) + std::abs(m1) + std::abs(c)) + 0x1p-1000; }
  double at(double s) const { return (1.0 - s) * m0 + s * m1 + s * (1.0 - s) * c; }
  bool below(double s) const { return at(s) < -slack(); }
  double slope(double s) const { return m1 - m0 + c * (1.0 - 2.0 * s); }

  // Real roots in order; none where the discriminant is negative.
  std::vector<double> roots() const {
    // -c s^2 + (m1 - m0 + c) s + m0 = 0
    const double b = m1 - m0 + c;
    const double discriminant = b * b + 4.0 * c * m0;
    if (discriminant < 0.0) {
      return {};
    }
    const double k = -0.5 * (b + std::copysign(std::sqrt(discriminant), b));
    std::vector<double> found;
    for (const double root : {k / -c, m0 / k}) {
      if (std::isfinite(root)) {
        found.push_back(root);
      }
    }
    std::ranges::sort(found);
    return found;
  }
};

// Concave: f >= 0 on one range. Left of a point where f is negative and rises there is none of it.
std::vector<Range> cover_concave(const Parabola& f) {
  if (std::max(f.m0, f.m1) + 0.25 * f.c < -2.0 * f.slack()) {
    return {};
  }
  const std::vector<double> roots = f.roots();
  Range range{0.0, 1.0};
  if (roots.size() == 2) {
    const double before = roots[0] - step;
    const double behind = roots[1] + step;
    if (before > 0.0 && before < 1.0 && f.below(before) && f.slope(before) > f.slack()) {
      range.from = before;
    }
    if (behind > 0.0 && behind < 1.0 && f.below(behind) && f.slope(behind) < -f.slack()) {
      range.to = behind;
    }
    if ((before >= 1.0 && f.below(1.0) && f.slope(1.0) > f.slack()) ||
        (behind <= 0.0 && f.below(0.0) && f.slope(0.0) < -f.slack())) {
      return {};
    }
  } else {
    // No root in computed numbers: negative everywhere, if the top is.
    const double top = std::clamp(0.5 + 0.5 * (f.m1 - f.m0) / f.c, 0.0, 1.0);
    if (f.at(top) < -4.0 * f.slack()) {
      return {};
    }
  }
  return {range};
}

// Convex or straight: between two points where f is negative it is negative.
std::vector<Range> cover_convex(const Parabola& f) {
  double from = 0.0;
  double to = 1.0;
  const bool left = f.below(0.0);
  const bool right = f.below(1.0);
  if (left && right) {
    return {};
  }
  std::vector<double> inside;
  for (const double root : f.roots()) {
    if (root > -step && root < 1.0 + step) {
      inside.push_back(root);
    }
  }
  if (inside.empty()) {
    return {{0.0, 1.0}};
  }
  if (!left) {
    from = inside.front() + step;
  }
  if (!right) {
    to = inside.back() - step;
  }
  if (!(from < to) || !f.below(from) || !f.below(to)) {
    return {{0.0, 1.0}};
  }
  std::vector<Range> cover;
  if (!left) {
    cover.push_back({0.0, from});
  }
  if (!right) {
    cover.push_back({to, 1.0});
  }
  return cover;
}

}  // namespace

std::vector<Range> cover_of_nonnegative(double m0, double m1, double c) {
  const Parabola f{m0, m1, c};
  if (!std::isfinite(m0) || !std::isfinite(m1) || !std::isfinite(c)) {
    return {{0.0, 1.0}};
  }
  return c > 0.0 ? cover_concave(f) : cover_convex(f);
}

void join(std::vector<Range>& ranges) {
  std::ranges::sort(ranges, {}, &Range::from);
  std::size_t kept = 0;
  for (const Range& range : ranges) {
    if (kept > 0 && range.from <= ranges[kept - 1].to) {
      ranges[kept - 1].to = std::max(ranges[kept - 1].to, range.to);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

std::vector<Range> complement(std::span<const Range> ranges, double from, double to) {
  std::vector<Range> rest;
  double at = from;
  for (const Range& range : ranges) {
    if (range.from > at) {
      rest.push_back({at, range.from});
    }
    at = std::max(at, range.to);
  }
  if (at < to) {
    rest.push_back({at, to});
  }
  return rest;
}

WrongTimes wrong_times(const Rows& left,
                       const Rows& right,
                       const Deviation& deviation,
                       std::int32_t label,
                       std::size_t lane,
                       double t0,
                       double t1) {
  WrongTimes times;
  for (std::size_t j = 0; j < left.size(); ++j) {
    if (j == static_cast<std::size_t>(label)) {
      continue;
    }
    const double m0 = left[j][lane];
    const double m1 = right[j][lane];
    const double radius = deviation.radius;
    const std::vector<Range> possible =
        cover_of_nonnegative(m0 + radius, m1 + radius, deviation.high[j][lane]);
    if (possible.empty()) {
      continue;
    }
    times.possible.insert(times.possible.end(), possible.begin(), possible.end());
    const std::vector<Range> right_times =
        cover_of_nonnegative(radius - m0, radius - m1, -deviation.low[j][lane]);
    const std::vector<Range> certain = complement(right_times, 0.0, 1.0);
    times.certain.insert(times.certain.end(), certain.begin(), certain.end());
  }
  return in_time(std::move(times), t0, t1);
}

WrongTimes in_time(WrongTimes times, double t0, double t1) {
  const auto place = [&](double s) { return s == 1.0 ? t1 : t0 + s * (t1 - t0); };
  for (Range& range : times.possible) {
    range.from = range.from == 0.0 ? t0 : std::max(t0, std::nextafter(place(range.from), 0.0));
    range.to = range.to == 1.0 ? t1 : std::min(t1, std::nextafter(place(range.to), 1.0));
  }
  for (Range& range : times.certain) {
    range.from = range.from == 0.0 ? t0 : std::nextafter(place(range.from), 1.0);
    range.to = range.to == 1.0 ? t1 : std::nextafter(place(range.to), 0.0);
  }
  std::erase_if(times.certain, [](const Range& range) { return !(range.from < range.to); });
  join(times.possible);
  join(times.certain);
  return times;
}

Crowd largest_crowd(std::span<const Range> ranges, bool open) {
  // At one t, closed ranges begin before others end; open ones end before others begin.
  std::vector<std::pair<double, int>> events;
  events.reserve(2 * ranges.size());
  const int begins = open ? 1 : 0;
  for (const Range& range : ranges) {
    events.emplace_back(range.from, begins);
    events.emplace_back(range.to, 1 - begins);
  }
  std::ranges::sort(events);
  Crowd crowd;
  std::size_t count = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].second != begins) {
      --count;
      continue;
    }
    ++count;
    const double from = events[i].first;
    const double to = i + 1 < events.size() ? events[i + 1].first : from;
    const double middle = 0.5 * (from + to);
    // Open ranges count where a number lies inside them.
    if (count > crowd.count && (!open || (from < middle && middle < to))) {
      crowd = {.count = count, .at = {from, to}};
    }
  }
  return crowd;
}

std::vector<Range> crowded(std::span<const Range> ranges, double limit) {
  std::vector<std::pair<double, int>> events;
  for (const Range& range : ranges) {
    events.emplace_back(range.from, 0);
    events.emplace_back(range.to, 1);
  }
  std::ranges::sort(events);
  std::vector<Range> found;
  double count = 0.0;
  for (const auto& [t, ends] : events) {
    const bool before = count > limit;
    count += ends == 0 ? 1.0 : -1.0;
    if (!before && count > limit) {
      found.push_back({t, t});
    } else if (before && count <= limit) {
      found.back().to = t;
    }
  }
  join(found);
  return found;
}

bool overlap(std::span<const Range> ranges, const Range& range) {
  const auto next = std::ranges::lower_bound(ranges, range.from, {}, &Range::to);
  return next != ranges.end() && next->from <= range.to;
}

}  // namespace isthmus
