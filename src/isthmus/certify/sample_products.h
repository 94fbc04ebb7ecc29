// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// Outputs that are computed together, one cache line of weights in float32.
inline constexpr std::size_t sample_panel = 16;

/// The most columns of one product.
inline constexpr std::size_t most_columns = 4;

/// One term of a sum: the column of the matrix and the number of the input.
struct Entry {
  std::uint32_t column = 0;
  std::uint32_t input = 0;
};

/// Products of two matrices with the same inputs, in double:
///     out_a[j][o] = sum over entries of a(column, o) * inputs[input][j]
/// for `columns` = 1, 2 or 4 numbers j and sample_panel outputs o; out_b likewise. a, b: (columns
/// of the matrix, sample_panel). Sums in some order, fused or not. What lies
/// `ahead` numbers behind the weights of every eighth entry is fetched into the cache, beginning
/// with entry `phase` (8: none).
struct Fetch {
  std::size_t ahead = 0;
  std::size_t phase = 8;
};
void multiply_ends(const float* a,
                   const float* b,
                   std::span<const Entry> entries,
                   const double* inputs,
                   std::size_t columns,
                   const Fetch& fetch,
                   double* out_a,
                   double* out_b);

/// Products of the matrices w = a + time (b - a), another time for each number j, in float32: with
/// pairs (m, p) as inputs
///     sum of w * m,   sum of (b - a) * m,   sum of (|w| + half |b - a|) * p
/// go to out.middle, out.turned and out.spread, each as above.
struct DeviationWeights {
  const float* a;
  const float* b;
  const float* times;  ///< (columns)
  float half;
  Fetch fetch{};
};
struct DeviationProducts {
  float* middle;
  float* turned;
  float* spread;
};
void multiply_deviations(const DeviationWeights& weights,
                         std::span<const Entry> entries,
                         const float* inputs,
                         std::size_t columns,
                         const DeviationProducts& out);

/// multiply_ends() of two columns at two positions at once, where few inputs are zero: inputs
/// (rows, 2), and rows_0, rows_1 name the row of each column of the matrix. out_a, out_b:
/// (positions, columns, sample_panel).
void multiply_two(const float* a,
                  const float* b,
                  std::span<const std::uint32_t> rows_0,
                  std::span<const std::uint32_t> rows_1,
                  const double* inputs,
                  double* out_a,
                  double* out_b);

/// The other way: with rows of numbers instead of columns of inputs, in float32,
///     out_a[k][j] = sum over outputs o of a(columns[k], o) * values[j][o],    out_b likewise,
/// for `count` = 1, 2 or 4 rows j. a, b: (panels, inputs, sample_panel); values (count, panels *
/// sample_panel).
struct BackWeights {
  const float* a;
  const float* b;
  std::size_t panels;
  std::size_t inputs;
};
void multiply_back(const BackWeights& weights,
                   std::span<const std::uint32_t> columns,
                   const float* values,
                   std::size_t count,
                   float* out_a,
                   float* out_b);

/// What is not zero of columns that have few such numbers: values of inputs, and deviations as
/// pairs (middle, reach). Those of input k are values[first_value[k] .. first_value[k + 1]), and so
/// on.
struct Kinks {
  struct Value {
    std::uint32_t column = 0;
    double value = 0.0;
  };
  struct Deviation {
    std::uint32_t column = 0;
    float middle = 0.0F;
    float reach = 0.0F;
  };
  std::vector<Value> values;
  std::vector<Deviation> deviations;
  std::vector<std::uint32_t> first_value;
  std::vector<std::uint32_t> first_deviation;
};

/// Adds to sums of multiply_ends() and of multiply_deviations() what such inputs contribute, each
/// (columns, sample_panel).
struct SampleSums {
  double* a;
  double* b;
  float* middle;
  float* turned;
  float* spread;
};
void add_kinks(const DeviationWeights& weights,
               std::span<const Entry> entries,
               const Kinks& kinks,
               const SampleSums& out);

}  // namespace isthmus
