// SPDX-License-Identifier: MIT
// The constructions of docs/theory.md, 1 and 2, step by step.
#include "isthmus/theory/linear_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/pieces.h"

namespace isthmus {
namespace {

using namespace theory;

std::size_t narrow_side(const std::vector<std::size_t>& widths) {
  return std::min(widths.front(), widths.back());
}

bool is_turned(const std::vector<std::size_t>& widths) {
  return widths.front() > widths.back();
}

// With the narrow side as input.
Layers layers_from_narrow_side(const LinearNetwork& network) {
  const Layers layers = layers_of(network.widths, network.theta);
  return is_turned(network.widths) ? turned(layers) : layers;
}

void require_two_ends(const LinearNetwork& a, const LinearNetwork& b) {
  validate(a, "end point A");
  validate(b, "end point B");
  if (a.widths != b.widths) {
    throw UsageError(fmt::format("end points: expected two networks of one shape, got {} and {}",
                                 fmt::join(a.widths, "-"),
                                 fmt::join(b.widths, "-")));
  }
  require_wide(a.widths);
}

// Columns m.. of layer k go to 0. The layer below is [I; 0], so nothing is lost.
void clear_columns(Trail& trail, std::size_t k, Index m) {
  Layers last = trail.now();
  last[k].rightCols(last[k].cols() - m).setZero();
  trail.straight(fmt::format("clear W_{}", k + 1), last);
}

// (a, b) from (1, p) to (p, 1) with a b = p throughout, continuous down to p = 0.
std::pair<double, double> exchange(double p, double t) {
  const double d = (1.0 - p) * (1.0 - 2.0 * t);
  const double big = 0.5 * (std::abs(d) + std::sqrt(d * d + 4.0 * p));
  const double small = big > 0.0 ? p / big : 0.0;
  return d >= 0.0 ? std::pair(big, small) : std::pair(small, big);
}

// The singular values of layer k move to the layer above.
void scale(Trail& trail, std::size_t k, Index m) {
  const Layers now = trail.now();
  const Matrix below = now[k].leftCols(m);
  const ThinSvd svd = thin_svd(below);
  const Matrix& u = svd.u;
  const Matrix& v = svd.v;
  const Vector& s = svd.s;
  const Matrix rest = below - u * s.asDiagonal() * v.transpose();  // rounding alone
  const Matrix above_u = now[k + 1] * u;
  const auto at = [=](double t) {
    Layers layers = now;
    Vector a(m);
    Vector b(m);
    for (Index i = 0; i < m; ++i) {
      std::tie(a[i], b[i]) = exchange(s[i], t);
    }
    layers[k].leftCols(m) = u * b.asDiagonal() * v.transpose() + (1.0 - t) * rest;
    layers[k + 1] += above_u * (a.array() - 1.0).matrix().asDiagonal() * u.transpose();
    return layers;
  };
  trail.curve(fmt::format("scale W_{}", k + 1), at(1.0), at);
}

// The frame that is left of layer k turns to [I; 0].
void turn(Trail& trail, std::size_t k, Index m) {
  const Layers now = trail.now();
  const Rotation rotation = rotation_to_identity(now[k].leftCols(m));
  const auto at = [=](double t) {
    Layers layers = now;
    rotate(rotation, t, layers[k], layers[k + 1]);
    return layers;
  };
  Layers last = at(1.0);
  last[k].setIdentity();
  last[k].rightCols(last[k].cols() - m).setZero();
  trail.curve(fmt::format("turn W_{}", k + 1), std::move(last), at);
}

Trail to_normal_form(const LinearNetwork& network) {
  Trail trail(layers_from_narrow_side(network));
  const auto m = static_cast<Index>(narrow_side(network.widths));
  for (std::size_t k = 0; k + 1 < network.layers(); ++k) {
    if (k > 0) {
      clear_columns(trail, k, m);
    }
    scale(trail, k, m);
    turn(trail, k, m);
  }
  if (network.layers() > 1) {
    clear_columns(trail, network.layers() - 1, m);
  }
  return trail;
}

// V sqrt(S) V^T and U sqrt(S) V^T: unlike factors with V alone they are continuous in W.
Layers balanced(const ThinSvd& f, Index hidden) {
  const Index m = f.v.rows();
  const Matrix root = f.s.cwiseSqrt().asDiagonal() * f.v.transpose();
  Matrix first = Matrix::Zero(hidden, m);
  Matrix second = Matrix::Zero(f.u.rows(), hidden);
  first.topRows(m) = f.v * root;
  second.leftCols(m) = f.u * root;
  return {first, second};
}

// A pair of layers while singular triples (s_j, u_j, v_j) of its product move, one after the other,
// to units n_j of their own: orthonormal directions of the hidden space that `rest` does not use.
struct Deflation {
  Layers rest;
  Layers moved;
  Matrix directions;  // n_1, n_2, ..., zero where they do not exist yet

