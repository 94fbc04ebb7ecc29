// SPDX-License-Identifier: MIT
#include "isthmus/study/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/study/state_dict_modules.h"

namespace isthmus {
namespace {

using Dimensions = std::vector<std::size_t>;
constexpr std::size_t most_told = 8;

// The first few of a list, and how many more.
std::string some_of(const std::vector<std::string>& list, std::string_view separator) {
  const std::size_t shown = std::min(list.size(), most_told);
  const std::string text = fmt::to_string(fmt::join(std::span(list).first(shown), separator));
  return list.size() > shown ? fmt::format("{}{}and {} more", text, separator, list.size() - shown)
                             : text;
}

// The embedding of a network and the layer that is tied to it.
struct Tie {
  std::string embedding;  // "0.weight"
  std::string linear;     // "4.weight"
  Dimensions shape;
};

std::optional<Tie> tie_of(const Network& network, const Layout& layout) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto* linear = std::get_if<Linear>(&network.layers[i]);
    if (linear != nullptr && linear->tied) {
      const Tensor& weight = layout.tensors().front();
      return Tie{weight.name, fmt::format("{}.weight", i), weight.shape};
    }
  }
  return std::nullopt;
}

// What the tensors show that no network here has.
std::vector<std::string> not_covered(const std::vector<TensorInfo>& tensors) {
  const auto any = [&](const auto& test) { return std::ranges::any_of(tensors, test); };
  const auto named = [&](std::string_view part) {
    return any([&](const TensorInfo& info) { return info.name.find(part) != std::string::npos; });
  };
  // The rows of W_hh for each of its columns are the gates.
  const auto gates = [&](std::size_t count) {
    return any([&](const TensorInfo& info) {
      return place_of(info.name).parameter == "weight_hh_l0" && info.shape.size() == 2 &&
             info.shape[0] == count * info.shape[1];
    });
  };
  std::vector<std::string> found;
  if (named("_reverse")) {
    found.emplace_back("an LSTM that reads in both directions is not covered");
  }
  if (named("weight_hr_l")) {
    found.emplace_back("an LSTM with a projection (proj_size) is not covered");
  }
  if (gates(3) || gates(1)) {
    found.emplace_back("a torch.nn.GRU or RNN is not covered, only the LSTM");
  }
  if (gates(4) && !named("bias_ih_l")) {
    found.emplace_back(
        "the lstm here has a bias: for torch.nn.LSTM(bias=False) write zeros as "
        "bias_ih_l0");
  }
  if (named("running_mean")) {
    found.emplace_back("batch normalisation is not covered");
  }
  return found;
}

class Matcher {
 public:
  Matcher(const std::vector<TensorInfo>& tensors, const Network& network)
      : tensors_(tensors), layout_(layout_of(network)), tie_(tie_of(network, layout_)) {
    for (std::size_t i = 0; i < layout_.tensors().size(); ++i) {
      const TensorPlace place = place_of(layout_.tensors()[i].name);
      if (layers_.empty() || layers_.back().name != place.module) {
        layers_.push_back({.name = place.module});
      }
      layers_.back().layout[place.parameter] = i;
    }
    result_.sources.resize(layout_.tensors().size());
  }

  StateDict match() {
    take_tied();
    if (!by_name() && !by_modules() && !by_tensors()) {
      refuse();
    }
    check_types();
    return std::move(result_);
  }

 private:
  const Tensor& tensor(std::size_t index) const { return layout_.tensors()[index]; }

  // The tensors that can only be the tied weight are taken out before anything is compared.
  void take_tied() {
    if (!tie_) {
      return;
    }
    std::vector<const TensorInfo*> found;
    for (const TensorInfo& info : tensors_) {
      if (info.shape == tie_->shape && place_of(info.name).parameter.ends_with("weight")) {
        found.push_back(&info);
      }
    }
    if (found.empty() || found.size() > 2) {
      return;
    }
    result_.sources.front().name = found.front()->name;
    tied_.insert(found.begin(), found.end());
    if (found.size() == 2) {
      result_.tied = std::pair(found[0]->name, found[1]->name);
    }
  }

