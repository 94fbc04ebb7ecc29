// SPDX-License-Identifier: MIT
#include "isthmus/study/state_dict_modules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

namespace isthmus {
namespace {

constexpr std::string_view digits = "0123456789";

using Numbers = std::vector<std::uint64_t>;

// A name with # for every number in it, and the numbers.
std::pair<std::string, Numbers> numbered(const std::string& name) {
  constexpr std::size_t most_digits = 18;
  std::pair<std::string, Numbers> result;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t end = std::min(name.find_first_not_of(digits, i), name.size());
    if (end == i || end - i > most_digits) {
      result.first += name[i++];
      continue;
    }
    result.first += '#';
    result.second.push_back(std::stoull(name.substr(i, end - i)));
    i = end;
  }
  return result;
}

std::vector<std::string> names_of(const std::vector<Module>& modules,
                                  const std::vector<std::size_t>& indices) {
  std::vector<std::string> names;
  names.reserve(indices.size());
  for (const std::size_t i : indices) {
    names.push_back(modules[i].name);
  }
  return names;
}

// Indices of modules by their shapes, in the order given.
using Groups = std::map<std::string, std::vector<std::size_t>>;

Groups groups_of(const std::vector<Module>& modules) {
  Groups groups;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    groups[modules[i].shapes].push_back(i);
  }
  return groups;
}

bool same_shapes(const Groups& one, const Groups& other) {
  return std::ranges::equal(one, other, [](const auto& a, const auto& b) {
    return a.first == b.first && a.second.size() == b.second.size();
  });
}

// Sorts modules whose names differ in numbers alone; returns what they have in common, or nothing.
std::optional<std::string> sort_by_numbers(const std::vector<Module>& modules,
                                           std::vector<std::size_t>& group) {
  const std::string text = numbered(modules[group.front()].name).first;
  const auto numbers = [&](std::size_t i) { return numbered(modules[i].name).second; };
  for (const std::size_t i : group) {
    if (numbered(modules[i].name).first != text) {
      return std::nullopt;
    }
  }
  std::ranges::sort(group, {}, numbers);
  const bool different =
      std::ranges::adjacent_find(group, {}, numbers) == group.end();  // not "fc1" and "fc01"
  return different ? std::optional(text) : std::nullopt;
}

// Modules whose names are `text` but for their numbers and that are not in the order of these.
std::vector<std::string> disorder(const std::vector<Module>& modules,
                                  const std::vector<std::size_t>& in_order,
                                  const std::string& text) {
  std::vector<std::size_t> counted;
  for (const std::size_t i : in_order) {
    if (numbered(modules[i].name).first == text) {
      counted.push_back(i);
    }
  }
  const auto numbers = [&](std::size_t i) { return numbered(modules[i].name).second; };
  return std::ranges::is_sorted(counted, {}, numbers) ? std::vector<std::string>()
                                                      : names_of(modules, counted);
}

}  // namespace

TensorPlace place_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  TensorPlace place{dot == std::string::npos ? "" : name.substr(0, dot),
                    dot == std::string::npos ? name : name.substr(dot + 1)};
  for (const std::string_view part : {"weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l"}) {
    const std::string number =
        place.parameter.starts_with(part) ? place.parameter.substr(part.size()) : "";
    if (!number.empty() && number.find_first_not_of(digits) == std::string::npos) {
      place.module += ".l" + number;
      place.parameter = std::string(part) + "0";
    }
  }
  return place;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::optional<Assignment> assign(const std::vector<Module>& modules,
                                 const std::vector<Module>& layers,
                                 bool order_counts) {
  Groups groups = groups_of(modules);
  if (!same_shapes(groups, groups_of(layers))) {
    return std::nullopt;
  }
  order_counts =
      order_counts && std::ranges::equal(modules, layers, {}, &Module::shapes, &Module::shapes);
  Assignment assignment;
  std::set<std::string> counted;
  for (auto& [shapes, group] : groups) {
    if (group.size() == 1) {
      continue;
    }
    if (const auto text = sort_by_numbers(modules, group)) {
      assignment.by = " and numbers";
      counted.insert(*text);
    } else if (order_counts) {
      std::ranges::sort(group);
      assignment.by = " and the order of the file";
    } else {
      return Assignment{{}, {}, names_of(modules, group)};
    }
  }
  for (const Module& layer : layers) {
    std::vector<std::size_t>& group = groups.at(layer.shapes);
    assignment.modules.push_back(group.front());
    group.erase(group.begin());
  }
  for (const std::string& text : counted) {
    if (const auto names = disorder(modules, assignment.modules, text); !names.empty()) {
      return Assignment{{}, {}, names};
    }
  }
  return assignment;
}

}  // namespace isthmus
