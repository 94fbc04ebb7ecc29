// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

/// Loops of this room that oneDNN has no fast primitive for, compiled for several instruction sets
/// and chosen at run time. All give the same bits: no operation is fused or reordered. NaN in gives
/// NaN out, where nothing else is said.
namespace isthmus::dnn {

/// The constants of LocalResponseNorm, `scale` being alpha / size.
struct NormFactors {
  std::size_t reach = 2;  ///< size / 2
  float scale = 0.0F;
  float beta = 0.75F;
  float k = 1.0F;
};

/// Pointers to one time step of an LSTM layer for `streams` sequences, H features each.
struct CellStep {
  std::size_t streams = 0;
  std::size_t features = 0;            ///< H
  float* gates = nullptr;              ///< (streams, 4 H): sums in, activations i, f, g, o out
  const float* cell_before = nullptr;  ///< (streams, H)
  float* cell = nullptr;               ///< (streams, H): out; in for the backward pass
  float* hidden = nullptr;             ///< (streams, H), forward alone

  // Backward alone.
  const float* hidden_gradient = nullptr;  ///< (streams, H): all that comes from this step's output
  float* cell_gradient = nullptr;          ///< (streams, H): in of this step, out of the one before
  float* gates_gradient = nullptr;         ///< (streams, 4 H): out, by the sums
};

struct Loops {
  const char* name;

  /// One pixel: y = x / sums^beta, sums = k + scale * (sum of squares in reach). All (channels).
  /// `squares` is scratch of channels + 2 reach numbers.
  void (*normalise)(const NormFactors& factors,
                    std::size_t channels,
                    const float* x,
                    float* squares,
                    float* sums,
                    float* y);
  /// Derivatives by x, from those by y and the sums of the forward pass.
  void (*normalise_backward)(const NormFactors& factors,
                             std::size_t channels,
                             const float* x,
                             const float* sums,
                             const float* y_gradient,
                             float* scratch,
                             float* x_gradient);

  void (*cell_forward)(const CellStep& step);
  void (*cell_backward)(const CellStep& step);

  /// exp(x - largest) of a row, and the sum of them in double. powers may be null, or x itself.
  double (*sum_of_powers)(std::size_t width, const float* x, float largest, float* powers);
  /// exp(x - largest) in place of every x of a row, none larger than `largest`, and the sum: for
  /// rows of many numbers, in fewer instructions. Powers are accurate to 2e-7 of 1 and not of
  /// themselves, and are summed in float by fours.
  double (*powers_in_place)(std::size_t width, float largest, float* row);
  /// `largest` for rows of many numbers.
  float (*largest_of_many)(std::size_t width, const float* x);
  /// row *= factor, and sums += row.
  void (*scale_row)(std::size_t width, float factor, float* row, float* sums);
  /// The largest number of a row, NaN left out of account (sum_of_powers is NaN then); -infinity if
  /// there is none.
  float (*largest)(std::size_t width, const float* x);
};

/// Those for this processor.
const Loops& loops();
/// All that this processor can run, narrow to wide.
const Loops* const* available_loops(std::size_t& count);

}  // namespace isthmus::dnn
