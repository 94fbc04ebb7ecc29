// SPDX-License-Identifier: MIT
#include "isthmus/objective/steep_direction.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <variant>

#include "isthmus/core/rng.h"
#include "isthmus/net/window.h"
#include "isthmus/objective/network_context.h"

namespace isthmus {
namespace {

constexpr std::size_t most_samples = 2048;
constexpr std::size_t most_images = 256;
constexpr std::size_t windows_of_an_image = 64;
// Numbers of all rows together; of wide inputs there are fewer samples.
constexpr std::size_t most_numbers = std::size_t{1} << 22;
constexpr std::size_t least_rows = 64;
constexpr int iterations = 40;

// Rows x of equal length, side by side.
struct Rows {
  std::size_t columns = 0;
  std::vector<float> numbers;

  std::size_t count() const { return numbers.size() / columns; }
  std::span<const float> row(std::size_t i) const {
    return std::span(numbers).subspan(i * columns, columns);
  }
};

// In partial sums that a compiler can keep in vectors.
float dot(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> sums{};
  const std::size_t whole = a.size() / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sums[lane] += a[i + lane] * b[i + lane];
    }
  }
  float sum = std::accumulate(sums.begin(), sums.end(), 0.0F);
  for (std::size_t i = whole; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

void add(float factor, std::span<const float> from, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] += factor * from[i];
  }
}

// Scales v to length 1; false if it is zero.
bool normalise(std::span<float> v) {
  const float length = std::sqrt(dot(v, v));
  if (!(length > 0.0F)) {
    return false;
  }
  std::ranges::for_each(v, [length](float& x) { x /= length; });
  return true;
}

// The largest eigenvalue of the mean of x x^T, among vectors orthogonal to `without` (or empty),
// and its vector. 0 where there is none.
double largest(const Rows& rows, std::span<const float> without, std::vector<float>& vector) {
  Rng rng(1);
  vector.resize(rows.columns);
  std::ranges::generate(vector, [&] { return static_cast<float>(rng.uniform(-1.0, 1.0)); });
  const auto project = [&] {
    if (!without.empty()) {
      add(-dot(vector, without), without, vector);
    }
    return normalise(vector);
  };
  double value = 0.0;
  std::vector<float> image(rows.columns);
  for (int i = 0; i < iterations && project(); ++i) {
    std::ranges::fill(image, 0.0F);
    for (std::size_t r = 0; r < rows.count(); ++r) {
      add(dot(rows.row(r), vector), rows.row(r), image);
    }
    value = static_cast<double>(dot(vector, image)) / static_cast<double>(rows.count());
    vector.swap(image);
  }
  return project() ? value : 0.0;
}

std::vector<std::uint32_t> evenly(std::size_t count, std::size_t wanted) {
  std::vector<std::uint32_t> indices(std::min(count, wanted));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    indices[i] = static_cast<std::uint32_t>(i * count / indices.size());
  }
  return indices;
}

std::size_t rows_that_fit(std::size_t columns, std::size_t wanted) {
  return std::min(wanted, std::max(least_rows, most_numbers / columns));
}

Rows inputs(const NetworkContext& context, std::size_t columns, bool bias) {
  SampleBlock block;
  const auto indices = evenly(context.train->count, rows_that_fit(columns, most_samples));
  const BatchView batch = context.view(block, *context.train, indices);
  Rows rows{.columns = columns + (bias ? 1 : 0), .numbers = {}};
  for (std::size_t i = 0; i < batch.count; ++i) {
    rows.numbers.insert(
        rows.numbers.end(), batch.inputs + i * columns, batch.inputs + (i + 1) * columns);
    rows.numbers.insert(rows.numbers.end(), bias ? 1 : 0, 1.0F);
  }
  return rows;
}

Rows windows(const NetworkContext& context, const Conv2d& layer) {
  const Shape& in = context.options.network.input;
  const Window window = window_of(layer);
  const std::size_t columns = in[0] * layer.kernel * layer.kernel;
  const std::size_t across = window.columns(in[2]).output;
  const std::size_t places = window.rows(in[1]).output * across;
  SampleBlock block;
  const auto images =
      evenly(context.train->count, rows_that_fit(columns * windows_of_an_image, most_images));
  const BatchView batch = context.view(block, *context.train, images);
  Rows rows{.columns = columns + (layer.bias ? 1 : 0), .numbers = {}};
  for (std::size_t i = 0; i < batch.count; ++i) {
    const float* image = batch.inputs + i * size_of(in);
    for (const std::uint32_t place : evenly(places, windows_of_an_image)) {
      rows.numbers.resize(rows.numbers.size() + rows.columns, 0.0F);
      float* row = &rows.numbers[rows.numbers.size() - rows.columns];
      window.each(in, place / across, place % across, [&](auto y, auto x, auto down, auto right) {
        for (std::size_t channel = 0; channel < in[0]; ++channel) {
          row[(channel * layer.kernel + down) * layer.kernel + right] =
              image[(channel * in[1] + y) * in[2] + x];
        }
      });
      if (layer.bias) {
        row[columns] = 1.0F;
      }
    }
  }
  return rows;
}

}  // namespace

void SteepDirection::damp(std::span<float> gradient, double share) const {
  const std::span<const float> along = std::span(direction).first(columns);
  const auto factor = static_cast<float>(share * excess);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::span<float> row = gradient.subspan(weight + i * columns, columns);
    float length = dot(row, along);
    if (bias) {
      length += gradient[*bias + i] * direction[columns];
      gradient[*bias + i] -= factor * length * direction[columns];
    }
    add(-factor * length, along, row);
  }
}

std::optional<SteepDirection> find_steep_direction(const NetworkContext& context) {
  const std::vector<Layer>& layers = context.options.network.layers;
  const auto first = std::ranges::find_if_not(
      layers, [](const Layer& layer) { return std::holds_alternative<Flatten>(layer); });
  if (first == layers.end() || context.train->streams > 0) {
    return std::nullopt;
  }
  const auto* linear = std::get_if<Linear>(&*first);
  const auto* conv = std::get_if<Conv2d>(&*first);
  if (linear == nullptr && conv == nullptr) {
    return std::nullopt;
  }
  const bool bias = linear != nullptr ? linear->bias : conv->bias;
  const std::vector<Tensor>& tensors = context.layout.tensors();
  SteepDirection found{.weight = tensors[0].offset,
                       .rows = tensors[0].shape[0],
                       .columns = tensors[0].size() / tensors[0].shape[0],
                       .bias = bias ? std::optional(tensors[1].offset) : std::nullopt,
                       .direction = {}};
  const Rows rows =
      linear != nullptr ? inputs(context, found.columns, bias) : windows(context, *conv);
  const double most = largest(rows, {}, found.direction);
  std::vector<float> second;
  const double next = largest(rows, found.direction, second);
  found.excess = most > 0.0 ? std::clamp(1.0 - next / most, 0.0, 1.0) : 0.0;
  return found;
}

}  // namespace isthmus
