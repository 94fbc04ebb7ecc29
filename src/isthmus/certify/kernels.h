// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "isthmus/certify/lanes.h"
#include "isthmus/certify/steps.h"

namespace isthmus {

/// The bounds of a layer's deviations: arrays (units) of lanes.
struct BoundRows {
  std::span<Lanes> low;
  std::span<Lanes> high;
};

/// Values of a layer at the two ends of an interval, (units) of lanes each.
struct EndRows {
  std::span<const Lanes> left;
  std::span<const Lanes> right;
};

/// The loops over units and samples, compiled for each instruction set and chosen at run time.
/// Without fused operations: every instruction set gives the same bits. Formulas: unit_bounds.h.
struct Kernels {
  using Function = void (*)(std::span<const Lanes> in, std::span<Lanes> out);
  Function relu;
  Function sigmoid;
  Function tanh;

  /// The largest magnitude, infinity if a number is not finite.
  double (*largest)(std::span<const Lanes> rows);

  void (*bound_relu)(EndRows z, BoundRows deviation);
  /// f: the function's values at the ends. `radius`: of z.
  using BoundSmooth = void (*)(EndRows z, EndRows f, double radius, BoundRows deviation);
  BoundSmooth bound_sigmoid;
  BoundSmooth bound_tanh;

  /// The largest unit of each window of a pooling step.
  void (*max_pool)(const Step& step, std::span<const Lanes> in, std::span<Lanes> out);
  void (*bound_max_pool)(const Step& step,
                         EndRows z,
                         std::span<const Lanes> low,
                         std::span<const Lanes> high,
                         BoundRows out);

  /// What a linear step multiplies of one unit: its change between the ends, the middle of its
  /// bounds, and how far they reach from there. Tells which of them are zero in all lanes.
  struct Zeros {
    bool change = false;
    bool bounds = false;
  };
  Zeros (*prepare)(const Lanes& left,
                   const Lanes& right,
                   const Lanes& low,
                   const Lanes& high,
                   Lanes& change,
                   Lanes& center,
                   Lanes& spread);

  /// Lemma 2: what the four products of an output give. `rounding` is added to both sides.
  void (*combine)(const Lanes& bend,
                  const Lanes& at_left,
                  const Lanes& at_right,
                  const Lanes& spread,
                  double rounding,
                  Lanes& low,
                  Lanes& high);
};

/// Those of this processor.
const Kernels& kernels();

/// Those that need nothing beyond x86-64, or run on any other processor: for tests.
const Kernels& plain_kernels();

}  // namespace isthmus
