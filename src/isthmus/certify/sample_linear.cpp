// SPDX-License-Identifier: MIT
// A linear step and the units behind it, tile by tile.
#include <algorithm>
#include <limits>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/sample_enclosure.h"
#include "isthmus/certify/unit_bounds.h"

namespace isthmus {
namespace {

constexpr std::size_t panels_of_tile = 4;

}  // namespace

// Any linear step but the last: points_, low_ and high_ behind it and what is joined to it.
void SampleEnclosure::linear(const SampleStep& step, bool first, bool before_margins) {
  const std::size_t n = grid_.parts;
  const Plan plan = first ? first_products(step) : multiply_all(step);
  const SampleWeights& weights = step.weights;
  const double size = weights.row_sum * largest_ + plan.error;
  bend_error_ = up(grid_.width * (4.0 * plan.error + 0x1p-48 * size) +
                   float_underflow * (1.0 + weights.row_sum));
  radius_ = value_error(step, plan.error);
  count_ = n + 1;
  gamma_float_ = float_gamma(step.inputs + 12);
  if (before_margins) {
    before_.step = &step;
    before_.gamma_float = gamma_float_;
    before_.bend_error = bend_error_;
    std::swap(before_.centers, centers_);
    std::swap(before_.reaches, reaches_);
    for (std::size_t i = 0; i < n; ++i) {
      before_.norms[i] = norms_[i][0];
    }
  }
  times_.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    times_[i] = static_cast<float>(grid_.t(i) + 0.5 * grid_.width);
  }
  flat_ = first;
  const std::size_t rows = step.tiles() * step.outputs;
  for (std::size_t i = 0; i <= n; ++i) {
    points_[i].resize(rows);
    low_[i].resize(rows);
    high_[i].resize(rows);
  }
  for (std::size_t w = 0; w < step.tiles(); ++w) {
    for (std::size_t panel = 0; panel < step.panels(); panel += panels_of_tile) {
      load_tile(step, plan, w, panel);
      form_tile(step, w, panel);
      keep_tile(step, w, panel);
    }
  }
  flat_ = flat_ && step.joined() == 0;
  look_at_values();
}

// The products of tile w, of the outputs from this panel on.
void SampleEnclosure::load_tile(const SampleStep& step,
                                const Plan& plan,
                                std::size_t w,
                                std::size_t panel) {
  const std::size_t n = grid_.parts;
  const std::size_t from = step.tile_first[w];
  const std::size_t o = panel * sample_panel;
  const std::size_t units = std::min(panels_of_tile, step.panels() - panel) * sample_panel;
  const std::size_t outputs = std::min(units, step.outputs - o);
  tile_.resize(n + 1, step.tile_first[w + 1] - from, units);
  const auto load = [&](const auto& rows, std::size_t count, auto& to) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < tile_.places; ++k) {
        const auto begin = to.begin() + static_cast<long>(i * tile_.width() + k * units);
        std::copy_n(rows[i].data() + step.tiled[from + k] * step.outputs + o, outputs, begin);
        std::fill(begin + static_cast<long>(outputs), begin + static_cast<long>(units), 0);
      }
    }
  };
  const std::size_t columns = flat_ ? 1 : plan.kinks ? 2 : n + 1;
  load(at_a_, columns, tile_.a);
  load(at_b_, columns, tile_.b);
  if (plan.kinks) {
    add_kinks_to_tile(step, w, panel);
  } else if (!flat_) {
    load(middle_, n, tile_.middle);
    load(turned_, n, tile_.turned);
    load(spread_, n, tile_.spread);
  }
  if (plan.second) {
    isthmus::sum_up(tile_);
  }
}

