// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/net/json_fields.h"
#include "isthmus/net/network.h"

namespace isthmus {
namespace {

Initializer initializer_from(JsonFields& fields,
                             const std::string& name,
                             const Initializer& fallback = {}) {
  const Json* json = fields.find(name);
  if (json == nullptr) {
    return fallback;
  }
  JsonFields inner(*json, fields.place() + ": " + name);
  Initializer init;
  init.kind = inner.choice("kind", fallback.kind);
  init.scale = inner.optional("scale", fallback.scale);
  inner.finish();
  return init;
}

// "valid", "same", a number for all sides, or [rows, columns].
Padding padding_from(JsonFields& fields) {
  const Json* json = fields.find("padding");
  if (json == nullptr || *json == "valid") {
    return Padding::valid;
  }
  if (*json == "same") {
    return Padding::same;
  }
  const auto is_size = [](const Json& value) {
    return value.is_number_unsigned() && value.get<std::size_t>() <= largest_size;
  };
  if (is_size(*json)) {
    return {.rows = json->get<std::size_t>(), .columns = json->get<std::size_t>()};
  }
  if (!json->is_array() || json->size() != 2 || !std::ranges::all_of(*json, is_size)) {
    fields.refuse("padding",
                  fmt::format("\"valid\" (none), \"same\" (as many outputs as input / stride), a "
                              "whole number in 0..{} for all sides, or [rows, columns]",
                              largest_size));
  }
  return {.rows = (*json)[0].get<std::size_t>(), .columns = (*json)[1].get<std::size_t>()};
}

bool has_numbers(const Padding& padding) {
  return padding.rows > 0 || padding.columns > 0;
}

Json json_of(const Padding& padding) {
  if (padding == Padding::valid || padding == Padding::same) {
    return padding.is_same ? "same" : "valid";
  }
  if (padding.rows == padding.columns) {
    return padding.rows;
  }
  return {padding.rows, padding.columns};
}

// A field that PyTorch has, and that only its default can be said for.
void require_default(JsonFields& fields, const char* name, const Json& value) {
  const Json* json = fields.find(name);
  if (json != nullptr && *json != value) {
    fields.refuse(name, fmt::format("{} (nothing else is covered)", value.dump()));
  }
}

Layer linear_from(JsonFields& fields) {
  Linear linear;
  linear.out_features = fields.required_size("out_features", 1, largest_size);
  linear.bias = fields.optional("bias", linear.bias);
  linear.tied = fields.optional("tied", linear.tied);
  linear.weight_init = initializer_from(fields, "weight_init");
  linear.bias_init = initializer_from(fields, "bias_init");
  return linear;
}

Layer conv_from(JsonFields& fields) {
  Conv2d conv;
  conv.out_channels = fields.required_size("out_channels", 1, largest_size);
  conv.kernel = fields.required_size("kernel", 1, largest_size);
  conv.stride = fields.optional_size("stride", conv.stride, 1, largest_size);
  conv.padding = padding_from(fields);
  require_default(fields, "dilation", 1);
  require_default(fields, "groups", 1);
  require_default(fields, "padding_mode", "zeros");
  conv.bias = fields.optional("bias", conv.bias);
  conv.weight_init = initializer_from(fields, "weight_init");
  conv.bias_init = initializer_from(fields, "bias_init");
  return conv;
}

template <Pool2d::Kind kind>
Layer pool_from(JsonFields& fields) {
  Pool2d pool{.kind = kind};
  pool.kernel = fields.optional_size("kernel", pool.kernel, 1, largest_size);
  pool.stride = fields.optional_size("stride", pool.kernel, 1, largest_size);
  pool.padding = padding_from(fields);
  if (kind == Pool2d::Kind::average) {
    pool.count_padding = fields.optional("count_include_pad", has_numbers(pool.padding));
  }
  require_default(fields, "dilation", 1);
  require_default(fields, "ceil_mode", false);
  return pool;
}

Layer norm_from(JsonFields& fields) {
  LocalResponseNorm norm;
  norm.size = fields.optional_size("size", norm.size, 1, largest_size);
  norm.alpha = fields.optional("alpha", norm.alpha);
  norm.beta = fields.optional("beta", norm.beta);
  norm.k = fields.optional("k", norm.k);
  return norm;
}

Layer embedding_from(JsonFields& fields) {
  Embedding embedding;
  embedding.tokens = fields.required_size("tokens", 1, largest_size);
  embedding.features = fields.required_size("features", 1, largest_size);
  embedding.weight_init = initializer_from(fields, "weight_init", embedding.weight_init);
  return embedding;
}

Layer lstm_from(JsonFields& fields) {
  Lstm lstm;
  lstm.features = fields.required_size("features", 1, largest_size);
  lstm.weight_init = initializer_from(fields, "weight_init");
  lstm.bias_init = initializer_from(fields, "bias_init");
  return lstm;
}

template <Activation::Kind kind>
Layer activation_from(JsonFields&) {
  return Activation{kind};
}

Layer dropout_from(JsonFields& fields) {
  return Dropout{fields.optional("probability", Dropout{}.probability)};
}

Layer flatten_from(JsonFields&) {
  return Flatten{};
}

// The types of layers, by name.
struct Type {
  std::string_view name;
  Layer (*from)(JsonFields&);
};

constexpr std::array<Type, 13> types{{
    {"linear", linear_from},
    {"conv2d", conv_from},
    {"max_pool2d", pool_from<Pool2d::Kind::max>},
    {"avg_pool2d", pool_from<Pool2d::Kind::average>},
    {"local_response_norm", norm_from},
    {"embedding", embedding_from},
    {"lstm", lstm_from},
    {"relu", activation_from<Activation::Kind::relu>},
    {"sigmoid", activation_from<Activation::Kind::sigmoid>},
    {"tanh", activation_from<Activation::Kind::tanh>},
    {"softmax", activation_from<Activation::Kind::softmax>},
    {"dropout", dropout_from},
    {"flatten", flatten_from},
}};

Layer layer_from(const Json& json, std::size_t index) {
  JsonFields fields(json, fmt::format("network: layer {}", index));
  const auto name = fields.required<std::string>("type");
  const auto* const type = std::ranges::find(types, name, &Type::name);
  if (type == types.end()) {
    std::vector<std::string_view> names;
    std::ranges::transform(types, std::back_inserter(names), &Type::name);
    throw DataError(fmt::format(
        "{}: unknown type '{}' (known: {})", fields.place(), name, fmt::join(names, ", ")));
  }
  Layer layer = type->from(fields);
  fields.finish();
  return layer;
}

Json json_of(const Initializer& init) {
  return {{"kind", name_of(init.kind)}, {"scale", init.scale}};
}

Json json_of(const Linear& linear) {
  Json json{{"type", "linear"}, {"out_features", linear.out_features}, {"bias", linear.bias}};
  if (linear.tied) {
    json["tied"] = true;
  } else {
    json["weight_init"] = json_of(linear.weight_init);
  }
  json["bias_init"] = json_of(linear.bias_init);
  return json;
}

Json json_of(const Conv2d& conv) {
  return {{"type", "conv2d"},
          {"out_channels", conv.out_channels},
          {"kernel", conv.kernel},
          {"stride", conv.stride},
          {"padding", json_of(conv.padding)},
          {"bias", conv.bias},
          {"weight_init", json_of(conv.weight_init)},
          {"bias_init", json_of(conv.bias_init)}};
}

Json json_of(const Pool2d& pool) {
  Json json{{"type", name_of(pool.kind)},
            {"kernel", pool.kernel},
            {"stride", pool.stride},
            {"padding", json_of(pool.padding)}};
  if (pool.count_padding || (pool.kind == Pool2d::Kind::average && has_numbers(pool.padding))) {
    json["count_include_pad"] = pool.count_padding;
  }
  return json;
}

Json json_of(const LocalResponseNorm& norm) {
  return {{"type", "local_response_norm"},
          {"size", norm.size},
          {"alpha", norm.alpha},
          {"beta", norm.beta},
          {"k", norm.k}};
}

Json json_of(const Embedding& embedding) {
  return {{"type", "embedding"},
          {"tokens", embedding.tokens},
          {"features", embedding.features},
          {"weight_init", json_of(embedding.weight_init)}};
}

Json json_of(const Lstm& lstm) {
  return {{"type", "lstm"},
          {"features", lstm.features},
          {"weight_init", json_of(lstm.weight_init)},
          {"bias_init", json_of(lstm.bias_init)}};
}

Json json_of(const Activation& activation) {
  return {{"type", name_of(activation.kind)}};
}

Json json_of(const Dropout& dropout) {
  return {{"type", "dropout"}, {"probability", dropout.probability}};
}

Json json_of(const Flatten&) {
  return {{"type", "flatten"}};
}

}  // namespace

Json to_json(const Network& network) {
  Json layers = Json::array();
  for (const Layer& layer : network.layers) {
    layers.push_back(std::visit([](const auto& kind) { return json_of(kind); }, layer));
  }
  return {{"input", network.input}, {"layers", std::move(layers)}};
}

Network network_from_json(const Json& json) {
  JsonFields fields(json, "network");
  Network network;
  network.input = fields.required<Shape>("input");
  const Json* layers = fields.find("layers");
  if (json.contains("normalise")) {
    fields.refuse("normalise",
                  "no such field (the mean and deviation of the data are an option: "
                  "--normalise MEAN:DEVIATION)");
  }
  fields.finish();
  if (layers == nullptr || !layers->is_array() || layers->empty()) {
    throw DataError("network: field 'layers': expected a list of at least one layer");
  }
  for (std::size_t i = 0; i < layers->size(); ++i) {
    network.layers.push_back(layer_from((*layers)[i], i));
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
