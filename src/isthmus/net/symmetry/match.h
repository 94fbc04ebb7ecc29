// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "isthmus/core/stop.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/symmetry/symmetry.h"

namespace isthmus {

struct WeightMatchOptions {
  std::uint64_t seed = 1;
  /// Starts: the first goes through the layers from the input on, the second begins with b as it
  /// is, all others with random permutations. At least 1.
  std::size_t restarts = 10;
  /// Most times that all dimensions are gone through from one start.
  std::size_t max_sweeps = 100;
};

/// An element of the group that brings one network close to another.
struct Matching {
  Symmetry symmetry{};    ///< to be applied to b
  double distance = 0.0;  ///< ||a - symmetry(b)||, over all parameters
};

/// Weight matching (Ainsworth, Hayase and Srinivasa 2023): coordinate descent over the hidden
/// dimensions in random order, each by an assignment that is exact while the others stay, until
/// none gets closer; the best of several starts. Signs are chosen with the permutation. Where
/// factors are free both networks are first scaled to equal norms before and behind each unit (the
/// least norm of all), and each unit of b gets the ratio of these norms that its partner has. (The
/// factor of the least distance would shrink what makes a unit, most of which is noise, and the
/// straight line is worse for it: docs/symmetry.md.) The result depends on the arguments alone. No
/// farther than b is as it stands.
/// a, b (P). Throws UsageError for a group without any dimension (a stack without hidden units) and
/// wrong sizes, Interrupted when `stop` is raised.
Matching match_weights(const SymmetryGroup& group,
                       std::span<const float> a,
                       std::span<const float> b,
                       const WeightMatchOptions& options = {},
                       const Stop* stop = nullptr);

/// Activation matching (Li et al. 2016; Tatro et al. 2020): in each hidden dimension the assignment
/// with the largest sum of correlations between what units of a and b hand to their reader over the
/// samples of a batch (and the pixels of an image). A sign is that of the correlation, a free
/// factor the ratio of the standard deviations. Channels that may not change places keep theirs.
/// The batch's state is not read: texts begin with zero.
Matching match_activations(const Network& network,
                           std::span<const float> a,
                           std::span<const float> b,
                           const BatchView& batch,
                           const Stop* stop = nullptr);

}  // namespace isthmus
