// SPDX-License-Identifier: MIT
#include "isthmus/strings/relax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/strings/chain_training.h"

namespace isthmus {
namespace {

constexpr std::uint64_t places_purpose = 0x706c61636573;  // "places"

class Relaxation {
 public:
  Relaxation(Path& path, const RelaxOptions& options)
      : path_(path),
        options_(options),
        random_(options.seed, stream_name({options.stream, places_purpose})),
        count_(path.segments() * options.points),
        along_(count_),
        thetas_(count_ * path.dimension),
        gradients_(count_ * path.dimension),
        losses_(count_),
        pull_(2.0 * static_cast<double>(path.segments()) /
              squared_distance(path.bead(0), path.bead(path.size() - 1))),
        push_(3.0 * options.weight / (static_cast<double>(count_) * options.level)) {}

  std::uint64_t force(CommonBatches& batches, std::span<float> force) {
    force_ = force;
    place();
    const std::uint64_t samples = batches.evaluate(thetas_, losses_, gradients_);
    pull();
    push();
    return samples;
  }

  double rate_at(std::size_t iteration) const {
    const double done = static_cast<double>(iteration) / static_cast<double>(options_.iterations);
    return done < 0.5 ? 1.0 : 1.0 - 0.98 * (2.0 * done - 1.0);
  }

 private:
  // One place in each of `points` equal parts of every segment.
  void place() {
    const auto points = static_cast<double>(options_.points);
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t segment = i / options_.points;
      along_[i] = (static_cast<double>(i % options_.points) + random_.uniform()) / points;
      interpolate(path_.bead(segment), path_.bead(segment + 1), along_[i], row(thetas_, i));
    }
  }

  // The gradient of the length's term.
  void pull() {
    for (std::size_t i = 1; i + 1 < path_.size(); ++i) {
      const std::span<const float> left = path_.bead(i - 1);
      const std::span<const float> bead = path_.bead(i);
      const std::span<const float> right = path_.bead(i + 1);
      const std::span<float> force = row(force_, i - 1);
      for (std::size_t k = 0; k < force.size(); ++k) {
        force[k] = static_cast<float>(pull_ * (2.0 * static_cast<double>(bead[k]) -
                                               static_cast<double>(left[k]) -
                                               static_cast<double>(right[k])));
      }
    }
  }

  // The gradient of the hinge's term; a place moves both beads of its segment, in order.
  void push() {
    for (std::size_t i = 0; i < count_; ++i) {
      if (losses_[i] <= options_.margin * options_.level) {
        continue;  // a NaN pushes, and shows
      }
      const std::size_t segment = i / options_.points;
      add(segment, push_ * (1.0 - along_[i]), row(gradients_, i));
      add(segment + 1, push_ * along_[i], row(gradients_, i));
    }
  }

  void add(std::size_t bead, double factor, std::span<const float> gradient) {
    if (bead == 0 || bead + 1 == path_.size()) {
      return;
    }
    const std::span<float> force = row(force_, bead - 1);
    const auto scale = static_cast<float>(factor);
    for (std::size_t k = 0; k < force.size(); ++k) {
      force[k] += scale * gradient[k];
    }
  }

  std::span<float> row(std::span<float> matrix, std::size_t i) const {
    return matrix.subspan(i * path_.dimension, path_.dimension);
  }

  Path& path_;
  const RelaxOptions& options_;
  Rng random_;
  std::size_t count_;             // places
  std::vector<double> along_;     // (places): t within the segment
  std::vector<float> thetas_;     // (places, P)
  std::vector<float> gradients_;  // (places, P)
  std::vector<double> losses_;    // (places)
  std::span<float> force_;        // (N - 2, P)
  double pull_;
  double push_;
};

// `at` tells how far along the path of some length bead i lies.
Path resample_at(const Path& path,
                 std::size_t beads,
                 const std::function<double(double length, std::size_t i)>& at_bead) {
  ISTHMUS_ASSERT(path.size() >= 2 && beads >= 2, "a path from one end point to another");
  std::vector<double> until{0.0};  // arc length at every bead
  for (std::size_t i = 0; i < path.segments(); ++i) {
    until.push_back(until.back() + std::sqrt(squared_distance(path.bead(i), path.bead(i + 1))));
  }
  Path even{.dimension = path.dimension, .beads = std::vector<float>(beads * path.dimension)};
  std::size_t segment = 0;
  for (std::size_t i = 0; i < beads; ++i) {
    const double at = at_bead(until.back(), i);
    while (segment + 1 < path.segments() && until[segment + 1] < at) {
      ++segment;
    }
    const double length = until[segment + 1] - until[segment];
    double t = length > 0.0 ? (at - until[segment]) / length : 0.0;
    t = i + 1 == beads ? 1.0 : std::clamp(t, 0.0, 1.0);
    const std::size_t from = i + 1 == beads ? path.segments() - 1 : segment;
    interpolate(path.bead(from),
                path.bead(from + 1),
                i == 0 ? 0.0 : t,
                std::span(even.beads).subspan(i * path.dimension, path.dimension));
  }
  return even;
}

}  // namespace

void RelaxOptions::validate() const {
  const auto require =
      [](bool holds, std::string_view option, double value, std::string_view range) {
        if (!holds) {
          throw UsageError(fmt::format("{}: expected {}, got {}", option, range, value));
        }
      };
  require(level > 0.0 && std::isfinite(level), "level", level, "a number > 0");
  require(weight > 0.0 && std::isfinite(weight), "weight", weight, "a number > 0");
  require(margin > 0.0 && margin <= 1.0, "margin", margin, "a number in (0, 1]");
  require(points >= 1, "points", static_cast<double>(points), "at least 1");
  require(iterations >= 1, "iterations", static_cast<double>(iterations), "at least 1");
}

std::uint64_t relax(Evaluators& evaluators,
                    Path& path,
                    const RelaxOptions& options,
                    const Stop* stop) {
  options.validate();
  if (path.size() < 3) {
    return 0;  // a straight line is as short as it can be
  }
  Relaxation relaxation(path, options);
  ChainTraining plan{.force =
                         [&](std::size_t, Path&, CommonBatches& batches, std::span<float> force) {
                           return relaxation.force(batches, force);
                         },
                     .rate = [&](std::size_t iteration) { return relaxation.rate_at(iteration); },
                     .steps = options.iterations,
                     .training = {.optimizer = Adam{.learning_rate = options.learning_rate},
                                  .batch_size = options.batch_size},
                     .seed = options.seed,
                     .stream = options.stream};
  return train_chain(evaluators, path, plan, stop).gradient_samples;
}

Path resample(const Path& path, std::size_t beads) {
  return resample_at(path, beads, [&](double length, std::size_t i) {
    return length * static_cast<double>(i) / static_cast<double>(beads - 1);
  });
}

Path resample(const Path& path, std::span<const double> shares) {
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<double> before(shares.size() + 1);
  std::partial_sum(shares.begin(), shares.end(), before.begin() + 1);
  return resample_at(
      path, before.size(), [&](double length, std::size_t i) { return length * before[i] / all; });
}

}  // namespace isthmus
