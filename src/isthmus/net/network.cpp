// SPDX-License-Identifier: MIT
#include "isthmus/net/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::size_t product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

[[noreturn]] void refuse(std::size_t index, const std::string& what) {
  throw UsageError(fmt::format("network: layer {}: {}", index, what));
}

// Extent of one spatial axis after a window.
std::size_t windowed(std::size_t index,
                     std::size_t extent,
                     std::size_t kernel,
                     std::size_t stride,
                     Padding padding) {
  if (kernel == 0 || stride == 0) {
    refuse(index, fmt::format("expected kernel and stride >= 1, got {} and {}", kernel, stride));
  }
  if (padding == Padding::same) {
    return (extent + stride - 1) / stride;
  }
  if (extent < kernel) {
    refuse(
        index,
        fmt::format(
            "a window of {} does not fit an input of {} (padding 'same' would)", kernel, extent));
  }
  return (extent - kernel) / stride + 1;
}

void require_image(std::size_t index, const Shape& shape, std::string_view kind) {
  if (shape.size() != 3) {
    refuse(index,
           fmt::format("{} expects an input (channels, height, width), got ({})",
                       kind,
                       fmt::join(shape, ", ")));
  }
}

void require_flat(std::size_t index, const Shape& shape, std::string_view kind) {
  if (shape.size() != 1) {
    refuse(index,
           fmt::format("{} expects a flat input, got ({}): put a flatten layer before it",
                       kind,
                       fmt::join(shape, ", ")));
  }
}

Shape shape_after(std::size_t index, const Layer& layer, const Shape& shape) {
  return std::visit(
      Overloaded{
          [&](const Linear& linear) -> Shape {
            require_flat(index, shape, "linear");
            if (linear.out_features == 0) {
              refuse(index, "linear: expected out_features >= 1, got 0");
            }
            return {linear.out_features};
          },
          [&](const Conv2d& conv) -> Shape {
            require_image(index, shape, "conv2d");
            if (conv.out_channels == 0) {
              refuse(index, "conv2d: expected out_channels >= 1, got 0");
            }
            return {conv.out_channels,
                    windowed(index, shape[1], conv.kernel, conv.stride, conv.padding),
                    windowed(index, shape[2], conv.kernel, conv.stride, conv.padding)};
          },
          [&](const Pool2d& pool) -> Shape {
            require_image(index, shape, "pooling");
            return {shape[0],
                    windowed(index, shape[1], pool.kernel, pool.stride, pool.padding),
                    windowed(index, shape[2], pool.kernel, pool.stride, pool.padding)};
          },
          [&](const Activation& activation) -> Shape {
            if (activation.kind == Activation::Kind::softmax) {
              require_flat(index, shape, "softmax");
            }
            return shape;
          },
          [&](const Dropout& dropout) -> Shape {
            if (!(dropout.probability >= 0.0 && dropout.probability < 1.0)) {
              refuse(index,
                     fmt::format("dropout: expected a probability in [0, 1), got {}",
                                 dropout.probability));
            }
            return shape;
          },
          [&](const Flatten&) -> Shape { return {product(shape)}; },
      },
      layer);
}

// The trainable part of a layer, as the layout and the initialisation see it.
struct Parameters {
  Shape weight;
  bool bias = false;
  Initializer weight_init;
  Initializer bias_init;
  std::size_t fan_in() const { return product(weight) / weight[0]; }
};

std::vector<std::pair<std::size_t, Parameters>> trainable(const Network& network) {
  const std::vector<Shape> extents = shapes(network);
  std::vector<std::pair<std::size_t, Parameters>> found;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (const auto* linear = std::get_if<Linear>(&network.layers[i])) {
      found.push_back({i,
                       {.weight = {linear->out_features, extents[i][0]},
                        .bias = linear->bias,
                        .weight_init = linear->weight_init,
                        .bias_init = linear->bias_init}});
    } else if (const auto* conv = std::get_if<Conv2d>(&network.layers[i])) {
      found.push_back({i,
                       {.weight = {conv->out_channels, extents[i][0], conv->kernel, conv->kernel},
                        .bias = conv->bias,
                        .weight_init = conv->weight_init,
                        .bias_init = conv->bias_init}});
    }
  }
  return found;
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

// Names in the JSON form.

template <class Kind>
struct Named {
  std::string_view name;
  Kind kind;
};

constexpr std::array<Named<Initializer::Kind>, 5> initializer_names{{
    {"fan_in_uniform", Initializer::Kind::fan_in_uniform},
    {"uniform", Initializer::Kind::uniform},
    {"normal", Initializer::Kind::normal},
    {"truncated_normal", Initializer::Kind::truncated_normal},
    {"constant", Initializer::Kind::constant},
}};
constexpr std::array<Named<Padding>, 2> padding_names{
    {{"valid", Padding::valid}, {"same", Padding::same}}};
constexpr std::array<Named<Pool2d::Kind>, 2> pool_names{
    {{"max_pool2d", Pool2d::Kind::max}, {"avg_pool2d", Pool2d::Kind::average}}};
