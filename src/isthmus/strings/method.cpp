// SPDX-License-Identifier: MIT
#include "isthmus/strings/method.h"

#include "isthmus/strings/option_table.h"

namespace isthmus {

void MethodOptions::validate() const {
  GreedyOptions::validate();
  for_each_terms(*this,
                 [](const auto& table, const auto& terms, Method) { check_options(table, terms); });
}

StringSummary connect(Evaluators& evaluators,
                      std::span<const float> a,
                      std::span<const float> b,
                      const MethodOptions& options,
                      const StringCallbacks& callbacks) {
  switch (options.method) {
    case Method::greedy:
      break;
    case Method::constrained:
      return connect_constrained(evaluators, a, b, options, options.constrained, callbacks);
    case Method::polychain:
    case Method::bezier: {
      const bool chain = options.method == Method::polychain;
      const CurveShape shape = chain ? CurveShape::polychain : CurveShape::bezier;
      return connect_curve(evaluators, a, b, shape, options, options.curve, callbacks);
    }
    case Method::neb:
      return connect_neb(evaluators, a, b, options, options.neb, callbacks);
    case Method::breadth_first:
      return connect_breadth_first(evaluators, a, b, options, options.breadth_first, callbacks);
  }
  return connect_greedy(evaluators, a, b, options, callbacks);
}

}  // namespace isthmus
