// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/component_rows.h"
#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// Which of some elements belong together, while more and more do (Tarjan 1975: union by size, path
/// halving).
class UnionFind {
 public:
  explicit UnionFind(std::size_t size);
  /// The element that stands for the set of `element`.
  std::size_t find(std::size_t element);
  /// Makes one set of two. Returns false if they were one.
  bool unite(std::size_t a, std::size_t b);

 private:
  std::vector<std::size_t> parents_;
  std::vector<std::size_t> sizes_;
};

/// A network at one threshold.
struct ComponentNode {
  bool reached = true;      ///< it is at or below the threshold; else it is in no component
  double value = no_value;  ///< its metric
  std::uint64_t gradient_samples = 0;
};

/// A pair of networks that was tried, a < b.
struct ComponentEdge {
  std::size_t a = 0;
  std::size_t b = 0;
  double distance = 0.0;  ///< Euclidean, over all parameters
  CellRow row{};          ///< what came of it

  bool connected() const { return row.verdict == Verdict::connected; }
  bool proven() const { return connected() && row.proof == "proven"; }
  /// The largest value seen on its string; of one that failed, as it was given up. Infinite where
  /// there is none.
  double barrier() const;
};

/// Networks at one threshold, and the pairs of them that were tried.
struct ComponentGraph {
  std::optional<std::size_t> width{};  ///< hidden units of each layer, where all have as many
  double threshold = 0.0;
  std::vector<ComponentNode> nodes{};
  std::vector<ComponentEdge> edges{};
};

/// Which edges join.
enum class Joining { connected, proven };

/// The component of each node, numbered from 0 in the order of their first nodes; nothing for those
/// that did not reach the threshold.
std::vector<std::optional<std::size_t>> components_of(const ComponentGraph& graph, Joining joining);

/// How many there are.
std::size_t count_components(const ComponentGraph& graph, Joining joining);

/// The pairs to try next, in order of distance: a minimum spanning forest of the components over
/// the pairs that were not tried yet. Kruskal's order, in which pairs are tried one by one and
/// those that lie in one component are left out, tries each of them, whatever comes of the others;
/// so they can be tried at once, and in the end the same pairs were tried. None are left when one
/// component is, or every pair between two was tried. `distances` (nodes, nodes) is symmetric; ties
/// go by (a, b).
std::vector<std::pair<std::size_t, std::size_t>> next_pairs(const ComponentGraph& graph,
                                                            const std::vector<double>& distances);

/// Between any two nodes the smallest barrier, over all chains of tried pairs, of the largest
/// barrier of its pairs.
struct MinimaxBarriers {
  std::vector<double> values;  ///< (nodes, nodes); infinite without a chain, NaN on the diagonal
  std::vector<bool> in_tree;   ///< of each edge: the minimum spanning tree, whose chains are these
};
MinimaxBarriers minimax_barriers(const ComponentGraph& graph);

/// The row of a table. `samples`: of the training set.
ComponentsRow row_of(const ComponentGraph& graph, std::size_t samples);

/// An object with all of it: threshold, width, networks with their components, pairs with their
/// barriers, and the matrix `minimax` (null: no chain of pairs). Paths are named relative to the
/// folder of their width.
Json to_json(const ComponentGraph& graph);

/// The same, but for the matrix, as a document of GraphML (Brandes et al. 2002).
std::string to_graphml(const ComponentGraph& graph);

}  // namespace isthmus
