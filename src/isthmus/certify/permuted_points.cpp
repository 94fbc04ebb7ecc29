// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

using Vector = std::array<double, 2>;
using Row = std::array<double, 3>;  // hidden values of one unit at the three points

constexpr double largest_coordinate = 1e10;  // nothing overflows

double dot(Vector a, Vector b) {
  return a[0] * b[0] + a[1] * b[1];
}

Vector combination(double p, Vector a, double q, Vector b) {
  return {p * a[0] + q * b[0], p * a[1] + q * b[1]};
}

Interval squared_norm(Vector a) {
  return square(a[0]) + square(a[1]);
}

Interval cross(Vector a, Vector b) {
  return Interval(a[0]) * Interval(b[1]) - Interval(a[1]) * Interval(b[0]);
}

Interval orientation(const Points& x) {
  const auto difference = [](Interval a, Interval b) { return a - b; };
  return difference(x[1][0], x[0][0]) * difference(x[2][1], x[0][1]) -
         difference(x[1][1], x[0][1]) * difference(x[2][0], x[0][0]);
}

bool on_a_line(const Points& x) {
  return orientation(x).contains(0.0);
}

// Whether 0 = k_1 x_1 + k_2 x_2 + k_3 x_3 with all k > 0, for certain.
bool origin_inside(const Points& x) {
  const std::array<Interval, 3> areas{cross(x[1], x[2]), cross(x[2], x[0]), cross(x[0], x[1])};
  const auto all = [&areas](auto holds) { return std::all_of(areas.begin(), areas.end(), holds); };
  return all([](Interval area) { return area.low > 0.0; }) ||
         all([](Interval area) { return area.high < 0.0; });
}

// The smallest eigenvalue of the Gram matrix of a and b: determinant over largest eigenvalue.
Interval smallest_eigenvalue(Vector a, Vector b) {
  const Interval p = squared_norm(a);
  const Interval q = squared_norm(b);
  const Interval product = Interval(a[0]) * Interval(b[0]) + Interval(a[1]) * Interval(b[1]);
  const Interval root = sqrt(square(p - q) + Interval(4.0) * square(product));
  return Interval(2.0) * square(cross(a, b)) / (p + q + root);
}

// The path of docs/lower_bounds.md. Point i is the one whose value is given up; all hidden values
// are on the edges i-j and i-k of the triangle of points.
class ExchangePath {
 public:
  ExchangePath(const Points& x, const Points& y, std::size_t i, double offset)
      : x_(x), y_(y), i_(i), j_((i + 1) % 3), k_((i + 2) % 3) {
    // The eigenvector (alpha, beta) >= 0 of the smallest eigenvalue of the Gram matrix of j and k.
    const double difference = dot(y[j_], y[j_]) - dot(y[k_], y[k_]);
    const double angle = 0.5 * std::atan2(-2.0 * dot(y[j_], y[k_]), -difference);
    const double alpha = std::max(offset, std::cos(angle));
    const double beta = std::max(offset, std::sin(angle));
    share_ = offset / alpha;
    reach_ = beta / offset;
    normal_ = {-offset, alpha, beta};
    const double length = std::sqrt(offset * offset + alpha * alpha + beta * beta);
    for (double& component : normal_) {
      component /= length;
    }
  }

  std::vector<double> build() {
    const double e = share_;
    const double r = reach_;
    units_ = {row(j_, {1, 0}), row(j_, {0, 1}), row(k_, {0, 1})};
    weights_ = {y_[i_], y_[j_], y_[k_]};
    keep();
    // Without loss: unit i to (1, e, 0), unit k to (r, 0, 1).
    units_[0] = row(j_, {1, e});
    weights_[1] = combination(1, y_[j_], -e, y_[i_]);
    keep();
    units_[2] = row(k_, {r, 1});
    weights_[0] = combination(1, y_[i_], -r, y_[k_]);
    weights_[1] = combination(1, y_[j_], -e, weights_[0]);
    keep();
    // Give up n: the best that units i and k can do, so that unit j may go from point j to point i.
    const Vector lost = error();
    weights_[0] = combination(1 / e, y_[j_], -normal_[1] / e, lost);
    weights_[1] = {0.0, 0.0};
    weights_[2] = combination(1, y_[k_], -normal_[2], lost);
    keep();
    units_[1] = row(j_, {1, 0});
    keep();
    // Without loss again: units i and k to the points j and k.
    weights_[0] = combination(1 / e, y_[j_], 0, y_[j_]);
    weights_[2] = y_[k_];
    const Vector without_unit_i = combination(1, y_[i_], -r, y_[k_]);
    weights_[1] = combination(1, without_unit_i, -1, weights_[0]);
    keep();
    units_[0] = row(j_, {0, e});
    weights_[1] = without_unit_i;
    keep();
    units_[2] = row(k_, {0, 1});
    weights_[1] = y_[i_];
    keep();
    rescale();
    return std::move(path_);
  }

