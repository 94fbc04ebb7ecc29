// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/names.h"
#include "isthmus/strings/breadth_first.h"
#include "isthmus/strings/constrained.h"
#include "isthmus/strings/curve_training.h"
#include "isthmus/strings/greedy.h"
#include "isthmus/strings/neb.h"

namespace isthmus {

/// The ways to join two end points (docs/strings.md).
enum class Method {
  greedy,
  constrained,
  breadth_first,
  polychain,
  bezier,
  neb,
};

template <>
inline constexpr auto enum_names<Method> = name_table<Method>("method",
                                                              {{Method::greedy, "greedy"},
                                                               {Method::constrained, "constrained"},
                                                               {Method::breadth_first,
                                                                "breadth-first"},
                                                               {Method::polychain, "polychain"},
                                                               {Method::bezier, "bezier"},
                                                               {Method::neb, "neb"}});

/// Whether strings grow in the rounds of greedy sampling.
constexpr bool grows_greedily(Method method) {
  return method == Method::greedy || method == Method::constrained;
}

/// Whether beads train one by one, to a value of their own, and not as the points of a curve.
constexpr bool trains_beads_alone(Method method) {
  return grows_greedily(method) || method == Method::breadth_first;
}

/// A method, and what each of them is told; the terms of others are without effect.
struct MethodOptions : GreedyOptions {
  Method method = Method::greedy;
  ConstrainedTerms constrained{};
  BreadthFirstTerms breadth_first{};
  CurveTerms curve{};  ///< of polychain and bezier
  NebTerms neb{};

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// Joins two end points by the method of the options; as connect_greedy.
StringSummary connect(Evaluators& evaluators,
                      std::span<const float> a,
                      std::span<const float> b,
                      const MethodOptions& options,
                      const StringCallbacks& callbacks = {});

}  // namespace isthmus
