// SPDX-License-Identifier: MIT
#include "isthmus/path/screen_losses.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/loss_sample.h"
#include "isthmus/path/path.h"

namespace isthmus {
namespace {

// Samples of a grid point: docs/checks.md says what came out with how many.
constexpr std::size_t part = 1024;
// A point is decided by a part of the samples where it is so many standard errors away.
constexpr double sure = 3.0;
// The same behind a look at all samples of a point nearby.
constexpr double sure_nearby = 2.0;

double mean_of(std::span<const float> losses) {
  double sum = 0.0;
  for (const float loss : losses) {
    sum += static_cast<double>(loss);
  }
  return sum / static_cast<double>(losses.size());
}

// Of each sample the larger loss.
std::vector<float> larger(std::span<const float> a, std::span<const float> b) {
  std::vector<float> sizes(a.size());
  std::ranges::transform(a, b, sizes.begin(), [](float x, float y) { return std::max(x, y); });
  return sizes;
}

// A place of the segment that was looked at on all samples.
struct Knot {
  std::size_t k = 0;  // of the grid
  std::vector<float> losses;
  double mean = 0.0;
};

// What is known of a grid point.
struct Point {
  std::vector<float> losses{};  // of the part; empty: not looked at
  double value = std::numeric_limits<double>::quiet_NaN();
  double error = 0.0;
  bool whole = false;  // known of all samples
};

class LossScreen {
 public:
  LossScreen(Evaluator& evaluator,
             const ScreenEnd& a,
             const ScreenEnd& b,
             const SegmentGrid& grid,
             const Stop* stop)
      : evaluator_(evaluator),
        a_(a),
        b_(b),
        grid_(grid),
        stop_(stop),
        sample_(a.losses.size(), larger(a.losses, b.losses), part),
        points_(steps() + 1) {
    points_.front() = {.value = a.value, .whole = true};
    points_.back() = {.value = b.value, .whole = true};
    knots_.push_back(knot(0, {a.losses.begin(), a.losses.end()}));
    knots_.push_back(knot(steps(), {b.losses.begin(), b.losses.end()}));
  }

  SegmentCheck run() {
    const bool goes_on =
        passes(points_.front(), 0.0) && (!grid_.include_end || passes(points_.back(), 0.0));
    if ((goes_on || !grid_.stop_at_failure) && (sweep() || !grid_.stop_at_failure)) {
      settle();
    }
    return finish();
  }

 private:
  // The grid point t = 1 is there in any case.
  std::size_t steps() const { return grid_.include_end ? grid_.points - 1 : grid_.points; }

  static Knot knot(std::size_t k, std::vector<float> losses) {
    const double mean = mean_of(losses);
    return {.k = k, .losses = std::move(losses), .mean = mean};
  }

  // Whether a point passes, were it so many standard errors higher.
  bool passes(const Point& point, double errors) const {
    const double value = point.whole ? point.value : point.value + errors * point.error;
    return reaches(value, grid_.bound, grid_.comparison);
  }

  // Looks at the part at every inner point, the middle first, then those of the halves, and so on.
  // Returns false where one fails for sure.
  bool sweep() {
    for (std::size_t stride = std::bit_floor(steps()); stride > 0; stride /= 2) {
      for (std::size_t k = stride; k < steps(); k += stride) {
        if (!points_[k].losses.empty()) {
          continue;
        }
        look(k);
        if (grid_.stop_at_failure && !passes(points_[k], -sure)) {
          return false;
        }
      }
    }
    return true;
  }

  // Looks at all samples where the part does not decide, the largest estimate first.
  void settle() {
    for (double errors = sure;; errors = sure_nearby) {
      std::size_t largest = 0;
      bool doubtful = false;
      for (std::size_t k = 1; k < steps(); ++k) {
        const Point& point = points_[k];
        const bool open = !point.whole && !passes(point, errors) && passes(point, -errors);
        if (open && (!doubtful || worse(point.value, points_[largest].value))) {
          largest = k;
        }
        doubtful = doubtful || open;
      }
      if (!doubtful) {
        return;
      }
      look_at_all(largest);
      if (grid_.stop_at_failure && !passes(points_[largest], 0.0)) {
        return;
      }
    }
  }

