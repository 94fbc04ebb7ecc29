// SPDX-License-Identifier: MIT
#include "isthmus/net/symmetry/recognise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/symmetry/units.h"

namespace isthmus {
namespace {

using Action = UnitAxis::Action;
using Units = std::vector<std::uint32_t>;

// What is compared of the units of one network: each scaled so that its factor no longer shows.
struct Profiles {
  UnitRows fixed;                // numbers that no factor touches
  UnitRows signed_part{};        // numbers that change their sign with the unit, scaled
  std::vector<double> scale{};   // (units): the norm that was taken out; 0: it has none yet
  std::vector<double> length{};  // (units): norm of what is compared
  std::vector<double> key{};     // (units): a projection that a change of sign leaves alone
};

UnitRows scaled(const UnitRows& times, const UnitRows& over, const std::vector<double>& scale) {
  UnitRows rows{.units = times.units, .width = times.width + over.width};
  rows.numbers.resize(rows.units * rows.width);
  for (std::size_t u = 0; u < rows.units; ++u) {
    const double by = scale[u] > 0.0 ? scale[u] : 1.0;
    auto out = rows.row(u).begin();
    out = std::ranges::transform(times.row(u), out, [by](float x) {
            return static_cast<float>(x / by);
          }).out;
    std::ranges::transform(over.row(u), out, [by](float x) { return static_cast<float>(x * by); });
  }
  return rows;
}

Profiles profiles_of(const SymmetryGroup& group,
                     const HiddenDimension& dimension,
                     std::span<const UnitAxis> axes,
                     std::span<const float> theta) {
  const auto rows = [&](Action action) {
    return gather(group, dimension.units, axes, action, theta);
  };
  const UnitRows times = rows(Action::times);
  const UnitRows over = rows(Action::over);
  Profiles result{.fixed = rows(Action::none)};
  result.scale.assign(dimension.units, 1.0);
  for (std::size_t u = 0; dimension.positive && u < dimension.units; ++u) {
    const double makes = norm(times.row(u));
    const double reads = norm(over.row(u));
    result.scale[u] = makes > 0.0 ? makes : reads > 0.0 ? 1.0 / reads : 0.0;
  }
  result.signed_part = scaled(times, over, result.scale);
  // Any two networks are seen in the same random direction.
  Rng rng(stream_name({0x70726f6aU}));
  const auto direction = [&rng](std::size_t width) {
    std::vector<float> numbers(width);
    std::ranges::generate(numbers, [&rng] { return static_cast<float>(rng.uniform(-1.0, 1.0)); });
    return numbers;
  };
  const std::vector<float> of_fixed = direction(result.fixed.width);
  const std::vector<float> of_signed = direction(result.signed_part.width);
  for (std::size_t u = 0; u < dimension.units; ++u) {
    const double projection = dot(result.signed_part.row(u), of_signed);
    result.key.push_back(dot(result.fixed.row(u), of_fixed) +
                         (dimension.sign ? std::abs(projection) : projection));
    result.length.push_back(std::hypot(norm(result.fixed.row(u)), norm(result.signed_part.row(u))));
  }
  return result;
}

// Units of both networks that may be each other: as many of one as of the other, if all is well.
struct Match {
  Units of_a;
  Units of_b;
};

class Matcher {
 public:
  Matcher(const HiddenDimension& dimension, Profiles a, Profiles b, double tolerance)
      : dimension_(dimension), a_(std::move(a)), b_(std::move(b)), tolerance_(tolerance) {}

