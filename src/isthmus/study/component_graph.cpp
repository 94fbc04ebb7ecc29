// SPDX-License-Identifier: MIT
#include "isthmus/study/component_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "isthmus/core/files.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool joins(const ComponentEdge& edge, Joining joining) {
  return joining == Joining::proven ? edge.proven() : edge.connected();
}

UnionFind joined(const ComponentGraph& graph, Joining joining) {
  UnionFind sets(graph.nodes.size());
  for (const ComponentEdge& edge : graph.edges) {
    if (joins(edge, joining)) {
      sets.unite(edge.a, edge.b);
    }
  }
  return sets;
}

std::string path_of(const ComponentEdge& edge) {
  return fmt::format("{}/{}", run_files::paths, path_file_name(edge.row.threshold, edge.row.pair));
}

// Attributes of GraphML: declared once, then given where they have a value.
struct Attribute {
  const char* of;
  const char* name;
  const char* type;
};
constexpr Attribute attributes[] = {
    {"graph", "threshold", "double"},
    {"graph", "width", "int"},
    {"graph", "components", "int"},
    {"graph", "components_proven", "int"},
    {"node", "component", "int"},
    {"node", "reached", "boolean"},
    {"node", "value", "double"},
    {"edge", "distance", "double"},
    {"edge", "connected", "boolean"},
    {"edge", "proven", "boolean"},
    {"edge", "barrier", "double"},
    {"edge", "bound", "double"},
    {"edge", "normalized_length", "double"},
    {"edge", "beads", "int"},
    {"edge", "gradient_samples", "long"},
    {"edge", "in_tree", "boolean"},
    {"edge", "path", "string"},
};

std::string data(const char* of, const char* name, const std::string& value) {
  return fmt::format("<data key=\"{}_{}\">{}</data>", of, name, value);
}
std::string data(const char* of, const char* name, double value) {
  return std::isfinite(value) ? data(of, name, format_number(value)) : "";
}
std::string data(const char* of, const char* name, std::size_t value) {
  return data(of, name, std::to_string(value));
}
std::string data(const char* of, const char* name, bool value) {
  return data(of, name, std::string(value ? "true" : "false"));
}

std::string graphml_edge(const ComponentEdge& edge, bool in_tree) {
  const auto put = [](const char* name, const auto& value) { return data("edge", name, value); };
  return fmt::format("    <edge source=\"n{}\" target=\"n{}\">", edge.a, edge.b) +
         put("distance", edge.distance) + put("connected", edge.connected()) +
         put("proven", edge.proven()) + put("barrier", edge.barrier()) +
         put("bound", edge.row.bound) + put("normalized_length", edge.row.normalized_length) +
         put("beads", std::size_t{edge.row.beads}) +
         put("gradient_samples", std::size_t{edge.row.gradient_samples_beads}) +
         put("in_tree", in_tree) + put("path", path_of(edge)) + "</edge>\n";
}

Json to_json(const ComponentEdge& edge, bool in_tree) {
  return {{"a", edge.a},
          {"b", edge.b},
          {"distance", edge.distance},
          {"verdict", name_of(edge.row.verdict)},
          {"proof", edge.row.proof},
          {"barrier", number_or_null(edge.barrier())},
          {"bound", number_or_null(edge.row.bound)},
          {"normalized_length", number_or_null(edge.row.normalized_length)},
          {"beads", edge.row.beads},
          {"gradient_samples", edge.row.gradient_samples_beads},
          {"in_tree", in_tree},
          {"path", path_of(edge)}};
}

}  // namespace

UnionFind::UnionFind(std::size_t size) : parents_(size), sizes_(size, 1) {
  std::iota(parents_.begin(), parents_.end(), std::size_t{0});
}

std::size_t UnionFind::find(std::size_t element) {
  while (parents_[element] != element) {
    parents_[element] = parents_[parents_[element]];
    element = parents_[element];
  }
  return element;
}

bool UnionFind::unite(std::size_t a, std::size_t b) {
  a = find(a);
  b = find(b);
  if (a == b) {
    return false;
  }
  if (sizes_[a] < sizes_[b]) {
    std::swap(a, b);
  }
  parents_[b] = a;
  sizes_[a] += sizes_[b];
  return true;
}

double ComponentEdge::barrier() const {
  if (std::isnan(row.max_metric)) {
    return infinity;
  }
  return row.max_metric;
}

std::vector<std::optional<std::size_t>> components_of(const ComponentGraph& graph,
                                                      Joining joining) {
  const std::size_t size = graph.nodes.size();
  UnionFind sets = joined(graph, joining);
  std::vector<std::optional<std::size_t>> of_set(size);
  std::vector<std::optional<std::size_t>> components(size);
  std::size_t count = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (graph.nodes[i].reached) {
      std::optional<std::size_t>& number = of_set[sets.find(i)];
      number = number ? *number : count++;
      components[i] = number;
    }
  }
  return components;
}

std::size_t count_components(const ComponentGraph& graph, Joining joining) {
  std::size_t count = 0;
  for (const auto& component : components_of(graph, joining)) {
    count = component ? std::max(count, *component + 1) : count;
  }
  return count;
}

std::vector<std::pair<std::size_t, std::size_t>> next_pairs(const ComponentGraph& graph,
                                                            const std::vector<double>& distances) {
  const std::size_t size = graph.nodes.size();
  UnionFind sets = joined(graph, Joining::connected);
  std::set<std::pair<std::size_t, std::size_t>> tried;
  for (const ComponentEdge& edge : graph.edges) {
    tried.emplace(edge.a, edge.b);
  }
  std::vector<std::tuple<double, std::size_t, std::size_t>> candidates;
  for (std::size_t a = 0; a < size; ++a) {
    for (std::size_t b = a + 1; b < size; ++b) {
      if (graph.nodes[a].reached && graph.nodes[b].reached && sets.find(a) != sets.find(b) &&
          !tried.contains({a, b})) {
        candidates.emplace_back(distances[a * size + b], a, b);
      }
    }
  }
  std::ranges::sort(candidates);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const auto& [distance, a, b] : candidates) {
    if (sets.unite(a, b)) {
      pairs.emplace_back(a, b);
    }
  }
  return pairs;
}