constexpr std::array<Named<Activation::Kind>, 4> activation_names{{
    {"relu", Activation::Kind::relu},
    {"sigmoid", Activation::Kind::sigmoid},
    {"tanh", Activation::Kind::tanh},
    {"softmax", Activation::Kind::softmax},
}};

template <class Table, class Kind>
std::string name_in(const Table& table, Kind kind) {
  const auto entry = std::ranges::find(table, kind, [](const auto& named) { return named.kind; });
  ISTHMUS_ASSERT(entry != table.end(), "every kind has a name");
  return std::string(entry->name);
}

// Reads the fields of one JSON object: each field once, and none left over.
class Fields {
 public:
  Fields(const Json& object, std::string place) : object_(&object), place_(std::move(place)) {
    if (!object.is_object()) {
      throw DataError(fmt::format("{}: expected an object, found {}", place_, object.dump()));
    }
  }

  template <class Value>
  Value required(const std::string& name) {
    if (!object_->contains(name)) {
      throw DataError(fmt::format("{}: the field '{}' is missing", place_, name));
    }
    return optional(name, Value{});
  }

  template <class Value>
  Value optional(const std::string& name, Value fallback) {
    known_.insert(name);
    if (!object_->contains(name)) {
      return fallback;
    }
    const Json& value = (*object_)[name];
    if constexpr (std::is_same_v<Value, std::size_t>) {
      if (!value.is_number_unsigned()) {
        refuse_value(name, "a whole number >= 0");
      }
    } else if constexpr (std::is_same_v<Value, bool>) {
      if (!value.is_boolean()) {
        refuse_value(name, "true or false");
      }
    } else if constexpr (std::is_same_v<Value, double>) {
      if (!value.is_number()) {
        refuse_value(name, "a number");
      }
    } else if constexpr (std::is_same_v<Value, std::string>) {
      if (!value.is_string()) {
        refuse_value(name, "a string");
      }
    }
    try {
      return value.get<Value>();
    } catch (const Json::exception&) {
      refuse_value(name, "another kind of value");
    }
  }

  template <class Table, class Kind>
  Kind choice(const std::string& name, const Table& table, Kind fallback) {
    const std::string text = optional<std::string>(name, name_in(table, fallback));
    const auto entry = std::ranges::find(table, text, [](const auto& named) { return named.name; });
    if (entry == table.end()) {
      std::vector<std::string_view> names;
      for (const auto& named : table) {
        names.push_back(named.name);
      }
      refuse_value(name, fmt::format("one of {}", fmt::join(names, ", ")));
    }
    return entry->kind;
  }

  Initializer initializer(const std::string& name) {
    known_.insert(name);
    if (!object_->contains(name)) {
      return {};
    }
    Fields fields((*object_)[name], place_ + ": " + name);
    Initializer init;
    init.kind = fields.choice("kind", initializer_names, init.kind);
    init.scale = fields.optional("scale", init.scale);
    fields.finish();
    return init;
  }

  void finish() const {
    for (const auto& [name, value] : object_->items()) {
      if (!known_.contains(name)) {
        throw DataError(fmt::format(
            "{}: unknown field '{}' (known here: {})", place_, name, fmt::join(known_, ", ")));
      }
    }
  }

 private:
  [[noreturn]] void refuse_value(const std::string& name, const std::string& expected) const {
    throw DataError(fmt::format(
        "{}: field '{}': expected {}, found {}", place_, name, expected, (*object_)[name].dump()));
  }

  const Json* object_;
  std::string place_;
  std::set<std::string> known_;
};

Linear linear_from(Fields& fields) {
  Linear linear;
  linear.out_features = fields.required<std::size_t>("out_features");
  linear.bias = fields.optional("bias", linear.bias);
  linear.weight_init = fields.initializer("weight_init");
  linear.bias_init = fields.initializer("bias_init");
  return linear;
}

Conv2d conv_from(Fields& fields) {
  Conv2d conv;
  conv.out_channels = fields.required<std::size_t>("out_channels");
  conv.kernel = fields.required<std::size_t>("kernel");
  conv.stride = fields.optional("stride", conv.stride);
  conv.padding = fields.choice("padding", padding_names, conv.padding);
  conv.bias = fields.optional("bias", conv.bias);
  conv.weight_init = fields.initializer("weight_init");
  conv.bias_init = fields.initializer("bias_init");
  return conv;
}

Pool2d pool_from(Fields& fields, Pool2d::Kind kind) {
  Pool2d pool;
  pool.kind = kind;
  pool.kernel = fields.optional("kernel", pool.kernel);
  pool.stride = fields.optional("stride", pool.kernel);
  pool.padding = fields.choice("padding", padding_names, pool.padding);
  return pool;
}

