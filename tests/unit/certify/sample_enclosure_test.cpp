// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_enclosure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "isthmus/certify/rounding.h"
#include "isthmus/certify/sample_tiles.h"
#include "isthmus/certify/sample_units.h"
#include "isthmus/certify/segment_run.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"
#include "isthmus/objective/network_objective.h"

namespace isthmus {
namespace {

struct Case {
  std::string name;
  Network network;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

std::vector<Case> cases() {
  const Activation relu{Activation::Kind::relu};
  const Activation sigmoid{Activation::Kind::sigmoid};
  const Activation tanh{Activation::Kind::tanh};
  const Linear ten{.out_features = 10};
  const Pool2d max_pool{.kind = Pool2d::Kind::max, .kernel = 2, .stride = 2};
  const Pool2d max_same{
      .kind = Pool2d::Kind::max, .kernel = 3, .stride = 2, .padding = Padding::same};
  const Pool2d mean_pool{.kind = Pool2d::Kind::average, .kernel = 2, .stride = 2};
  const Conv2d conv{.out_channels = 3, .kernel = 3, .padding = Padding::same};
  const Conv2d wide{.out_channels = 20, .kernel = 3, .padding = Padding::same};
  const Conv2d stride{.out_channels = 5, .kernel = 3, .stride = 2};
  return {
      {"images", {{2, 8, 8}, {conv, relu, max_pool, stride, relu, Flatten{}, Dropout{0.5}, ten}}},
      {"deep_images",
       {{1, 8, 8},
        {wide,
         relu,
         max_pool,
         conv,
         max_pool,
         relu,
         Flatten{},
         Linear{.out_features = 18},
         relu,
         ten}}},
      {"padded",
       {{2, 7, 7},
        {Conv2d{.out_channels = 4, .kernel = 2, .stride = 2, .padding = {2, 1}},
         relu,
         Pool2d{.kind = Pool2d::Kind::max, .kernel = 3, .stride = 2, .padding = {1, 0}},
         Pool2d{.kind = Pool2d::Kind::average,
                .kernel = 2,
                .stride = 1,
                .padding = {1, 1},
                .count_padding = true},
         Flatten{},
         ten}}},
      {"pools",
       {{1, 9, 9}, {mean_pool, conv, tanh, mean_pool, conv, relu, max_same, Flatten{}, ten}}},
      {"sigmoids", {{1, 6, 6}, {conv, sigmoid, conv, sigmoid, Flatten{}, ten}}},
      {"perceptron",
       {{1, 5, 5},
        {Flatten{},
         Linear{.out_features = 19},
         relu,
         Linear{.out_features = 17, .bias = false},
         relu,
         Linear{.out_features = 18}}}}};
}

std::vector<float> normal_numbers(std::size_t count, double scale, Rng& rng) {
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    number = static_cast<float>(scale * rng.normal());
  }
  return numbers;
}

// The margins of one sample at t, by the definition of the network, in double.
std::vector<double> reference_margins(const Network& network,
                                      std::span<const float> a,
                                      std::span<const float> b,
                                      double t,
                                      const std::vector<float>& input,
                                      std::size_t label) {
  std::vector<double> theta(a.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = (1.0 - t) * static_cast<double>(a[i]) + t * static_cast<double>(b[i]);
  }
  const std::int32_t unused = 0;
  std::vector<double> outputs(output_size(network));
  reference_forward(
      network, theta, {.count = 1, .inputs = input.data(), .labels = &unused}, outputs);
  const double own = outputs[label];
  for (double& value : outputs) {
    value -= own;
  }
  return outputs;
}

class SampleNetworks : public testing::TestWithParam<Case> {
 protected:
  struct Segment {
    std::vector<float> a;
    std::vector<float> b;
    std::vector<float> input;
  };