MinimaxBarriers minimax_barriers(const ComponentGraph& graph) {
  const std::size_t size = graph.nodes.size();
  MinimaxBarriers result{.values = std::vector<double>(size * size, infinity),
                         .in_tree = std::vector<bool>(graph.edges.size())};
  std::vector<std::vector<std::size_t>> members(size);
  for (std::size_t i = 0; i < size; ++i) {
    result.values[i * size + i] = no_value;
    members[i] = {i};
  }
  std::vector<std::size_t> order(graph.edges.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return graph.edges[i].barrier(); });
  UnionFind sets(size);
  for (const std::size_t i : order) {
    const ComponentEdge& edge = graph.edges[i];
    const std::size_t a = sets.find(edge.a);
    const std::size_t b = sets.find(edge.b);
    if (!sets.unite(a, b)) {
      continue;
    }
    result.in_tree[i] = true;
    for (const std::size_t x : members[a]) {
      for (const std::size_t y : members[b]) {
        result.values[x * size + y] = edge.barrier();
        result.values[y * size + x] = edge.barrier();
      }
    }
    std::vector<std::size_t> both = std::move(members[a]);
    both.insert(both.end(), members[b].begin(), members[b].end());
    members[sets.find(a)] = std::move(both);
  }
  return result;
}

ComponentsRow row_of(const ComponentGraph& graph, std::size_t samples) {
  ComponentsRow row{.width = graph.width, .threshold = graph.threshold};
  row.networks = graph.nodes.size();
  row.reached = std::ranges::count(graph.nodes, true, &ComponentNode::reached);
  row.components = count_components(graph, Joining::connected);
  row.components_proven = count_components(graph, Joining::proven);
  row.pairs_tried = graph.edges.size();
  for (const ComponentEdge& edge : graph.edges) {
    ++(edge.proven() ? row.pairs_proven : edge.connected() ? row.pairs_sampled : row.pairs_failed);
    row.gradient_samples_beads += edge.row.gradient_samples_beads;
  }
  row.gradients = static_cast<double>(row.gradient_samples_beads) / static_cast<double>(samples);
  const MinimaxBarriers minimax = minimax_barriers(graph);
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    if (minimax.in_tree[i]) {
      row.largest_barrier = std::isnan(row.largest_barrier)
                                ? graph.edges[i].barrier()
                                : std::max(row.largest_barrier, graph.edges[i].barrier());
    }
  }
  return row;
}

Json to_json(const ComponentGraph& graph) {
  const auto all = components_of(graph, Joining::connected);
  const auto proven = components_of(graph, Joining::proven);
  const MinimaxBarriers minimax = minimax_barriers(graph);
  const auto number = [](const std::optional<std::size_t>& value) {
    return value ? Json(*value) : Json();
  };
  const std::size_t size = graph.nodes.size();
  Json networks = Json::array();
  Json matrix = Json::array();
  for (std::size_t i = 0; i < size; ++i) {
    networks.push_back({{"network", i},
                        {"reached", graph.nodes[i].reached},
                        {"value", number_or_null(graph.nodes[i].value)},
                        {"gradient_samples", graph.nodes[i].gradient_samples},
                        {"component", number(all[i])},
                        {"component_proven", number(proven[i])}});
    Json line = Json::array();
    for (std::size_t j = 0; j < size; ++j) {
      line.push_back(number_or_null(minimax.values[i * size + j]));
    }
    matrix.push_back(std::move(line));
  }
  Json pairs = Json::array();
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    pairs.push_back(to_json(graph.edges[i], minimax.in_tree[i]));
  }
  return {{"width", number(graph.width)},
          {"threshold", graph.threshold},
          {"components", count_components(graph, Joining::connected)},
          {"components_proven", count_components(graph, Joining::proven)},
          {"networks", std::move(networks)},
          {"pairs", std::move(pairs)},
          {"minimax", std::move(matrix)}};
}

std::string to_graphml(const ComponentGraph& graph) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n";
  for (const Attribute& attribute : attributes) {
    text += fmt::format("  <key id=\"{0}_{1}\" for=\"{0}\" attr.name=\"{1}\" attr.type=\"{2}\"/>\n",
                        attribute.of,
                        attribute.name,
                        attribute.type);
  }
  text += "  <graph edgedefault=\"undirected\">\n    " +
          data("graph", "threshold", graph.threshold) +
          (graph.width ? data("graph", "width", *graph.width) : "") +
          data("graph", "components", count_components(graph, Joining::connected)) +
          data("graph", "components_proven", count_components(graph, Joining::proven)) + "\n";
  const auto components = components_of(graph, Joining::connected);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    text += fmt::format("    <node id=\"n{}\">", i) +
            (components[i] ? data("node", "component", *components[i]) : "") +
            data("node", "reached", graph.nodes[i].reached) +
            data("node", "value", graph.nodes[i].value) + "</node>\n";
  }
  const MinimaxBarriers minimax = minimax_barriers(graph);
  for (std::size_t i = 0; i < graph.edges.size(); ++i) {
    text += graphml_edge(graph.edges[i], minimax.in_tree[i]);
  }
  return text + "  </graph>\n</graphml>\n";
}

}  // namespace isthmus
