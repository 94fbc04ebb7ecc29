// SPDX-License-Identifier: MIT
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/path/path.h"

namespace isthmus::python {

namespace nb = nanobind;

using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Beads = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

inline std::span<const float> span_of(const Vector& vector) {
  return {vector.data(), vector.size()};
}

inline Path path_of(const Beads& beads) {
  return {.dimension = beads.shape(1), .beads = {beads.data(), beads.data() + beads.size()}};
}

/// An array of NumPy that owns the numbers; of `rows` rows where that is not 0.
template <class Number>
nb::object array_of(std::vector<Number> numbers, std::size_t rows = 0) {
  auto* kept = new std::vector<Number>(std::move(numbers));
  const nb::capsule owner(kept,
                          [](void* p) noexcept { delete static_cast<std::vector<Number>*>(p); });
  if (rows > 0) {
    return nb::cast(nb::ndarray<nb::numpy, Number, nb::ndim<2>>(
        kept->data(), {rows, kept->size() / rows}, owner));
  }
  return nb::cast(nb::ndarray<nb::numpy, Number, nb::ndim<1>>(kept->data(), {kept->size()}, owner));
}

}  // namespace isthmus::python
