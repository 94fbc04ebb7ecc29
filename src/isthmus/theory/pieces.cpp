// SPDX-License-Identifier: MIT
#include "isthmus/theory/pieces.h"

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus {

struct LinearPath::Data {
  std::vector<theory::Piece> pieces;
  bool transposed = false;
};

LinearPath::LinearPath(std::shared_ptr<const Data> data) : data_(std::move(data)) {
}

std::size_t LinearPath::pieces() const {
  return data_->pieces.size();
}

const std::string& LinearPath::name(std::size_t piece) const {
  return data_->pieces[piece].name;
}

std::vector<double> LinearPath::point(std::size_t piece, double t) const {
  const theory::Piece& at = data_->pieces[piece];
  const theory::Layers layers = t <= 0.0 ? at.first : t >= 1.0 ? at.last : at.inside(t);
  return theory::theta_of(data_->transposed ? theory::turned(layers) : layers);
}

namespace theory {

Layers between(const Layers& a, const Layers& b, double t) {
  Layers result = a;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] != b[k]) {
      result[k] = (1.0 - t) * a[k] + t * b[k];
    }
  }
  return result;
}

void Trail::straight(std::string name, const Layers& last) {
  curve(std::move(name), last, [first = now_, last](double t) { return between(first, last, t); });
}

void Trail::curve(std::string name, Layers last, std::function<Layers(double)> inside) {
  pieces_.push_back({std::move(name), now_, last, std::move(inside)});
  now_ = std::move(last);
}

namespace {

void reflect_rows(const Vector& v, Matrix& rows) {
  rows -= 2.0 * v * (v.transpose() * rows);
}
void reflect_columns(const Vector& v, Matrix& columns) {
  columns -= 2.0 * (columns * v) * v.transpose();
}

// The unit v with H(v) x = ||x|| e_j for an x whose first j numbers count as 0; zero if x is there.
Vector reflection_to_axis(const Vector& x, Index j) {
  Vector v = x;
  v.head(j).setZero();
  const double norm = v.norm();
  const double rest = v.tail(v.size() - j - 1).squaredNorm();
  // x_j - ||x|| without cancellation.
  v[j] = v[j] > 0.0 ? -rest / (v[j] + norm) : v[j] - norm;
  const double length = v.norm();
  return length > 0.0 ? Vector(v / length) : Vector::Zero(v.size());
}

}  // namespace

Rotation rotation_to_identity(const Matrix& frame) {
  const Index h = frame.rows();
  ISTHMUS_ASSERT(h > frame.cols(), "one dimension is left to make the number of reflections even");
  std::vector<Vector> reflections;
  Matrix rest = frame;
  for (Index j = 0; j < frame.cols(); ++j) {
    const Vector v = reflection_to_axis(rest.col(j), j);
    if (v.squaredNorm() > 0.0) {
      reflect_rows(v, rest);
      reflections.push_back(v);
    }
  }
  if (reflections.size() % 2 == 1) {
    reflections.push_back(Vector::Unit(h, h - 1));
  }
  Rotation rotation;
  for (std::size_t i = 0; i < reflections.size(); i += 2) {
    const Vector& a = reflections[i];
    const Vector& b = reflections[i + 1];
    // H(b) = H(-b): the shorter way from a.
    rotation.emplace_back(a, a.dot(b) < 0.0 ? Vector(-b) : b);
  }
  return rotation;
}

void rotate(const Rotation& rotation, double t, Matrix& below, Matrix& above) {
  for (const auto& [a, b] : rotation) {
    const Vector c = ((1.0 - t) * a + t * b).normalized();
    for (const Vector* v : {&a, &c}) {
      reflect_rows(*v, below);
      reflect_columns(*v, above);
    }
  }
}

LinearPath join(std::vector<Piece> a,
                std::vector<Piece> middle,
                std::vector<Piece> b,
                bool transposed) {
  std::vector<Piece> pieces;
  for (Piece& piece : a) {
    piece.name = "A: " + piece.name;
    pieces.push_back(std::move(piece));
  }
  std::move(middle.begin(), middle.end(), std::back_inserter(pieces));
  for (auto piece = b.rbegin(); piece != b.rend(); ++piece) {
    pieces.push_back({"B, backwards: " + piece->name,
                      std::move(piece->last),
                      std::move(piece->first),
                      [inside = std::move(piece->inside)](double t) { return inside(1.0 - t); }});
  }
  return LinearPath(
      std::make_shared<const LinearPath::Data>(LinearPath::Data{std::move(pieces), transposed}));
}

}  // namespace theory

double LinearPathLoss::excess() const {
  return maximum - std::max(first, last);
}

LinearPathLoss measure(const LinearPath& path, const LinearLoss& loss, std::size_t points) {
  if (points < 2) {
    throw UsageError("points: expected at least 2 on every piece, its ends");
  }
  const std::vector<double> from = path.point(0, 0.0);
  const std::vector<double> to = path.point(path.pieces() - 1, 1.0);
  LinearPathLoss result{.first = loss(from),
                        .last = loss(to),
                        .maximum = loss(from),
                        .piece = 0,
                        .rise = 0.0,
                        .rounding = std::max(loss.rounding(from), loss.rounding(to))};
  double least = result.first;
  for (std::size_t piece = 0; piece < path.pieces(); ++piece) {
    for (std::size_t i = 0; i < points; ++i) {
      const double value =
          loss(path.point(piece, static_cast<double>(i) / static_cast<double>(points - 1)));
      if (!(value <= result.maximum)) {
        result.maximum = value;
        result.piece = piece;
      }
      result.rise = std::max(result.rise, value - least);
      least = std::min(least, value);
    }
  }
  return result;
}

}  // namespace isthmus