  // Groups the units given by who looks like whom.
  std::vector<Match> matches(Units of_a, Units of_b) {
    const auto by_key = [](const Profiles& profiles) {
      return [&profiles](std::uint32_t u, std::uint32_t v) {
        return std::pair(profiles.key[u], u) < std::pair(profiles.key[v], v);
      };
    };
    std::ranges::sort(of_a, by_key(a_));
    std::ranges::sort(of_b, by_key(b_));
    parent_.resize(of_a.size() + of_b.size());
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
    // A difference of norm 1 is seen as one of at most 0.58 by a uniform direction, usually; six
    // deviations are never exceeded.
    constexpr double reach = 3.5;
    const double longest = std::max(*std::ranges::max_element(a_.length), 1e-30);
    for (std::size_t j = 0; j < of_b.size(); ++j) {
      const std::uint32_t v = of_b[j];
      const double window = reach * tolerance_ * std::max(b_.length[v], 1e-9 * longest);
      auto i = static_cast<std::size_t>(
          std::ranges::lower_bound(
              of_a, b_.key[v] - window, {}, [this](std::uint32_t u) { return a_.key[u]; }) -
          of_a.begin());
      for (; i < of_a.size() && a_.key[of_a[i]] <= b_.key[v] + window; ++i) {
        if (alike(of_a[i], v)) {
          parent_[root(i)] = root(of_a.size() + j);
        }
      }
    }
    return groups(of_a, of_b);
  }

  // What makes unit `u` of a into unit `v` of b.
  double factor(std::uint32_t u, std::uint32_t v) const {
    const double ratio = a_.scale[u] > 0.0 && b_.scale[v] > 0.0 ? b_.scale[v] / a_.scale[u] : 1.0;
    return dimension_.sign && !alike_with(u, v, 1.0) ? -ratio : ratio;
  }

  // Its factor shows in nothing that was compared.
  bool lacks_factor(std::uint32_t unit_of_b) const { return b_.scale[unit_of_b] == 0.0; }

 private:
  bool alike(std::uint32_t u, std::uint32_t v) const {
    if (!dimension_.permutable && u != v) {
      return false;
    }
    return alike_with(u, v, 1.0) || (dimension_.sign && alike_with(u, v, -1.0));
  }

  bool alike_with(std::uint32_t u, std::uint32_t v, double sign) const {
    const double most = tolerance_ * std::max(a_.length[u], b_.length[v]);
    double sum = 0.0;
    const auto add = [&](std::span<const float> x, std::span<const float> y, double by) {
      for (std::size_t k = 0; k < x.size() && sum <= most * most; ++k) {
        const double difference = by * static_cast<double>(x[k]) - static_cast<double>(y[k]);
        sum += difference * difference;
      }
    };
    add(a_.fixed.row(u), b_.fixed.row(v), 1.0);
    add(a_.signed_part.row(u), b_.signed_part.row(v), sign);
    return sum <= most * most;
  }

  std::size_t root(std::size_t i) {
    while (parent_[i] != i) {
      i = parent_[i] = parent_[parent_[i]];
    }
    return i;
  }

  std::vector<Match> groups(const Units& of_a, const Units& of_b) {
    std::vector<Match> by_root(parent_.size());
    for (std::size_t i = 0; i < parent_.size(); ++i) {
      Match& match = by_root[root(i)];
      if (i < of_a.size()) {
        match.of_a.push_back(of_a[i]);
      } else {
        match.of_b.push_back(of_b[i - of_a.size()]);
      }
    }
    std::erase_if(by_root, [](const Match& m) { return m.of_a.empty() && m.of_b.empty(); });
    return by_root;
  }

  const HiddenDimension& dimension_;
  Profiles a_;
  Profiles b_;
  double tolerance_;
  std::vector<std::size_t> parent_;
};

class Search {
 public:
  Search(const SymmetryGroup& group,
         std::span<const float> a,
         std::span<const float> b,
         double tolerance)
      : group_(group),
        moved_(a.begin(), a.end()),
        b_(b),
        tolerance_(tolerance),
        found_(identity_of(group)),
        settled_(group.dimensions.size()),
        open_(group.dimensions.size()) {}

  Recognition run() {
    const std::size_t count = group_.dimensions.size();
    for (std::size_t d = 0; d < count; ++d) {
      Units all(group_.dimensions[d].units);
      std::iota(all.begin(), all.end(), 0U);
      if (!settle(d, {{all, all}})) {
        return {.reason = reason_};
      }
    }
    for (std::size_t d = count; d-- > 0;) {
      if (!open_[d].empty() && !settle(d, std::exchange(open_[d], {}))) {
        return {.reason = reason_};
      }
    }
    return compare();
  }

