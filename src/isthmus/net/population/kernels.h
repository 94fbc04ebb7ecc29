// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "isthmus/net/engine.h"

/// What crosses the border between the engine and its kernels: plain data and function pointers.
/// The kernels are compiled once for each instruction set from the same source; their translation
/// units use nothing of the standard library, so that no inline function compiled for a wide
/// processor can end up, by the linker's choice, in code that must run on any.
namespace isthmus::population {

enum class Function { identity, relu, sigmoid, tanh };

/// One step of a perceptron: out = function(W in + b), or out = function(in) if not dense.
struct Stage {
  bool dense = false;
  bool bias = false;
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::size_t weight_offset = 0;  ///< of W (outputs, inputs) in theta
  std::size_t bias_offset = 0;    ///< of b (outputs) in theta
  Function function = Function::identity;
};

/// A perceptron as the kernels see it.
struct Plan {
  const Stage* stages = nullptr;
  std::size_t stage_count = 0;
  std::size_t dimension = 0;  ///< P
  std::size_t features = 0;
  std::size_t outputs = 0;  ///< K
  std::size_t units = 0;    ///< outputs of all stages together
  std::size_t widest = 0;   ///< the largest of features and all outputs
};

/// A batch, one row a feature: numbers of neighbouring samples are neighbours. Rows are `stride`
/// numbers apart and go on, with the last sample repeated, up to the next multiple of the lanes.
template <class Real>
struct Samples {
  std::size_t count = 0;
  std::size_t stride = 0;
  const Real* inputs = nullptr;   ///< (features, stride)
  const Real* targets = nullptr;  ///< (K, stride); for cross-entropy (1, stride): the label
};

/// What one kernel call computes.
template <class Real>
struct Request {
  const Plan* plan = nullptr;
  Samples<Real> samples;
  Loss loss = Loss::absolute;
  const Real* thetas = nullptr;  ///< (thetas, P)
  std::size_t count = 1;         ///< of thetas: 1 with samples in lanes, else 1..lanes
  double* losses = nullptr;      ///< (count)
  Real* gradients = nullptr;     ///< (count, P), or null for the losses alone
  std::byte* scratch = nullptr;  ///< aligned to 64, Kernels::scratch_bytes long
};

template <class Real>
struct Kernels {
  std::size_t lanes;
  std::size_t (*scratch_bytes)(const Plan&);
  /// Both give the same bits for a theta, as long as all values on the way are finite.
  void (*samples_in_lanes)(const Request<Real>&);
  void (*thetas_in_lanes)(const Request<Real>&);
  /// outputs (samples.count, K) of one theta.
  void (*forward)(const Request<Real>&, Real* outputs);
};

namespace plain {
extern const Kernels<float> float_kernels;
extern const Kernels<double> double_kernels;
}  // namespace plain
namespace avx2 {
extern const Kernels<float> float_kernels;
extern const Kernels<double> double_kernels;
}  // namespace avx2
namespace avx512 {
extern const Kernels<float> float_kernels;
extern const Kernels<double> double_kernels;
}  // namespace avx512

}  // namespace isthmus::population
