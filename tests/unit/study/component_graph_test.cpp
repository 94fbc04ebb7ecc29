// SPDX-License-Identifier: MIT
#include "isthmus/study/component_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <tuple>

#include "isthmus/core/json.h"

namespace isthmus {
namespace {

using Pair = std::pair<std::size_t, std::size_t>;

constexpr double infinity = std::numeric_limits<double>::infinity();

ComponentEdge edge(std::size_t a, std::size_t b, bool connected, double barrier) {
  ComponentEdge edge{.a = a, .b = b, .distance = 1.0};
  edge.row.threshold = 0.1;
  edge.row.pair = b * (b - 1) / 2 + a;
  edge.row.verdict = connected ? Verdict::connected : Verdict::not_connected;
  edge.row.proof = "sampled:101";
  edge.row.max_metric = barrier;
  return edge;
}

ComponentGraph random_graph(std::mt19937& random, std::size_t size, double density) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  ComponentGraph graph{.threshold = 0.1, .nodes = std::vector<ComponentNode>(size)};
  for (ComponentNode& node : graph.nodes) {
    node.reached = unit(random) < 0.9;
  }
  for (std::size_t b = 0; b < size; ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      if (graph.nodes[a].reached && graph.nodes[b].reached && unit(random) < density) {
        graph.edges.push_back(edge(a, b, unit(random) < 0.5, unit(random)));
        graph.edges.back().row.proof = unit(random) < 0.5 ? "proven" : "sampled:101";
      }
    }
  }
  std::ranges::shuffle(graph.edges, random);
  return graph;
}

// The slow obvious reference: flood from each node that no earlier flood has met.
std::vector<std::optional<std::size_t>> flooded(const ComponentGraph& graph, Joining joining) {
  std::vector<std::optional<std::size_t>> components(graph.nodes.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (components[i] || !graph.nodes[i].reached) {
      continue;
    }
    std::vector<std::size_t> open{i};
    components[i] = count;
    while (!open.empty()) {
      const std::size_t node = open.back();
      open.pop_back();
      for (const ComponentEdge& edge : graph.edges) {
        const std::size_t other = edge.a == node ? edge.b : edge.a;
        const bool joins = joining == Joining::proven ? edge.proven() : edge.connected();
        if ((edge.a == node || edge.b == node) && joins && !components[other]) {
          components[other] = count;
          open.push_back(other);
        }
      }
    }
    ++count;
  }
  return components;
}

TEST(ComponentGraph, ComponentsAreThoseOfAFlood) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const ComponentGraph graph = random_graph(random, 2 + round % 12, 0.3);
    for (const Joining joining : {Joining::connected, Joining::proven}) {
      const auto expected = flooded(graph, joining);
      EXPECT_EQ(components_of(graph, joining), expected);
      std::size_t count = 0;
      for (const auto& component : expected) {
        count = std::max(count, component ? *component + 1 : 0);
      }
      EXPECT_EQ(count_components(graph, joining), count);
    }
  }
}

TEST(ComponentGraph, MinimaxBarriersAreThoseOfAllChains) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    const ComponentGraph graph = random_graph(random, 2 + round % 12, 0.1 * (1 + round % 7));
    const std::size_t size = graph.nodes.size();
    // Floyd and Warshall, with the larger of two in place of their sum.
    std::vector<double> expected(size * size, infinity);
    for (const ComponentEdge& edge : graph.edges) {
      expected[edge.a * size + edge.b] = edge.barrier();
      expected[edge.b * size + edge.a] = edge.barrier();
    }
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < size; ++j) {
          expected[i * size + j] = std::min(
              expected[i * size + j], std::max(expected[i * size + k], expected[k * size + j]));
        }
      }
    }
    const MinimaxBarriers minimax = minimax_barriers(graph);
    ComponentGraph tree = graph;
    tree.edges.clear();
    for (std::size_t i = 0; i < graph.edges.size(); ++i) {
      if (minimax.in_tree[i]) {
        tree.edges.push_back(graph.edges[i]);
      }
    }
    EXPECT_LT(tree.edges.size(), size);
    const MinimaxBarriers of_tree = minimax_barriers(tree);
    double largest = no_value;
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_TRUE(std::isnan(minimax.values[i * size + i]));
      for (std::size_t j = 0; j < size; ++j) {
        if (i != j) {
          EXPECT_EQ(minimax.values[i * size + j], expected[i * size + j]);
          EXPECT_EQ(of_tree.values[i * size + j], expected[i * size + j]) << "the tree has it all";
        }
        if (i != j && expected[i * size + j] < infinity) {
          largest = std::isnan(largest) ? expected[i * size + j]
                                        : std::max(largest, expected[i * size + j]);
        }
      }
    }
    const double told = row_of(graph, 256).largest_barrier;
    EXPECT_TRUE(told == largest || (std::isnan(told) && std::isnan(largest)));
  }
}