  Segment make(std::uint64_t seed, double scale, double distance) {
    Rng rng(seed, 5);
    const Network& network = GetParam().network;
    const std::size_t dimension = layout_of(network).dimension();
    Segment made{normal_numbers(dimension, scale, rng), {}, {}};
    made.b = made.a;
    for (float& number : made.b) {
      number += static_cast<float>(distance * scale * rng.normal());
    }
    made.input = normal_numbers(size_of(network.input), 1.0, rng);
    return made;
  }
};

// Every margin lies in its enclosure at places inside every interval, whatever the grid.
TEST_P(SampleNetworks, NoMarginLeavesItsEnclosure) {
  const Network& network = GetParam().network;
  const std::vector<Step> steps = steps_of(network);
  std::size_t looked = 0;
  double widest_radius = 0.0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const double distance = seed % 2 == 0 ? 1.0 : 0.1;
    const Segment segment = make(seed, seed % 3 == 0 ? 0.2 : seed % 3 == 1 ? 0.5 : 1.2, distance);
    const SampleNetwork samples(steps, segment.a, segment.b);
    SampleEnclosure enclosure(samples);
    Rng rng(seed, 6);
    const std::vector<double> input(segment.input.begin(), segment.input.end());
    double largest = 0.0;
    for (const double value : input) {
      largest = std::max(largest, std::abs(value));
    }
    for (int round = 0; round < 3; ++round) {
      // Grids that begin anywhere, of any number of intervals.
      const std::size_t level = rng.below(7);
      const std::size_t all = std::size_t{1} << level;
      const std::size_t from = rng.below(all);
      SampleGrid grid;
      grid.width = 1.0 / static_cast<double>(all);
      grid.t0 = static_cast<double>(from) * grid.width;
      grid.parts = 1 + rng.below(std::min(lane_count, all - from));
      const std::size_t label = rng.below(output_size(network));
      SampleMargins margins;
      enclosure.enclose(input, largest, static_cast<std::int32_t>(label), grid, margins);
      const double radius = margins.deviation.radius;
      ASSERT_TRUE(std::isfinite(radius));
      double size = 1.0;
      for (const Lanes& row : margins.left) {
        size = std::max(size, *std::ranges::max_element(row.at));
      }
      widest_radius = std::max(widest_radius, radius / size);
      for (std::size_t i = 0; i < grid.parts; ++i) {
        for (int k = 0; k < 6; ++k) {
          const double s = k == 0 ? 0.0 : k == 1 ? 1.0 : rng.uniform();
          const double t = grid.t(i) + s * grid.width;
          const std::vector<double> truth =
              reference_margins(network, segment.a, segment.b, t, segment.input, label);
          for (std::size_t j = 0; j < truth.size(); ++j) {
            const double chord = (1.0 - s) * margins.left[j][i] + s * margins.right[j][i];
            const double q = s * (1.0 - s);
            const double slack = 1e-12 * (1.0 + std::abs(chord) + std::abs(truth[j]));
            EXPECT_LE(truth[j], chord + q * margins.deviation.high[j][i] + radius + slack)
                << "seed " << seed << " t " << t << " output " << j;
            EXPECT_GE(truth[j], chord + q * margins.deviation.low[j][i] - radius - slack)
                << "seed " << seed << " t " << t << " output " << j;
            ++looked;
          }
        }
      }
    }
  }
  EXPECT_GT(looked, 5000U);
  EXPECT_LT(widest_radius, 1e-7);  // of the margins
  EXPECT_GT(widest_radius, 0.0);
}

// As tight as the enclosure of a block: the bounds of both go by the same lemmas but for the
// weights' magnitudes.
TEST_P(SampleNetworks, TheExcessShrinksWithTheWidth) {
  const Network& network = GetParam().network;
  const Segment segment = make(3, 0.4, 0.3);
  const SampleNetwork samples(steps_of(network), segment.a, segment.b);
  SampleEnclosure enclosure(samples);
  const std::vector<double> input(segment.input.begin(), segment.input.end());
  std::vector<double> excess;
  for (const std::size_t parts : {1U, 32U}) {
    SampleMargins margins;
    const double width = 1.0 / static_cast<double>(parts);
    enclosure.enclose(input, 10.0, 0, {0.0, width, parts}, margins);
    double widest = 0.0;
    for (std::size_t j = 1; j < output_size(network); ++j) {
      for (std::size_t i = 0; i < parts; ++i) {
        widest = std::max(widest, margins.deviation.high[j][i] - margins.deviation.low[j][i]);
      }
    }
    excess.push_back(widest);
  }
  EXPECT_GT(excess[0], 0.0);
  EXPECT_LT(excess[1], excess[0] / 50.0);
}

INSTANTIATE_TEST_SUITE_P(SampleEnclosure,
                         SampleNetworks,
                         testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

// The deviation of a ReLU over q lies within its bounds at places between the ends; where nothing
// is cut short they are those of bound_relu.
TEST(SampleUnits, ReluHoldsAndIsThatOfOneUnit) {
  Rng rng(11, 1);
  for (int round = 0; round < 4000; ++round) {
    const double scale = round % 2 == 0 ? 1.0 : 0.1;
    const double z0 = scale * rng.normal();
    const double z1 =
        round % 3 == 0 ? std::copysign(scale * rng.normal(), z0) : scale * rng.normal();
    double low = rng.normal();
    double high = low + std::abs(rng.normal());
    const Bounds in{low, high};
    const Bounds expected = bound_relu(z0, z1, in);
    bound_relu_rows({&z0, &z1, &low, &high}, 1, false);
    EXPECT_NEAR(low, expected.low, 1e-12);
    EXPECT_NEAR(high, expected.high, 1e-12);
    for (int k = 1; k < 40; ++k) {
      const double s = k / 40.0;
      const double q = s * (1.0 - s);
      const double line = (1.0 - s) * z0 + s * z1;
      const double chord = (1.0 - s) * std::max(z0, 0.0) + s * std::max(z1, 0.0);
      EXPECT_GE((std::max(line + q * in.low, 0.0) - chord) / q, low - 1e-12);
      EXPECT_LE((std::max(line + q * in.high, 0.0) - chord) / q, high + 1e-12);
    }
  }
  const double off = -0.5;
  const double on = 0.25;
  double low = 0.0;
  double high = 0.0;
  bound_relu_rows({&off, &on, &low, &high}, 1, true);
  EXPECT_NEAR(low, bound_relu(off, on, {}).low, 1e-15);
  EXPECT_LT(high, 0.0);
}

// Around a multiple of what goes in: of deviations e that are any number of their bounds. Where the
// unit is on most of the time the multiple says more than bounds of the ReLU alone.
TEST(SampleUnits, ARelaxedReluHolds) {
  Rng rng(13, 1);
  std::size_t narrower = 0;
  for (int round = 0; round < 4000; ++round) {
    const double scale = round % 2 == 0 ? 1.0 : 0.1;
    const double z0 = scale * rng.normal();
    const double z1 = scale * rng.normal();
    const double low = rng.normal();
    const Bounds z{low, low + std::abs(rng.normal())};
    const RelaxedRelu relaxed = relax_relu(z0, z1, z);
    const Bounds plain = bound_relu(z0, z1, z);
    const double width = relaxed.rest.high - relaxed.rest.low;
    EXPECT_LE(width, plain.high - plain.low + 1e-12);
    narrower += width < 0.5 * (plain.high - plain.low) ? 1 : 0;
    for (int k = 1; k < 40; ++k) {
      const double s = k / 40.0;
      const double q = s * (1.0 - s);
      const double chord = (1.0 - s) * std::max(z0, 0.0) + s * std::max(z1, 0.0);
      for (const double part : {0.0, 0.3, 1.0}) {
        const double e = (1.0 - part) * z.low + part * z.high;
        const double deviation = (std::max((1.0 - s) * z0 + s * z1 + q * e, 0.0) - chord) / q;
        EXPECT_GE(deviation - relaxed.slope * e, relaxed.rest.low - 1e-11);
        EXPECT_LE(deviation - relaxed.slope * e, relaxed.rest.high + 1e-11);
      }
    }
  }
  EXPECT_GT(narrower, 500U);
}

// The same of the largest of four.
TEST(SampleUnits, TheLargestOfAWindowHolds) {
  Rng rng(12, 1);
  const std::vector<std::uint32_t> window{3, 0, 2, 1};
  std::size_t short_cuts = 0;
  for (int round = 0; round < 4000; ++round) {
    double left[4];
    double right[4];
    double low[4];
    double high[4];
    const bool flat = round % 5 == 0;
    for (int k = 0; k < 4; ++k) {
      left[k] = 0.3 * rng.normal();
      right[k] = left[k] + 0.2 * rng.normal();
      low[k] = flat ? 0.0 : 0.5 * rng.normal();
      high[k] = flat ? 0.0 : low[k] + std::abs(0.3 * rng.normal());
    }
    const auto top = [](const double* values) {
      return static_cast<std::uint32_t>(std::max_element(values, values + 4) - values);
    };
    const Winners winners{top(left), top(right)};
    const Bounds bounds = bound_window({left, right, low, high}, window, winners, flat);
    short_cuts += winners.left == winners.right && bounds.low == low[winners.left] ? 1 : 0;
    for (int k = 1; k < 40; ++k) {
      const double s = k / 40.0;
      const double q = s * (1.0 - s);
      double least = -1e9;
      double most = -1e9;
      for (int unit = 0; unit < 4; ++unit) {
        const double line = (1.0 - s) * left[unit] + s * right[unit];
        least = std::max(least, line + q * low[unit]);
        most = std::max(most, line + q * high[unit]);
      }
      const double chord = (1.0 - s) * left[winners.left] + s * right[winners.right];
      EXPECT_GE((least - chord) / q, bounds.low - 1e-12);
      EXPECT_LE((most - chord) / q, bounds.high + 1e-12);
    }
  }
  EXPECT_GT(short_cuts, 500U);
}

// The ReLU of the largest of a tile's places, of deviations that are any number of their bounds.
TEST(SampleTiles, BoundsOfUnitsHold) {
  Rng rng(14, 1);
  const std::vector<double> zeros(sample_panel, 0.0);
  std::size_t simple = 0;
  for (int round = 0; round < 400; ++round) {
    SampleTile tile;
    const std::size_t places = round % 2 == 0 ? 1 : 3;
    tile.resize(2, places, sample_panel);
    const std::size_t width = tile.width();
    const double scale = round % 3 == 0 ? 0.1 : 0.5;
    for (std::size_t x = 0; x < width; ++x) {
      tile.a[x] = tile.b[x] = scale * rng.normal();
      tile.a[width + x] = tile.b[width + x] = tile.a[x] + 0.3 * scale * rng.normal();
      tile.middle[x] = static_cast<float>(0.7 * rng.normal());
      tile.turned[x] = 0.0F;
      tile.spread[x] = static_cast<float>(0.4 * std::abs(rng.normal()));
    }
    form_values(tile, 0, 0, 0.0, zeros.data(), zeros.data());
    form_values(tile, 1, 1, 0.0, zeros.data(), zeros.data());
    const std::vector<double> none(places, 0.0);
    const DeviationErrors errors{.width = 1.0,
                                 .gamma_float = 0.0,
                                 .bend_error = 0.0,
                                 .size = zeros.data(),
                                 .change = zeros.data(),
                                 .float_error = none.data()};
    ASSERT_TRUE(bound_units(tile, 0, &errors, true));
    for (std::size_t o = 0; o < sample_panel; ++o) {
      simple += tile.hard[o] == 0.0 ? 1 : 0;
      double left = -1e9;
      double right = -1e9;
      for (std::size_t k = 0; k < places; ++k) {
        left = std::max(left, tile.a[k * sample_panel + o]);
        right = std::max(right, tile.a[width + k * sample_panel + o]);
      }
      for (int i = 1; i < 40; ++i) {
        const double s = i / 40.0;
        const double q = s * (1.0 - s);
        double least = 0.0;
        double most = 0.0;
        for (std::size_t k = 0; k < places; ++k) {
          const std::size_t x = k * sample_panel + o;
          const double line = (1.0 - s) * tile.a[x] + s * tile.a[width + x];
          const auto middle = static_cast<double>(tile.middle[x]);
          const auto spread = static_cast<double>(tile.spread[x]);
          least = std::max(least, line + q * (middle - spread));
          most = std::max(most, line + q * (middle + spread));
        }
        const double chord = (1.0 - s) * std::max(left, 0.0) + s * std::max(right, 0.0);
        EXPECT_GE((least - chord) / q, tile.unit_low[o] - 1e-12);
        EXPECT_LE((most - chord) / q, tile.unit_high[o] + 1e-12);
      }
    }
  }
  EXPECT_GT(simple, 500U);
}

// Numbers that overflow give no finite radius, or bound, and never a wrong one.
TEST(SampleEnclosure, OverflowGivesNoFiniteRadius) {
  const Network network = cases()[0].network;
  for (const double scale : {1e20, 1e37}) {
    Rng rng(1, 7);
    const std::size_t dimension = layout_of(network).dimension();
    const std::vector<float> a = normal_numbers(dimension, scale, rng);
    const std::vector<float> b = normal_numbers(dimension, scale, rng);
    const SampleNetwork samples(steps_of(network), a, b);
    SampleEnclosure enclosure(samples);
    const std::vector<double> input(size_of(network.input), 1.0);
    SampleMargins margins;
    enclosure.enclose(input, 1.0, 0, {0.0, 0.25, 4}, margins);
    EXPECT_FALSE(std::isfinite(margins.deviation.radius));
  }
}

// Against sums in double, and of the plain order.
TEST(SampleProducts, AreSumsOfProducts) {
  Rng rng(9, 1);
  constexpr std::size_t inputs = 90;
  const std::vector<float> a = normal_numbers(inputs * sample_panel, 1.0, rng);
  const std::vector<float> b = normal_numbers(inputs * sample_panel, 1.0, rng);
  std::vector<Entry> entries;
  for (std::uint32_t k = 0; k < 70; ++k) {
    entries.push_back({static_cast<std::uint32_t>(rng.below(inputs)), 69 - k});
  }
  for (const std::size_t columns : {1U, 2U, 4U}) {
    const std::vector<float> values = normal_numbers(2 * 70 * columns, 1.0, rng);
    const std::vector<double> doubles(values.begin(), values.end());
    const std::vector<float> times{0.25F, 0.5F, 0.03125F, 0.9F};
    std::vector<double> at_a(columns * sample_panel);
    std::vector<double> at_b(columns * sample_panel);
    multiply_ends(
        a.data(), b.data(), entries, doubles.data(), columns, {}, at_a.data(), at_b.data());
    std::vector<float> middle(columns * sample_panel);
    std::vector<float> turned(columns * sample_panel);
    std::vector<float> spread(columns * sample_panel);
    const float half = 0.125F;
    multiply_deviations({a.data(), b.data(), times.data(), half},
                        entries,
                        values.data(),
                        columns,
                        {middle.data(), turned.data(), spread.data()});
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t o = 0; o < sample_panel; ++o) {
        double sums[5] = {};
        for (const Entry& entry : entries) {
          const auto wa = static_cast<double>(a[entry.column * sample_panel + o]);
          const auto wb = static_cast<double>(b[entry.column * sample_panel + o]);
          const double value = doubles[entry.input * columns + j];
          const double center = doubles[2 * (entry.input * columns + j)];
          const double reach = doubles[2 * (entry.input * columns + j) + 1];
          const double w = wa + static_cast<double>(times[j]) * (wb - wa);
          sums[0] += wa * value;
          sums[1] += wb * value;
          sums[2] += w * center;
          sums[3] += (wb - wa) * center;
          sums[4] += (std::abs(w) + static_cast<double>(half) * std::abs(wb - wa)) * reach;
        }
        const std::size_t at = j * sample_panel + o;
        EXPECT_NEAR(at_a[at], sums[0], 1e-13);
        EXPECT_NEAR(at_b[at], sums[1], 1e-13);
        EXPECT_NEAR(static_cast<double>(middle[at]), sums[2], 1e-4);
        EXPECT_NEAR(static_cast<double>(turned[at]), sums[3], 1e-4);
        EXPECT_NEAR(static_cast<double>(spread[at]), sums[4], 1e-4);
      }
    }
  }
}