Layer layer_from(const Json& json, std::size_t index) {
  Fields fields(json, fmt::format("network: layer {}", index));
  const auto type = fields.required<std::string>("type");
  Layer layer = Flatten{};
  const auto named = [&](const auto& entry) { return entry.name == type; };
  if (type == "linear") {
    layer = linear_from(fields);
  } else if (type == "conv2d") {
    layer = conv_from(fields);
  } else if (const auto pool = std::ranges::find_if(pool_names, named); pool != pool_names.end()) {
    layer = pool_from(fields, pool->kind);
  } else if (const auto activation = std::ranges::find_if(activation_names, named);
             activation != activation_names.end()) {
    layer = Activation{activation->kind};
  } else if (type == "dropout") {
    layer = Dropout{fields.optional("probability", Dropout{}.probability)};
  } else if (type != "flatten") {
    throw DataError(
        fmt::format("network: layer {}: unknown type '{}' (known: linear, conv2d, max_pool2d, "
                    "avg_pool2d, relu, sigmoid, tanh, softmax, dropout, flatten)",
                    index,
                    type));
  }
  fields.finish();
  return layer;
}

void put(Json& json, const char* name, const Initializer& init) {
  json[name] = {{"kind", name_in(initializer_names, init.kind)}, {"scale", init.scale}};
}

Json layer_to_json(const Layer& layer) {
  return std::visit(Overloaded{
                        [](const Linear& linear) {
                          Json json{{"type", "linear"},
                                    {"out_features", linear.out_features},
                                    {"bias", linear.bias}};
                          put(json, "weight_init", linear.weight_init);
                          put(json, "bias_init", linear.bias_init);
                          return json;
                        },
                        [](const Conv2d& conv) {
                          Json json{{"type", "conv2d"},
                                    {"out_channels", conv.out_channels},
                                    {"kernel", conv.kernel},
                                    {"stride", conv.stride},
                                    {"padding", name_in(padding_names, conv.padding)},
                                    {"bias", conv.bias}};
                          put(json, "weight_init", conv.weight_init);
                          put(json, "bias_init", conv.bias_init);
                          return json;
                        },
                        [](const Pool2d& pool) {
                          return Json{{"type", name_in(pool_names, pool.kind)},
                                      {"kernel", pool.kernel},
                                      {"stride", pool.stride},
                                      {"padding", name_in(padding_names, pool.padding)}};
                        },
                        [](const Activation& activation) {
                          return Json{{"type", name_in(activation_names, activation.kind)}};
                        },
                        [](const Dropout& dropout) {
                          return Json{{"type", "dropout"}, {"probability", dropout.probability}};
                        },
                        [](const Flatten&) {
                          return Json{{"type", "flatten"}};
                        },
                    },
                    layer);
}

}  // namespace

std::vector<Shape> shapes(const Network& network) {
  if (network.input.empty() || product(network.input) == 0) {
    throw UsageError(fmt::format("network: expected an input shape of positive extents, got ({})",
                                 fmt::join(network.input, ", ")));
  }
  std::vector<Shape> result{network.input};
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    result.push_back(shape_after(i, network.layers[i], result.back()));
  }
  return result;
}

std::size_t output_size(const Network& network) {
  return product(shapes(network).back());
}

Layout layout_of(const Network& network) {
  Layout layout;
  for (const auto& [index, parameters] : trainable(network)) {
    layout.add(fmt::format("{}.weight", index), parameters.weight, Role::weight);
    if (parameters.bias) {
      layout.add(fmt::format("{}.bias", index), {parameters.weight[0]}, Role::bias);
    }
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
  for (const auto& [index, parameters] : trainable(network)) {
    const std::size_t weights = product(parameters.weight);
    draw(parameters.weight_init, parameters.fan_in(), rng, theta.subspan(offset, weights));
    offset += weights;
    if (parameters.bias) {
      draw(parameters.bias_init,
           parameters.fan_in(),
           rng,
           theta.subspan(offset, parameters.weight[0]));
      offset += parameters.weight[0];
    }
  }
}

bool is_perceptron(const Network& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const auto* activation = std::get_if<Activation>(&layer);
    const bool elementwise = activation && activation->kind != Activation::Kind::softmax;
    const bool leading_flatten = i == 0 && std::holds_alternative<Flatten>(layer);
    if (!std::holds_alternative<Linear>(layer) && !elementwise && !leading_flatten) {
      return false;
    }
  }
  return !network.layers.empty();
}

Json to_json(const Network& network) {
  Json layers = Json::array();
  for (const Layer& layer : network.layers) {
    layers.push_back(layer_to_json(layer));
  }
  return {{"input", network.input}, {"layers", std::move(layers)}};
}

Network network_from_json(const Json& json) {
  Fields fields(json, "network");
  Network network;
  network.input = fields.required<Shape>("input");
  const auto layers = fields.required<Json>("layers");
  fields.finish();
  if (!layers.is_array() || layers.empty()) {
    throw DataError("network: field 'layers': expected a list of at least one layer");
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    network.layers.push_back(layer_from(layers[i], i));
  }
  try {
    shapes(network);
  } catch (const UsageError& error) {
    throw DataError(error.what());
  }
  return network;
}

Network read_network(const std::filesystem::path& path) {
  const Json json = read_json(path);
  try {
    return network_from_json(json);
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace isthmus
