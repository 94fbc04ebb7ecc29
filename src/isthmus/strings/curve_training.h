// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// How k + 2 control points w_0 .. w_{k+1}, of which the first and the last are the end points,
/// make a curve: phi(t) = sum_j c_j(t) w_j. With n = k + 1:
enum class CurveShape {
  polychain,  ///< c_j(t) = max(0, 1 - |n t - j|): the polyline through them
  bezier,     ///< c_j(t) = (n over j) t^j (1 - t)^(n - j)
};

template <>
inline constexpr auto enum_names<CurveShape> = name_table<CurveShape>(
    "curve", {{CurveShape::polychain, "polychain"}, {CurveShape::bezier, "bezier"}});

/// T. Garipov, P. Izmailov, D. Podoprikhin, D. Vetrov, A. G. Wilson, "Loss Surfaces, Mode
/// Connectivity, and Fast Ensembling of DNNs", NeurIPS 2018: the bends of a curve descend along an
/// estimate of the gradient of E L(phi(t)), t uniform on [0, 1]: each step draws one batch and one
/// t, and bend j gets c_j(t) grad L(phi(t)). The rate is constant for half of the steps, falls
/// linearly to a hundredth until nine tenths of them, and stays there. Optimizer and batches are
/// those of beads (image tasks: rate .02 and momentum .9; theirs .015 to .03 and .9).
struct CurveTerms {
  std::size_t bends = 1;      ///< k >= 1; "3 bends" of the authors' program count the end points
  std::size_t steps = 10000;  ///< >= 1
  /// After so many steps 6 k + 5 places are looked at, the last worst first, and the training ends
  /// when all reach the target; 0: only after the last step, the authors' way.
  std::size_t look_every = 100;

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// c_0(t) .. c_{bends+1}(t), t in [0, 1].
std::vector<double> curve_weights(CurveShape shape, std::size_t bends, double t);

/// theta (P) = phi(t) of the control points, computed in double and rounded once.
void curve_point(CurveShape shape, const Path& control, double t, std::span<float> theta);

/// Trains a curve from the straight line and makes it a polyline: the polychain's own, or points of
/// the Bezier curve, more where segments fail. The verdict is that of the common check. What is
/// seen above the bound on the curve itself ends it. a, b (P). Throws as connect_greedy(); the
/// result does not depend on the number of workers.
StringSummary connect_curve(Evaluators& evaluators,
                            std::span<const float> a,
                            std::span<const float> b,
                            CurveShape shape,
                            const StringOptions& common,
                            const CurveTerms& terms,
                            const StringCallbacks& callbacks = {});

}  // namespace isthmus