// Two columns at two positions, what is added to sums, and sums over outputs.
TEST(SampleProducts, OfTilesAreSumsOfProducts) {
  Rng rng(10, 1);
  constexpr std::size_t inputs = 40;
  const std::vector<float> a = normal_numbers(2 * inputs * sample_panel, 1.0, rng);
  const std::vector<float> b = normal_numbers(2 * inputs * sample_panel, 1.0, rng);
  const std::vector<float> floats = normal_numbers(2 * inputs, 1.0, rng);
  const std::vector<double> in(floats.begin(), floats.end());
  std::vector<std::uint32_t> rows[2];
  for (std::size_t i = 0; i < inputs; ++i) {
    rows[0].push_back(static_cast<std::uint32_t>(rng.below(inputs)));
    rows[1].push_back(static_cast<std::uint32_t>(rng.below(inputs)));
  }
  std::vector<double> two_a(4 * sample_panel);
  std::vector<double> two_b(4 * sample_panel);
  multiply_two(a.data(), b.data(), rows[0], rows[1], in.data(), two_a.data(), two_b.data());
  for (std::size_t j = 0; j < 4 * sample_panel; ++j) {
    double sums[2] = {};
    for (std::size_t i = 0; i < inputs; ++i) {
      const double value = in[2 * rows[j / (2 * sample_panel)][i] + j / sample_panel % 2];
      sums[0] += static_cast<double>(a[i * sample_panel + j % sample_panel]) * value;
      sums[1] += static_cast<double>(b[i * sample_panel + j % sample_panel]) * value;
    }
    EXPECT_NEAR(two_a[j], sums[0], 1e-13);
    EXPECT_NEAR(two_b[j], sums[1], 1e-13);
  }
  const std::vector<std::uint32_t> columns{3, 17, 38};
  for (const std::size_t count : {1U, 2U, 4U}) {
    const std::vector<float> values = normal_numbers(2 * count * sample_panel, 1.0, rng);
    std::vector<float> at_a(columns.size() * count);
    std::vector<float> at_b(columns.size() * count);
    multiply_back(
        {a.data(), b.data(), 2, inputs}, columns, values.data(), count, at_a.data(), at_b.data());
    for (std::size_t k = 0; k < columns.size() * count; ++k) {
      double sums[2] = {};
      for (std::size_t o = 0; o < 2 * sample_panel; ++o) {
        const std::size_t at = (o / sample_panel * inputs + columns[k / count]) * sample_panel;
        const auto value = static_cast<double>(values[k % count * 2 * sample_panel + o]);
        sums[0] += static_cast<double>(a[at + o % sample_panel]) * value;
        sums[1] += static_cast<double>(b[at + o % sample_panel]) * value;
      }
      EXPECT_NEAR(static_cast<double>(at_a[k]), sums[0], 1e-4);
      EXPECT_NEAR(static_cast<double>(at_b[k]), sums[1], 1e-4);
    }
  }
}