 private:
  // Finds the partners within each of `parts`, and moves a accordingly. Parts in which units look
  // alike stay open, in an order that is as good as any.
  bool settle(std::size_t d, const std::vector<Match>& parts) {
    const HiddenDimension& dimension = group_.dimensions[d];
    const std::vector<UnitAxis> axes = comparable_axes(group_, d, settled_);
    Matcher matcher(dimension,
                    profiles_of(group_, dimension, axes, without_open_units(moved_, d)),
                    profiles_of(group_, dimension, axes, without_open_units(b_, d)),
                    tolerance_);
    UnitMap map = identity_of(group_)[d];
    for (const Match& part : parts) {
      for (Match& match : matcher.matches(part.of_a, part.of_b)) {
        if (match.of_a.size() != match.of_b.size()) {
          reason_ = fmt::format("hidden dimension {}: {} of B's {} units look like {} of A's",
                                dimension.name,
                                match.of_b.size(),
                                dimension.units,
                                match.of_a.size());
          return false;
        }
        bool told_apart = match.of_b.size() == 1;
        for (std::size_t k = 0; k < match.of_b.size(); ++k) {
          map.source[match.of_b[k]] = match.of_a[k];
          map.factor[match.of_b[k]] = matcher.factor(match.of_a[k], match.of_b[k]);
          told_apart = told_apart && !matcher.lacks_factor(match.of_b[k]);
        }
        if (!told_apart) {
          open_[d].push_back({.of_a = match.of_b, .of_b = match.of_b});  // moved to b's places
        }
      }
    }
    apply(group_, d, map, moved_);
    UnitMap& total = found_[d];
    const UnitMap before = total;
    for (std::size_t u = 0; u < dimension.units; ++u) {
      total.source[u] = before.source[map.source[u]];
      total.factor[u] = map.factor[u] * before.factor[map.source[u]];
    }
    settled_[d] = true;
    return true;
  }

  // Nothing can be said yet about weights between an open unit and others.
  std::vector<float> without_open_units(std::span<const float> theta, std::size_t except) const {
    std::vector<float> result(theta.begin(), theta.end());
    for (std::size_t d = 0; d < open_.size(); ++d) {
      for (const Match& match : open_[d]) {
        for (const UnitAxis& axis : group_.dimensions[d].axes) {
          for (std::size_t k = 0; d != except && k < match.of_b.size(); ++k) {
            clear_unit(group_, axis, match.of_b[k], result);
          }
        }
      }
    }
    return result;
  }

  // All of a layer's tensors together: a bias of 0 has no relative error.
  Recognition compare() const {
    const auto& tensors = group_.layout.tensors();
    const auto layer_of = [](const Tensor& tensor) {
      return tensor.name.substr(0, tensor.name.find('.'));
    };
    for (std::size_t i = 0; i < tensors.size();) {
      const std::size_t from = tensors[i].offset;
      const std::string layer = layer_of(tensors[i]);
      std::size_t size = 0;
      for (; i < tensors.size() && layer_of(tensors[i]) == layer; ++i) {
        size += tensors[i].size();
      }
      const auto part = std::span(moved_).subspan(from, size);
      const auto of_b = b_.subspan(from, size);
      const double difference = distance_between(part, of_b);
      if (!(difference <= tolerance_ * std::max(norm(part), norm(of_b)))) {
        return {.reason = fmt::format("the weights of layer {} differ", layer)};
      }
    }
    const double size = norm(b_);
    return {.equal = true,
            .symmetry = found_,
            .difference = size > 0.0 ? distance_between(moved_, b_) / size : 0.0};
  }

  const SymmetryGroup& group_;
  std::vector<float> moved_;
  std::span<const float> b_;
  double tolerance_;
  Symmetry found_;
  std::vector<bool> settled_;
  std::vector<std::vector<Match>> open_;  // for each dimension: parts whose units look alike
  std::string reason_;
};

}  // namespace

Recognition recognise(const SymmetryGroup& group,
                      std::span<const float> a,
                      std::span<const float> b,
                      double tolerance) {
  const std::size_t dimension = group.layout.dimension();
  if (a.size() != dimension || b.size() != dimension) {
    throw UsageError(fmt::format(
        "recognise: expected {} parameters, got {} and {}", dimension, a.size(), b.size()));
  }
  return Search(group, a, b, tolerance).run();
}

}  // namespace isthmus
