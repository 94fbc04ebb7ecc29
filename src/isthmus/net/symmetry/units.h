// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/net/symmetry/symmetry.h"

namespace isthmus {

/// A tensor seen from one of its axes: (outer, extent, inner), row-major.
struct TensorView {
  std::size_t outer = 1;
  std::size_t extent = 1;
  std::size_t inner = 1;
};
TensorView view_of(const Tensor& tensor, std::size_t axis);

/// A row for each unit of a hidden dimension.
struct UnitRows {
  std::size_t units = 0;
  std::size_t width = 0;
  std::vector<float> numbers{};  ///< (units, width)

  std::span<float> row(std::size_t unit) { return std::span(numbers).subspan(unit * width, width); }
  std::span<const float> row(std::size_t unit) const {
    return std::span(numbers).subspan(unit * width, width);
  }
};

/// The numbers of theta (P) that lie along those of `axes` that have this action, unit by unit.
UnitRows gather(const SymmetryGroup& group,
                std::size_t units,
                std::span<const UnitAxis> axes,
                UnitAxis::Action action,
                std::span<const float> theta);

/// Writes zeros over a unit's numbers along an axis.
void clear_unit(const SymmetryGroup& group,
                const UnitAxis& axis,
                std::size_t unit,
                std::span<float> theta);

/// Those axes of a dimension whose tensors no dimension changes along their other axes, or folds
/// into, but the `settled` ones (a flag for each): what can be compared unit by unit already.
std::vector<UnitAxis> comparable_axes(const SymmetryGroup& group,
                                      std::size_t dimension,
                                      const std::vector<bool>& settled);

/// The map of a dimension whose partners have the largest sum of gains: fixed + signed, or, where
/// signs are free, fixed + |signed|, with those signs. Both (units, units), a row for each new
/// unit, a column for each old one; `fixed_part` may be empty.
UnitMap best_partners(const HiddenDimension& dimension,
                      std::span<const float> fixed_part,
                      std::span<const float> signed_part);

/// Throws UsageError if nothing can be aligned: no hidden units, or other numbers of parameters.
void check_alignment(const SymmetryGroup& group,
                     std::span<const float> a,
                     std::span<const float> b);

/// Sum of products, in double.
double dot(std::span<const float> a, std::span<const float> b);
/// Euclidean norm.
double norm(std::span<const float> a);
/// Euclidean distance.
double distance_between(std::span<const float> a, std::span<const float> b);

}  // namespace isthmus
