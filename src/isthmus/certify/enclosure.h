// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "isthmus/certify/lanes.h"
#include "isthmus/certify/steps.h"
#include "isthmus/certify/weights.h"

namespace isthmus {

/// The values of all units at one t, for one block of samples, in double.
struct EndValues {
  std::vector<Rows> values;     ///< of each step's output
  std::vector<double> largest;  ///< the largest magnitude in each
};

/// The numbers in the network's output between two t. With s in [0, 1] the place between them, q =
/// s (1 - s), and z0, z1 the computed end values of a unit, its exact value z(s) satisfies
///
///     (1 - s) z0 + s z1 + q low - radius <= z(s) <= (1 - s) z0 + s z1 + q high + radius
///
/// where `radius` holds what rounding may have done to the end values (docs/certificate.md).
struct Deviation {
  Rows low;
  Rows high;
  double radius = 0.0;
};

/// The weights of all linear steps at one t, for one label.
using PointWeights = std::vector<const StepWeights*>;

/// The same at both ends of an interval, what changes between them, and bounds for the segment.
struct IntervalWeights {
  PointWeights left;
  PointWeights right;
  std::vector<const StepChange*> change;
  std::vector<const WeightNorms*> norms;
  double width = 1.0;  ///< t1 - t0
};

/// Pushes blocks of samples through a network whose weights move along a segment. Owns scratch
/// memory: one instance a thread. Counts the multiplications it makes, of one sample.
class Enclosure {
 public:
  explicit Enclosure(const std::vector<Step>& steps) : steps_(steps) {}

  /// All values at one t, of the first `steps` steps. `inputs` (rows of the first step).
  void forward(const Rows& inputs, const PointWeights& weights, std::size_t steps, EndValues& end);

  /// The same from the values of step `known` on, which are in `end` already.
  void forward_from(std::size_t known, const PointWeights& weights, EndValues& end);

  /// Encloses the outputs between two t. `largest_input`: a bound on the inputs' magnitudes.
  void enclose(const EndValues& left,
               const EndValues& right,
               const IntervalWeights& weights,
               double largest_input,
               Deviation& deviation);

  /// Multiplications done so far, counted for one sample of each block.
  double multiplications() const { return multiplications_; }

 private:
  /// What one call of enclose() goes along.
  struct Stretch {
    const EndValues& left;
    const EndValues& right;
    const IntervalWeights& weights;
    std::size_t first;  ///< linear step
  };

  /// The largest values before and after a step, and the deviations so far.
  struct Magnitudes {
    double in = 0.0;
    double out = 0.0;
    double spread = 0.0;
  };

  void pass_linear(std::size_t index,
                   const Stretch& stretch,
                   const Magnitudes& magnitudes,
                   Deviation& deviation);
  void pass_unit(std::size_t index,
                 const Stretch& stretch,
                 const Magnitudes& magnitudes,
                 Deviation& deviation);
  void linear(std::size_t index, const Stretch& stretch, double rounding, Deviation& deviation);
  void sum_inputs(const Step& step, const StepWeights& weights, const Rows& in, Rows& out);
  void run(std::size_t step, const Rows& in, const PointWeights& weights, EndValues& end);

  const std::vector<Step>& steps_;
  double multiplications_ = 0.0;
  std::vector<Term> used_;
  std::vector<Term> changing_;
  std::vector<char> zero_;
  std::vector<char> zero_change_;
  Rows change_;
  Rows center_;
  Rows spread_;
  Rows low_;
  Rows high_;
};

/// The linear step up to which nothing but weights depends on t; steps.size() if there is none.
std::size_t first_linear(const std::vector<Step>& steps);

}  // namespace isthmus
