// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_tiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
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

// What a loop over the units of an interval has seen.
constexpr std::size_t has_hard = 1;
constexpr std::size_t has_bad = 2;

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

// Eight units at once; where a processor has shorter vectors, several of them.
constexpr std::size_t lanes = 8;
typedef double Vector __attribute__((vector_size(lanes * sizeof(double))));
typedef float Floats __attribute__((vector_size(lanes * sizeof(float))));

ISTHMUS_BODY void load(const double* from, Vector& to) {
  std::memcpy(&to, from, sizeof(Vector));
}
ISTHMUS_BODY void load(const float* from, Vector& to) {
  Floats floats;
  std::memcpy(&floats, from, sizeof(Floats));
  to = __builtin_convertvector(floats, Vector);
}
ISTHMUS_BODY void keep(const Vector& from, double* to) {
  std::memcpy(to, &from, sizeof(Vector));
}
ISTHMUS_BODY void magnitude(Vector& value) {
  value = value < 0.0 ? -value : value;
}

// A NaN wins, and stays.
ISTHMUS_BODY void values_body(SampleTile& tile,
                              std::size_t from,
                              std::size_t i,
                              double t,
                              const double* bias_a,
                              const double* bias_b) {
  const std::size_t units = tile.units;
  const std::size_t width = tile.width();
  for (std::size_t o = 0; o < units; o += lanes) {
    Vector own_a;
    Vector own_b;
    load(bias_a + o, own_a);
    load(bias_b + o, own_b);
    const Vector bias = (1.0 - t) * own_a + t * own_b;
    Vector top{};
    Vector winner{};
    for (std::size_t k = 0; k < tile.places; ++k) {
      Vector at_a;
      Vector at_b;
      load(tile.a.data() + from * width + k * units + o, at_a);
      load(tile.b.data() + from * width + k * units + o, at_b);
      const Vector value = (1.0 - t) * at_a + t * at_b + bias;
      keep(value, tile.values.data() + i * width + k * units + o);
      if (k == 0) {
        top = value;
        continue;
      }
      const Vector place = static_cast<double>(k) - Vector{};
      winner = value <= top ? winner : place;
      top = value <= top ? top : value;
    }
    keep(top, tile.top.data() + i * units + o);
    keep(winner, tile.winner.data() + i * units + o);
  }
}

// Of one place: low and high; adds to `bad` where they are not of moderate size.
ISTHMUS_BODY void deviation_of(SampleTile& tile,
                               std::size_t at,
                               double float_error,
                               const DeviationErrors& errors,
                               std::size_t o,
                               Vector& low,
                               Vector& high,
                               Vector& bad) {
  const std::size_t width = tile.width();
  Vector a;
  Vector b;
  Vector next_a;
  Vector next_b;
  Vector middle;
  Vector turned;
  Vector spread;
  Vector size;
  Vector change;
  load(tile.a.data() + at, a);
  load(tile.b.data() + at, b);
  load(tile.a.data() + at + width, next_a);
  load(tile.b.data() + at + width, next_b);
  load(tile.middle.data() + at, middle);
  load(tile.turned.data() + at, turned);
  load(tile.spread.data() + at, spread);
  load(errors.size + o, size);
  load(errors.change + o, change);
  const Vector bend = errors.width * ((next_b - b) - (next_a - a));
  magnitude(turned);
  spread = spread * (1.0 + 2.0 * errors.gamma_float) + 0.5 * errors.width * turned +
           (size + 2.0 * change) * float_error + errors.bend_error;
  Vector sizes = bend;
  magnitude(sizes);
  Vector of_middle = middle;
  magnitude(of_middle);
  const Vector around = spread + 0x1p-48 * (spread + sizes + of_middle + turned);
  low = middle - bend - around;
  high = middle - bend + around;
  Vector largest = low;
  magnitude(largest);
  Vector other = high;
  magnitude(other);
  largest += other;
  const Vector one = 1.0 - Vector{};
  bad += largest <= no_overflow ? Vector{} : one;
}

// A unit that is on at both ends keeps its bounds and one that is off has none, where these do not
// reach L, which is at least the sum of both magnitudes. Others are not simple.
ISTHMUS_BODY void simple_relu(
    const Vector& left, const Vector& right, Vector& low, Vector& high, Vector& simple) {
  const Vector one = 1.0 - Vector{};
  Vector size_left = left;
  Vector size_right = right;
  magnitude(size_left);
  magnitude(size_right);
  const Vector least = no_less * (size_left + size_right);
  Vector off = high <= least ? one : Vector{};
  off = left < 0.0 ? off : Vector{};
  off = right < 0.0 ? off : Vector{};
  Vector on = high >= -least ? one : Vector{};
  on = left >= 0.0 ? on : Vector{};
  on = right >= 0.0 ? on : Vector{};
  simple = off + on > 0.0 ? simple : Vector{};
  low = off > 0.0 ? Vector{} : low;
  high = off > 0.0 ? Vector{} : high;
}