 private:
  // The input weights w with w.x_i and w.x_other given, which are not negative: at the third point
  // the preactivation then is not positive, as the origin is inside the triangle.
  Vector row(std::size_t other, Vector values) const {
    const Vector a = x_[i_];
    const Vector b = x_[other];
    const double determinant = a[0] * b[1] - a[1] * b[0];
    return {(values[0] * b[1] - values[1] * a[1]) / determinant,
            (values[1] * a[0] - values[0] * b[0]) / determinant};
  }

  // Y n
  Vector error() const {
    return combination(1, combination(normal_[0], y_[i_], normal_[1], y_[j_]), normal_[2], y_[k_]);
  }

  // Unit i from (0, e, 0) to (0, 1, 0), its output weight inversely. Halfway between the scales 1
  // and q = exp(2 a) the product of both exceeds 1 by sinh(a)^2, which loses less than giving up n
  // does.
  void rescale() {
    const double lost = std::sqrt(dot(error(), error()) / dot(y_[j_], y_[j_]));
    const double a = std::min(0.35, std::asinh(std::sqrt(0.5 * lost)));
    const int steps = static_cast<int>(std::ceil(std::abs(std::log(share_)) / (2.0 * a)));
    for (int s = 1; s < steps; ++s) {
      const double scale = std::pow(share_, 1.0 - static_cast<double>(s) / steps);
      units_[0] = row(j_, {0, scale});
      weights_[0] = combination(1 / scale, y_[j_], 0, y_[j_]);
      keep();
    }
    units_[0] = row(j_, {0, 1});
    weights_[0] = y_[j_];
    keep();
  }

  // Appends W1 (3, 2) and W2 (2, 3). Unit i of the start is hidden unit i, and so on.
  void keep() {
    std::array<double, 12> theta{};
    const std::array<std::size_t, 3> order{i_, j_, k_};
    for (std::size_t unit = 0; unit < 3; ++unit) {
      for (std::size_t c = 0; c < 2; ++c) {
        theta[2 * order[unit] + c] = units_[unit][c];
        theta[6 + 3 * c + order[unit]] = weights_[unit][c];
      }
    }
    path_.insert(path_.end(), theta.begin(), theta.end());
  }

  const Points& x_;
  const Points& y_;
  std::size_t i_;
  std::size_t j_;
  std::size_t k_;
  double share_ = 0.0;  // e: unit i ends its first move with the values (1, e, 0) at i, j, k
  double reach_ = 0.0;  // r: unit k with (r, 0, 1)
  Row normal_{};        // n, orthogonal to both
  std::array<Vector, 3> units_{};    // rows of W1, of the units that start at i, j, k
  std::array<Vector, 3> weights_{};  // columns of W2
  std::vector<double> path_;
};

void check(const PermutedPointsOptions& options) {
  for (const auto& [x, y] : options.points) {
    if (!(std::abs(x) <= largest_coordinate && std::abs(y) <= largest_coordinate)) {
      throw UsageError(
          fmt::format("points: expected finite numbers of at most 1e10, got ({}, {})", x, y));
    }
  }
  if (on_a_line(options.points)) {
    throw UsageError("points: expected the corners of a triangle, got three points on a line");
  }
  if (!(options.offset >= 0x1p-20 && options.offset <= 0x1p-2)) {
    throw UsageError(
        fmt::format("offset: expected a number in [2^-20, 2^-2], got {}", options.offset));
  }
}

void bound_without_argument(const Points& y, BarrierBounds& bounds) {
  bounds.lower_rests_on =
      "nothing: the origin does not lie strictly inside the triangle of the points (or too close "
      "to "
      "its boundary to tell in double precision), so det H = 0 does not force a loss and the "
      "argument "
      "proves no barrier";
  const Interval sum = squared_norm(y[0]) + squared_norm(y[1]) + squared_norm(y[2]);
  bounds.upper = (sum / Interval(3.0)).high;
  bounds.upper_rests_on =
      "the way over output weights 0, along which the loss is convex on each side: it holds "
      "between "
      "any two networks of at most this loss";
}

