// SPDX-License-Identifier: MIT
#include "isthmus/net/symmetry/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "isthmus/core/error.h"
#include "isthmus/net/symmetry/assignment.h"

namespace isthmus {
namespace {

// Four running sums: one would wait for each addition to end.
template <class Term>
double sum_of(std::size_t count, Term term) {
  std::array<double, 4> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= count; i += sums.size()) {
    for (std::size_t k = 0; k < sums.size(); ++k) {
      sums[k] += term(i + k);
    }
  }
  for (; i < count; ++i) {
    sums[0] += term(i);
  }
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

bool acts_on(const HiddenDimension& dimension, std::size_t tensor, std::size_t axis) {
  return std::ranges::any_of(dimension.axes, [&](const UnitAxis& other) {
    return other.tensor == tensor && other.axis == axis;
  });
}

}  // namespace

TensorView view_of(const Tensor& tensor, std::size_t axis) {
  TensorView view{.extent = tensor.shape[axis]};
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    (i < axis ? view.outer : view.inner) *= i == axis ? 1 : tensor.shape[i];
  }
  return view;
}

UnitRows gather(const SymmetryGroup& group,
                std::size_t units,
                std::span<const UnitAxis> axes,
                UnitAxis::Action action,
                std::span<const float> theta) {
  UnitRows rows{.units = units};
  const auto& tensors = group.layout.tensors();
  for (const UnitAxis& axis : axes) {
    const Tensor& tensor = tensors[axis.tensor];
    rows.width += axis.action == action ? tensor.size() / tensor.shape[axis.axis] * axis.block : 0;
  }
  rows.numbers.resize(rows.units * rows.width);
  std::size_t at = 0;
  for (const UnitAxis& axis : axes) {
    if (axis.action != action) {
      continue;
    }
    const Tensor& tensor = tensors[axis.tensor];
    const TensorView view = view_of(tensor, axis.axis);
    const std::size_t run = axis.block * view.inner;
    for (std::size_t o = 0; o < view.outer; ++o) {
      const float* const from =
          theta.data() + tensor.offset + (o * view.extent + axis.first) * view.inner;
      for (std::size_t u = 0; u < units; ++u) {
        std::copy_n(from + u * run, run, rows.numbers.data() + u * rows.width + at);
      }
      at += run;
    }
  }
  return rows;
}

void clear_unit(const SymmetryGroup& group,
                const UnitAxis& axis,
                std::size_t unit,
                std::span<float> theta) {
  const Tensor& tensor = group.layout.tensors()[axis.tensor];
  const TensorView view = view_of(tensor, axis.axis);
  const std::size_t run = axis.block * view.inner;
  for (std::size_t o = 0; o < view.outer; ++o) {
    const std::size_t from = tensor.offset + (o * view.extent + axis.first) * view.inner;
    std::ranges::fill(theta.subspan(from + unit * run, run), 0.0F);
  }
}

std::vector<UnitAxis> comparable_axes(const SymmetryGroup& group,
                                      std::size_t dimension,
                                      const std::vector<bool>& settled) {
  std::vector<UnitAxis> result;
  std::vector<SignFold> open_folds;
  for (std::size_t d = 0; d < group.dimensions.size(); ++d) {
    if (!settled[d] || d == dimension) {
      const auto& folds = group.dimensions[d].folds;
      open_folds.insert(open_folds.end(), folds.begin(), folds.end());
    }
  }
  for (const UnitAxis& axis : group.dimensions[dimension].axes) {
    bool comparable = std::ranges::none_of(
        open_folds, [&](const SignFold& fold) { return fold.bias == axis.tensor; });
    const std::size_t rank = group.layout.tensors()[axis.tensor].shape.size();
    for (std::size_t other = 0; other < rank; ++other) {
      for (std::size_t d = 0; other != axis.axis && d < group.dimensions.size(); ++d) {
        comparable = comparable && ((settled[d] && d != dimension) ||
                                    !acts_on(group.dimensions[d], axis.tensor, other));
      }
    }
    if (comparable) {
      result.push_back(axis);
    }
  }
  return result;
}

UnitMap best_partners(const HiddenDimension& dimension,
                      std::span<const float> fixed_part,
                      std::span<const float> signed_part) {
  const std::size_t n = dimension.units;
  UnitMap map;
  map.source.resize(n);
  std::iota(map.source.begin(), map.source.end(), 0U);
  if (dimension.permutable) {
    std::vector<float> costs(n * n);
    for (std::size_t i = 0; i < costs.size(); ++i) {
      const float gain = dimension.sign ? std::abs(signed_part[i]) : signed_part[i];
      costs[i] = -gain - (fixed_part.empty() ? 0.0F : fixed_part[i]);
    }
    map.source = assign(costs, n);
  }
  for (std::size_t u = 0; u < n; ++u) {
    map.factor.push_back(dimension.sign && signed_part[u * n + map.source[u]] < 0.0F ? -1.0 : 1.0);
  }
  return map;
}

void check_alignment(const SymmetryGroup& group,
                     std::span<const float> a,
                     std::span<const float> b) {
  if (group.dimensions.empty()) {
    throw UsageError("alignment: the network has no hidden units that could change places");
  }
  const std::size_t dimension = group.layout.dimension();
  if (a.size() != dimension || b.size() != dimension) {
    throw UsageError(fmt::format(
        "alignment: expected {} parameters, got {} and {}", dimension, a.size(), b.size()));
  }
}

double dot(std::span<const float> a, std::span<const float> b) {
  return sum_of(a.size(), [&](std::size_t i) {
    return static_cast<double>(a[i]) * static_cast<double>(b[i]);
  });
}

double norm(std::span<const float> a) {
  return std::sqrt(dot(a, a));
}

double distance_between(std::span<const float> a, std::span<const float> b) {
  return std::sqrt(sum_of(a.size(), [&](std::size_t i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    return difference * difference;
  }));
}

}  // namespace isthmus
