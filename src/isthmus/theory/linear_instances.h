// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/theory/linear_network.h"

namespace isthmus {

/// What is hard about the end points of a random instance.
enum class EndPoints {
  generic,    ///< independent normal numbers
  deficient,  ///< layers of low rank
  graded,     ///< singular values from 1e2 down to 1e-18
};

template <>
inline constexpr auto enum_names<EndPoints> =
    name_table<EndPoints>("end points",
                          {{EndPoints::generic, "generic"},
                           {EndPoints::deficient, "deficient"},
                           {EndPoints::graded, "graded"}});

/// Two end points and data, drawn at random.
struct LinearInstance {
  EndPoints kind = EndPoints::generic;
  LinearNetwork a;
  LinearNetwork b;
  std::vector<double> inputs;   ///< (N, d_0)
  std::vector<double> targets;  ///< (N, d_K)
  bool singular = false;        ///< the covariance of the inputs
  bool attainable = false;      ///< the targets are a linear function of the inputs: F* is 0
};

struct LinearInstanceOptions {
  std::vector<std::size_t> widths;  ///< empty: K from 2 to 6 and widths to 32, drawn
  std::size_t layers = 0;           ///< of drawn widths: K; 0 draws it too
  std::size_t samples = 40;         ///< N
  std::uint64_t seed = 1;
};

/// Instance `index`. Kinds take turns; a third has a singular covariance, a quarter attainable
/// targets. Equal arguments give equal numbers. Throws UsageError for no samples or one width.
LinearInstance random_instance(const LinearInstanceOptions& options, std::size_t index);

}  // namespace isthmus
