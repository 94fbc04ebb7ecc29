// SPDX-License-Identifier: MIT
#include "isthmus/certify/spectral.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

std::vector<double> normal_matrix(std::size_t count, double scale, Rng& rng) {
  std::vector<double> matrix(count);
  for (double& number : matrix) {
    number = scale * rng.normal();
  }
  return matrix;
}

// The length that the matrix gives to a vector of length 1, after many steps of the power method:
// never above the largest singular value, and nearly it.
double power_method(const std::vector<double>& matrix, std::size_t rows, std::size_t columns) {
  std::vector<double> x(columns, 1.0);
  x.front() = 1.5;
  double length = 0.0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> y(rows, 0.0);
    double squares = 0.0;
    double before = 0.0;
    for (const double number : x) {
      before += number * number;
    }
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        y[i] += matrix[i * columns + j] * x[j];
      }
      squares += y[i] * y[i];
    }
    length = std::sqrt(squares / before);
    std::vector<double> next(columns, 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        next[j] += matrix[i * columns + j] * y[i] / squares;
      }
    }
    x = next;
  }
  return length;
}

TEST(Spectral, BoundsTheLargestSingularValueClosely) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed, 1);
    const std::size_t rows = 1 + rng.below(20);
    const std::size_t columns = 1 + rng.below(20);
    const double scale = seed % 3 == 0 ? 1e-60 : seed % 3 == 1 ? 1.0 : 1e60;
    const std::vector<double> matrix = normal_matrix(rows * columns, scale, rng);
    const double least = power_method(matrix, rows, columns);
    const double bound = spectral_bound(matrix, rows, columns);
    EXPECT_GE(bound, least * (1.0 - 1e-12)) << seed;
    EXPECT_LE(bound, least * 1.03) << seed;
  }
}

TEST(Spectral, IsExactForOneRowAndOneForAPermutation) {
  EXPECT_NEAR(spectral_bound(std::vector<double>{3.0, 4.0}, 1, 2), 5.0, 1e-12);
  EXPECT_NEAR(spectral_bound(std::vector<double>{3.0, 4.0}, 2, 1), 5.0, 1e-12);
  EXPECT_GE(spectral_bound(std::vector<double>{0.0, -1.0, 1.0, 0.0}, 2, 2), 1.0);
  EXPECT_LE(spectral_bound(std::vector<double>{0.0, -1.0, 1.0, 0.0}, 2, 2), 1.01);
  EXPECT_LE(spectral_bound(std::vector<double>(6, 0.0), 2, 3), 1e-100);
  EXPECT_EQ(spectral_bound(std::vector<double>{1e200, 1e200}, 1, 2),
            std::numeric_limits<double>::infinity());
}

// At every t the lengths of W(t) x and of its entries stay below what the sizes allow.
TEST(Spectral, SizesHoldAlongTheSegment) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, 2);
    const std::size_t rows = 2 + rng.below(6);
    const std::size_t columns = 2 + rng.below(6);
    const std::vector<double> a = normal_matrix(rows * columns, 1.0, rng);
    const std::vector<double> b = normal_matrix(rows * columns, 2.0, rng);
    const MatrixSizes sizes = matrix_sizes(a, b, rows, columns, true);
    for (int k = 0; k <= 20; ++k) {
      const double t = k / 20.0;
      std::vector<double> matrix(a.size());
      std::vector<double> change(a.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        matrix[i] = (1.0 - t) * a[i] + t * b[i];
        change[i] = b[i] - a[i];
      }
      EXPECT_LE(power_method(matrix, rows, columns), sizes.spectral * (1.0 + 1e-12));
      EXPECT_LE(power_method(change, rows, columns), sizes.spectral_change * (1.0 + 1e-12));
      double all = 0.0;
      for (std::size_t row = 0; row < rows; ++row) {
        const double norm =
            norm_bound(std::span<const double>(matrix).subspan(row * columns, columns));
        EXPECT_LE(norm, sizes.rows[row] * (1.0 + 1e-12));
        EXPECT_NEAR(norm_bound(std::span<const double>(change).subspan(row * columns, columns)),
                    sizes.row_changes[row],
                    1e-12 * sizes.row_changes[row]);
        all += norm * norm;
      }
      EXPECT_LE(std::sqrt(all), sizes.all_rows * (1.0 + 1e-12));
    }
  }
}

}  // namespace
}  // namespace isthmus
