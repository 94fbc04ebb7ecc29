// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/kink_products.h"
#include "isthmus/certify/spectral.h"
#include "isthmus/certify/steps.h"
#include "isthmus/certify/weights.h"

namespace isthmus {

/// How far the outputs of one sample lie from the chords of their computed end values, on each of
/// `kink_parts` equal parts of an interval: z(s) in c(s) + [low, high] +- radius, with one radius
/// for all samples of a block (kink_radius).
struct KinkBounds {
  std::vector<Parts> low;  ///< (outputs)
  std::vector<Parts> high;
};

/// The weights of an interval for one label, a pointer for each linear step behind the first.
struct KinkWeights {
  std::vector<const MiddleWeights*> between;
  std::vector<const MatrixSizes*> sizes;
  double width = 1.0;  ///< t1 - t0
  /// The margin that is zero, the label's.
  std::optional<std::size_t> zero;
};

/// What one unit adds to the functions of a form.
struct Kink {
  double slope = 0.0;   ///< 0: off, 1: on, throughout, if `simple`
  bool simple = false;  ///< the deviation behind it is `slope` times that before
  double reach = 0.0;   ///< magnitude of the deviation behind it, at most
  Parts low;            ///< of that deviation minus `slope` times the one before
  Parts high;
};

/// Of a ReLU unit with end values z0, z1 and a deviation before it in [low, high] on each part.
Kink kink_of(double z0, double z1, const Parts& low, const Parts& high);

/// Whether dense layers alternate with ReLU, behind a first linear layer of any kind and up to a
/// dense last one, and how many ReLU layers there are; 0 where they do not.
std::size_t kink_depth(std::span<const Step> steps);

/// What rounding may have done to the outputs at the ends, in a network of `kink_depth` > 0.
double kink_radius(const std::vector<Step>& steps,
                   const EndValues& left,
                   const EndValues& right,
                   const std::vector<const WeightNorms*>& norms,
                   const std::vector<const MatrixSizes*>& sizes,
                   double largest_input);

/// Encloses the outputs of one sample on an interval by functions that each change of a ReLU adds
/// and that go through the rest of the network by themselves (docs/certificate.md, Deep networks).
/// Owns scratch memory: one instance a thread. Counts the multiplications it makes.
class KinkEnclosure {
 public:
  explicit KinkEnclosure(const std::vector<Step>& steps) : steps_(steps) {}

  /// Of the sample in `lane` of the block whose end values are given. Bounds are infinite where the
  /// units that may change are too many, or numbers overflow.
  void enclose(const EndValues& left,
               const EndValues& right,
               std::size_t lane,
               const KinkWeights& weights,
               KinkBounds& bounds);

  double multiplications() const { return multiplications_; }

 private:
  /// What is known of the deviations behind a linear step beside their forms.
  struct Lengths {
    double rest = 0.0;     ///< of what the forms leave out
    double turned = 0.0;   ///< of what the change of the weights makes of the turned functions
    double carried = 0.0;  ///< of the deviations behind the ReLU
    double change = 0.0;   ///< of the change of the values behind the ReLU
    double size = 0.0;     ///< of the magnitudes of the forms' terms, for rounding
  };

  void begin(std::size_t units);
  bool pass_relu(const Rows& z0, const Rows& z1, std::size_t lane);
  void pick_rows(const Step& step,
                 const MatrixSizes& sizes,
                 double width,
                 const EndValues* left,
                 const EndValues* right,
                 std::size_t index,
                 std::size_t lane,
                 std::optional<std::size_t> zero);
  void multiply(const Step& step, const MiddleWeights& between);
  void bound_units(const MatrixSizes& sizes, double width, double rounding);
  KinkTables tables() const { return {low_, high_, size_, largest_}; }

  const std::vector<Step>& steps_;
  double multiplications_ = 0.0;
  Lengths lengths_;
  // The functions: their ranges, those of the last ReLU behind the others.
  std::vector<Parts> low_;
  std::vector<Parts> high_;
  std::vector<Parts> size_;
  std::vector<double> largest_;
  std::size_t old_ = 0;                // functions before the last ReLU
  std::vector<std::uint32_t> kinked_;  // units of the last ReLU that have one
  // Behind the ReLU: rows (active_) of the change, the middle, plain, the skew and turned ones.
  std::vector<std::uint32_t> active_;
  std::vector<double> in_;
  std::size_t stride_ = 0;
  // Behind the linear step: rows (kept_), the others are surely off.
  std::vector<std::uint32_t> kept_;
  std::vector<double> by_middle_;
  std::vector<double> by_change_;
  std::vector<double> plain_;  // (kept, functions)
  std::vector<double> turned_;
  std::vector<double> middle_;  // (kept)
  std::vector<double> skew_;
  std::vector<Parts> unit_low_;
  std::vector<Parts> unit_high_;
  std::vector<double> unit_turned_;  // what the turned functions add, at most
  std::vector<double> unit_size_;
};

}  // namespace isthmus
