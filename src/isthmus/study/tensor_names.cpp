// SPDX-License-Identifier: MIT
#include "isthmus/study/tensor_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/study/state_dict_modules.h"

namespace isthmus {
namespace {

constexpr std::size_t most_told = 8;

std::string first_of(std::vector<std::string> list) {
  const std::size_t count = list.size();
  list.resize(std::min(count, most_told));
  const std::string more = count > most_told ? fmt::format(" and {} more", count - most_told) : "";
  return fmt::format("{}{}", fmt::join(list, ", "), more);
}

// The shortest prefix up to a dot, perhaps none, behind which all of these are names of the
// network; none if there is no such prefix.
std::string prefix_of(const std::vector<std::string>& names, const Shapes& wanted) {
  const std::string first = names.empty() ? "" : names.front();
  std::size_t length = 0;
  do {
    std::string prefix = first.substr(0, length);
    if (std::ranges::all_of(names, [&](const std::string& name) {
          return name.starts_with(prefix) && wanted.contains(name.substr(length));
        })) {
      return prefix;
    }
    length = first.find('.', length) + 1;
  } while (length != 0);
  return "";
}

class Renamer {
 public:
  Renamer(const std::vector<TensorInfo>& tensors, const TensorNames& names, const Network& network)
      : tensors_(tensors), names_(names), wanted_(tensor_shapes(network)) {}

  RenamedTensors rename() {
    std::vector<std::string> others;
    for (const TensorInfo& info : tensors_) {
      if (!names_.contains(info.name)) {
        others.push_back(info.name);
      }
    }
    check_names();
    const std::string prefix = prefix_of(others, wanted_);
    for (const TensorInfo& info : tensors_) {
      const auto said = names_.find(info.name);
      if (said == names_.end()) {
        take(info, info.name.substr(prefix.size()));
      } else if (said->second) {
        take(info, *said->second);
      }
    }
    if (!problems_.empty()) {
      throw DataError(fmt::format("names: {}", fmt::join(problems_, "; ")));
    }
    return std::move(renamed_);
  }

 private:
  bool is_in_file(const std::string& name) const {
    return std::ranges::any_of(tensors_, [&](const TensorInfo& one) { return one.name == name; });
  }

  void check_names() {
    std::vector<std::string> absent;
    std::vector<std::string> unknown;
    bool turned = false;
    for (const auto& [theirs, ours] : names_) {
      if (!is_in_file(theirs)) {
        absent.push_back(theirs);
        turned = turned || (ours && wanted_.contains(theirs) && is_in_file(*ours));
      }
      if (ours && !wanted_.contains(*ours)) {
        unknown.push_back(*ours);
      }
    }
    if (!absent.empty()) {
      std::vector<std::string> there;
      for (const TensorInfo& info : tensors_) {
        there.push_back(info.name);
      }
      problems_.push_back(
          fmt::format("the file has no tensor {}; it has {}", first_of(absent), first_of(there)));
    }
    if (!unknown.empty()) {
      std::vector<std::string> known;
      for (const auto& [name, shape] : wanted_) {
        known.push_back(name);
      }
      problems_.push_back(fmt::format(
          "the network has no tensor {}; it has {}", first_of(unknown), first_of(known)));
    }
    if (turned) {
      problems_.emplace_back("each name of the file comes first, then the network's");
    }
  }

  void take(const TensorInfo& info, const std::string& ours) {
    const auto [place, is_new] = renamed_.in_file.emplace(ours, info.name);
    if (!is_new) {
      problems_.push_back(fmt::format(
          "{} and {} would both be {}; null leaves one out", place->second, info.name, ours));
      return;
    }
    const auto wanted = wanted_.find(ours);
    if (info.name != ours && wanted != wanted_.end() && wanted->second != info.shape) {
      problems_.push_back(fmt::format("{} cannot be {}: expected shape {}, found {}",
                                      info.name,
                                      ours,
                                      shape_text(wanted->second),
                                      shape_text(info.shape)));
    }
    renamed_.tensors.push_back(info);
    renamed_.tensors.back().name = ours;
  }

  const std::vector<TensorInfo>& tensors_;
  const TensorNames& names_;
  Shapes wanted_;
  RenamedTensors renamed_;
  std::vector<std::string> problems_;
};

}  // namespace

TensorNames read_tensor_names(const std::filesystem::path& file) {
  static constexpr std::string_view expected =
      R"(expected an object {"name in the file": "name in the network", ...}, with null for a tensor that is left out)";
  const std::string text = read_file(file);
  std::set<std::string> seen;
  std::vector<std::string> twice;
  const Json json = Json::parse(
      text,
      [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::key && depth == 1 &&
            !seen.insert(parsed.get<std::string>()).second) {
          twice.push_back(parsed.get<std::string>());
        }
        return true;
      },
      false);
  if (!json.is_object() || json.empty()) {
    throw DataError(fmt::format("{}: {}", file.string(), expected));
  }
  if (!twice.empty()) {
    throw DataError(
        fmt::format("{}: {} is there twice; {}", file.string(), first_of(twice), expected));
  }
  TensorNames names;
  for (const auto& [theirs, ours] : json.items()) {
    if (!ours.is_string() && !ours.is_null()) {
      throw DataError(
          fmt::format("{}: {} is {}; {}", file.string(), theirs, ours.dump(), expected));
    }
    names[theirs] = ours.is_null() ? std::nullopt : std::optional(ours.get<std::string>());
  }
  return names;
}

bool has_second_bias(const Tensor& tensor) {
  return tensor.name.ends_with("bias_ih_l0");
}

std::string second_bias_of(std::string name) {
  return name.replace(name.rfind("bias_ih"), 7, "bias_hh");
}

std::optional<std::string> tied_name(const Network& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto* linear = std::get_if<Linear>(&network.layers[i]);
    if (linear != nullptr && linear->tied) {
      return fmt::format("{}.weight", i);
    }
  }
  return std::nullopt;
}

Shapes tensor_shapes(const Network& network) {
  Shapes shapes;
  const Layout layout = layout_of(network);
  for (const Tensor& tensor : layout.tensors()) {
    shapes[tensor.name] = tensor.shape;
    if (has_second_bias(tensor)) {
      shapes[second_bias_of(tensor.name)] = tensor.shape;
    }
  }
  if (const auto tied = tied_name(network)) {
    shapes[*tied] = layout.tensors().front().shape;
  }
  return shapes;
}

RenamedTensors rename_tensors(const std::vector<TensorInfo>& tensors,
                              const TensorNames& names,
                              const Network& network) {
  return Renamer(tensors, names, network).rename();
}

}  // namespace isthmus
