// SPDX-License-Identifier: MIT
#include "isthmus/path/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/path/path.h"

namespace isthmus {
namespace {

// A sample is left out where its margin would have to deviate by more than this multiple of the
// largest deviation seen: docs/checks.md says what came out with which.
constexpr double safety = 2.0;
// Halving an interval quarters the deviations of a smooth function: those of an interval are not
// taken for less than this part of those of the one it is a half of.
constexpr double halving = 0.25;
// Samples looked at together, the likeliest to be misread first: at the middle of the segment and
// in its halves before anything is left out, and from then on.
constexpr std::size_t first_samples = 128;
constexpr std::size_t first_samples_of_half = 16;
constexpr std::size_t more_samples = 128;
// And as many, evenly spread over all samples, at the middle of the segment: deviations may grow
// with the margins.
constexpr std::size_t spread_samples = 64;

bool is_right(float margin) {
  return margin > 0.0F;  // not of NaN
}

// An interval of the grid whose ends are known, with the samples that are looked at within.
struct Interval {
  std::size_t left = 0;
  std::size_t right = 0;
  std::vector<std::uint32_t> samples;
  std::size_t wrong = 0;   // of the samples left out
  double deviation = 0.0;  // no less, by what is known of the interval it is a half of
};

// A sample of an interval.
struct Candidate {
  std::uint32_t sample = 0;
  float line = 0.0F;      // the margin at the middle, were it linear between the ends
  float critical = 0.0F;  // the deviation from which on it is misread at some inner point, or read
};

class Screen {
 public:
  Screen(Evaluator& evaluator,
         std::span<const float> a,
         std::span<const float> b,
         const SegmentGrid& grid,
         std::span<const float> margins_a,
         std::span<const float> margins_b,
         const Stop* stop)
      : evaluator_(evaluator), a_(a), b_(b), grid_(grid), stop_(stop), samples_(margins_a.size()) {
    result_.values.assign(grid.points, std::numeric_limits<double>::quiet_NaN());
    margins_.resize(steps() + 1);
    margins_.front().assign(margins_a.begin(), margins_a.end());
    margins_.back().assign(margins_b.begin(), margins_b.end());
  }

  SegmentCheck run() {
    take(0, wrong_among(margins_.front()));
    if (grid_.include_end) {
      take(steps(), wrong_among(margins_.back()));
    }
    std::vector<std::uint32_t> all(samples_);
    std::iota(all.begin(), all.end(), 0U);
    std::deque<Interval> open;
    open.push_back({.left = 0, .right = steps(), .samples = std::move(all)});
    // Breadth first: where a segment fails, it mostly does so around its middle.
    while (!open.empty() && !(failed_ && grid_.stop_at_failure)) {
      const Interval interval = std::move(open.front());
      open.pop_front();
      if (interval.right - interval.left < 2) {
        continue;
      }
      Interval left;
      Interval right;
      if (look_at_middle(interval, left, right)) {
        open.push_back(std::move(left));
        open.push_back(std::move(right));
      }
    }
    result_.passed = !failed_;
    return std::move(result_);
  }

 private:
  // The grid point t = 1 is there in any case, as the end of an interval.
  std::size_t steps() const { return grid_.include_end ? grid_.points - 1 : grid_.points; }

  static std::size_t wrong_among(std::span<const float> margins) {
    return static_cast<std::size_t>(
        std::ranges::count_if(margins, [](float margin) { return !is_right(margin); }));
  }

  // A count of a grid point; a pass that was stopped tells a lower bound.
  void take(std::size_t k, std::size_t wrong, bool complete = true) {
    const double value = static_cast<double>(wrong) / static_cast<double>(samples_);
    if (complete) {
      result_.values[k] = value;
    }
    const bool earlier = value == result_.worst_value && grid_.t(k) < result_.worst_t;
    if (!looked_ || value > result_.worst_value || earlier) {
      result_.worst_value = value;
      result_.worst_t = grid_.t(k);
    }
    looked_ = true;
    failed_ = failed_ || !reaches(value, grid_.bound, grid_.comparison);
  }

  // What `sample` needs to be misread at a grid point within, though read at both ends, or the
  // other way round; none if its ends differ. A deviation is that of a parabola which has it at the
  // middle.
  float critical(const Interval& interval, std::uint32_t sample) const {
    const float left = margins_[interval.left][sample];
    const float right = margins_[interval.right][sample];
    if (is_right(left) != is_right(right) || std::isnan(left) || std::isnan(right)) {
      return 0.0F;
    }
    const auto width = static_cast<float>(interval.right - interval.left);
    float least = std::numeric_limits<float>::infinity();
    for (std::size_t k = interval.left + 1; k < interval.right; ++k) {
      const float s = static_cast<float>(k - interval.left) / width;
      least = std::min(least, std::abs((1.0F - s) * left + s * right) / (4.0F * s * (1.0F - s)));
    }
    return least;
  }

  std::vector<Candidate> candidates(const Interval& interval, std::size_t middle) const {
    const float s = static_cast<float>(middle - interval.left) /
                    static_cast<float>(interval.right - interval.left);
    std::vector<Candidate> found;
    found.reserve(interval.samples.size());
    for (const std::uint32_t sample : interval.samples) {
      const float line =
          (1.0F - s) * margins_[interval.left][sample] + s * margins_[interval.right][sample];
      found.push_back({.sample = sample, .line = line, .critical = critical(interval, sample)});
    }
    std::ranges::stable_sort(found, {}, &Candidate::critical);
    return found;
  }

