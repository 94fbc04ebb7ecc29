// SPDX-License-Identifier: MIT
#include "isthmus/strings/relax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

constexpr std::uint64_t places_purpose = 0x706c61636573;  // "places"
constexpr std::uint64_t batch_purpose = 0x6261746368;     // "batch"
constexpr std::uint64_t dropout_purpose = 0x64726f70;     // "drop"

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double step = static_cast<double>(b[i]) - static_cast<double>(a[i]);
    sum += step * step;
  }
  return sum;
}

class Relaxation {
 public:
  Relaxation(Evaluators& evaluators, Path& path, const RelaxOptions& options)
      : evaluators_(evaluators),
        path_(path),
        options_(options),
        random_(options.seed, stream_name({options.stream, places_purpose})),
        batches_(evaluators.objective().batches(
            options.seed, stream_name({options.stream, batch_purpose}), options.batch_size)),
        optimizer_(Adam{.learning_rate = options.learning_rate}, inner().size()),
        count_(path.segments() * options.points),
        along_(count_),
        thetas_(count_ * path.dimension),
        gradients_(count_ * path.dimension),
        losses_(count_),
        force_(inner().size()),
        pull_(2.0 * static_cast<double>(path.segments()) /
              squared_distance(path.bead(0), path.bead(path.size() - 1))),
        push_(3.0 * options.weight / (static_cast<double>(count_) * options.level)) {}

  std::uint64_t run(const Stop* stop) {
    std::uint64_t samples = 0;
    for (std::size_t i = 0; i < options_.iterations; ++i) {
      if (stop && stop->requested()) {
        throw Interrupted("stopped on request: a relaxation begins anew");
      }
      const BatchView batch = batches_->next();
      place();
      compute(batch, i);
      samples += count_ * batch.count;
      pull();
      push();
      optimizer_.step(inner(), force_, {.scale = rate_at(i)});
    }
    return samples;
  }

 private:
  std::span<float> inner() {
    return std::span(path_.beads)
        .subspan(path_.dimension, path_.beads.size() - 2 * path_.dimension);
  }

  double rate_at(std::size_t iteration) const {
    const double done = static_cast<double>(iteration) / static_cast<double>(options_.iterations);
    return done < 0.5 ? 1.0 : 1.0 - 0.98 * (2.0 * done - 1.0);
  }

  // One place in each of `points` equal parts of every segment.
  void place() {
    const auto points = static_cast<double>(options_.points);
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t segment = i / options_.points;
      along_[i] = (static_cast<double>(i % options_.points) + random_.uniform()) / points;
      interpolate(path_.bead(segment), path_.bead(segment + 1), along_[i], row(thetas_, i));
    }
  }

  // The population of one call stays as it is however many workers there are.
  void compute(const BatchView& batch, std::size_t iteration) {
    const std::size_t share = std::min(count_, evaluators_.of(0).preferred_population(batch.count));
    const std::size_t calls = (count_ + share - 1) / share;
    evaluators_.workers().for_each(calls, [&](std::size_t call, std::size_t worker) {
      const std::size_t first = call * share;
      const std::size_t size = std::min(share, count_ - first);
      // Every place drops the same units.
      Rng dropout(options_.seed, stream_name({options_.stream, dropout_purpose, iteration}));
      evaluators_.of(worker).losses_and_gradients(
          std::span(thetas_).subspan(first * path_.dimension, size * path_.dimension),
          batch,
          &dropout,
          std::span(losses_).subspan(first, size),
          std::span(gradients_).subspan(first * path_.dimension, size * path_.dimension));
    });
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

  std::span<float> row(std::vector<float>& matrix, std::size_t i) const {
    return std::span(matrix).subspan(i * path_.dimension, path_.dimension);
  }

  Evaluators& evaluators_;
  Path& path_;
  const RelaxOptions& options_;
  Rng random_;
  std::unique_ptr<BatchSource> batches_;
  Optimizer optimizer_;
  std::size_t count_;             // places
  std::vector<double> along_;     // (places): t within the segment
  std::vector<float> thetas_;     // (places, P)
  std::vector<float> gradients_;  // (places, P)
  std::vector<double> losses_;    // (places)
  std::vector<float> force_;      // (N - 2, P)
  double pull_;
  double push_;
};

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
  return Relaxation(evaluators, path, options).run(stop);
}

Path resample(const Path& path, std::size_t beads) {
  ISTHMUS_ASSERT(path.size() >= 2 && beads >= 2, "a path from one end point to another");
  std::vector<double> until{0.0};  // arc length at every bead
  for (std::size_t i = 0; i < path.segments(); ++i) {
    until.push_back(until.back() + std::sqrt(squared_distance(path.bead(i), path.bead(i + 1))));
  }
  Path even{.dimension = path.dimension, .beads = std::vector<float>(beads * path.dimension)};
  std::size_t segment = 0;
  for (std::size_t i = 0; i < beads; ++i) {
    const double at = until.back() * static_cast<double>(i) / static_cast<double>(beads - 1);
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

}  // namespace isthmus
