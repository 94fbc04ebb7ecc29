// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/net/network.h"

namespace isthmus {
namespace {

// One tensor, as the layout and the initialisation see it.
struct Parameter {
  std::string name;
  Shape shape;
  Role role = Role::weight;
  Initializer init;
  std::size_t fan_in = 1;
};

// The tensors of one layer, in their order.
std::vector<Parameter> parameters_of(std::size_t index, const Layer& layer, const Shape& in) {
  std::vector<Parameter> found;
  const auto add = [&](std::string_view name,
                       Shape shape,
                       Role role,
                       const Initializer& init,
                       std::size_t fan_in) {
    found.push_back({fmt::format("{}.{}", index, name), std::move(shape), role, init, fan_in});
  };
  if (const auto* linear = std::get_if<Linear>(&layer)) {
    if (!linear->tied) {
      add("weight", {linear->out_features, in[0]}, Role::weight, linear->weight_init, in[0]);
    }
    if (linear->bias) {
      add("bias", {linear->out_features}, Role::bias, linear->bias_init, in[0]);
    }
  } else if (const auto* conv = std::get_if<Conv2d>(&layer)) {
    const Shape weight{conv->out_channels, in[0], conv->kernel, conv->kernel};
    const std::size_t fan_in = in[0] * conv->kernel * conv->kernel;
    add("weight", weight, Role::weight, conv->weight_init, fan_in);
    if (conv->bias) {
      add("bias", {conv->out_channels}, Role::bias, conv->bias_init, fan_in);
    }
  } else if (const auto* embedding = std::get_if<Embedding>(&layer)) {
    const Shape weight{embedding->tokens, embedding->features};
    add("weight", weight, Role::weight, embedding->weight_init, embedding->features);
  } else if (const auto* lstm = std::get_if<Lstm>(&layer)) {
    const std::size_t width = lstm->features;
    add("weight_ih_l0", {4 * width, in[0]}, Role::weight, lstm->weight_init, width);
    add("weight_hh_l0", {4 * width, width}, Role::weight, lstm->weight_init, width);
    add("bias_ih_l0", {4 * width}, Role::bias, lstm->bias_init, width);
  }
  return found;
}

std::vector<Parameter> parameters_of(const Network& network) {
  const std::vector<Shape> extents = shapes(network);
  std::vector<Parameter> all;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    std::ranges::move(parameters_of(i, network.layers[i], extents[i]), std::back_inserter(all));
  }
  return all;
}

void draw(const Initializer& init, std::size_t fan_in, Rng& rng, std::span<float> values) {
  const double bound = init.kind == Initializer::Kind::fan_in_uniform
                           ? 1.0 / std::sqrt(static_cast<double>(fan_in))
                           : init.scale;
  for (float& value : values) {
    double number = bound;
    switch (init.kind) {
      case Initializer::Kind::fan_in_uniform:
      case Initializer::Kind::uniform:
        number = rng.uniform(-bound, bound);
        break;
      case Initializer::Kind::normal:
        number = bound * rng.normal();
        break;
      case Initializer::Kind::truncated_normal:
        number = bound * rng.truncated_normal();
        break;
      case Initializer::Kind::constant:
        break;
    }
    value = static_cast<float>(number);
  }
}

}  // namespace

Layout layout_of(const Network& network) {
  Layout layout;
  for (Parameter& parameter : parameters_of(network)) {
    layout.add(std::move(parameter.name), std::move(parameter.shape), parameter.role);
  }
  return layout;
}

void initialise(const Network& network, Rng& rng, std::span<float> theta) {
  const std::size_t expected = layout_of(network).dimension();
  if (theta.size() != expected) {
    throw UsageError(
        fmt::format("initialise: theta: expected {} parameters, got {}", expected, theta.size()));
  }
  std::size_t offset = 0;
  for (const Parameter& parameter : parameters_of(network)) {
    const std::size_t size = size_of(parameter.shape);
    draw(parameter.init, parameter.fan_in, rng, theta.subspan(offset, size));
    offset += size;
  }
}

}  // namespace isthmus
