// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/products.h"
#include "isthmus/net/symmetry/match.h"
#include "isthmus/net/symmetry/units.h"

namespace isthmus {
namespace {

// Sums over samples and pixels, for units u of a and v of b.
struct Moments {
  explicit Moments(std::size_t units)
      : of_a(units), of_b(units), squares_a(units), squares_b(units), products(units * units) {}
  double count = 0.0;
  std::vector<double> of_a;
  std::vector<double> of_b;
  std::vector<double> squares_a;
  std::vector<double> squares_b;
  std::vector<double> products;
};

void add_sums(const UnitRows& values, std::vector<double>& sums, std::vector<double>& squares) {
  const std::vector<float> ones(values.width, 1.0F);
  for (std::size_t u = 0; u < values.units; ++u) {
    sums[u] += dot(values.row(u), ones);
    squares[u] += dot(values.row(u), values.row(u));
  }
}

void add(Moments& moments, const UnitRows& a, const UnitRows& b) {
  moments.count += static_cast<double>(a.width);
  add_sums(a, moments.of_a, moments.squares_a);
  add_sums(b, moments.of_b, moments.squares_b);
  std::vector<float> products(a.units * b.units);
  dnn::row_products(a.numbers, b.numbers, a.width, products);
  std::ranges::transform(moments.products, products, moments.products.begin(), std::plus<>());
}

// What a dimension hands to its reader: the layers up to there are a network of their own, and its
// parameters the first ones of the whole.
class Part {
 public:
  Part(const Network& network, const HiddenDimension& dimension, std::size_t largest_batch)
      : network_{.input = network.input,
                 .layers = {network.layers.begin(),
                            network.layers.begin() +
                                static_cast<std::ptrdiff_t>(dimension.reader)}},
        units_(dimension.units),
        engine_(make_dnn_engine(network_, largest_batch)) {}

  // (units, samples x pixels)
  UnitRows values(std::span<const float> theta, const BatchView& batch) {
    const std::size_t outputs = engine_->outputs();
    std::vector<float> by_sample(batch.count * outputs);
    engine_->forward(theta.first(engine_->dimension()), batch, by_sample);
    const std::size_t pixels = outputs / units_;
    UnitRows rows{.units = units_, .width = batch.count * pixels};
    rows.numbers.resize(by_sample.size());
    for (std::size_t i = 0; i < batch.count; ++i) {
      for (std::size_t u = 0; u < units_; ++u) {
        std::copy_n(
            by_sample.data() + i * outputs + u * pixels, pixels, rows.row(u).data() + i * pixels);
      }
    }
    return rows;
  }

 private:
  Network network_;
  std::size_t units_;
  std::unique_ptr<Engine> engine_;
};

std::vector<BatchView> pieces_of(const BatchView& batch, std::size_t features, bool recurrent) {
  constexpr std::size_t samples = 128;
  BatchView whole = batch;
  whole.state = nullptr;
  if (recurrent) {
    return {whole};  // a sequence is one
  }
  std::vector<BatchView> pieces;
  for (std::size_t from = 0; from < batch.count; from += samples) {
    pieces.push_back(
        {.count = std::min(samples, batch.count - from), .inputs = batch.inputs + from * features});
  }
  return pieces;
}

double deviation(double sum, double squares, double count) {
  return std::sqrt(std::max(squares / count - sum / count * (sum / count), 0.0));
}

UnitMap partners_of(const HiddenDimension& dimension, const Moments& moments) {
  const std::size_t n = dimension.units;
  std::vector<double> of_a(n);
  std::vector<double> of_b(n);
  for (std::size_t u = 0; u < n; ++u) {
    of_a[u] = deviation(moments.of_a[u], moments.squares_a[u], moments.count);
    of_b[u] = deviation(moments.of_b[u], moments.squares_b[u], moments.count);
  }
  std::vector<float> correlations(n * n);
  for (std::size_t u = 0; u < n; ++u) {
    for (std::size_t v = 0; v < n; ++v) {
      const double common = moments.products[u * n + v] / moments.count -
                            moments.of_a[u] / moments.count * (moments.of_b[v] / moments.count);
      const bool alive = of_a[u] > 0.0 && of_b[v] > 0.0;
      correlations[u * n + v] = alive ? static_cast<float>(common / (of_a[u] * of_b[v])) : 0.0F;
    }
  }
  UnitMap map = best_partners(dimension, {}, correlations);
  for (std::size_t u = 0; u < n; ++u) {
    const double b = of_b[map.source[u]];
    map.factor[u] *= dimension.positive && of_a[u] > 0.0 && b > 0.0 ? of_a[u] / b : 1.0;
  }
  return map;
}

}  // namespace

Matching match_activations(const Network& network,
                           std::span<const float> a,
                           std::span<const float> b,
                           const BatchView& batch,
                           const Stop* stop) {
  const SymmetryGroup group = symmetries_of(network);
  check_alignment(group, a, b);
  if (batch.count == 0) {
    throw UsageError("alignment: expected at least 1 sample, got 0");
  }
  const std::size_t features = std::accumulate(
      network.input.begin(), network.input.end(), std::size_t{1}, std::multiplies<>());
  const std::vector<BatchView> pieces = pieces_of(batch, features, is_recurrent(network));
  Matching result;
  for (const HiddenDimension& dimension : group.dimensions) {
    Part part(network, dimension, pieces.front().count);
    Moments moments(dimension.units);
    for (const BatchView& piece : pieces) {
      if (stop != nullptr && stop->requested()) {
        throw Interrupted("alignment: interrupted");
      }
      add(moments, part.values(a, piece), part.values(b, piece));
    }
    result.symmetry.push_back(partners_of(dimension, moments));
  }
  std::vector<float> moved(b.begin(), b.end());
  apply(group, result.symmetry, moved);
  result.distance = distance_between(a, moved);
  return result;
}

}  // namespace isthmus