TEST(SampleProducts, KinksAreAddedToSums) {
  Rng rng(10, 2);
  const std::vector<float> a = normal_numbers(9 * sample_panel, 1.0, rng);
  const std::vector<float> b = normal_numbers(9 * sample_panel, 1.0, rng);
  const std::vector<Entry> entries{{4, 1}, {8, 0}};
  Kinks kinks;
  kinks.values = {{2, 0.5}, {3, -1.5}, {3, 0.25}};
  kinks.first_value = {0, 2, 3};
  kinks.deviations = {{1, 0.5F, 2.0F}, {0, -0.5F, 1.0F}, {1, 1.5F, 0.5F}};
  kinks.first_deviation = {0, 1, 3};
  const float times[2] = {0.25F, 0.75F};
  const double half = 0.125;
  std::vector<double> sums(8 * sample_panel, 1.0);
  std::vector<float> floats(6 * sample_panel, 1.0F);
  add_kinks({a.data(), b.data(), times, static_cast<float>(half)},
            entries,
            kinks,
            {sums.data(),
             sums.data() + 4 * sample_panel,
             floats.data(),
             floats.data() + 2 * sample_panel,
             floats.data() + 4 * sample_panel});
  for (std::size_t o = 0; o < sample_panel; ++o) {
    const auto weight = [&](const std::vector<float>& of, std::size_t column) {
      return static_cast<double>(of[column * sample_panel + o]);
    };
    EXPECT_NEAR(sums[2 * sample_panel + o], 1.0 + 0.5 * weight(a, 8), 1e-14);
    EXPECT_NEAR(sums[7 * sample_panel + o], 1.0 - 1.5 * weight(b, 8) + 0.25 * weight(b, 4), 1e-14);
    EXPECT_EQ(sums[o], 1.0);
    double expected[3] = {1.0, 1.0, 1.0};
    for (const auto& [column, middle, reach] :
         {std::tuple{8U, 0.5, 2.0}, std::tuple{4U, 1.5, 0.5}}) {
      const double change = weight(b, column) - weight(a, column);
      const double turned = weight(a, column) + 0.75 * change;
      expected[0] += turned * middle;
      expected[1] += change * middle;
      expected[2] += (std::abs(turned) + half * std::abs(change)) * reach;
    }
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(static_cast<double>(floats[(2 * k + 1) * sample_panel + o]), expected[k], 1e-5);
    }
  }
}

