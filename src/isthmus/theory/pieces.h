// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/theory/layers.h"
#include "isthmus/theory/linear_path.h"

// Within the room: how paths of linear networks are put together.
namespace isthmus::theory {

struct Piece {
  std::string name;
  Layers first;
  Layers last;
  std::function<Layers(double)> inside;  ///< for t strictly between 0 and 1
};

/// Pieces one behind the other, each beginning where its predecessor ended.
class Trail {
 public:
  explicit Trail(Layers start) : now_(std::move(start)) {}

  const Layers& now() const { return now_; }
  std::vector<Piece> take() { return std::move(pieces_); }

  void straight(std::string name, const Layers& last);
  void curve(std::string name, Layers last, std::function<Layers(double)> inside);

 private:
  Layers now_;
  std::vector<Piece> pieces_;
};

/// (1 - t) a + t b; layers that are equal stay as they are.
Layers between(const Layers& a, const Layers& b, double t);

/// A rotation of R^h as a path from the identity: pairs of reflections. Pair (a, b) stands for
/// H(c) H(a), H(v) = I - 2 v v^T, where c goes from a to b.
using Rotation = std::vector<std::pair<Vector, Vector>>;

/// The rotation that takes `frame` (h, m), orthonormal columns and h > m, to [I; 0].
Rotation rotation_to_identity(const Matrix& frame);

/// Applies a rotation at t to the rows of `below` and its inverse to the columns of `above`, so
/// that above * below stays.
void rotate(const Rotation& rotation, double t, Matrix& below, Matrix& above);

/// A's pieces, `middle`, and B's backwards. If `transposed`, the layers are those of the
/// transposed networks.
LinearPath join(std::vector<Piece> a,
                std::vector<Piece> middle,
                std::vector<Piece> b,
                bool transposed);

}  // namespace isthmus::theory
