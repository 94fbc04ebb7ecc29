// SPDX-License-Identifier: MIT
#include "isthmus/study/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/data/safetensors.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/state_dict.h"

namespace isthmus {
namespace {

// Files that belong to something else.
void check_purpose(const std::filesystem::path& path, const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format != file.metadata().end() && format->second == path_format) {
    throw DataError(
        fmt::format("{}: expected one network, found a path of isthmus (its tensor theta has a row "
                    "for each bead). Write its end points with 'isthmus train', or look at it with "
                    "'isthmus verify'.",
                    path.string()));
  }
}

// The tensors under the names that the user says.
StateDict match_named(const SafetensorsFile& file,
                      const Network& network,
                      const TensorNames& names) {
  const bool is_of_it = std::ranges::any_of(
      names, [&](const auto& entry) { return file.find(entry.first) != nullptr; });
  if (!is_of_it) {
    const Shapes wanted = tensor_shapes(network);
    if (std::ranges::all_of(file.tensors(),
                            [&](const TensorInfo& one) { return wanted.contains(one.name); })) {
      StateDict match = match_state_dict(file.tensors(), network);
      match.notes.emplace_back("it has the network's own names, so it is read without the others");
      return match;
    }
  }
  const RenamedTensors renamed = rename_tensors(file.tensors(), names, network);
  StateDict match = match_state_dict(renamed.tensors, network);
  const auto go_back = [&](std::string& name) {
    name = name.empty() ? name : renamed.in_file.at(name);
  };
  for (TensorSource& source : match.sources) {
    go_back(source.name);
    go_back(source.second);
  }
  if (match.tied) {
    go_back(match.tied->first);
    go_back(match.tied->second);
  }
  return match;
}

StateDict match(const std::filesystem::path& path,
                const SafetensorsFile& file,
                const Network& network,
                const TensorNames& names) {
  try {
    return names.empty() ? match_state_dict(file.tensors(), network)
                         : match_named(file, network, names);
  } catch (const DataError& error) {
    const std::string name = path.filename().string();
    throw DataError(fmt::format("{}: {}{}",
                                path.string(),
                                error.what(),
                                name.find("-of-0") == std::string::npos
                                    ? ""
                                    : ". It seems to be one shard of several: join them first, "
                                      "with safetensors.torch"));
  }
}

// All numbers of a tensor, which must be finite.
std::vector<float> read_finite(const std::filesystem::path& path,
                               const SafetensorsFile& file,
                               const std::string& name) {
  std::vector<float> numbers = file.read(name);
  const auto bad = std::ranges::find_if(numbers, [](float x) { return !std::isfinite(x); });
  if (bad != numbers.end()) {
    throw DataError(fmt::format("{}: tensor {}: number {} of {} is {}; expected finite ones",
                                path.string(),
                                name,
                                bad - numbers.begin(),
                                numbers.size(),
                                *bad));
  }
  return numbers;
}

void check_tied(const std::filesystem::path& path,
                const SafetensorsFile& file,
                const std::pair<std::string, std::string>& tied) {
  const std::vector<float> one = read_finite(path, file, tied.first);
  const std::vector<float> other = read_finite(path, file, tied.second);
  if (one != other) {
    const auto place = std::ranges::mismatch(one, other).in1 - one.begin();
    throw DataError(
        fmt::format("{}: tensors {} and {}: the network has them tied, so expected the same "
                    "numbers in both; number {} differs. Leave \"tied\" out of the network, or "
                    "give the network that was trained with tied weights.",
                    path.string(),
                    tied.first,
                    tied.second,
                    place));
  }
}

}  // namespace

namespace {

// What is called otherwise in the file; nothing if everything is called as it would be written.
std::map<std::string, std::string> names_in_file(const StateDict& match,
                                                 const Layout& layout,
                                                 const Network& network) {
  std::map<std::string, std::string> names;
  for (std::size_t i = 0; i < match.sources.size(); ++i) {
    const Tensor& tensor = layout.tensors()[i];
    names[tensor.name] = match.sources[i].name;
    if (has_second_bias(tensor)) {
      names[second_bias_of(tensor.name)] = match.sources[i].second;
    }
  }
  if (const auto tied = tied_name(network)) {
    names[*tied] = match.tied ? match.tied->second : "";
    if (match.tied) {
      names[layout.tensors().front().name] = match.tied->first;
    }
  }
  std::erase_if(names, [](const auto& entry) { return entry.first == entry.second; });
  return names;
}

}  // namespace

LoadedNetwork read_network_weights(const std::filesystem::path& path,
                                   const Network& network,
                                   const TensorNames& names) {
  const SafetensorsFile file(path);
  check_purpose(path, file);
  const StateDict match = isthmus::match(path, file, network, names);
  const Layout layout = layout_of(network);
  LoadedNetwork loaded;
  loaded.theta.resize(layout.dimension());
  if (match.tied) {
    check_tied(path, file, *match.tied);
  }
  std::size_t added = 0;
  for (std::size_t i = 0; i < match.sources.size(); ++i) {
    const TensorSource& source = match.sources[i];
    std::vector<float> numbers = read_finite(path, file, source.name);
    if (!source.second.empty()) {
      const std::vector<float> second = read_finite(path, file, source.second);
      added += std::ranges::any_of(second, [](float x) { return x != 0.0F; }) ? 1 : 0;
      std::ranges::transform(numbers, second, numbers.begin(), [](double a, double b) {
        return static_cast<float>(a + b);
      });
    }
    std::ranges::copy(
        numbers, loaded.theta.begin() + static_cast<std::ptrdiff_t>(layout.tensors()[i].offset));
  }
  loaded.names = names_in_file(match, layout, network);
  if (const std::string conversion = file.conversion(); !conversion.empty()) {
    loaded.notes.push_back(conversion);
  }
  for (const std::string& note : match.notes) {
    loaded.notes.push_back(fmt::format("{}: {}", path.string(), note));
  }
  if (added > 0) {
    loaded.notes.push_back(
        fmt::format("{}: the two biases of {} were added: bias_hh to bias_ih",
                    path.string(),
                    added == 1 ? "an LSTM layer" : fmt::format("{} LSTM layers", added)));
  }
  return loaded;
}

void write_network_weights(const std::filesystem::path& file,
                           std::span<const float> theta,
                           const Network& network,
                           const std::map<std::string, std::string>& metadata,
                           const std::map<std::string, std::string>& names) {
  const Layout layout = layout_of(network);
  std::vector<NamedTensor> tensors;
  std::size_t widest = 0;
  for (const Tensor& tensor : layout.tensors()) {
    widest = std::max(widest, has_second_bias(tensor) ? tensor.size() : 0);
  }
  const std::vector<float> zeros(widest);
  for (const Tensor& tensor : layout.tensors()) {
    tensors.push_back({.name = tensor.name,
                       .shape = tensor.shape,
                       .pieces = {theta.subspan(tensor.offset, tensor.size())}});
    if (has_second_bias(tensor)) {
      tensors.push_back({.name = second_bias_of(tensor.name),
                         .shape = tensor.shape,
                         .pieces = {std::span(zeros).first(tensor.size())}});
    }
  }
  if (const auto tied = tied_name(network)) {
    NamedTensor again = tensors.front();
    again.name = *tied;
    tensors.push_back(std::move(again));
  }
  for (NamedTensor& tensor : tensors) {
    const auto name = names.find(tensor.name);
    tensor.name = name == names.end() ? tensor.name : name->second;
  }
  std::erase_if(tensors, [](const NamedTensor& tensor) { return tensor.name.empty(); });
  write_safetensors(file, tensors, metadata);
}

}  // namespace isthmus
