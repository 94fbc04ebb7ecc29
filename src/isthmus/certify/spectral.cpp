// SPDX-License-Identifier: MIT
#include "isthmus/certify/spectral.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

constexpr std::size_t squarings = 5;  // n^(1/128): 1.05 for n = 512

double sum_of_squares(std::span<const double> numbers) {
  double sum = 0.0;
  for (const double number : numbers) {
    sum += number * number;
  }
  return sum;
}

// The product of a symmetric matrix (n, n) with itself, or of (n, m) with its transpose: symmetric
// to the last bit.
std::vector<double> times_transpose(std::span<const double> matrix,
                                    std::size_t n,
                                    std::size_t columns) {
  constexpr std::size_t at_once = 8;  // sums, that the compiler may keep them in vectors
  std::vector<double> product(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    const double* const left = matrix.data() + i * columns;
    for (std::size_t k = 0; k <= i; ++k) {
      const double* const right = matrix.data() + k * columns;
      std::array<double, at_once> sums{};
      std::size_t c = 0;
      for (; c + at_once <= columns; c += at_once) {
        for (std::size_t j = 0; j < at_once; ++j) {
          sums[j] += left[c + j] * right[c + j];
        }
      }
      double sum = 0.0;
      for (; c < columns; ++c) {
        sum += left[c] * right[c];
      }
      for (const double part : sums) {
        sum += part;
      }
      product[i * n + k] = sum;
      product[k * n + i] = sum;
    }
  }
  return product;
}

}  // namespace

double norm_bound(std::span<const double> numbers) {
  return std::sqrt(sum_of_squares(numbers)) * (1.0 + gamma(numbers.size() + 8)) + 0x1p-500;
}

// A A' is symmetric and not negative, and the largest eigenvalue of M is the root of that of M^2,
// which the Frobenius norm of the last power bounds. A computed power is off by at most gamma_n
// |M|_F^2 in the Frobenius norm.
double spectral_bound(std::span<const double> matrix, std::size_t rows, std::size_t columns) {
  std::vector<double> turned;
  if (rows > columns) {
    turned.resize(matrix.size());
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        turned[j * rows + i] = matrix[i * columns + j];
      }
    }
    matrix = turned;
    std::swap(rows, columns);
  }
  const double size = norm_bound(matrix);
  // Scaled by a power of two, which is exact but for underflow.
  const double scale = std::exp2(-std::ceil(std::log2(size)));
  if (!std::isfinite(size) || size < 0x1p-400) {
    return std::isfinite(size) ? size : std::numeric_limits<double>::infinity();
  }
  std::vector<double> power(matrix.begin(), matrix.end());
  for (double& number : power) {
    number *= scale;
  }
  std::array<double, squarings + 1> errors{};  // of the power behind
  std::array<double, squarings + 1> scales{};
  std::size_t width = columns;
  for (std::size_t k = 0; k <= squarings; ++k) {
    const double before = norm_bound(power);
    power = times_transpose(power, rows, width);
    width = rows;
    errors[k] = up(gamma(columns + 8) * before * before) + 0x1p-400;
    scales[k] = std::exp2(-std::round(std::log2(norm_bound(power))));
    for (double& number : power) {
      number *= scales[k];
    }
  }
  double bound = norm_bound(power);
  for (std::size_t k = squarings + 1; k-- > 0;) {
    bound = std::sqrt(up(bound / scales[k] + errors[k])) * (1.0 + 0x1p-48);
  }
  return std::min(size, up(bound / scale));
}

double spectral_work(std::size_t rows, std::size_t columns) {
  const auto small = static_cast<double>(std::min(rows, columns));
  const auto large = static_cast<double>(std::max(rows, columns));
  return 0.5 * small * (small + 1.0) * (large + static_cast<double>(squarings) * small);
}

MatrixSizes matrix_sizes(std::span<const double> a,
                         std::span<const double> b,
                         std::size_t rows,
                         std::size_t columns,
                         bool spectral) {
  MatrixSizes sizes;
  std::vector<double> change(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    change[i] = b[i] - a[i];
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const auto of = [&](std::span<const double> matrix) {
      return norm_bound(matrix.subspan(row * columns, columns));
    };
    sizes.rows.push_back(std::max(of(a), of(b)));
    sizes.row_changes.push_back(of(change));
  }
  sizes.all_rows = norm_bound(sizes.rows);
  sizes.all_changes = norm_bound(sizes.row_changes);
  if (spectral) {
    sizes.spectral = std::max(spectral_bound(a, rows, columns), spectral_bound(b, rows, columns));
    sizes.spectral_change = spectral_bound(change, rows, columns);
  }
  return sizes;
}

}  // namespace isthmus
