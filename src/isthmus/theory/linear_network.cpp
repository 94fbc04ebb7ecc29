// SPDX-License-Identifier: MIT
#include "isthmus/theory/linear_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/layers.h"

namespace isthmus {
namespace theory {

Layers layers_of(const std::vector<std::size_t>& widths, std::span<const double> theta) {
  Layers layers;
  std::size_t offset = 0;
  for (std::size_t k = 1; k < widths.size(); ++k) {
    layers.emplace_back(Eigen::Map<const RowMajor>(
        &theta[offset], static_cast<Index>(widths[k]), static_cast<Index>(widths[k - 1])));
    offset += widths[k] * widths[k - 1];
  }
  return layers;
}

std::vector<double> theta_of(const Layers& layers) {
  std::vector<double> theta;
  for (const Matrix& layer : layers) {
    const RowMajor rows = layer;
    theta.insert(theta.end(), rows.data(), rows.data() + rows.size());
  }
  return theta;
}

Layers turned(const Layers& layers) {
  Layers result;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    result.emplace_back(layer->transpose());
  }
  return result;
}

Matrix product_of(const Layers& layers) {
  Matrix product = layers.front();
  for (std::size_t k = 1; k < layers.size(); ++k) {
    product = layers[k] * product;
  }
  return product;
}

Matrix columns_of(std::span<const double> values, std::size_t features) {
  return Eigen::Map<const Matrix>(
      values.data(), static_cast<Index>(features), static_cast<Index>(values.size() / features));
}

Matrix regression(const Matrix& x, const Matrix& y, Index rank) {
  const ThinSvd inputs = thin_svd(x);
  const Index r = inputs.rank;
  const Matrix on_basis = y * inputs.v.leftCols(r);
  const ThinSvd outputs = thin_svd(on_basis);
  const Matrix u = outputs.u.leftCols(std::min(rank, outputs.u.cols()));
  return u * (u.transpose() * on_basis) * inputs.s.head(r).cwiseInverse().asDiagonal() *
         inputs.u.leftCols(r).transpose();
}

}  // namespace theory

namespace {

constexpr double largest = 1e30;

void refuse_wild_numbers(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= largest)) {
      throw UsageError(fmt::format(
          "{}: expected numbers of at most 1e30, got {} at place {}", name, values[i], i));
    }
  }
}

std::size_t numbers_of(const std::vector<std::size_t>& widths) {
  std::size_t count = 0;
  for (std::size_t k = 1; k < widths.size(); ++k) {
    count += widths[k] * widths[k - 1];
  }
  return count;
}

void validate_widths(const std::vector<std::size_t>& widths, const char* name) {
  if (widths.size() < 2 || std::ranges::count(widths, std::size_t{0}) > 0) {
    throw UsageError(
        fmt::format("{}: expected at least two widths, all > 0, got {}", name, widths.size()));
  }
}

}  // namespace

void validate(const LinearNetwork& network, const char* name) {
  validate_widths(network.widths, name);
  if (network.theta.size() != numbers_of(network.widths)) {
    throw UsageError(fmt::format("{}: expected {} numbers for the widths {}, got {}",
                                 name,
                                 numbers_of(network.widths),
                                 fmt::join(network.widths, "-"),
                                 network.theta.size()));
  }
  refuse_wild_numbers(network.theta, name);
}

LinearLoss::LinearLoss(std::vector<std::size_t> widths, const RegressionData& data, double ridge)
    : widths_(std::move(widths)),
      inputs_(data.inputs.begin(), data.inputs.end()),
      targets_(data.targets.begin(), data.targets.end()),
      ridge_(ridge) {
  validate_widths(widths_, "widths");
  const std::size_t n = inputs_.size() / widths_.front();
  if (n == 0 || inputs_.size() != n * widths_.front() || targets_.size() != n * widths_.back()) {
    throw UsageError(
        fmt::format("data: expected samples of {} inputs and {} targets, got {} and {} numbers",
                    widths_.front(),
                    widths_.back(),
                    inputs_.size(),
                    targets_.size()));
  }
  refuse_wild_numbers(inputs_, "inputs");
  refuse_wild_numbers(targets_, "targets");
  if (!(ridge >= 0.0 && ridge <= largest)) {
    throw UsageError(fmt::format("ridge: expected a number >= 0, got {}", ridge));
  }
}

double LinearLoss::operator()(std::span<const double> theta) const {
  using namespace theory;
  ISTHMUS_ASSERT(theta.size() == numbers_of(widths_), "theta has the numbers of all layers");
  const Eigen::Map<const Matrix> x(
      inputs_.data(), static_cast<Index>(widths_.front()), static_cast<Index>(samples()));
  const Eigen::Map<const Matrix> y(
      targets_.data(), static_cast<Index>(widths_.back()), static_cast<Index>(samples()));
  const Matrix product = product_of(layers_of(widths_, theta));
  const double penalty =
      ridge_ > 0.0
          ? Eigen::Map<const Vector>(theta.data(), static_cast<Index>(theta.size())).squaredNorm()
          : 0.0;
  return (product * x - y).squaredNorm() / static_cast<double>(samples()) + ridge_ * penalty;
}

double LinearLoss::rounding(std::span<const double> theta) const {
  using namespace theory;
  const double n = static_cast<double>(samples());
  double p = Eigen::Map<const Vector>(inputs_.data(), static_cast<Index>(inputs_.size())).norm();
  for (const Matrix& layer : layers_of(widths_, theta)) {
    p *= layer.norm();
  }
  const double value = (*this)(theta);
  const double eps = std::numeric_limits<double>::epsilon();
  return eps * (2.0 * std::sqrt(value / n) * p + eps * p * p / n + value);
}

double LinearLoss::minimum() const {
  using namespace theory;
  const Matrix x = columns_of(inputs_, widths_.front());
  const Matrix y = columns_of(targets_, widths_.back());
  const auto rank = static_cast<Index>(std::ranges::min(widths_));
  // ||Y - U U^T Y Q Q^T||^2: the part off the row space of X, and the singular values left out.
  const ThinSvd inputs = thin_svd(x);
  const Matrix q = inputs.v.leftCols(inputs.rank);
  const Matrix on_basis = y * q;
  const Vector s = singular_values(on_basis);
  const double left_out = s.size() > rank ? s.tail(s.size() - rank).squaredNorm() : 0.0;
  return ((y - on_basis * q.transpose()).squaredNorm() + left_out) / static_cast<double>(samples());
}

}  // namespace isthmus