void SampleEnclosure::add_kinks_to_tile(const SampleStep& step, std::size_t w, std::size_t panel) {
  const std::size_t width = tile_.width();
  KinkTile& sums = kink_tile_;
  const auto keep =
      [&](const auto& from, std::size_t begin, std::size_t end, auto& to, std::size_t at) {
        for (std::size_t j = begin; j < end; ++j) {
          std::copy_n(from.data() + j * sample_panel, sample_panel, to.data() + j * width + at);
        }
      };
  for (std::size_t k = 0; k < tile_.places; ++k) {
    const std::size_t p = step.tiled[step.tile_first[w] + k];
    for (std::size_t own = 0; own < tile_.units; own += sample_panel) {
      const std::size_t weights = (panel * sample_panel + own) * step.inputs;
      const std::size_t to = k * tile_.units + own;
      std::fill_n(sums.a.data(), tile_.points * sample_panel, 0.0);
      std::fill_n(sums.b.data(), tile_.points * sample_panel, 0.0);
      for (auto* numbers : {&sums.middle, &sums.turned, &sums.spread}) {
        std::fill_n(numbers->data(), grid_.parts * sample_panel, 0.0F);
      }
      add_kinks({step.weights.a.data() + weights,
                 step.weights.b.data() + weights,
                 times_.data(),
                 static_cast<float>(0.5 * grid_.width)},
                {entries_.data() + p * step.inputs, entry_count_[p]},
                kinks_,
                {sums.a.data(),
                 sums.b.data(),
                 sums.middle.data(),
                 sums.turned.data(),
                 sums.spread.data()});
      keep(sums.a, 2, tile_.points, tile_.a, to);
      keep(sums.b, 2, tile_.points, tile_.b, to);
      keep(sums.middle, 0, grid_.parts, tile_.middle, to);
      keep(sums.turned, 0, grid_.parts, tile_.turned, to);
      keep(sums.spread, 0, grid_.parts, tile_.spread, to);
    }
  }
}

// From products to the bounds of the units behind them.
void SampleEnclosure::form_tile(const SampleStep& step, std::size_t w, std::size_t panel) {
  const SampleWeights& weights = step.weights;
  const std::size_t o = panel * sample_panel;
  for (std::size_t i = 0; i < tile_.points; ++i) {
    form_values(
        tile_, flat_ ? 0 : i, i, grid_.t(i), weights.bias_a.data() + o, weights.bias_b.data() + o);
  }
  float_error_.resize(tile_.places);
  for (std::size_t i = 0; i < grid_.parts; ++i) {
    for (std::size_t k = 0; k < tile_.places && !flat_; ++k) {
      float_error_[k] = gamma_float_ * norms_[i][step.tiled[step.tile_first[w] + k]];
    }
    const DeviationErrors errors{.width = grid_.width,
                                 .gamma_float = gamma_float_,
                                 .bend_error = bend_error_,
                                 .size = weights.size.data() + o,
                                 .change = weights.change.data() + o,
                                 .float_error = float_error_.data()};
    if (!bound_units(tile_, i, flat_ ? nullptr : &errors, step.relu)) {
      radius_ = std::numeric_limits<double>::infinity();
    }
  }
}

void SampleEnclosure::keep_tile(const SampleStep& step, std::size_t w, std::size_t panel) {
  const std::size_t units = tile_.units;
  const std::size_t o = panel * sample_panel;
  const std::size_t outputs = std::min(units, step.outputs - o);
  const std::size_t to = w * step.outputs + o;
  const bool plain = step.joined() == 0;
  if (before_.step == &step) {
    keep_before(o, outputs);
  }
  for (std::size_t i = 0; i < tile_.points; ++i) {
    const double* const values = (plain ? tile_.values : tile_.top).data() + i * units;
    if (step.relu) {
      std::transform(
          values, values + outputs, points_[i].data() + to, [](double z) { return relu_of(z); });
    } else {
      std::copy_n(values, outputs, points_[i].data() + to);
    }
  }
  for (std::size_t i = 0; i < grid_.parts && !(plain && flat_); ++i) {
    std::copy_n(
        (plain ? tile_.low : tile_.unit_low).data() + i * units, outputs, low_[i].data() + to);
    std::copy_n(
        (plain ? tile_.high : tile_.unit_high).data() + i * units, outputs, high_[i].data() + to);
  }
}

}  // namespace isthmus
