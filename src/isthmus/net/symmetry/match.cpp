// SPDX-License-Identifier: MIT
#include "isthmus/net/symmetry/match.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/dnn/products.h"
#include "isthmus/net/symmetry/units.h"

namespace isthmus {
namespace {

using Action = UnitAxis::Action;

// The factors that make the norms before and behind every unit equal, as far as they are free.
// Each sweep lowers the norm of theta; the least one is unique where no weight is cut off.
Symmetry balance(const SymmetryGroup& group, std::vector<float>& theta) {
  constexpr int most_sweeps = 30;
  constexpr double still = 1e-3;
  Symmetry total = identity_of(group);
  double change = 1.0;
  for (int sweep = 0; sweep < most_sweeps && change > still; ++sweep) {
    change = 0.0;
    for (std::size_t d = 0; d < group.dimensions.size(); ++d) {
      const HiddenDimension& dimension = group.dimensions[d];
      if (!dimension.positive) {
        continue;
      }
      const UnitRows makes = gather(group, dimension.units, dimension.axes, Action::times, theta);
      const UnitRows reads = gather(group, dimension.units, dimension.axes, Action::over, theta);
      UnitMap map = identity_of(group)[d];
      for (std::size_t u = 0; u < dimension.units; ++u) {
        const double before = norm(makes.row(u));
        const double behind = norm(reads.row(u));
        if (before > 0.0 && behind > 0.0) {
          map.factor[u] = std::sqrt(behind / before);
          change = std::max(change, std::abs(std::log(map.factor[u])));
          total[d].factor[u] *= map.factor[u];
        }
      }
      apply(group, d, map, theta);
    }
  }
  return total;
}

// Sums of products of every unit of one network with every one of the other.
std::vector<float> products_of(const UnitRows& a, const UnitRows& b) {
  std::vector<float> products(a.units * b.units);
  dnn::row_products(a.numbers, b.numbers, a.width, products);
  return products;
}

UnitMap compose_maps(const UnitMap& first, const UnitMap& second) {
  return compose(Symmetry{first}, Symmetry{second}).front();
}

// One descent: b moves, a stays.
class Descent {
 public:
  Descent(const SymmetryGroup& group, std::span<const float> a, std::span<const float> b)
      : group_(group), a_(a), moved_(b.begin(), b.end()), total_(identity_of(group)) {
    distance_ = distance_between(a_, moved_);
  }

  void move(const Symmetry& symmetry) {
    apply(group_, symmetry, moved_);
    total_ = compose(total_, symmetry);
    distance_ = distance_between(a_, moved_);
  }

  // Through the layers from the input on, each by what its settled neighbours tell.
  void go_forward() {
    std::vector<bool> settled(group_.dimensions.size());
    for (std::size_t d = 0; d < group_.dimensions.size(); ++d) {
      const UnitMap map = partners(d, comparable_axes(group_, d, settled));
      apply(group_, d, map, moved_);
      total_[d] = compose_maps(total_[d], map);
      settled[d] = true;
    }
    distance_ = distance_between(a_, moved_);
  }

  void sweep_to_the_end(Rng& rng, std::size_t most_sweeps, const Stop* stop) {
    std::vector<std::uint32_t> order(group_.dimensions.size());
    std::iota(order.begin(), order.end(), 0U);
    bool closer = true;
    for (std::size_t sweep = 0; sweep < most_sweeps && closer; ++sweep) {
      rng.shuffle(order);
      closer = false;
      for (const std::uint32_t d : order) {
        if (stop != nullptr && stop->requested()) {
          throw Interrupted("alignment: interrupted");
        }
        closer = improve(d) || closer;
      }
    }
  }

  double distance() const { return distance_; }
  const Symmetry& total() const { return total_; }

 private:
  UnitMap partners(std::size_t d, std::span<const UnitAxis> axes) const {
    const HiddenDimension& dimension = group_.dimensions[d];
    const auto product = [&](Action action) {
      return products_of(gather(group_, dimension.units, axes, action, a_),
                         gather(group_, dimension.units, axes, action, moved_));
    };
    std::vector<float> signed_part = product(Action::times);
    const std::vector<float> reads = product(Action::over);
    std::ranges::transform(signed_part, reads, signed_part.begin(), std::plus<>());
    return best_partners(dimension, product(Action::none), signed_part);
  }

  // Where a dimension is on both sides of a tensor (recurrent weights), or a sign folds into a
  // bias, the assignment is of a linear model: what it found is kept only if it is closer.
  bool improve(std::size_t d) {
    constexpr double least_gain = 1e-9;
    const UnitMap map = partners(d, group_.dimensions[d].axes);
    if (is_identity(Symmetry{map})) {
      return false;
    }
    std::vector<float> candidate = moved_;
    apply(group_, d, map, candidate);
    const double distance = distance_between(a_, candidate);
    if (!(distance < distance_ * (1.0 - least_gain))) {
      return false;
    }
    moved_ = std::move(candidate);
    total_[d] = compose_maps(total_[d], map);
    distance_ = distance;
    return true;
  }

  const SymmetryGroup& group_;
  std::span<const float> a_;
  std::vector<float> moved_;
  Symmetry total_;
  double distance_ = 0.0;
};

Symmetry random_permutations(const SymmetryGroup& group, Rng& rng) {
  Symmetry symmetry = identity_of(group);
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    if (group.dimensions[d].permutable) {
      rng.shuffle(symmetry[d].source);
    }
  }
  return symmetry;
}

double distance_of(const SymmetryGroup& group,
                   const Symmetry& symmetry,
                   std::span<const float> a,
                   std::span<const float> b) {
  std::vector<float> moved(b.begin(), b.end());
  apply(group, symmetry, moved);
  return distance_between(a, moved);
}

}  // namespace

Matching match_weights(const SymmetryGroup& group,
                       std::span<const float> a,
                       std::span<const float> b,
                       const WeightMatchOptions& options,
                       const Stop* stop) {
  check_alignment(group, a, b);
  if (options.restarts == 0) {
    throw UsageError("restarts: expected at least 1, got 0");
  }
  std::vector<float> balanced_a(a.begin(), a.end());
  const Symmetry of_a = balance(group, balanced_a);
  std::vector<float> balanced_b(b.begin(), b.end());
  const Symmetry of_b = balance(group, balanced_b);
  Matching best{.symmetry = identity_of(group)};
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t start = 0; start < options.restarts; ++start) {
    Rng rng(options.seed, stream_name({0x616c69676eU, start}));
    Descent descent(group, balanced_a, balanced_b);
    if (start == 0) {
      descent.go_forward();
    } else if (start > 1) {
      descent.move(random_permutations(group, rng));
    }
    descent.sweep_to_the_end(rng, options.max_sweeps, stop);
    if (descent.distance() < least) {
      least = descent.distance();
      best.symmetry = descent.total();
    }
  }
  // The partners' ratios, or the factors as they are, or all as it is: whatever is closest.
  const Symmetry partners = best.symmetry;
  best.symmetry = compose(compose(of_b, partners), inverse(of_a));
  best.distance = distance_of(group, best.symmetry, a, b);
  for (const Symmetry& other : {partners, identity_of(group)}) {
    const double distance = distance_of(group, other, a, b);
    if (!(best.distance <= distance)) {
      best.symmetry = other;
      best.distance = distance;
    }
  }
  return best;
}

}  // namespace isthmus
