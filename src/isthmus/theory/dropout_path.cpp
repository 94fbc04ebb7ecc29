// SPDX-License-Identifier: MIT
#include "isthmus/theory/dropout_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/layers.h"

namespace isthmus {

std::size_t Perceptron::dimension() const {
  std::size_t sum = 0;
  for (std::size_t k = 1; k < widths.size(); ++k) {
    sum += widths[k] * (widths[k - 1] + (biases ? 1 : 0));
  }
  return sum;
}

namespace {

using theory::Index;
using theory::Matrix;
using theory::Vector;
using Places = std::vector<Index>;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::uint64_t halves_purpose = 0x68616c766573;  // "halves"

struct Layer {
  Matrix w;
  Vector b;
};
using Net = std::vector<Layer>;

Net net_of(const Perceptron& network, std::span<const float> theta) {
  Net net;
  const float* place = theta.data();
  for (std::size_t k = 1; k < network.widths.size(); ++k) {
    const auto out = static_cast<Index>(network.widths[k]);
    const auto in = static_cast<Index>(network.widths[k - 1]);
    Layer layer{.w = Eigen::Map<const FloatRows>(place, out, in).cast<double>(),
                .b = Vector::Zero(out)};
    place += out * in;
    if (network.biases) {
      layer.b = Eigen::Map<const Eigen::VectorXf>(place, out).cast<double>();
      place += out;
    }
    net.push_back(std::move(layer));
  }
  return net;
}

void append(const Perceptron& network, const Net& net, std::vector<float>& points) {
  for (const Layer& layer : net) {
    const FloatRows rows = layer.w.cast<float>();
    points.insert(points.end(), rows.data(), rows.data() + rows.size());
    if (network.biases) {
      const Eigen::VectorXf bias = layer.b.cast<float>();
      points.insert(points.end(), bias.data(), bias.data() + bias.size());
    }
  }
}

std::vector<Places> places_of(const std::vector<std::vector<std::size_t>>& units) {
  std::vector<Places> places;
  places.reserve(units.size());
  for (const auto& layer : units) {
    places.emplace_back(layer.begin(), layer.end());
  }
  return places;
}

Net zeros_like(const Net& net) {
  Net zeros = net;
  for (Layer& layer : zeros) {
    layer.w.setZero();
    layer.b.setZero();
  }
  return zeros;
}

// The last layer on some units alone.
void move_output(const Matrix& weights, const Places& units, Net& net) {
  net.back().w.setZero();
  net.back().w(Eigen::all, units) = weights;
}

// An end on its way to a network that reads half of its units in every hidden layer, which lie in
// `units` at last. A node a step.
struct Thinned {
  std::vector<Net> nodes;
  std::vector<Places> units;
};

// From the last hidden layer down: free units of this layer and of all behind it copy the half that
// is read, but read half of the layer before; then the output goes over to the copies, and the two
// sets change their parts. `units` begin as the halves that are kept, `free` as others of their
// number.
Thinned thinned(const Net& net,
                std::vector<Places> units,
                std::vector<Places> free,
                double factor) {
  std::vector<Net> nodes{net};
  Net now = net;
  const std::vector<Places> kept = units;
  const Matrix output = factor * net.back().w(Eigen::all, kept.back());
  move_output(output, units.back(), now);
  nodes.push_back(now);
  for (std::size_t layer = kept.size() - 1; layer > 0; --layer) {
    for (std::size_t k = layer; k < kept.size(); ++k) {
      const Places& read = k == layer ? units[k - 1] : free[k - 1];
      now[k].w(free[k], Eigen::all).setZero();
      now[k].w(free[k], read) = factor * net[k].w(kept[k], kept[k - 1]);
      now[k].b(free[k]) = net[k].b(kept[k]);
    }
    nodes.push_back(now);
    for (std::size_t k = layer; k < kept.size(); ++k) {
      std::swap(units[k], free[k]);
    }
    move_output(output, units.back(), now);
    nodes.push_back(now);
  }
  return {.nodes = std::move(nodes), .units = std::move(units)};
}

void check(const Perceptron& network,
           std::span<const float> a,
           std::span<const float> b,
           const DropoutHalves& halves) {
  const std::size_t hidden = network.widths.size() < 2 ? 0 : network.widths.size() - 2;
  if (hidden == 0) {
    throw UsageError("dropout path: expected at least one hidden layer, the network has none");
  }
  if (a.size() != network.dimension() || b.size() != network.dimension()) {
    throw UsageError(fmt::format("end points: expected {} numbers each, got {} and {}",
                                 network.dimension(),
                                 a.size(),
                                 b.size()));
  }
  for (const auto& end : {a, b}) {
    if (!std::ranges::all_of(end, [](float x) { return std::isfinite(x); })) {
      throw UsageError("end points: expected finite numbers, got NaN or infinity");
    }
  }
  if (halves.a.size() != hidden || halves.b.size() != hidden) {
    throw UsageError("halves: expected one of each end for every hidden layer");
  }
  for (std::size_t k = 0; k < hidden; ++k) {
    const std::size_t half = network.widths[k + 1] / 2;
    std::vector<std::size_t> all = halves.a[k];
    all.insert(all.end(), halves.b[k].begin(), halves.b[k].end());
    std::ranges::sort(all);
    if (half == 0 || halves.a[k].size() != half || halves.b[k].size() != half ||
        std::ranges::adjacent_find(all) != all.end() || all.back() >= network.widths[k + 1]) {
      throw UsageError(fmt::format(
          "hidden layer {}: expected two disjoint halves of its {} units (two at least)",
          k + 1,
          network.widths[k + 1]));
    }
  }
}

std::vector<std::string> side_names(const char* end, std::size_t hidden) {
  std::vector<std::string> names{fmt::format("{}: output to half of the units", end)};
  for (std::size_t layer = hidden - 1; layer > 0; --layer) {
    names.push_back(
        fmt::format("{}: free units copy it, reading half of hidden layer {}", end, layer));
    names.push_back(fmt::format("{}: output to the copies", end));
  }
  return names;
}

}  // namespace

DropoutHalves random_halves(const Perceptron& network, std::uint64_t seed, std::size_t draw) {
  Rng random(seed, stream_name({halves_purpose, draw}));
  DropoutHalves halves;
  for (std::size_t k = 1; k + 1 < network.widths.size(); ++k) {
    const std::size_t width = network.widths[k];
    std::vector<std::uint32_t> order(width);
    std::iota(order.begin(), order.end(), 0U);
    random.shuffle(order);
    const auto half = static_cast<std::ptrdiff_t>(width / 2);
    halves.a.emplace_back(order.begin(), order.begin() + half);
    halves.b.emplace_back(order.begin() + half, order.begin() + 2 * half);
    std::ranges::sort(halves.a.back());
    std::ranges::sort(halves.b.back());
  }
  return halves;
}

DropoutPath connect_dropout(const Perceptron& network,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutHalves& halves,
                            double factor_a,
                            double factor_b) {
  check(network, a, b, halves);
  if (!std::isfinite(factor_a) || !std::isfinite(factor_b)) {
    throw UsageError("factors: expected finite numbers");
  }
  const std::vector<Places> kept_a = places_of(halves.a);
  const std::vector<Places> kept_b = places_of(halves.b);
  const std::size_t hidden = kept_a.size();
  Thinned from = thinned(net_of(network, a), kept_a, kept_b, factor_a);
  const Thinned to = thinned(net_of(network, b), kept_b, kept_a, factor_b);
  // Both halves side by side, everything else zero; then the output goes over.
  Net both = zeros_like(from.nodes.back());
  for (std::size_t k = 0; k < hidden; ++k) {
    for (const Thinned* end : {&std::as_const(from), &to}) {
      both[k].w(end->units[k], Eigen::all) = end->nodes.back()[k].w(end->units[k], Eigen::all);
      both[k].b(end->units[k]) = end->nodes.back()[k].b(end->units[k]);
    }
  }
  std::vector<Net> nodes = std::move(from.nodes);
  both.back() = nodes.back().back();
  nodes.push_back(both);
  both.back() = to.nodes.back().back();
  nodes.push_back(both);
  nodes.insert(nodes.end(), to.nodes.rbegin(), to.nodes.rend());
  DropoutPath path;
  path.names = side_names("A", hidden);
  path.names.insert(
      path.names.end(),
      {"B's half beside A's, the rest to zero", "output from A's half to B's", "A's half away"});
  std::vector<std::string> last = side_names("B", hidden);
  path.names.insert(path.names.end(), last.rbegin(), last.rend());
  path.deciding = {0};
  for (std::size_t k = 0; k < hidden; ++k) {
    path.deciding.push_back(2 * k + 1);
  }
  for (std::size_t k = hidden + 1; k-- > 0;) {
    path.deciding.push_back(nodes.size() - 1 - path.deciding[k]);
  }
  for (const Net& node : nodes) {
    append(network, node, path.points);
  }
  return path;
}

}  // namespace isthmus
