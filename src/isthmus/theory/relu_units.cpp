// SPDX-License-Identifier: MIT
#include "isthmus/theory/relu_units.h"

namespace isthmus::theory {

using ConstRows = Eigen::Map<const RowMajor>;

Units Units::at(const std::vector<Index>& places) const {
  return {.w = w(places, Eigen::all), .beta = beta(places, Eigen::all), .c = c};
}

ReluSamples::ReluSamples(const ReluProblem& problem)
    : kappa(problem.kappa), biases(problem.network.biases) {
  const auto inputs = static_cast<Index>(problem.network.inputs);
  const auto outputs = static_cast<Index>(problem.network.outputs);
  const auto count = static_cast<Index>(problem.targets.size()) / outputs;
  x.resize(count, inputs + (biases ? 1 : 0));
  x.leftCols(inputs) = ConstRows(problem.inputs.data(), count, inputs);
  if (biases) {
    x.col(inputs).setOnes();
  }
  y = ConstRows(problem.targets.data(), count, outputs);
  sigma = x.transpose() * x / static_cast<double>(count);
}

Units units_of(const ReluNetwork& network, std::span<const double> theta) {
  const auto inputs = static_cast<Index>(network.inputs);
  const auto hidden = static_cast<Index>(network.hidden);
  const auto outputs = static_cast<Index>(network.outputs);
  const Index bias = network.biases ? 1 : 0;
  Units units{.w = Matrix(hidden, inputs + bias), .beta = {}, .c = Vector::Zero(outputs)};
  const double* place = theta.data();
  units.w.leftCols(inputs) = ConstRows(place, hidden, inputs);
  place += hidden * inputs;
  if (network.biases) {
    units.w.col(inputs) = Eigen::Map<const Vector>(place, hidden);
    place += hidden;
  }
  units.beta = ConstRows(place, outputs, hidden).transpose();
  if (network.biases) {
    units.c = Eigen::Map<const Vector>(place + outputs * hidden, outputs);
  }
  return units;
}

std::vector<double> theta_of(const ReluNetwork& network, const Units& units) {
  std::vector<double> theta;
  theta.reserve(network.dimension());
  const auto append = [&](const RowMajor& rows) {
    theta.insert(theta.end(), rows.data(), rows.data() + rows.size());
  };
  append(units.w.leftCols(static_cast<Index>(network.inputs)));
  if (network.biases) {
    append(units.w.rightCols(1));
  }
  append(units.beta.transpose());
  if (network.biases) {
    append(units.c);
  }
  return theta;
}

Matrix rounded(const Matrix& values) {
  return values.cast<float>().cast<double>();
}

Units rounded(const Units& units) {
  return {.w = rounded(units.w), .beta = rounded(units.beta), .c = rounded(units.c)};
}

Matrix features(const ReluSamples& samples, const Matrix& w) {
  return (samples.x * w.transpose()).cwiseMax(0.0);
}

ReluValue value_of(const ReluSamples& samples, const Matrix& z, const Units& units) {
  const Matrix residual = (z * units.beta - samples.y).rowwise() + units.c.transpose();
  const double data = residual.squaredNorm() / static_cast<double>(samples.x.rows());
  return {.data = data, .total = data + samples.kappa * units.beta.rowwise().norm().sum()};
}

ReluValue value_of(const ReluSamples& samples, const Units& units) {
  return value_of(samples, features(samples, units.w), units);
}

}  // namespace isthmus::theory