  // Prefixes that all names share, up to a dot, the shortest first.
  std::vector<std::string> prefixes() const {
    std::vector<std::string> list{""};
    const std::string& first = tensors_.front().name;
    for (std::size_t dot = first.find('.'); dot != std::string::npos;
         dot = first.find('.', dot + 1)) {
      const std::string prefix = first.substr(0, dot + 1);
      if (std::ranges::all_of(
              tensors_, [&](const TensorInfo& info) { return info.name.starts_with(prefix); })) {
        list.push_back(prefix);
      }
    }
    return list;
  }

  // The name in the network that a name in the file is, or nothing. bias_hh_l0 is one too.
  std::optional<std::size_t> index_of(std::string_view name) const {
    const auto found = std::ranges::find_if(layout_.tensors(),
                                            [&](const Tensor& one) { return one.name == name; });
    return found == layout_.tensors().end()
               ? std::nullopt
               : std::optional<std::size_t>(found - layout_.tensors().begin());
  }

  static std::string partner_of(std::string name) {
    const std::size_t place = name.rfind("bias_hh_l");
    return place == std::string::npos ? std::string() : name.replace(place, 7, "bias_ih");
  }

  // How many names behind a prefix are the network's, and whether all are, and none is missing.
  bool has_names(const std::string& prefix) const {
    std::size_t found = 0;
    for (const TensorInfo& info : tensors_) {
      const std::string name = info.name.substr(prefix.size());
      const bool known = index_of(name) || (tie_ && name == tie_->linear);
      if (!known && !index_of(partner_of(name))) {
        return false;
      }
      found += index_of(name) ? 1 : 0;
    }
    const bool only_tied = tie_ && find(prefix + tie_->linear) && !find(prefix + tie_->embedding);
    return found + (only_tied ? 1 : 0) == layout_.tensors().size();
  }

