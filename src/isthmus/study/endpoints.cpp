// SPDX-License-Identifier: MIT
#include "isthmus/study/endpoints.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/safetensors.h"

namespace isthmus {
namespace {

// What is wrong with the names and shapes in a file, one sentence each.
std::vector<std::string> mismatches(const SafetensorsFile& file, const Layout& layout) {
  std::vector<std::string> found;
  for (const Tensor& tensor : layout.tensors()) {
    const TensorInfo* info = file.find(tensor.name);
    if (info == nullptr) {
      found.push_back(fmt::format(
          "tensor {} of shape ({}) is missing", tensor.name, fmt::join(tensor.shape, ", ")));
    } else if (info->shape != tensor.shape) {
      found.push_back(fmt::format("tensor {}: expected shape ({}), found ({})",
                                  tensor.name,
                                  fmt::join(tensor.shape, ", "),
                                  fmt::join(info->shape, ", ")));
    }
  }
  for (const TensorInfo& info : file.tensors()) {
    const bool known = std::ranges::any_of(
        layout.tensors(), [&](const Tensor& tensor) { return tensor.name == info.name; });
    if (!known) {
      found.push_back(fmt::format("tensor {} of shape ({}) is not one of the network's",
                                  info.name,
                                  fmt::join(info.shape, ", ")));
    }
  }
  return found;
}

}  // namespace

LoadedNetwork read_network_weights(const std::filesystem::path& file, const Layout& layout) {
  const SafetensorsFile tensors(file);
  const std::vector<std::string> wrong = mismatches(tensors, layout);
  if (!wrong.empty()) {
    std::vector<std::string> expected;
    for (const Tensor& tensor : layout.tensors()) {
      expected.push_back(fmt::format("{} ({})", tensor.name, fmt::join(tensor.shape, ", ")));
    }
    throw DataError(
        fmt::format("{}: {}. Expected the tensors of a torch.nn.Sequential of the same layers: {}",
                    file.string(),
                    fmt::join(wrong, "; "),
                    fmt::join(expected, ", ")));
  }
  LoadedNetwork network;
  network.conversion = tensors.conversion();
  network.theta.resize(layout.dimension());
  for (const Tensor& tensor : layout.tensors()) {
    const std::vector<float> numbers = tensors.read(tensor.name);
    const auto bad = std::ranges::find_if(numbers, [](float x) { return !std::isfinite(x); });
    if (bad != numbers.end()) {
      throw DataError(fmt::format("{}: tensor {}: number {} of {} is {}; expected finite ones",
                                  file.string(),
                                  tensor.name,
                                  bad - numbers.begin(),
                                  numbers.size(),
                                  *bad));
    }
    std::ranges::copy(numbers, network.theta.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
  }
  return network;
}

void write_network_weights(const std::filesystem::path& file,
                           std::span<const float> theta,
                           const Layout& layout,
                           const std::map<std::string, std::string>& metadata) {
  std::vector<NamedTensor> tensors;
  for (const Tensor& tensor : layout.tensors()) {
    tensors.push_back({.name = tensor.name,
                       .shape = tensor.shape,
                       .pieces = {theta.subspan(tensor.offset, tensor.size())}});
  }
  write_safetensors(file, tensors, metadata);
}

}  // namespace isthmus
