// SPDX-License-Identifier: MIT
#include "isthmus/net/network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
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

// Tokens travel as floats, which name every whole number up to here.
constexpr std::size_t largest_vocabulary = std::size_t{1} << 24U;

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

Shape after_embedding(std::size_t index, const Embedding& embedding, const Shape& shape) {
  if (index != 0 || shape != Shape{1}) {
    refuse(index,
           fmt::format("embedding: expected to be the first layer of a network with input (1), got "
                       "layer {} with input ({})",
                       index,
                       fmt::join(shape, ", ")));
  }
  if (embedding.tokens == 0 || embedding.features == 0 || embedding.tokens > largest_vocabulary) {
    refuse(index,
           fmt::format("embedding: expected tokens in 1..{} and features >= 1, got {} and {}",
                       largest_vocabulary,
                       embedding.tokens,
                       embedding.features));
  }
  return {embedding.features};
}

void check_norm(std::size_t index, const LocalResponseNorm& norm) {
  if (norm.size % 2 == 0 || !(norm.alpha >= 0.0) || !(norm.beta > 0.0) || !(norm.k > 0.0) ||
      !std::isfinite(norm.alpha + norm.beta + norm.k)) {
    refuse(index,
           fmt::format("local_response_norm: expected an odd size, alpha >= 0, beta > 0 and k > 0, "
                       "got {}, {}, {} and {}",
                       norm.size,
                       norm.alpha,
                       norm.beta,
                       norm.k));
  }
}

// A tied layer is the transpose of the embedding that the network begins with.
void check_tied(const Network& network, std::size_t index, const Linear& linear, const Shape& in) {
  const auto* embedding = std::get_if<Embedding>(&network.layers.front());
  if (embedding == nullptr) {
    refuse(index, "linear: tied, but the network does not begin with an embedding");
  }
  if (linear.out_features != embedding->tokens || in[0] != embedding->features) {
    refuse(index,
           fmt::format("linear: tied to the embedding of {} tokens as {} features, so expected "
                       "{} inputs and {} outputs, got {} and {}",
                       embedding->tokens,
                       embedding->features,
                       embedding->features,
                       embedding->tokens,
                       in[0],
                       linear.out_features));
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
          [&](const LocalResponseNorm& norm) -> Shape {
            require_image(index, shape, "local_response_norm");
            check_norm(index, norm);
            return shape;
          },
          [&](const Embedding& embedding) -> Shape {
            return after_embedding(index, embedding, shape);
          },
          [&](const Lstm& lstm) -> Shape {
            require_flat(index, shape, "lstm");
            if (lstm.features == 0) {
              refuse(index, "lstm: expected features >= 1, got 0");
            }
            return {lstm.features};
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

  Initializer initializer(const std::string& name, Initializer init = {}) {
    known_.insert(name);
    if (!object_->contains(name)) {
      return init;
    }
    Fields fields((*object_)[name], place_ + ": " + name);
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
  linear.tied = fields.optional("tied", linear.tied);
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

LocalResponseNorm norm_from(Fields& fields) {
  LocalResponseNorm norm;
  norm.size = fields.optional("size", norm.size);
  norm.alpha = fields.optional("alpha", norm.alpha);
  norm.beta = fields.optional("beta", norm.beta);
  norm.k = fields.optional("k", norm.k);
  return norm;
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
  } else if (type == "local_response_norm") {
    layer = norm_from(fields);
  } else if (type == "embedding") {
    Embedding embedding;
    embedding.tokens = fields.required<std::size_t>("tokens");
    embedding.features = fields.required<std::size_t>("features");
    embedding.weight_init = fields.initializer("weight_init", embedding.weight_init);
    layer = embedding;
  } else if (type == "lstm") {
    Lstm lstm;
    lstm.features = fields.required<std::size_t>("features");
    lstm.weight_init = fields.initializer("weight_init");
    lstm.bias_init = fields.initializer("bias_init");
    layer = lstm;
  } else if (type == "dropout") {
    layer = Dropout{fields.optional("probability", Dropout{}.probability)};
  } else if (type != "flatten") {
    throw DataError(fmt::format(
        "network: layer {}: unknown type '{}' (known: linear, conv2d, max_pool2d, "
        "avg_pool2d, local_response_norm, embedding, lstm, relu, sigmoid, tanh, softmax, "
        "dropout, flatten)",
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
                          if (linear.tied) {
                            json["tied"] = true;
                          } else {
                            put(json, "weight_init", linear.weight_init);
                          }
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
                        [](const LocalResponseNorm& norm) {
                          return Json{{"type", "local_response_norm"},
                                      {"size", norm.size},
                                      {"alpha", norm.alpha},
                                      {"beta", norm.beta},
                                      {"k", norm.k}};
                        },
                        [](const Embedding& embedding) {
                          Json json{{"type", "embedding"},
                                    {"tokens", embedding.tokens},
                                    {"features", embedding.features}};
                          put(json, "weight_init", embedding.weight_init);
                          return json;
                        },
                        [](const Lstm& lstm) {
                          Json json{{"type", "lstm"}, {"features", lstm.features}};
                          put(json, "weight_init", lstm.weight_init);
                          put(json, "bias_init", lstm.bias_init);
                          return json;
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
    const auto* linear = std::get_if<Linear>(&network.layers[i]);
    if (linear != nullptr && linear->tied) {
      check_tied(network, i, *linear, result.back());
    }
    result.push_back(shape_after(i, network.layers[i], result.back()));
  }
  return result;
}

std::size_t output_size(const Network& network) {
  return product(shapes(network).back());
}

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
    const std::size_t size = product(parameter.shape);
    draw(parameter.init, parameter.fan_in, rng, theta.subspan(offset, size));
    offset += size;
  }
}

bool is_recurrent(const Network& network) {
  return state_size(network) > 0;
}

std::size_t state_size(const Network& network) {
  std::size_t size = 0;
  for (const Layer& layer : network.layers) {
    if (const auto* lstm = std::get_if<Lstm>(&layer)) {
      size += 2 * lstm->features;
    }
  }
  return size;
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