void bound_exchange(const Points& y, double offset, BarrierBounds& bounds) {
  std::size_t i = 0;
  Interval least = smallest_eigenvalue(y[1], y[2]);
  for (const std::size_t other : {1, 2}) {
    const Interval value = smallest_eigenvalue(y[(other + 1) % 3], y[(other + 2) % 3]);
    i = value.low < least.low ? other : i;
    least = {std::min(least.low, value.low), std::min(least.high, value.high)};
  }
  bounds.lower = std::max(0.0, (least / Interval(3.0)).low);
  bounds.lower_rests_on =
      "det relu(W1 X) has opposite signs at the two ends, so every path meets 0, where the hidden "
      "values have a normal n that is not strictly of one sign and the loss is at least |Y n|^2 / "
      "3; "
      "the origin lies strictly inside the triangle, so the least of these is a third of the "
      "smallest "
      "eigenvalue of a Gram matrix of two targets, in interval arithmetic";
  bounds.exchanged = {std::min(i, (i + 1) % 3), std::max(i, (i + 1) % 3)};
  const Points x = {Vector{bounds.inputs[0], bounds.inputs[1]},
                    Vector{bounds.inputs[2], bounds.inputs[3]},
                    Vector{bounds.inputs[4], bounds.inputs[5]}};
  bounds.path = ExchangePath(x, y, i, offset).build();
  const LossMaximum maximum =
      maximum_on_path(bounds.network, {bounds.inputs, bounds.targets}, Loss::squared, bounds.path);
  bounds.upper = round_up(2.0 * maximum.upper);
  double largest = 0.0;
  for (const double weight : bounds.path) {
    largest = std::max(largest, std::abs(weight));
  }
  bounds.upper_rests_on = fmt::format(
      "an explicit polygon of {} networks with weights of at most {:.4g}; the maximum of its "
      "piecewise "
      "quartic loss over all real t is enclosed in interval arithmetic",
      bounds.path_points(),
      largest);
}

// Two numbers and nothing else.
std::optional<Vector> parse_point(const std::string& line) {
  Vector point{};
  const char* position = line.c_str();
  for (double& value : point) {
    char* end = nullptr;
    value = std::strtod(position, &end);
    if (end == position || !(std::abs(value) <= largest_coordinate) ||
        (*end != '\0' && *end != ' ' && *end != '\t' && *end != '\r')) {
      return std::nullopt;
    }
    position = end;
  }
  if (std::string(position).find_first_not_of(" \t\r") != std::string::npos) {
    return std::nullopt;
  }
  return point;
}

}  // namespace

Points read_points(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  Points points{};
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::optional<Vector> point = parse_point(line);
    if (!point || count == 3 || line.find('\0') != std::string::npos) {
      throw DataError(
          fmt::format("{}, line {}: expected three lines of two finite numbers \"x y\" of at most "
                      "1e10, got '{}'",
                      file.string(),
                      count + 1,
                      line.substr(0, 80)));
    }
    points[count++] = *point;
  }
  if (count < 3) {
    throw DataError(fmt::format(
        "{}: expected three lines of two finite numbers \"x y\" of at most 1e10, got {}",
        file.string(),
        count));
  }
  if (on_a_line(points)) {
    throw DataError(fmt::format(
        "{}: expected the corners of a triangle, got three points on a line", file.string()));
  }
  return points;
}

BarrierBounds permuted_points_bounds(const PermutedPointsOptions& options) {
  check(options);
  const Points& x = options.points;
  const Points y{x[1], x[2], x[0]};
  BarrierBounds bounds;
  bounds.network = {.inputs = 2, .hidden = 3, .outputs = 2, .biases = false};
  bounds.data = fmt::format("points ({}, {}) -> ({}, {}) -> ({}, {}) -> the first",
                            x[0][0],
                            x[0][1],
                            x[1][0],
                            x[1][1],
                            x[2][0],
                            x[2][1]);
  for (std::size_t i = 0; i < 3; ++i) {
    bounds.inputs.insert(bounds.inputs.end(), x[i].begin(), x[i].end());
    bounds.targets.insert(bounds.targets.end(), y[i].begin(), y[i].end());
  }
  if (origin_inside(x)) {
    bound_exchange(y, options.offset, bounds);
  } else {
    bound_without_argument(y, bounds);
  }
  return bounds;
}

}  // namespace isthmus
