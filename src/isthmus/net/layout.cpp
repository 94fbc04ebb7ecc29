// SPDX-License-Identifier: MIT
#include "isthmus/net/layout.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"

namespace isthmus {

std::size_t Tensor::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

void Layout::add(std::string name, std::vector<std::size_t> shape, Role role) {
  tensors_.push_back(
      {.name = std::move(name), .offset = dimension_, .shape = std::move(shape), .role = role});
  dimension_ += tensors_.back().size();
}

Json to_json(const Layout& layout) {
  Json list = Json::array();
  for (const Tensor& tensor : layout.tensors()) {
    list.push_back({{"name", tensor.name},
                    {"offset", tensor.offset},
                    {"shape", tensor.shape},
                    {"role", tensor.role == Role::weight ? "weight" : "bias"}});
  }
  return list;
}

Layout layout_from_json(const Json& json) {
  Layout layout;
  try {
    for (const Json& entry : json) {
      const auto role = entry.at("role").get<std::string>();
      if (role != "weight" && role != "bias") {
        throw DataError(fmt::format("layout: role: expected weight or bias, found '{}'", role));
      }
      const std::size_t expected = layout.dimension();
      if (entry.at("offset").get<std::size_t>() != expected) {
        throw DataError(fmt::format("layout: tensor {}: expected offset {}, found {}",
                                    entry.at("name").get<std::string>(),
                                    expected,
                                    entry.at("offset").get<std::size_t>()));
      }
      layout.add(entry.at("name").get<std::string>(),
                 entry.at("shape").get<std::vector<std::size_t>>(),
                 role == "weight" ? Role::weight : Role::bias);
    }
  } catch (const Json::exception& error) {
    throw DataError(
        fmt::format("layout: expected a list of {{name, offset, shape, role}} ({})", error.what()));
  }
  return layout;
}

}  // namespace isthmus