// Behind a wide layer of ReLUs: what samples in blocks leave open is narrower by far.
TEST(SampleProof, LookingBackIsNarrower) {
  const Activation relu{Activation::Kind::relu};
  const Network network{{1, 6, 6},
                        {Flatten{},
                         Linear{.out_features = 80},
                         relu,
                         Linear{.out_features = 300},
                         relu,
                         Linear{.out_features = 5}}};
  Rng rng(21, 1);
  const std::size_t dimension = layout_of(network).dimension();
  const std::vector<float> a = normal_numbers(dimension, 0.2, rng);
  std::vector<float> b = a;
  for (float& number : b) {
    number += static_cast<float>(0.05 * rng.normal());
  }
  const std::vector<Step> steps = steps_of(network);
  const SampleNetwork samples(steps, a, b);
  SampleEnclosure enclosure(samples);
  auto data = std::make_shared<Dataset>();
  data->classes = 5;
  data->test.count = 20;
  data->test.input_shape = network.input;
  data->test.values = normal_numbers(20 * 36, 1.0, rng);
  data->test.labels.assign(20, 0);
  data->train = data->test;
  NetworkObjectiveOptions options;
  options.network = network;
  options.data = data;
  options.loss = Loss::cross_entropy;
  const auto objective = make_network_objective(std::move(options));
  const CertifiedProblem problem = certified_problem(*objective, Split::test, Metric::error_rate);
  Workers workers(1);
  const CertifyOptions any;
  SegmentRun run(problem, a, b, any, workers, nullptr);
  double in_blocks = 0.0;
  double alone = 0.0;
  const TimeInterval interval{0.25, 0.5};
  run.enclose(problem.blocks,
              std::span(&interval, 1),
              [&](std::size_t block,
                  std::size_t,
                  const Rows& left,
                  const Rows& right,
                  const Deviation& deviation) {
                for (std::size_t lane = 0; lane < problem.blocks[block].samples.size(); ++lane) {
                  const std::uint32_t sample = problem.blocks[block].samples[lane];
                  const std::vector<double> input(data->test.values.begin() + sample * 36,
                                                  data->test.values.begin() + (sample + 1) * 36);
                  SampleMargins margins;
                  enclosure.enclose(input, 10.0, 0, {0.25, 0.25, 1}, margins);
                  for (std::size_t j = 1; j < 5; ++j) {
                    const double low = deviation.low[j][lane];
                    const double high = deviation.high[j][lane];
                    if (std::max(left[j][lane], right[j][lane]) + 0.25 * high > 0.0 &&
                        std::min(left[j][lane], right[j][lane]) + 0.25 * low < 0.0) {
                      in_blocks += high - low;
                      alone += margins.deviation.high[j][0] - margins.deviation.low[j][0];
                    }
                  }
                }
              });
  EXPECT_GT(in_blocks, 0.0);
  EXPECT_LT(alone, 0.6 * in_blocks);
}

