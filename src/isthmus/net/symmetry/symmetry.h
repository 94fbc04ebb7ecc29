// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "isthmus/net/network.h"

namespace isthmus {

/// Where the units of a hidden dimension lie in one tensor: along `axis`, unit u owns the `block`
/// indices from first + u * block on.
struct UnitAxis {
  /// What the factor of a unit does to its numbers here.
  enum class Action {
    none,   ///< nothing: the gates i, f and o of an Lstm
    times,  ///< multiplies: weights and biases that make the unit's value
    over,   ///< divides: weights that read it
  };
  std::size_t tensor = 0;  ///< its place in Layout::tensors()
  std::size_t axis = 0;
  std::size_t first = 0;
  std::size_t block = 1;  ///< more than 1 where an image was flattened: pixels of a channel
  Action action = Action::times;
};

/// Behind a sigmoid a change of sign is y -> 1 - y. The 1 goes into the bias of the layer that
/// reads the unit: bias[o] += sum of its weights from the unit to output o.
struct SignFold {
  UnitAxis weight;
  std::size_t bias = 0;  ///< tensor, of as many numbers as axis 0 of the weight has
};

/// The values between two layers with parameters, and what may be done to its units without
/// changing the function of the network.
struct HiddenDimension {
  std::string name{};      ///< the layer that makes it, as in its tensors' names: "3"
  std::size_t layer = 0;   ///< that layer
  std::size_t reader = 0;  ///< the layer that reads it
  std::size_t units = 0;   ///< features, or channels of an image
  bool permutable = true;  ///< units may change places
  bool positive = true;    ///< each may have a factor > 0 of its own
  bool sign = true;        ///< each may change its sign
  std::vector<UnitAxis> axes{};
  std::vector<SignFold> folds{};

  bool any() const { return permutable || positive || sign; }
};

/// The permutations and rescalings of a stack of layers that leave its function in evaluation alone
/// (Dropout is the identity there), as a product of groups, one for each hidden dimension:
///
/// - Linear, Conv2d, Embedding and Lstm make hidden dimensions; the next of them reads it. Flatten,
///   pooling, dropout and activations between the two keep the order of channels, so all of these
///   are permutable.
/// - LocalResponseNorm mixes neighbouring channels: no permutation there (but where its window is
///   one channel, or always all of them), and no positive factor.
/// - Factors: ReLU and max pooling commute with positive ones, tanh with signs, average pooling and
///   no activation at all with both; softmax with none. Sigmoid takes signs if the layer that reads
///   has a bias (see SignFold) and no zeros around its images. The cell of an Lstm is odd in its
///   gate g: a unit may change its sign there, in its recurrent and in its outgoing weights.
/// - A tied Linear reads through the Embedding's own features: both dimensions are one, with equal
///   signs and no other factors. What it makes are tokens, which stay in order.
///
/// More there is that is not listed here: linear mixtures of units between two layers without an
/// activation, the reversal of channels under a LocalResponseNorm, shifts in front of a softmax.
struct SymmetryGroup {
  Layout layout;
  std::vector<HiddenDimension> dimensions;  ///< in the order of their layers
};

/// Throws as shapes() does.
SymmetryGroup symmetries_of(const Network& network);

/// What happens to the units of one hidden dimension: the new unit u is the old unit source[u],
/// times factor[u].
struct UnitMap {
  std::vector<std::uint32_t> source;  ///< (units), a permutation
  std::vector<double> factor;         ///< (units), none of them 0
  bool operator==(const UnitMap&) const = default;
};

/// An element of a SymmetryGroup: a UnitMap for each of its dimensions.
using Symmetry = std::vector<UnitMap>;

Symmetry identity_of(const SymmetryGroup& group);
/// First `first`, then `second`.
Symmetry compose(const Symmetry& first, const Symmetry& second);
Symmetry inverse(const Symmetry& symmetry);
bool is_identity(const Symmetry& symmetry);

/// theta (P) becomes the network of the same function with its units moved and scaled. Permutations
/// and signs are exact, but for the sums of SignFold; each factor rounds once. Throws UsageError
/// that names the dimension if `symmetry` is none of the group.
void apply(const SymmetryGroup& group, const Symmetry& symmetry, std::span<float> theta);
/// The same for one of the dimensions.
void apply(const SymmetryGroup& group,
           std::size_t dimension,
           const UnitMap& map,
           std::span<float> theta);

/// The factors alone, each at its old unit, raised to the power t. Applied to theta for t from 0 to
/// 1 they are a curve of networks of the same function, at whose end only the permutations are
/// missing. Throws UsageError for a negative factor: no such curve leads there.
Symmetry power(const Symmetry& symmetry, double t);

/// How far from the identity a symmetry is, for people.
struct SymmetryExtent {
  std::size_t moved = 0;        ///< units that change places
  std::size_t flipped = 0;      ///< units that change their sign
  double least_factor = 1.0;    ///< of all units, and 1
  double largest_factor = 1.0;  ///< of all units, and 1
};
SymmetryExtent extent_of(const Symmetry& symmetry);

/// One line for people: "3: 32 units, permutations, positive factors".
std::string describe(const HiddenDimension& dimension);

}  // namespace isthmus
