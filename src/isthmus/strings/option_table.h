// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/options.h"
#include "isthmus/strings/method.h"
#include "isthmus/strings/repair.h"
#include "isthmus/strings/shorten.h"

namespace isthmus {

/// What every string method is told, in the order of config.json, but for threshold, training, seed
/// and stream.
const OptionTable<StringOptions>& string_option_table();

/// What greedy sampling alone is told.
const OptionTable<GreedyOptions>& greedy_option_table();

/// What is done about strings that fail.
const OptionTable<RepairOptions>& repair_option_table();
/// Which method it is.
const OptionTable<MethodOptions>& method_option_table();

/// What constrained strings are told beside that.
const OptionTable<ConstrainedTerms>& constrained_option_table();

/// What polychains and Bezier curves are told.
const OptionTable<CurveTerms>& curve_option_table();

/// What AutoNEB is told.
const OptionTable<NebTerms>& neb_option_table();

/// What shortening is told.
const OptionTable<ShortenTerms>& shorten_option_table();

/// What breadth-first strings are told beside that.
const OptionTable<BreadthFirstTerms>& breadth_first_option_table();

/// Calls `use(table, terms, method)` for the terms of every method that has some of its own.
template <class Options, class Use>
void for_each_terms(Options&& options, const Use& use) {
  use(constrained_option_table(), options.constrained, Method::constrained);
  use(breadth_first_option_table(), options.breadth_first, Method::breadth_first);
  // Both shapes of curve are told the same.
  use(curve_option_table(),
      options.curve,
      options.method == Method::bezier ? Method::bezier : Method::polychain);
  use(neb_option_table(), options.neb, Method::neb);
}

}  // namespace isthmus