  // Looks at the middle of an interval and says what its halves are. Returns whether they matter.
  bool look_at_middle(const Interval& interval, Interval& left, Interval& right) {
    const std::size_t middle = interval.left + (interval.right - interval.left) / 2;
    const bool whole = interval.right - interval.left == steps();
    std::vector<Candidate> all = candidates(interval, middle);
    const std::size_t first = std::min(all.size(), whole ? first_samples : first_samples_of_half);
    if (whole) {
      spread(all, first);
    }
    interpolate_to(middle);
    margins_[middle].assign(samples_, 0.0F);
    const double s = static_cast<double>(middle - interval.left) /
                     static_cast<double>(interval.right - interval.left);
    const double bump = 4.0 * s * (1.0 - s);
    double deviation = interval.deviation;
    std::size_t wrong = interval.wrong;
    std::size_t looked = 0;
    std::size_t next = whole ? std::min(all.size(), first + spread_samples) : first;
    while (looked < next) {
      if (!look(middle, std::span(all).subspan(looked, next - looked), wrong)) {
        return false;
      }
      for (std::size_t i = looked; i < next; ++i) {
        const double off = std::abs(margins_[middle][all[i].sample] - all[i].line) / bump;
        if (!(off <= deviation)) {
          deviation = std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
        }
      }
      looked = next;
      // Behind the first ones they stand in order.
      while (next < all.size() && next < looked + more_samples &&
             !(all[next].critical > safety * deviation)) {
        ++next;
      }
    }
    for (std::size_t i = 0; i < looked; ++i) {
      left.samples.push_back(all[i].sample);
    }
    std::size_t out = interval.wrong;
    for (std::size_t i = looked; i < all.size(); ++i) {
      out += is_right(all[i].line) ? 0 : 1;
    }
    take(middle, wrong + out - interval.wrong);
    left.left = interval.left;
    left.right = middle;
    left.wrong = out;
    left.deviation = halving * deviation;
    right = left;
    right.left = middle;
    right.right = interval.right;
    return true;
  }

  // Brings some of the samples behind the first ones, evenly spread, to the place behind those.
  static void spread(std::vector<Candidate>& all, std::size_t first) {
    const std::size_t rest = all.size() - first;
    const std::size_t count = std::min(spread_samples, rest);
    std::vector<Candidate> chosen;
    std::vector<Candidate> others;
    for (std::size_t i = 0; i < rest; ++i) {
      // The places (j + 1) * rest / count - 1, the last one among them.
      const bool is_chosen = (i + 1) * count / rest > i * count / rest;
      (is_chosen ? chosen : others).push_back(all[first + i]);
    }
    const auto place = all.begin() + static_cast<std::ptrdiff_t>(first);
    std::ranges::copy(others, std::ranges::copy(chosen, place).out);
  }

  void interpolate_to(std::size_t k) {
    theta_.resize(a_.size());
    interpolate(a_, b_, static_cast<double>(k) / static_cast<double>(steps()), theta_);
  }

  // Looks at some samples at theta_, which is that of grid point k, and adds how many are misread.
  // Returns whether the check should go on.
  bool look(std::size_t k, std::span<const Candidate> chosen, std::size_t& wrong) {
    if (stop_ && stop_->requested()) {
      throw Interrupted("stopped on request in the middle of a segment");
    }
    indices_.clear();
    for (const Candidate& candidate : chosen) {
      indices_.push_back(candidate.sample);
    }
    found_.resize(indices_.size());
    const double never = std::numeric_limits<double>::infinity();
    result_.samples += evaluator_.margins(grid_.split, theta_, indices_, never, found_).samples;
    for (std::size_t i = 0; i < indices_.size(); ++i) {
      margins_[k][indices_[i]] = found_[i];
    }
    wrong += wrong_among(found_);
    const double least = static_cast<double>(wrong) / static_cast<double>(samples_);
    if (grid_.stop_at_failure && !reaches(least, grid_.bound, grid_.comparison)) {
      take(k, wrong, false);
      return false;
    }
    return true;
  }

  Evaluator& evaluator_;
  std::span<const float> a_;
  std::span<const float> b_;
  const SegmentGrid& grid_;
  const Stop* stop_;
  std::size_t samples_;
  // Of every grid point (and t = 1) that was looked at: (samples), set for those of its interval.
  std::vector<std::vector<float>> margins_;
  std::vector<float> theta_;
  std::vector<std::uint32_t> indices_;
  std::vector<float> found_;
  bool looked_ = false;
  bool failed_ = false;
  SegmentCheck result_;
};

}  // namespace

std::optional<std::string> reason_not_screened(const Objective& objective, Metric metric) {
  if (!tells_samples(objective, metric)) {
    return fmt::format("no {} of single samples is known here (they do not stand alone)",
                       metric == Metric::error_rate ? "margins" : "losses");
  }
  return std::nullopt;
}

SegmentCheck screen_segment(Evaluator& evaluator,
                            std::span<const float> a,
                            std::span<const float> b,
                            const SegmentGrid& grid,
                            std::span<const float> margins_a,
                            std::span<const float> margins_b,
                            const Stop* stop) {
  ISTHMUS_ASSERT(a.size() == b.size(), "end points of one length");
  ISTHMUS_ASSERT(grid.metric == Metric::error_rate, "margins tell error rates");
  ISTHMUS_ASSERT(!margins_a.empty() && margins_a.size() == margins_b.size(),
                 "margins of all samples at both ends");
  return Screen(evaluator, a, b, grid, margins_a, margins_b, stop).run();
}

}  // namespace isthmus