  Layers sum() const { return {rest[0] + moved[0], rest[1] + moved[1]}; }
};

// A unit direction orthogonal to those in use and to all that the first layer's rest reaches: that
// reaches m - j dimensions, its product with v_1, ..., v_j being 0, so there is one.
Vector free_direction(const Deflation& state, const Matrix& v, Index j) {
  const Index h = state.rest[0].rows();
  const Index m = v.cols();
  Matrix used(h, m);
  used.leftCols(j) = state.directions.leftCols(j);
  used.rightCols(m - j) = state.rest[0] * v.rightCols(m - j);
  return householder_q_times(used, Vector::Unit(h, h - 1));
}

Deflation without_triple(const Deflation& state, const ThinSvd& f, Index j, double t) {
  Deflation next = state;
  const double keep = 1.0 - std::sqrt(1.0 - t);
  const double root = std::sqrt(t * f.s[j]);
  const Vector n = state.directions.col(j);
  next.rest[0] -= keep * (state.rest[0] * f.v.col(j)) * f.v.col(j).transpose();
  next.rest[1] -= keep * f.u.col(j) * (f.u.col(j).transpose() * state.rest[1]);
  next.moved[0] += root * n * f.v.col(j).transpose();
  next.moved[1] += root * f.u.col(j) * n.transpose();
  return next;
}

// To the balanced factors, the product kept and the norm never rising.
Trail to_balanced(const Layers& start, const ThinSvd& f) {
  Trail trail(start);
  const Index h = start[0].rows();
  const Index m = f.v.cols();
  Deflation state{start, {Matrix::Zero(h, m), Matrix::Zero(f.u.rows(), h)}, Matrix::Zero(h, m)};
  for (Index j = 0; j < m; ++j) {
    const Vector n = free_direction(state, f.v, j);
    state.directions.col(j) = n;
    state.rest[1] -= (state.rest[1] * n) * n.transpose();
    trail.straight(fmt::format("free direction {}", j + 1), state.sum());
    const Deflation before = state;
    state = without_triple(before, f, j, 1.0);
    trail.curve(fmt::format("move singular value {}", j + 1), state.sum(), [=](double t) {
      return without_triple(before, f, j, t).sum();
    });
  }
  // The first layer's rest is 0 up to rounding, the second's no longer matters.
  trail.straight("clear the rest", state.moved);
  const Rotation rotation = rotation_to_identity(state.directions * f.v.transpose());
  trail.curve("turn", balanced(f, h), [rotation, now = state.moved](double t) {
    Layers layers = now;
    rotate(rotation, t, layers[0], layers[1]);
    return layers;
  });
  return trail;
}

}  // namespace

void require_wide(const std::vector<std::size_t>& widths) {
  const std::size_t m = narrow_side(widths);
  for (std::size_t k = 1; k + 1 < widths.size(); ++k) {
    if (widths[k] <= m) {
      throw UsageError(fmt::format(
          "hidden layer {}: expected more units than min(inputs, outputs) = {}, got {}. With {} "
          "units level sets may fall apart (isthmus theory linear --counterexample); add one.",
          k,
          m,
          widths[k],
          widths[k]));
    }
  }
}

LinearPath connect_linear(const LinearNetwork& a, const LinearNetwork& b) {
  require_two_ends(a, b);
  Trail from = to_normal_form(a);
  Trail to = to_normal_form(b);
  Trail middle(from.now());
  middle.straight("straight between the normal forms", to.now());
  return join(from.take(), middle.take(), to.take(), is_turned(a.widths));
}

LinearPath descend_linear(const LinearNetwork& start, const LinearLoss& loss) {
  validate(start, "start");
  if (start.widths != loss.widths()) {
    throw UsageError(fmt::format("start: expected the widths of the loss, {}, got {}",
                                 fmt::join(loss.widths(), "-"),
                                 fmt::join(start.widths, "-")));
  }
  require_wide(start.widths);
  if (loss.ridge() > 0.0) {
    throw UsageError("ridge: a path to the global minimum is known for ridge 0 alone");
  }
  const double value = loss(start.theta);
  const double least = loss.minimum();
  if (value - least <= 1000.0 * loss.rounding(start.theta)) {
    throw UsageError(fmt::format(
        "start: its loss {} is the global minimum {} up to rounding; no path leads down from it",
        value,
        least));
  }
  const auto m = static_cast<Index>(narrow_side(start.widths));
  const Matrix best = regression(columns_of(loss.inputs(), start.widths.front()),
                                 columns_of(loss.targets(), start.widths.back()),
                                 m);
  Trail trail = to_normal_form(start);
  Layers last = trail.now();
  last.back().leftCols(m) = is_turned(start.widths) ? Matrix(best.transpose()) : best;
  trail.straight("straight to the minimum", last);
  return join(trail.take(), {}, {}, is_turned(start.widths));
}

LinearPath connect_ridge(const LinearNetwork& a, const LinearNetwork& b) {
  require_two_ends(a, b);
  if (a.layers() != 2) {
    throw UsageError(fmt::format(
        "ridge: expected two layers (the proposition holds for K = 2), got {}", a.layers()));
  }
  const Layers from = layers_from_narrow_side(a);
  const Layers to = layers_from_narrow_side(b);
  const Matrix first = product_of(from);
  const Matrix last = product_of(to);
  const auto hidden = static_cast<Index>(a.widths[1]);
  Trail trail_a = to_balanced(from, thin_svd(first));
  Trail trail_b = to_balanced(to, thin_svd(last));
  Trail middle(trail_a.now());
  middle.curve("straight in the product, balanced factors", trail_b.now(), [=](double t) {
    return balanced(thin_svd((1.0 - t) * first + t * last), hidden);
  });
  return join(trail_a.take(), middle.take(), trail_b.take(), is_turned(a.widths));
}

}  // namespace isthmus