// Kruskal's order as one reads it: pairs one by one, the nearest first, but for those that lie in
// one component by then.
ComponentGraph one_by_one(std::size_t size,
                          const std::vector<double>& distances,
                          const std::vector<bool>& joins) {
  std::vector<Pair> pairs;
  for (std::size_t b = 0; b < size; ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      pairs.emplace_back(a, b);
    }
  }
  std::ranges::sort(pairs, {}, [&](const Pair& pair) {
    return std::tuple(distances[pair.first * size + pair.second], pair);
  });
  ComponentGraph graph{.threshold = 0.1, .nodes = std::vector<ComponentNode>(size)};
  for (const auto& [a, b] : pairs) {
    const auto components = flooded(graph, Joining::connected);
    if (components[a] != components[b]) {
      graph.edges.push_back(edge(a, b, joins[a * size + b], 1.0));
    }
  }
  return graph;
}

std::set<Pair> pairs_of(const ComponentGraph& graph) {
  std::set<Pair> pairs;
  for (const ComponentEdge& edge : graph.edges) {
    EXPECT_TRUE(pairs.emplace(edge.a, edge.b).second) << "tried twice";
  }
  return pairs;
}

TEST(ComponentGraph, RoundsTryThePairsThatOneByOneWould) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int round = 0; round < 200; ++round) {
    const std::size_t size = 2 + round % 12;
    const double chance = 0.1 * (round % 11);
    std::vector<double> distances(size * size);
    std::vector<bool> joins(size * size);
    for (std::size_t b = 0; b < size; ++b) {
      for (std::size_t a = 0; a < b; ++a) {
        distances[a * size + b] = std::round(20 * unit(random));  // some are equal
        distances[b * size + a] = distances[a * size + b];
        joins[a * size + b] = unit(random) < chance;
      }
    }
    ComponentGraph graph{.threshold = 0.1, .nodes = std::vector<ComponentNode>(size)};
    for (;;) {
      const auto pairs = next_pairs(graph, distances);
      if (pairs.empty()) {
        break;
      }
      EXPECT_LT(pairs.size(), count_components(graph, Joining::connected)) << "a forest";
      for (const auto& [a, b] : pairs) {
        graph.edges.push_back(edge(a, b, joins[a * size + b], 1.0));
      }
    }
    const ComponentGraph expected = one_by_one(size, distances, joins);
    EXPECT_EQ(components_of(graph, Joining::connected), flooded(expected, Joining::connected));
    EXPECT_EQ(pairs_of(graph), pairs_of(expected));
  }
}

TEST(ComponentGraph, NetworksThatMissTheThresholdAreLeftOut) {
  ComponentGraph graph{.threshold = 0.1, .nodes = std::vector<ComponentNode>(3)};
  graph.nodes[1].reached = false;
  EXPECT_EQ(next_pairs(graph, {0, 1, 2, 1, 0, 1, 2, 1, 0}), (std::vector<Pair>{{0, 2}}));
  EXPECT_EQ(count_components(graph, Joining::connected), 2u);
  EXPECT_EQ(components_of(graph, Joining::connected)[1], std::nullopt);
  graph.nodes[2].reached = false;
  EXPECT_TRUE(next_pairs(graph, {0, 1, 2, 1, 0, 1, 2, 1, 0}).empty());
  const ComponentsRow row = row_of(graph, 256);
  EXPECT_EQ(row.reached, 1u);
  EXPECT_EQ(row.components, 1u);
  EXPECT_TRUE(std::isnan(row.largest_barrier));
}

TEST(ComponentGraph, IsJsonAndGraphml) {
  ComponentGraph graph{.width = 4, .threshold = 0.1, .nodes = std::vector<ComponentNode>(4)};
  graph.nodes[3] = {.reached = false, .value = 0.2};
  graph.edges = {edge(0, 1, true, 0.0625), edge(1, 2, false, 0.5), edge(0, 2, false, no_value)};
  graph.edges[0].row.proof = "proven";
  graph.edges[0].row.bound = 0.09375;
  const Json json = to_json(graph);
  EXPECT_EQ(json["components"], 2);
  EXPECT_EQ(json["networks"][2]["component"], 1);
  EXPECT_TRUE(json["networks"][3]["component"].is_null());
  EXPECT_EQ(json["minimax"][2][0], 0.5) << "by way of network 1";
  EXPECT_TRUE(json["minimax"][3][0].is_null());
  EXPECT_EQ(json["pairs"][0]["barrier"], 0.0625);
  EXPECT_EQ(json["pairs"][1]["in_tree"], true);
  EXPECT_TRUE(json["pairs"][2]["barrier"].is_null());
  EXPECT_EQ(json["pairs"][2]["in_tree"], false);
  const std::string xml = to_graphml(graph);
  for (const char* part : {"<key id=\"edge_barrier\" for=\"edge\" attr.name=\"barrier\"",
                           "<node id=\"n3\"><data key=\"node_reached\">false</data>",
                           "<edge source=\"n0\" target=\"n1\">",
                           "<data key=\"edge_bound\">0.09375</data>",
                           "<data key=\"edge_path\">paths/0.1_0.safetensors</data>"}) {
    EXPECT_NE(xml.find(part), std::string::npos) << part << "\n" << xml;
  }
  EXPECT_EQ(xml.find("nan"), std::string::npos);
  EXPECT_EQ(xml.find("inf"), std::string::npos);
}

}  // namespace
}  // namespace isthmus