// The exact largest number of errors is that of samples in blocks, and of dense grids.
TEST(SampleProof, CountsAsBlocksDo) {
  Workers workers(2);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const Case one = cases()[seed % 3];
    Rng rng(seed, 8);
    auto data = std::make_shared<Dataset>();
    data->classes = 10;
    Samples& test = data->test;
    test.count = 60;
    test.input_shape = one.network.input;
    test.values = normal_numbers(test.count * test.features(), 1.0, rng);
    for (std::size_t i = 0; i < test.count; ++i) {
      test.labels.push_back(static_cast<std::int32_t>(rng.below(10)));
    }
    data->train = test;
    NetworkObjectiveOptions options;
    options.network = one.network;
    options.data = data;
    options.loss = Loss::cross_entropy;
    const auto objective = make_network_objective(std::move(options));
    const std::vector<float> a = normal_numbers(objective->dimension(), 0.4, rng);
    std::vector<float> b = a;
    for (float& number : b) {
      number += static_cast<float>(0.2 * rng.normal());
    }
    CertifiedProblem problem = certified_problem(*objective, Split::test, Metric::error_rate);
    const CertifyOptions exactly{.gap = 0.0, .max_evaluations = 3000.0, .first_level = seed};
    SegmentRun blocks(problem, a, b, exactly, workers, nullptr);
    const SegmentProof expected = prove_errors(blocks);
    problem.one_by_one = true;
    SegmentRun run(problem, a, b, exactly, workers, nullptr);
    const SegmentProof proof = prove_errors_one_by_one(run);
    ASSERT_EQ(proof.outcome, SegmentProof::Outcome::proven) << seed;
    EXPECT_EQ(proof.bound, expected.bound);
    EXPECT_EQ(proof.largest_seen, expected.largest_seen);
    ASSERT_EQ(proof.intervals.size(), std::size_t{1} << seed);
    for (std::size_t i = 0; i < proof.intervals.size(); ++i) {
      EXPECT_EQ(proof.intervals[i].t0, i == 0 ? 0.0 : proof.intervals[i - 1].t1);
      EXPECT_LE(proof.intervals[i].bound, proof.bound);
    }
    EXPECT_EQ(proof.intervals.back().t1, 1.0);
    // Judged by thresholds; one worker gives the same bits.
    Workers single(1);
    for (const double off : {-0.5, 0.5}) {
      CertifyOptions judged;
      judged.threshold = proof.bound + off / 60.0;
      SegmentRun again(problem, a, b, judged, workers, nullptr);
      const SegmentProof found = prove_errors_one_by_one(again);
      EXPECT_EQ(found.outcome,
                off > 0.0 ? SegmentProof::Outcome::proven : SegmentProof::Outcome::violated);
      SegmentRun alone(problem, a, b, judged, single, nullptr);
      const SegmentProof same = prove_errors_one_by_one(alone);
      EXPECT_EQ(found.bound, same.bound);
      EXPECT_EQ(found.t, same.t);
      EXPECT_EQ(again.evaluations(), alone.evaluations());
    }
    for (int k = 0; k <= 100; ++k) {
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < test.count; ++i) {
        const std::vector<float> input(
            test.values.begin() + static_cast<long>(i * test.features()),
            test.values.begin() + static_cast<long>((i + 1) * test.features()));
        const auto label = static_cast<std::size_t>(test.labels[i]);
        const std::vector<double> margins =
            reference_margins(one.network, a, b, k / 100.0, input, label);
        bool right = true;
        for (std::size_t j = 0; j < margins.size(); ++j) {
          right = right && (j == label || margins[j] < 0.0);
        }
        wrong += right ? 0 : 1;
      }
      EXPECT_LE(static_cast<double>(wrong) / 60.0, proof.bound);
    }
  }
}

}  // namespace
}  // namespace isthmus