// unit_low, unit_high and `hard`, and low, high of the places. A maximum is simple where one place
// wins at both ends and no other one may rise above it.
ISTHMUS_BODY std::size_t bounds_body(SampleTile& tile,
                                     std::size_t i,
                                     const DeviationErrors* errors,
                                     bool relu) {
  const std::size_t units = tile.units;
  const std::size_t width = tile.width();
  const Vector one = 1.0 - Vector{};
  Vector bad{};
  Vector all_hard{};
  for (std::size_t o = 0; o < units; o += lanes) {
    Vector left;
    Vector right;
    Vector winner;
    Vector next;
    load(tile.top.data() + i * units + o, left);
    load(tile.top.data() + (i + 1) * units + o, right);
    load(tile.winner.data() + i * units + o, winner);
    load(tile.winner.data() + (i + 1) * units + o, next);
    Vector low{};
    Vector high{};
    Vector rise = -std::numeric_limits<double>::infinity() - Vector{};
    for (std::size_t k = 0; k < tile.places && errors != nullptr; ++k) {
      const std::size_t at = i * width + k * units + o;
      Vector own_low;
      Vector own_high;
      deviation_of(tile, at, errors->float_error[k], *errors, o, own_low, own_high, bad);
      keep(own_low, tile.low.data() + at);
      keep(own_high, tile.high.data() + at);
      Vector from;
      Vector to;
      load(tile.values.data() + at, from);
      load(tile.values.data() + at + width, to);
      const Vector place = static_cast<double>(k) - Vector{};
      low = winner == place ? own_low : low;
      high = winner == place ? own_high : high;
      const Vector own_rise = own_high - no_less * ((left - from) + (right - to));
      rise = own_rise > rise ? own_rise : rise;
    }
    Vector simple = winner == next ? one : Vector{};
    if (tile.places > 1 && errors != nullptr) {
      simple = rise <= high ? simple : Vector{};
      Vector size = high;
      magnitude(size);
      high += 0x1p-48 * size;  // by a rounding, perhaps
    }
    if (relu) {
      simple_relu(left, right, low, high, simple);
    }
    keep(low, tile.unit_low.data() + i * units + o);
    keep(high, tile.unit_high.data() + i * units + o);
    keep(one - simple, tile.hard.data() + o);
    all_hard += one - simple;
  }
  double sum = 0.0;
  double sum_bad = 0.0;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    sum += all_hard[lane];
    sum_bad += bad[lane];
  }
  return (sum == 0.0 ? 0U : has_hard) | (sum_bad == 0.0 ? 0U : has_bad);
}

ISTHMUS_BODY void spreads_body(
    const double* low, const double* high, std::size_t count, float* middles, float* reaches) {
  for (std::size_t x = 0; x < count; ++x) {
    const auto middle = static_cast<float>(0.5 * (low[x] + high[x]));
    const auto center = static_cast<double>(middle);
    const double up = high[x] - center;
    const double down = center - low[x];
    const double reach = (up > down ? up : down) * (1.0 + 0x1p-22) + 0x1p-120;
    const bool none = (low[x] == 0.0) & (high[x] == 0.0);
    middles[x] = middle;
    reaches[x] = none ? 0.0F : static_cast<float>(reach);
  }
}

struct TileKernels {
  void (*sum)(double*, std::size_t, std::size_t, double*);
  void (*values)(SampleTile&, std::size_t, std::size_t, double, const double*, const double*);
  std::size_t (*bounds)(SampleTile&, std::size_t, const DeviationErrors*, bool);
  void (*spreads)(const double*, const double*, std::size_t, float*, float*);
};

template <template <auto> class On>
constexpr TileKernels kernels_on{.sum = On<sum_body>::run,
                                 .values = On<values_body>::run,
                                 .bounds = On<bounds_body>::run,
                                 .spreads = On<spreads_body>::run};

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

bool bound_units(SampleTile& tile, std::size_t i, const DeviationErrors* errors, bool relu) {
  const std::size_t seen = kernels().bounds(tile, i, errors, relu);
  for (std::size_t o = 0; o < tile.units && (seen & has_hard) != 0; ++o) {
    if (tile.hard[o] == 0.0) {
      continue;
    }
    Bounds bounds = bound_unit(tile, i, o, errors == nullptr);
    const std::size_t at = i * tile.units + o;
    if (relu) {
      bounds = bound_relu(tile.top[at], tile.top[at + tile.units], bounds);
    }
    tile.unit_low[at] = bounds.low;
    tile.unit_high[at] = bounds.high;
  }
  return (seen & has_bad) == 0;
}

void form_spreads(
    const double* low, const double* high, std::size_t count, float* middles, float* reaches) {
  kernels().spreads(low, high, count, middles, reaches);
}

}  // namespace isthmus
