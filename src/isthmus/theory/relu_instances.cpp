// SPDX-License-Identifier: MIT
#include "isthmus/theory/relu_instances.h"

#include <fmt/format.h>

#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/lasso.h"

namespace isthmus {
namespace {

using theory::Index;
using theory::Matrix;
using theory::Vector;

constexpr std::uint64_t task_purpose = 0x72656c75207461;     // "relu ta"
constexpr std::uint64_t pair_purpose = 0x72656c75207061;     // "relu pa"
constexpr std::uint64_t project_purpose = 0x70726f6a656374;  // "project"

Matrix normal_matrix(Index rows, Index columns, Rng& random) {
  Matrix matrix(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) {
      matrix(i, j) = random.normal();
    }
  }
  return matrix;
}

std::vector<double> rows_of(const Matrix& matrix) {
  const theory::RowMajor rows = matrix;
  return {rows.data(), rows.data() + rows.size()};
}

std::vector<double> drawn_end(const ReluProblem& problem,
                              const theory::ReluSamples& samples,
                              Rng random) {
  const auto m = static_cast<Index>(problem.network.hidden);
  theory::Units units{.w = normal_matrix(m, samples.x.cols(), random),
                      .beta = Matrix::Zero(m, samples.y.cols()),
                      .c = Vector::Zero(samples.y.cols())};
  units.w.rowwise().normalize();
  units.w = theory::rounded(units.w);
  const theory::Quadratic quadratic(samples, theory::features(samples, units.w));
  theory::descend(quadratic, problem.kappa, theory::all_places(m), 2000, units.beta);
  if (samples.biases) {
    units.c = quadratic.bias(units.beta);
  }
  return theory::theta_of(problem.network, theory::rounded(units));
}

}  // namespace

ReluProblem random_relu_problem(const ReluTaskOptions& options, std::size_t index) {
  constexpr Index teachers = 20;
  ReluProblem problem{
      .network = {.inputs = options.inputs, .hidden = options.hidden, .outputs = options.outputs},
      .inputs = {},
      .targets = {},
      .kappa = options.kappa};
  check_sizes(problem.network, options.samples);
  Rng random(options.seed, stream_name({task_purpose, index}));
  const auto n = static_cast<Index>(options.inputs);
  Matrix w = normal_matrix(teachers, n, random);
  w.rowwise().normalize();
  const Matrix v = normal_matrix(teachers, static_cast<Index>(options.outputs), random);
  const Matrix x = normal_matrix(static_cast<Index>(options.samples), n, random);
  Matrix y = (x * w.transpose()).cwiseMax(0.0) * v / std::sqrt(static_cast<double>(teachers));
  y += 0.1 * normal_matrix(y.rows(), y.cols(), random);
  problem.inputs = rows_of(x);
  problem.targets = rows_of(y);
  validate(problem);
  return problem;
}

ReluPair random_relu_pair(const ReluProblem& problem, std::uint64_t seed, std::size_t index) {
  validate(problem);
  const theory::ReluSamples samples(problem);
  return {.a = drawn_end(problem, samples, Rng(seed, stream_name({pair_purpose, index, 0}))),
          .b = drawn_end(problem, samples, Rng(seed, stream_name({pair_purpose, index, 1})))};
}

std::vector<double> projected(const std::vector<double>& inputs,
                              std::size_t features,
                              std::size_t count,
                              std::uint64_t seed) {
  if (features == 0 || count == 0 || count > 4096 || inputs.size() % features != 0) {
    throw UsageError(
        fmt::format("projection: expected inputs of {} numbers each and 1 to 4096 directions, got "
                    "{} numbers and {} directions",
                    features,
                    inputs.size(),
                    count));
  }
  Rng random(seed, stream_name({project_purpose, features, count}));
  const Matrix directions =
      normal_matrix(static_cast<Index>(features), static_cast<Index>(count), random);
  const Eigen::Map<const theory::RowMajor> rows(
      inputs.data(), static_cast<Index>(inputs.size() / features), static_cast<Index>(features));
  Matrix x = rows * directions;
  x.rowwise() -= x.colwise().mean().eval();
  const Vector deviation = (x.colwise().squaredNorm() / static_cast<double>(x.rows())).cwiseSqrt();
  if (!(deviation.minCoeff() > 0.0)) {
    throw UsageError("projection: expected inputs that differ from each other");
  }
  return rows_of(x * deviation.cwiseInverse().asDiagonal());
}

}  // namespace isthmus