  void look(std::size_t k) {
    go_to(k);
    Point& point = points_[k];
    point.losses.resize(sample_.indices().size());
    result_.samples +=
        evaluator_.sample_losses(grid_.split, grid_.metric, theta_, sample_.indices(), point.losses)
            .samples;
    estimate(k);
  }

  void look_at_all(std::size_t k) {
    go_to(k);
    std::vector<float> losses(a_.losses.size());
    const Evaluation all = evaluator_.sample_losses(grid_.split, grid_.metric, theta_, {}, losses);
    result_.samples += all.samples;
    points_[k].value = all.value;
    points_[k].whole = true;
    const auto behind =
        std::ranges::find_if(knots_, [&](const Knot& other) { return other.k > k; });
    knots_.insert(behind, knot(k, std::move(losses)));
    for (std::size_t other = 1; other < steps(); ++other) {
      if (!points_[other].whole && !points_[other].losses.empty()) {
        estimate(other);
      }
    }
  }

  // The value of a point from its part: the chord between the knots around it, and the deviations.
  void estimate(std::size_t k) {
    Point& point = points_[k];
    const auto right = std::ranges::find_if(knots_, [&](const Knot& other) { return other.k > k; });
    const Knot& after = *right;
    const Knot& before = *std::prev(right);
    const double s = static_cast<double>(k - before.k) / static_cast<double>(after.k - before.k);
    deviations_.resize(point.losses.size());
    for (std::size_t i = 0; i < deviations_.size(); ++i) {
      const std::uint32_t sample = sample_.indices()[i];
      const double chord = (1.0 - s) * static_cast<double>(before.losses[sample]) +
                           s * static_cast<double>(after.losses[sample]);
      deviations_[i] = static_cast<float>(static_cast<double>(point.losses[i]) - chord);
    }
    const LossSample::Mean mean = sample_.mean(deviations_);
    const double loss = (1.0 - s) * before.mean + s * after.mean + mean.value;
    go_to(k);
    point.value = evaluator_.metric_of_mean(grid_.metric, theta_, loss);
    point.error = evaluator_.metric_of_mean(grid_.metric, theta_, loss + mean.error) - point.value;
  }

  void go_to(std::size_t k) {
    if (stop_ && stop_->requested()) {
      throw Interrupted("stopped on request in the middle of a segment");
    }
    theta_.resize(a_.theta.size());
    interpolate(a_.theta, b_.theta, static_cast<double>(k) / static_cast<double>(steps()), theta_);
  }

  SegmentCheck finish() {
    bool failed = false;
    bool first = true;
    for (std::size_t k = 0; k < grid_.points; ++k) {
      const Point& point = points_[k];
      const bool known = point.whole || !point.losses.empty();
      result_.values.push_back(point.value);
      failed = failed || !known || !passes(point, 0.0);
      if (known && (first || worse(point.value, result_.worst_value))) {
        result_.worst_value = point.value;
        result_.worst_t = grid_.t(k);
        result_.error = point.whole ? 0.0 : point.error;
        first = false;
      }
    }
    result_.passed = !failed;
    return std::move(result_);
  }

  Evaluator& evaluator_;
  const ScreenEnd& a_;
  const ScreenEnd& b_;
  const SegmentGrid& grid_;
  const Stop* stop_;
  LossSample sample_;
  std::vector<Point> points_;  // of the grid, and t = 1
  std::vector<Knot> knots_;    // in order, the ends among them
  std::vector<float> theta_;
  std::vector<float> deviations_;
  SegmentCheck result_;
};

}  // namespace

SegmentCheck screen_losses(Evaluator& evaluator,
                           const ScreenEnd& a,
                           const ScreenEnd& b,
                           const SegmentGrid& grid,
                           const Stop* stop) {
  ISTHMUS_ASSERT(a.theta.size() == b.theta.size(), "end points of one length");
  ISTHMUS_ASSERT(!a.losses.empty() && a.losses.size() == b.losses.size(),
                 "losses of all samples at both ends");
  return LossScreen(evaluator, a, b, grid, stop).run();
}

}  // namespace isthmus
