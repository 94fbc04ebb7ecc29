// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/net/layout.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// Throws UsageError unless the strength is a finite number > 0, or there is no penalty.
void validate(const Penalty& penalty);

/// "none", or KIND:STRENGTH, and ":weights" behind it where biases go free: "l2:0.0001:weights".
std::string text_of(const Penalty& penalty);
/// Reads such a text. Throws UsageError.
Penalty penalty_of(std::string_view text);

/// The metrics that a penalty is part of: those that are a loss, of which it is the second term. An
/// error rate stays a fraction of the samples, a perplexity the exponential of the cross-entropy
/// alone.
bool includes_penalty(Metric metric);

/// Neighbouring numbers of a flat vector.
struct IndexRange {
  std::size_t offset = 0;
  std::size_t size = 0;
};

/// What a penalty sums over, in order; nothing if there is none.
std::vector<IndexRange> penalized(const Penalty& penalty, const Layout& layout);

/// A penalty of vectors of one layout. Immutable, safe to share.
class PenaltyTerm {
 public:
  /// Throws as validate().
  PenaltyTerm(const Penalty& penalty, const Layout& layout);

  const Penalty& penalty() const { return penalty_; }

  /// strength * R(theta), summed in double. theta (P).
  double value(std::span<const float> theta) const;
  double value(std::span<const double> theta) const;

  /// Adds the gradient (for l1 a subgradient: 0 where a number is 0) to `gradient` (P), in double,
  /// each sum rounded once.
  void add_gradient(std::span<const float> theta, std::span<float> gradient) const;

 private:
  Penalty penalty_;
  std::vector<IndexRange> ranges_;
};

}  // namespace isthmus
