// SPDX-License-Identifier: MIT
// Bounds on margins that look back through the dense layer before them: docs/certificate.md, Lemma
// 23.
#include <algorithm>
#include <cmath>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/sample_enclosure.h"
#include "isthmus/certify/sample_units.h"

namespace isthmus {
namespace {

// Margins that look back together.
constexpr std::size_t margins_at_once = 4;

// Double sums here have some thousand terms.
constexpr double rounding = 0x1p-38;

bool stays_negative(double left, double right, double high, double radius) {
  return std::max(left, right) + radius + 0.25 * std::max(high, 0.0) < 0.0;
}

}  // namespace

// The units before the ReLU, of the tile at hand.
void SampleEnclosure::keep_before(std::size_t o, std::size_t outputs) {
  const std::size_t all = before_.step->outputs;
  for (std::size_t i = 0; i < tile_.points; ++i) {
    before_.values[i].resize(all);
    std::copy_n(tile_.values.data() + i * tile_.units, outputs, before_.values[i].data() + o);
    if (i < grid_.parts) {
      before_.low[i].resize(all);
      before_.high[i].resize(all);
      std::copy_n(tile_.low.data() + i * tile_.units, outputs, before_.low[i].data() + o);
      std::copy_n(tile_.high.data() + i * tile_.units, outputs, before_.high[i].data() + o);
    }
  }
}

// Slopes and rests of the ReLUs on interval i.
void SampleEnclosure::relax_before(std::size_t i) {
  const std::size_t outputs = before_.step->outputs;
  before_.relaxed = i;
  before_.slope.resize(outputs);
  before_.rest_low.resize(outputs);
  before_.rest_high.resize(outputs);
  for (std::size_t o = 0; o < outputs; ++o) {
    const RelaxedRelu relaxed = relax_relu(
        before_.values[i][o], before_.values[i + 1][o], {before_.low[i][o], before_.high[i][o]});
    before_.slope[o] = relaxed.slope;
    before_.rest_low[o] = relaxed.rest.low;
    before_.rest_high[o] = relaxed.rest.high;
  }
}

// Of margin j at hand: its center, and how far it may be from that but for the inputs of the dense
// layer. Leaves the factors of that layer's outputs.
double SampleEnclosure::own_spread(const SampleStep& step,
                                   std::size_t label,
                                   const OpenMargin& one,
                                   std::size_t j) {
  const std::size_t i = one.interval;
  const SampleStep& dense = *before_.step;
  const double time = grid_.t(i) + 0.5 * grid_.width;
  const double half = 0.5 * grid_.width;
  float* const factors = before_.factors.data() + j * dense.panels() * sample_panel;
  const auto weight = [&](const std::vector<float>& of, std::size_t o, std::size_t column) {
    return static_cast<double>(
        of[(o / sample_panel * step.inputs + column) * sample_panel + o % sample_panel]);
  };
  double center = 0.0;
  double spread = 0.0;
  double turned = 0.0;
  double reach = 0.0;
  double off = 0.0;      // of the centers and of what is passed on, in units of gamma'
  double factor = 0.0;   // sum of their magnitudes
  double largest = 0.0;  // of the deviations
  for (std::size_t row = 0; row < dense.outputs; ++row) {
    if (step.first[row] == step.first[row + 1]) {
      continue;
    }
    const std::size_t column = step.places[step.first[row]].column;
    const double left =
        weight(step.weights.a, one.output, column) - weight(step.weights.a, label, column);
    const double change =
        weight(step.weights.b, one.output, column) - weight(step.weights.b, label, column) - left;
    const double v = left + time * change;
    const double middle = 0.5 * (before_.low[i][row] + before_.high[i][row]);
    const double slope = before_.slope[row];
    const double rest = 0.5 * (before_.rest_low[row] + before_.rest_high[row]);
    const double around = 0.5 * (before_.rest_high[row] - before_.rest_low[row]);
    center += v * (slope * middle + rest);
    spread += std::abs(v) * around;
    turned += change * static_cast<double>(centers_[i][row]);
    reach += std::abs(change) * static_cast<double>(reaches_[i][row]);
    off += std::abs(v) * slope * (dense.weights.size[row] + 2.0 * dense.weights.change[row]);
    factor += std::abs(v) * slope;
    largest = std::max(
        {largest,
         std::abs(before_.low[i][row]),
         std::abs(before_.high[i][row]),
         std::abs(before_.rest_low[row]),
         std::abs(before_.rest_high[row]),
         std::abs(static_cast<double>(centers_[i][row])) + static_cast<double>(reaches_[i][row])});
    factors[row] = static_cast<float>(v * slope);
  }
  before_.centers_of[j] = center;
  // Of the centers, and of sums over the outputs at both ends of the segment.
  const double gammas = before_.gamma_float + 2.0 * float_gamma(dense.outputs + 16);
  const auto terms = static_cast<double>(dense.inputs + dense.outputs);
  return spread + half * (std::abs(turned) + reach) + off * gammas * before_.norms[i] +
         factor * before_.bend_error +
         float_underflow * (1.0 + dense.weights.row_sum) *
             (1.0 + factor + terms * before_.norms[i]) +
         rounding * (4.0 * step.weights.row_sum * largest);
}

// The bounds of some margins.
void SampleEnclosure::look_back_at(const SampleStep& step,
                                   std::size_t label,
                                   std::span<const OpenMargin> open,
                                   double bend_error,
                                   SampleMargins& out) {
  const SampleStep& dense = *before_.step;
  const std::size_t count = open.size() > 2 ? margins_at_once : open.size();
  before_.factors.assign(count * dense.panels() * sample_panel, 0.0F);
  before_.centers_of.resize(count);
  before_.spreads_of.resize(count);
  before_.rows.clear();
  before_.columns.clear();
  is_used_.assign(dense.in_rows, 0);
  for (std::size_t j = 0; j < open.size(); ++j) {
    const std::size_t i = open[j].interval;
    if (j == 0 || open[j - 1].interval != i) {
      relax_before(i);
      for (std::size_t row = 0; row < dense.in_rows; ++row) {
        const bool enters = dense.first[row] != dense.first[row + 1];  // strides pass over some
        is_used_[row] |= enters && before_.reaches[i][row] != 0.0F ? 1U : 0U;
      }
    }
    before_.spreads_of[j] = own_spread(step, label, open[j], j);
  }
  for (std::uint32_t row = 0; row < dense.in_rows; ++row) {
    if (is_used_[row] != 0) {
      before_.rows.push_back(row);
      before_.columns.push_back(dense.places[dense.first[row]].column);
    }
  }
  before_.at_a.resize(before_.rows.size() * count);
  before_.at_b.resize(before_.rows.size() * count);
  multiply_back({dense.weights.a.data(), dense.weights.b.data(), dense.panels(), dense.inputs},
                before_.columns,
                before_.factors.data(),
                count,
                before_.at_a.data(),
                before_.at_b.data());
  multiplications_ += static_cast<double>(2 * open.size() * before_.rows.size() * dense.outputs);
  for (std::size_t j = 0; j < open.size(); ++j) {
    narrow(label, open[j], j, count, bend_error, out);
  }
}

// The bounds of margin j of `count` at hand.
void SampleEnclosure::narrow(std::size_t label,
                             const OpenMargin& one,
                             std::size_t j,
                             std::size_t count,
                             double bend_error,
                             SampleMargins& out) {
  const auto [i, o] = one;
  const double time = grid_.t(i) + 0.5 * grid_.width;
  double spread = 0.0;
  double turned = 0.0;
  double aside = 0.0;
  for (std::size_t k = 0; k < before_.rows.size(); ++k) {
    const auto reach = static_cast<double>(before_.reaches[i][before_.rows[k]]);
    const auto left = static_cast<double>(before_.at_a[k * count + j]);
    const double change = static_cast<double>(before_.at_b[k * count + j]) - left;
    spread += std::abs(left + time * change) * reach;
    aside += std::abs(change) * reach;
    turned += change * static_cast<double>(before_.centers[i][before_.rows[k]]);
  }
  spread += 0.5 * grid_.width * (aside + std::abs(turned)) + before_.spreads_of[j];
  const double bend =
      grid_.width *
      ((at_b_[i + 1][o] - at_b_[i][o]) - (at_a_[i + 1][o] - at_a_[i][o]) -
       ((at_b_[i + 1][label] - at_b_[i][label]) - (at_a_[i + 1][label] - at_a_[i][label])));
  const double center = before_.centers_of[j] - bend;
  const double around =
      spread + bend_error + rounding * (spread + std::abs(bend) + std::abs(before_.centers_of[j]));
  out.deviation.low[o][i] = std::max(out.deviation.low[o][i], center - around);
  out.deviation.high[o][i] = std::min(out.deviation.high[o][i], center + around);
}

void SampleEnclosure::look_back(const SampleStep& step,
                                std::size_t label,
                                double bend_error,
                                SampleMargins& out) {
  std::vector<OpenMargin> open;
  const double radius = out.deviation.radius;
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    for (std::size_t o = 0; o < step.outputs; ++o) {
      const double left = out.left[o][i];
      const double right = out.right[o][i];
      if (o != label && !stays_negative(left, right, out.deviation.high[o][i], radius) &&
          !stays_negative(-left, -right, -out.deviation.low[o][i], radius)) {
        open.push_back({i, o});
      }
    }
  }
  for (std::size_t from = 0; from < open.size(); from += margins_at_once) {
    const std::size_t count = std::min(margins_at_once, open.size() - from);
    look_back_at(step, label, {open.data() + from, count}, bend_error, out);
  }
}

}  // namespace isthmus
