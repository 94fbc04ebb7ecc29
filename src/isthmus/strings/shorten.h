// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>

#include "isthmus/strings/growing_string.h"
#include "isthmus/strings/length_estimate.h"

namespace isthmus {

/// How far a string is pulled.
struct ShortenTerms {
  /// Of the relaxed polyline, end points included; >= 3, or 0: as many as the path has, but 12
  /// to 64.
  std::size_t relax_beads = 0;
  /// Iterations of the relaxation against a hinge; >= 1.
  std::size_t relax_iterations = 1000;
  /// Gauss-Newton iterations before it, where the objective allows them; 0: none.
  std::size_t gauss_newton_iterations = 200;
};

/// How a finished string is made shorter at its level: its polyline is resampled to some beads,
/// pulled straight (see straighten() and relax()), made to pass again by training the beads that
/// are too high inside the hyperplanes normal to it and by new beads where segments fail, and cut
/// short wherever a straight segment passes over beads between.
struct ShortenOptions : StringOptions, ShortenTerms {
  ShortenOptions() = default;
  ShortenOptions(const StringOptions& string, const ShortenTerms& terms)
      : StringOptions(string), ShortenTerms(terms) {}

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// What came of shortening a string.
struct Shortening {
  /// The string as it is now: shorter and passing everywhere, or the one that was given.
  StringSummary string;
  bool shorter = false;
  double length_before = 0.0;  ///< normalised, over all parameters
  double length_after = 0.0;
  std::size_t beads_before = 0;  ///< end points included
  std::size_t beads_after = 0;
  StringCost cost;  ///< of the attempt: gradients of the relaxation among those of beads
  /// How short such a path could be, as far as a local search can tell; where it can.
  std::optional<LengthEstimate> estimate;
};

/// Throws UsageError for invalid options or a path that does not pass at the threshold (its largest
/// value is in the message); otherwise as connect_greedy. The result does not depend on the number
/// of workers.
Shortening shorten(Evaluators& evaluators,
                   const Path& path,
                   const ShortenOptions& options,
                   const StringCallbacks& callbacks = {});

/// Shortens a string that was just grown and connects: counts and costs of the attempt are added to
/// those that it has. As shorten() otherwise; the summary in the result is empty.
Shortening shorten_grown(Evaluators& evaluators,
                         StringSummary& string,
                         const ShortenOptions& options,
                         const StringCallbacks& callbacks = {});

}  // namespace isthmus