  const TensorInfo* find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(tensors_, [&](const TensorInfo& info) { return info.name == name; });
    return found == tensors_.end() ? nullptr : &*found;
  }

  // Under the names of the network, behind a prefix or none.
  bool by_name() {
    if (tensors_.empty()) {
      return false;
    }
    for (const std::string& prefix : prefixes()) {
      if (!has_names(prefix)) {
        continue;
      }
      prefix_ = prefix;
      const std::vector<std::string> wrong = wrong_shapes();
      if (!wrong.empty()) {
        refuse();
      }
      take_names(prefix);
      if (!prefix.empty()) {
        result_.notes.push_back(
            fmt::format("every tensor begins with '{}', which is left off", prefix));
      }
      return true;
    }
    return false;
  }

  void take_names(const std::string& prefix) {
    if (tie_ && find(prefix + tie_->linear) != nullptr) {
      result_.sources.front().name = prefix + tie_->linear;
      result_.tied.reset();
      if (find(prefix + tie_->embedding) != nullptr) {
        result_.tied = std::pair(prefix + tie_->embedding, prefix + tie_->linear);
      }
    }
    for (const TensorInfo& info : tensors_) {
      const std::string name = info.name.substr(prefix.size());
      if (const auto index = index_of(name)) {
        result_.sources[*index].name = info.name;
      } else if (const auto partner = index_of(partner_of(name))) {
        result_.sources[*partner].second = info.name;
      }
    }
  }

  std::vector<std::string> wrong_shapes() const {
    std::vector<std::string> wrong;
    for (const TensorInfo& info : tensors_) {
      const std::string name =
          info.name.starts_with(prefix_) ? info.name.substr(prefix_.size()) : info.name;
      auto index = index_of(name);
      if (!index) {
        index = index_of(partner_of(name));
      }
      if (index && info.shape != tensor(*index).shape) {
        wrong.push_back(fmt::format("tensor {}: expected shape {}, found {}{}",
                                    name,
                                    shape_text(tensor(*index).shape),
                                    shape_text(info.shape),
                                    shape_hint(info.shape, tensor(*index).shape)));
      }
    }
    return wrong;
  }

  static std::string_view shape_hint(Dimensions found, const Dimensions& expected) {
    std::reverse(found.begin(), found.end());
    return found == expected ? " (transposed, as Keras and JAX have it?)" : "";
  }

  // The modules of the file, in the order of their data; each tensor a module if `apart`.
  std::vector<Module> modules(bool apart) const {
    std::vector<Module> list;
    for (const TensorInfo& info : tensors_) {
      if (tied_.contains(&info)) {
        continue;
      }
      TensorPlace place = place_of(info.name);
      if (apart) {
        place = {info.name, ""};
      }
      auto found = std::ranges::find_if(
          list, [&](const Module& module) { return module.name == place.module; });
      if (found == list.end()) {
        list.push_back({.name = place.module});
        found = list.end() - 1;
      }
      found->file[place.parameter] = &info;
    }
    for (Module& module : list) {
      const auto input = module.file.find("bias_ih_l0");
      const auto state = module.file.find("bias_hh_l0");
      if (input != module.file.end() && state != module.file.end() &&
          input->second->shape == state->second->shape) {
        module.second["bias_ih_l0"] = state->second;
        module.file.erase(state);
      }
      for (const auto& [parameter, info] : module.file) {
        module.shapes += parameter + shape_text(info->shape) + " ";
      }
    }
    return list;
  }

  std::vector<Module> layers(bool apart) const {
    std::vector<Module> list;
    for (const Module& layer : layers_) {
      for (const auto& [parameter, index] : layer.layout) {
        if (tie_ && index == 0 && !tied_.empty()) {
          continue;
        }
        if (apart || list.empty() || list.back().name != layer.name) {
          list.push_back({.name = apart ? tensor(index).name : layer.name});
        }
        const std::string name = apart ? std::string() : parameter;
        list.back().layout[name] = index;
        list.back().shapes += name + shape_text(tensor(index).shape) + " ";
      }
    }
    if (apart) {
      std::ranges::sort(list, {}, [](const Module& one) { return one.layout.begin()->second; });
    }
    return list;
  }

  bool by_modules() { return take(modules(false), layers(false)); }

  bool by_tensors() {
    const std::vector<Module> found = modules(true);
    const bool named_otherwise = std::ranges::any_of(found, [&](const Module& one) {
      const std::string parameter = place_of(one.name).parameter;
      return parameter == "weight" || parameter == "bias" || parameter.starts_with("bias_");
    });
    return !named_otherwise && take(found, layers(true));
  }

  // False if the shapes are not those of the layers.
  bool take(const std::vector<Module>& modules, const std::vector<Module>& layers) {
    const std::optional<Assignment> assignment = assign(modules, layers, !is_sorted_by_name());
    if (!assignment) {
      return false;
    }
    if (!assignment->unclear.empty()) {
      throw DataError(fmt::format(
          "which layers {} are cannot be told: they have the same shapes, and neither numbers in "
          "their names nor the order of the file say it. Name them as a torch.nn.Sequential of the "
          "same "
          "layers does: {}",
          some_of(assignment->unclear, ", "),
          expected()));
    }
    std::vector<std::string> pairs;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Module& module = modules[assignment->modules[i]];
      for (const auto& [parameter, index] : layers[i].layout) {
        result_.sources[index].name = module.file.at(parameter)->name;
        if (const auto second = module.second.find(parameter); second != module.second.end()) {
          result_.sources[index].second = second->second->name;
        }
      }
      const std::string& layer = layers[i].name;
      pairs.push_back(
          fmt::format("{} as {}",
                      module.name,
                      layer.ends_with(".l0") ? layer.substr(0, layer.size() - 3) : layer));
    }
    result_.notes.push_back(fmt::format("tensors of other names, taken by their shapes{}: {}",
                                        assignment->by,
                                        some_of(pairs, ", ")));
    return true;
  }

  // As PyTorch's writer sorts them, within each type: then their order says nothing of layers.
  bool is_sorted_by_name() const {
    std::map<std::string, std::string> last;
    return std::ranges::all_of(tensors_, [&](const TensorInfo& info) {
      return std::exchange(last[info.dtype], info.name) < info.name;
    });
  }

  std::string expected() const {
    std::vector<std::string> list;
    for (const Tensor& one : layout_.tensors()) {
      list.push_back(fmt::format("{} {}", one.name, shape_text(one.shape)));
    }
    return fmt::format("{}", fmt::join(list, ", "));
  }

  // The prefix behind which most of the network's names are.
  std::string likely_prefix() const {
    std::map<std::string, std::size_t> counts;
    for (const TensorInfo& info : tensors_) {
      for (const Tensor& one : layout_.tensors()) {
        if (info.name == one.name || info.name.ends_with("." + one.name)) {
          ++counts[info.name.substr(0, info.name.size() - one.name.size())];
        }
      }
    }
    std::string best;
    for (const auto& [prefix, count] : counts) {
      if (count > counts[best]) {
        best = prefix;
      }
    }
    return best;
  }

  [[noreturn]] void refuse() {
    if (prefix_.empty()) {
      prefix_ = likely_prefix();
    }
    std::vector<std::string> wrong = not_covered(tensors_);
    for (const Tensor& one : layout_.tensors()) {
      const bool tied = tie_ && one.name == tie_->embedding && !tied_.empty();
      if (!tied && find(prefix_ + one.name) == nullptr) {
        wrong.push_back(
            fmt::format("tensor {} of shape {} is missing", one.name, shape_text(one.shape)));
      }
    }
    const std::vector<std::string> shapes = wrong_shapes();
    wrong.insert(wrong.end(), shapes.begin(), shapes.end());
    for (const TensorInfo& info : tensors_) {
      const bool inside = info.name.starts_with(prefix_);
      const std::string name = inside ? info.name.substr(prefix_.size()) : info.name;
      const bool known = inside && (index_of(name) || index_of(partner_of(name)) ||
                                    (tie_ && name == tie_->linear));
      if (!known && !tied_.contains(&info)) {
        wrong.push_back(fmt::format("tensor {} of shape {}{} is not one of the network's",
                                    name,
                                    shape_text(info.shape),
                                    info.readable() ? "" : " and type " + info.dtype));
      }
    }
    throw DataError(
        fmt::format("{}{}. Expected the tensors of a torch.nn.Sequential of the same layers: {}",
                    prefix_.empty() ? "" : fmt::format("behind the prefix '{}': ", prefix_),
                    some_of(wrong, "; "),
                    expected()));
  }

  void check_types() const {
    std::vector<std::string> wrong;
    for (const TensorSource& source : result_.sources) {
      for (const std::string& name : {source.name, source.second}) {
        const TensorInfo* info = find(name);
        if (info != nullptr && !info->readable()) {
          wrong.push_back(fmt::format("{} is {}", name, info->dtype));
        }
      }
    }
    if (!wrong.empty()) {
      throw DataError(
          fmt::format("expected tensors of type F32, F16, BF16 or F64, found: {}. Convert them in "
                      "Python, for example by model.float() before saving.",
                      some_of(wrong, ", ")));
    }
  }

  const std::vector<TensorInfo>& tensors_;
  Layout layout_;
  std::optional<Tie> tie_;
  std::vector<Module> layers_;
  std::set<const TensorInfo*> tied_;  // the tied weight in the file, once or twice
  std::string prefix_;
  StateDict result_;
};

}  // namespace

StateDict match_state_dict(const std::vector<TensorInfo>& tensors, const Network& network) {
  return Matcher(tensors, network).match();
}

}  // namespace isthmus
