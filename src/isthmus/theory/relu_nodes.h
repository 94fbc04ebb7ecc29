// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "isthmus/theory/relu_units.h"

// Within the room: the corners of the path of Theorem 2.4.
namespace isthmus::theory {

/// One end, with the networks that its pieces go through. `pruned` has l slots that are free: rows
/// of beta that are zero.
struct SideNodes {
  const Units& start;
  const Units& lasso;
  const Units& pruned;
};

/// (12, P) row-major: A, its lasso, pruned; the oracle's columns in free slots; its output weights;
/// copies in B's slots; weights on the copies; B's columns; B's weights; its slots free; B's lasso;
/// B.
std::vector<double> path_nodes(const ReluNetwork& network,
                               const SideNodes& a,
                               const SideNodes& b,
                               const Units& oracle,
                               std::size_t slots);

}  // namespace isthmus::theory
