// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_tiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "isthmus/certify/sample_units.h"
#include "isthmus/certify/unit_bounds.h"
#include "isthmus/core/target.h"

namespace isthmus {
namespace {

// Formulas of units do not overflow up to here.
constexpr double no_overflow = 0x1p+500;

// A sum of two numbers >= 0 times this is not above the exact one.
constexpr double no_less = 1.0 - 0x1p-48;

ISTHMUS_BODY void sum_body(double* products, std::size_t points, std::size_t width, double* slope) {
  for (std::size_t x = 0; x < width; ++x) {
    slope[x] = products[width + x];
    products[width + x] += products[x];
  }
  for (std::size_t i = 2; i < points; ++i) {
    const double* const before = products + (i - 1) * width;
    double* const here = products + i * width;
    for (std::size_t x = 0; x < width; ++x) {
      slope[x] += here[x];
      here[x] = before[x] + slope[x];
    }
  }
}

ISTHMUS_BODY void values_body(SampleTile& tile,
                              std::size_t from,
                              std::size_t i,
                              double t,
                              const double* bias_a,
                              const double* bias_b) {
  const std::size_t units = tile.units;
  for (std::size_t k = 0; k < tile.places; ++k) {
    const double* const a = tile.a.data() + from * tile.width() + k * units;
    const double* const b = tile.b.data() + from * tile.width() + k * units;
    double* const to = tile.values.data() + i * tile.width() + k * units;
    for (std::size_t o = 0; o < units; ++o) {
      to[o] = (1.0 - t) * a[o] + t * b[o] + ((1.0 - t) * bias_a[o] + t * bias_b[o]);
    }
  }
}

ISTHMUS_BODY bool deviations_body(SampleTile& tile, std::size_t i, const DeviationErrors& errors) {
  const std::size_t units = tile.units;
  const double half = 0.5 * errors.width;
  const double growth = 1.0 + 2.0 * errors.gamma_float;
  double bad = 0.0;
  for (std::size_t k = 0; k < tile.places; ++k) {
    const std::size_t at = i * tile.width() + k * units;
    const double* const a = tile.a.data() + at;
    const double* const b = tile.b.data() + at;
    const double* const next_a = a + tile.width();
    const double* const next_b = b + tile.width();
    double* const low = tile.low.data() + at;
    double* const high = tile.high.data() + at;
    const double float_error = errors.float_error[k];
    for (std::size_t o = 0; o < units; ++o) {
      const double bend = errors.width * ((next_b[o] - b[o]) - (next_a[o] - a[o]));
      const auto middle = static_cast<double>(tile.middle[at + o]);
      const double turned = std::abs(static_cast<double>(tile.turned[at + o]));
      const double spread = static_cast<double>(tile.spread[at + o]) * growth + half * turned +
                            (errors.size[o] + 2.0 * errors.change[o]) * float_error +
                            errors.bend_error;
      const double around =
          spread + 0x1p-48 * (spread + std::abs(bend) + std::abs(middle) + turned);
      low[o] = middle - bend - around;
      high[o] = middle - bend + around;
      bad += std::abs(low[o]) + std::abs(high[o]) <= no_overflow ? 0.0 : 1.0;
    }
  }
  return bad == 0.0;
}

// A NaN wins, and stays.
ISTHMUS_BODY void winners_body(SampleTile& tile) {
  const std::size_t units = tile.units;
  for (std::size_t i = 0; i < tile.points; ++i) {
    const double* const values = tile.values.data() + i * tile.width();
    double* const top = tile.top.data() + i * units;
    double* const winner = tile.winner.data() + i * units;
    for (std::size_t o = 0; o < units; ++o) {
      top[o] = values[o];
      winner[o] = 0.0;
    }
    for (std::size_t k = 1; k < tile.places; ++k) {
      const double place = static_cast<double>(k);
      for (std::size_t o = 0; o < units; ++o) {
        const double value = values[k * units + o];
        const bool wins = !(value <= top[o]);
        top[o] = wins ? value : top[o];
        winner[o] = wins ? place : winner[o];
      }
    }
  }
}

// unit_low, unit_high where one place wins at both ends and no other one may rise above it; else
// `hard` is 1.
ISTHMUS_BODY void simple_maximum(SampleTile& tile, std::size_t i) {
  const std::size_t units = tile.units;
  const double* const winner = tile.winner.data() + i * units;
  const double* const next = winner + units;
  const double* const top_left = tile.top.data() + i * units;
  const double* const top_right = top_left + units;
  double* const unit_low = tile.unit_low.data() + i * units;
  double* const unit_high = tile.unit_high.data() + i * units;
  for (std::size_t o = 0; o < units; ++o) {
    unit_low[o] = unit_high[o] = 0.0;
    tile.slope[o] = -std::numeric_limits<double>::infinity();  // how far the others may rise
  }
  for (std::size_t k = 0; k < tile.places; ++k) {
    const std::size_t at = i * tile.width() + k * units;
    const double* const left = tile.values.data() + at;
    const double* const right = left + tile.width();
    const double* const low = tile.low.data() + at;
    const double* const high = tile.high.data() + at;
    const double place = static_cast<double>(k);
    for (std::size_t o = 0; o < units; ++o) {
      const bool wins = winner[o] == place;
      unit_low[o] = wins ? low[o] : unit_low[o];
      unit_high[o] = wins ? high[o] : unit_high[o];
      const double gaps = (top_left[o] - left[o]) + (top_right[o] - right[o]);
      const double rise = high[o] - no_less * gaps;
      tile.slope[o] = rise > tile.slope[o] ? rise : tile.slope[o];
    }
  }
  for (std::size_t o = 0; o < units; ++o) {
    const bool simple = (winner[o] == next[o]) & (tile.slope[o] <= unit_high[o]);
    tile.hard[o] = simple ? 0.0 : 1.0;
    unit_high[o] += 0x1p-48 * std::abs(unit_high[o]);  // by a rounding, perhaps
  }
}

// The same of a unit alone, or without deviations.
ISTHMUS_BODY void plain_maximum(SampleTile& tile, std::size_t i, bool flat) {
  const std::size_t units = tile.units;
  const double* const winner = tile.winner.data() + i * units;
  for (std::size_t o = 0; o < units; ++o) {
    tile.hard[o] = winner[o] == winner[units + o] ? 0.0 : 1.0;
    tile.unit_low[i * units + o] = flat ? 0.0 : tile.low[i * units + o];
    tile.unit_high[i * units + o] = flat ? 0.0 : tile.high[i * units + o];
  }
}

// A unit that is on at both ends keeps its bounds and one that is off has none, where these do not
// reach L, which is at least the sum of both magnitudes.
ISTHMUS_BODY void simple_relu(SampleTile& tile, std::size_t i) {
  const std::size_t units = tile.units;
  const double* const left = tile.top.data() + i * units;
  const double* const right = left + units;
  double* const low = tile.unit_low.data() + i * units;
  double* const high = tile.unit_high.data() + i * units;
  for (std::size_t o = 0; o < units; ++o) {
    const double least = no_less * (std::abs(left[o]) + std::abs(right[o]));
    const bool off = (left[o] < 0.0) & (right[o] < 0.0) & (high[o] <= least);
    const bool on = (left[o] >= 0.0) & (right[o] >= 0.0) & (high[o] >= -least);
    tile.hard[o] += off | on ? 0.0 : 1.0;
    low[o] = off ? 0.0 : low[o];
    high[o] = off ? 0.0 : high[o];
  }
}

ISTHMUS_BODY bool simple_body(SampleTile& tile, std::size_t i, bool flat, bool relu) {
  if (flat || tile.places == 1) {
    plain_maximum(tile, i, flat);
  } else {
    simple_maximum(tile, i);
  }
  if (relu) {
    simple_relu(tile, i);
  }
  double sum = 0.0;
  for (std::size_t o = 0; o < tile.units; ++o) {
    sum += tile.hard[o];
  }
  return sum == 0.0;
}

struct TileKernels {
  void (*sum)(double*, std::size_t, std::size_t, double*);
  void (*values)(SampleTile&, std::size_t, std::size_t, double, const double*, const double*);
  bool (*deviations)(SampleTile&, std::size_t, const DeviationErrors&);
  void (*winners)(SampleTile&);
  bool (*simple)(SampleTile&, std::size_t, bool, bool);
};

template <template <auto> class On>
constexpr TileKernels kernels_on{.sum = On<sum_body>::run,
                                 .values = On<values_body>::run,
                                 .deviations = On<deviations_body>::run,
                                 .winners = On<winners_body>::run,
                                 .simple = On<simple_body>::run};

constexpr TileKernels all_kernels[] = {kernels_on<OnBaseline>,
#if defined(__x86_64__)
                                       kernels_on<OnAvx2>,
                                       kernels_on<OnAvx512>
#endif
};

const TileKernels& kernels() {
  static const TileKernels& chosen = all_kernels[usable_targets() - 1];
  return chosen;
}

// Of one unit that is not simple.
Bounds bound_unit(SampleTile& tile, std::size_t i, std::size_t o, bool flat) {
  constexpr std::size_t most = 64;
  const std::size_t units = tile.units;
  if (tile.places == 1) {
    return flat ? Bounds{} : Bounds{tile.low[i * units + o], tile.high[i * units + o]};
  }
  std::array<std::uint32_t, most> few{};
  std::vector<std::uint32_t> many(tile.places > most ? tile.places : 0);
  std::uint32_t* const window = many.empty() ? few.data() : many.data();
  for (std::size_t k = 0; k < tile.places; ++k) {
    window[k] = static_cast<std::uint32_t>(k * units + o);
  }
  const auto winner = [&](std::size_t at) {
    return window[static_cast<std::size_t>(tile.winner[at * units + o])];
  };
  const std::size_t at = i * tile.width();
  return bound_window({tile.values.data() + at,
                       tile.values.data() + at + tile.width(),
                       tile.low.data() + at,
                       tile.high.data() + at},
                      {window, tile.places},
                      {winner(i), winner(i + 1)},
                      flat);
}

}  // namespace

void SampleTile::resize(std::size_t new_points, std::size_t new_places, std::size_t new_units) {
  points = new_points;
  places = new_places;
  units = new_units;
  const auto room = [](auto& numbers, std::size_t size) {
    if (numbers.size() < size) {
      numbers.resize(size);
    }
  };
  for (std::vector<double>* numbers : {&a, &b, &values, &low, &high}) {
    room(*numbers, points * width());
  }
  for (std::vector<float>* numbers : {&middle, &turned, &spread}) {
    room(*numbers, points * width());
  }
  for (std::vector<double>* numbers : {&top, &winner, &unit_low, &unit_high}) {
    room(*numbers, points * units);
  }
  room(hard, units);
  room(slope, width());
}

void sum_up(SampleTile& tile) {
  kernels().sum(tile.a.data(), tile.points, tile.width(), tile.slope.data());
  kernels().sum(tile.b.data(), tile.points, tile.width(), tile.slope.data());
}

void form_values(SampleTile& tile,
                 std::size_t from,
                 std::size_t i,
                 double t,
                 const double* bias_a,
                 const double* bias_b) {
  kernels().values(tile, from, i, t, bias_a, bias_b);
}

bool form_deviations(SampleTile& tile, std::size_t i, const DeviationErrors& errors) {
  return kernels().deviations(tile, i, errors);
}

void find_winners(SampleTile& tile) {
  kernels().winners(tile);
}

void bound_units(SampleTile& tile, std::size_t i, bool flat, bool relu) {
  if (kernels().simple(tile, i, flat, relu)) {
    return;
  }
  for (std::size_t o = 0; o < tile.units; ++o) {
    if (tile.hard[o] == 0.0) {
      continue;
    }
    Bounds bounds = bound_unit(tile, i, o, flat);
    const std::size_t at = i * tile.units + o;
    if (relu) {
      bounds = bound_relu(tile.top[at], tile.top[at + tile.units], bounds);
    }
    tile.unit_low[at] = bounds.low;
    tile.unit_high[at] = bounds.high;
  }
}

}  // namespace isthmus
