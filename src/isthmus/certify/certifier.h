// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// What is to be shown of a segment.
struct CertifyOptions {
  /// Prove that the metric stays at or below this; the search ends as soon as a place above it is
  /// found. Infinity: no such search, only the gap counts.
  double threshold = std::numeric_limits<double>::infinity();
  /// Prove that the bound exceeds the largest value seen by at most this fraction (error rates: 0
  /// asks for the exact maximum). Without it the threshold alone is asked for.
  std::optional<double> gap;
  /// Work (see SegmentProof::evaluations) after which the answer is `undecided`: a round that would
  /// exceed it, at the price of those before, is not begun. The first one always is.
  double max_evaluations = 400.0;
  /// Widths start at 2^-first_level.
  std::size_t first_level = 0;
};

/// A piece of a segment and the largest value that the metric can have on it.
struct IntervalBound {
  double t0 = 0.0;
  double t1 = 1.0;
  double bound = 0.0;
};

/// What is known of a metric (with its penalty, where it counts one) along the whole segment (1 -
/// t) a + t b, 0 <= t <= 1: of the exact network function of the stored weights on all samples, not
/// of its value in float32.
struct SegmentProof {
  enum class Outcome {
    proven,    ///< what was asked for holds
    violated,  ///< at `t` the metric is at least `largest_seen`, which exceeds the threshold
    undecided  ///< the budget ended before
  };
  Outcome outcome = Outcome::undecided;
  double bound = std::numeric_limits<double>::infinity();  ///< the metric is nowhere larger
  double largest_seen = 0.0;  ///< the metric is at least this large at `t`
  double t = 0.0;
  std::vector<IntervalBound> intervals;  ///< in order, from 0 to 1 without a gap
  /// Work in full-split forward passes: multiplications made over those of one pass. Of an exact
  /// maximum (small networks): pieces of samples' losses over the samples.
  double evaluations = 0.0;
  std::uint64_t samples = 0;  ///< the same in forward samples
};

template <>
inline constexpr auto enum_names<SegmentProof::Outcome> =
    name_table<SegmentProof::Outcome>("outcome",
                                      {{SegmentProof::Outcome::proven, "proven"},
                                       {SegmentProof::Outcome::violated, "violated"},
                                       {SegmentProof::Outcome::undecided, "undecided"}});

/// Why the metric of a network cannot be enclosed, or nothing. Covered: dense and convolution
/// layers, ReLU, sigmoid, tanh, max and average pooling, flatten and dropout; cross-entropy,
/// perplexity and error rate where the last layer is dense.
std::optional<std::string> reason_not_covered(const Network& network, Metric metric);

struct CertifiedProblem;

/// Proves maxima of one metric of an objective along segments, by chord and deviation enclosures,
/// or exactly where a hidden layer and its data are so small that this is cheaper
/// (docs/certificate.md). Holds the samples in an order of its own; immutable, safe to share.
class Certifier {
 public:
  /// Keeps a reference to the objective. Throws UsageError where its metric is not covered.
  Certifier(const Objective& objective, Split split, Metric metric);
  ~Certifier();
  Certifier(Certifier&&) noexcept;
  Certifier& operator=(Certifier&&) noexcept;

  /// a, b (P). Throws UsageError if a number is not finite, Interrupted when `stop` is raised. The
  /// result does not depend on the number of workers. Memory: a few arrays of all activations of 32
  /// samples for each worker, the weights four times in double, and, where they are small, the
  /// first layer's outputs of all samples.
  SegmentProof certify(std::span<const float> a,
                       std::span<const float> b,
                       const CertifyOptions& options,
                       Workers& workers,
                       const Stop* stop = nullptr) const;

 private:
  std::unique_ptr<CertifiedProblem> problem_;
};

}  // namespace isthmus
