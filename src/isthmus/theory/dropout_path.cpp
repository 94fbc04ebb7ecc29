// SPDX-License-Identifier: MIT
#include "isthmus/theory/dropout_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

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

// From an end to the network that has its units of `kept` alone, everything else zero; `free` are
// units of the same number. A node a step.
std::vector<Net> thinned(const Net& net,
                         const std::vector<Places>& kept,
                         const std::vector<Places>& free,
                         double factor) {
  std::vector<Net> nodes{net};
  Net now = net;
  const auto put = [&] { nodes.push_back(now); };
  const Matrix output = factor * net.back().w(Eigen::all, kept.back());
  move_output(output, kept.back(), now);
  put();
  Net rest = zeros_like(net);
  rest[0].w(kept[0], Eigen::all) = net[0].w(kept[0], Eigen::all);
  rest[0].b(kept[0]) = net[0].b(kept[0]);
  rest.back().b = net.back().b;
  move_output(output, kept.back(), rest);
  if (kept.size() == 2) {
    const Matrix inner = factor * net[1].w(kept[1], kept[0]);
    const Vector bias = net[1].b(kept[1]);
    const auto overwrite = [&](const Places& rows, Net& target) {
      target[1].w(rows, Eigen::all).setZero();
      target[1].w(rows, kept[0]) = inner;
      target[1].b(rows) = bias;
    };
    overwrite(free[1], now);
    put();
    move_output(output, free[1], now);
    put();
    overwrite(kept[1], now);
    put();
    move_output(output, kept[1], now);
    put();
    overwrite(kept[1], rest);
    nodes.push_back(rest);
  }
  return nodes;
}

void check(const Perceptron& network,
           std::span<const float> a,
           std::span<const float> b,
           const DropoutHalves& halves) {
  const std::size_t hidden = network.widths.size() < 2 ? 0 : network.widths.size() - 2;
  if (hidden != 1 && hidden != 2) {
    throw UsageError(fmt::format(
        "dropout path: built for one or two hidden layers, the network has {}", hidden));
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

std::vector<std::string> side_names(const char* end, bool deep) {
  std::vector<std::string> names{"output to half of the units"};
  if (deep) {
    names.insert(names.end(),
                 {"free units copy that half",
                  "output to the copies",
                  "the half reads half of the layer before",
                  "output back",
                  "the rest to zero"});
  }
  for (std::string& name : names) {
    name = fmt::format("{}: {}", end, name);
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
  const bool deep = kept_a.size() == 2;
  std::vector<Net> nodes = thinned(net_of(network, a), kept_a, kept_b, factor_a);
  std::vector<Net> mirror = thinned(net_of(network, b), kept_b, kept_a, factor_b);
  DropoutPath path;
  path.names = side_names("A", deep);
  path.deciding =
      deep ? std::vector<std::size_t>{0, 1, 3, 12, 14, 15} : std::vector<std::size_t>{0, 1, 3, 5};
  // Both halves side by side, then the output goes over.
  Net both = nodes.back();
  for (std::size_t k = 0; k + 1 < both.size(); ++k) {
    both[k].w(kept_b[k], Eigen::all) = mirror.back()[k].w(kept_b[k], Eigen::all);
    both[k].b(kept_b[k]) = mirror.back()[k].b(kept_b[k]);
  }
  nodes.push_back(both);
  both.back() = mirror.back().back();
  nodes.push_back(both);
  nodes.insert(nodes.end(), mirror.rbegin(), mirror.rend());
  path.names.insert(path.names.end(),
                    {"B's half beside A's", "output from A's half to B's", "A's half away"});
  std::vector<std::string> last = side_names("B", deep);
  path.names.insert(path.names.end(), last.rbegin(), last.rend());
  for (const Net& node : nodes) {
    append(network, node, path.points);
  }
  return path;
}

}  // namespace isthmus
