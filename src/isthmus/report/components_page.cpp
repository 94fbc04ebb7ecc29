// SPDX-License-Identifier: MIT
#include "isthmus/report/components_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "isthmus/core/component_rows.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/report/frame.h"
#include "isthmus/report/html.h"
#include "isthmus/report/svg.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view below_color = "#1f5fa8";
constexpr std::string_view above_color = "#b5202e";

// A leaf, or two trees that meet.
struct Node {
  double height = 0.0;
  std::size_t network = 0;
  std::unique_ptr<Node> left{};
  std::unique_ptr<Node> right{};
};

// Joins trees in the order of the barriers; what is left are those that no pair joins.
std::vector<std::unique_ptr<Node>> grown(const DisconnectivityTree& tree) {
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::size_t> root(tree.values.size());
  std::iota(root.begin(), root.end(), 0);
  for (std::size_t i = 0; i < tree.values.size(); ++i) {
    nodes.push_back(std::make_unique<Node>(Node{.height = tree.values[i], .network = i}));
  }
  const auto root_of = [&](std::size_t i) {
    while (root[i] != i) {
      i = root[i];
    }
    return i;
  };
  std::vector<DisconnectivityTree::Pair> pairs = tree.pairs;
  std::ranges::stable_sort(pairs, {}, &DisconnectivityTree::Pair::barrier);
  for (const DisconnectivityTree::Pair& pair : pairs) {
    const std::size_t a = root_of(pair.a);
    const std::size_t b = root_of(pair.b);
    if (a != b) {
      const double height = std::max({pair.barrier, nodes[a]->height, nodes[b]->height});
      auto joined = std::make_unique<Node>(Node{.height = height});
      joined->left = std::move(nodes[a]);
      joined->right = std::move(nodes[b]);
      nodes[a] = std::move(joined);
      root[b] = a;
    }
  }
  std::erase(nodes, nullptr);
  return nodes;
}

class TreePicture {
 public:
  TreePicture(Svg& svg, const DisconnectivityTree& tree, const Scale& y, double left, double pitch)
      : svg_(svg), tree_(tree), y_(y), next_(left), pitch_(pitch) {}

  // Draws a tree and its stem up to `top`. Returns where it stands.
  double draw(const Node& node, double top) {
    double x = next_;
    const double at = y_.at(node.height);
    if (node.left) {
      const double first = draw(*node.left, node.height);
      const double second = draw(*node.right, node.height);
      x = (first + second) / 2;
      svg_.line(first, at, second, at, {color(node.height), 1.6, ""});
    } else {
      next_ += pitch_;
      svg_.circle(x, at, 3, color(node.height), {color(node.height), 1, ""});
      if (pitch_ > 14) {
        const std::string number = std::to_string(node.network);
        svg_.text(x, at + 16, number, {.size = 10, .anchor = Anchor::middle});
      }
    }
    if (top > node.height) {
      svg_.line(x, at, x, y_.at(top), {color(top), 1.6, ""});
    }
    return x;
  }

 private:
  std::string_view color(double height) const {
    return height <= tree_.threshold ? below_color : above_color;
  }

  Svg& svg_;
  const DisconnectivityTree& tree_;
  const Scale& y_;
  double next_;
  double pitch_;
};

// The lowest threshold, of the narrowest width; null if none is finished.
const Json* lowest_level(const Json& graph) {
  const Json* lowest = nullptr;
  for (const Json& level : graph.at("levels")) {
    if (lowest == nullptr ||
        level.at("threshold").get<double>() < lowest->at("threshold").get<double>()) {
      lowest = &level;
    }
  }
  return lowest;
}

DisconnectivityTree tree_of(const Json& graph, const Json& level) {
  DisconnectivityTree tree;
  tree.metric = metric_label(graph.at("metric").get<std::string>());
  tree.threshold = level.at("threshold").get<double>();
  const Json width = level.value("width", Json());
  tree.title = fmt::format("{}, L0 = {}{}: which networks meet at which level",
                           graph.at("task").get<std::string>(),
                           with_unit(tree.threshold, tree.metric),
                           width.is_number() ? fmt::format(", width {}", width.dump()) : "");
  for (const Json& network : level.at("networks")) {
    tree.values.push_back(number_or_nan(network.at("value")));
  }
  for (const Json& pair : level.at("pairs")) {
    const auto a = pair.at("a").get<std::size_t>();
    const auto b = pair.at("b").get<std::size_t>();
    const double barrier = number_or_nan(pair.at("barrier"));
    if (std::max(a, b) < tree.values.size() && std::isfinite(barrier)) {
      tree.pairs.push_back({a, b, barrier});
    }
  }
  return tree;
}

// A table as it is in its file; fields are numbers and names without commas.
std::string table_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t from = 0; from < csv.size();) {
    const std::size_t end = std::min(csv.find('\n', from), csv.size());
    std::vector<std::string>& row = rows.emplace_back(1);
    for (const char c : csv.substr(from, end - from)) {
      if (c == ',') {
        row.emplace_back();
      } else {
        row.back() += c;
      }
    }
    from = end + 1;
  }
  if (rows.empty()) {
    return "";
  }
  const std::vector<std::string> headings = rows.front();
  rows.erase(rows.begin());
  return html_table(headings, rows, "components");
}

std::string headline_of(const DisconnectivityTree& tree, const Json& level) {
  const auto components = level.at("components").get<std::size_t>();
  return fmt::format(
      "At the lowest threshold, {}, {} trained networks were found to lie in {} connected {} of "
      "the "
      "level set; under proven paths alone in {}. Pairs that did not join prove nothing, so there "
      "may be fewer.",
      with_unit(tree.threshold, tree.metric),
      tree.values.size(),
      components,
      components == 1 ? "piece" : "pieces",
      level.at("components_proven").get<std::size_t>());
}

constexpr std::string_view graph_name = "graph.json";
constexpr std::string_view table_name = "components.csv";

// What a run has at its end alone.
fs::path file_of(const fs::path& folder, std::string_view name) {
  fs::path file = folder / name;
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw MissingInput(fmt::format(
        "{} is not there: expected a finished run of `isthmus components` (the same command with "
        "--resume finishes one)",
        file.string()));
  }
  return file;
}

}  // namespace

ComponentsFigure components_figure(const fs::path& folder) {
  const fs::path config_file = file_of(folder, run_files::config);
  const fs::path table_file = file_of(folder, table_name);
  const Json config = read_json(config_file);
  ComponentsFigure figure{.title = {},
                          .metric = {},
                          .rows = parse_components(read_file(table_file), table_file.string())};
  if (figure.rows.empty()) {
    throw DataError(fmt::format("{}: expected at least one row", table_file.string()));
  }
  try {
    figure.metric = metric_label(config.at("metric").get<std::string>());
    figure.title = fmt::format("{}: components of {} networks, seed {}",
                               config.at("task").get<std::string>(),
                               config.at("networks").get<std::size_t>(),
                               config.at("seed").get<std::uint64_t>());
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: {}", config_file.string(), error.what()));
  }
  return figure;
}

std::string components_text(const ComponentsFigure& figure, TableForm form) {
  TextTable table({"threshold",
                   "width",
                   "networks",
                   "components",
                   "if proven",
                   "pairs tried",
                   "proven",
                   "sampled",
                   "failed",
                   "gradients",
                   "minimax"});
  std::size_t failed = 0;
  for (const ComponentsRow& row : figure.rows) {
    failed += row.components > 1 ? row.pairs_failed : 0;
    table.add({with_unit(row.threshold, figure.metric),
               row.width ? std::to_string(*row.width) : "-",
               row.reached == row.networks ? std::to_string(row.networks)
                                           : fmt::format("{} of {}", row.reached, row.networks),
               std::to_string(row.components),
               std::to_string(row.components_proven),
               std::to_string(row.pairs_tried),
               std::to_string(row.pairs_proven),
               std::to_string(row.pairs_sampled),
               std::to_string(row.pairs_failed),
               human_count(row.gradients),
               short_number(row.largest_barrier * figure.metric.factor)});
  }
  std::string text = table.str(form);
  if (form == TableForm::markdown) {
    return text;
  }
  text +=
      "Networks that reached the threshold; components under all pairs that connected, and under "
      "those with a\nproof alone; gradients of beads, in passes over the training set; the largest "
      "minimax barrier of two.\n";
  if (failed > 0) {
    text +=
        "Where more than one component is left, every pair between two was tried and failed. This "
        "proves\nnothing: there may be a path that was not found (--max-rounds, --max-steps).\n";
  }
  return text;
}

Json components_json(const fs::path& folder) {
  const fs::path file = file_of(folder, graph_name);
  Json graph = read_json(file);
  if (!graph.is_object() || !graph.contains("levels")) {
    throw DataError(fmt::format("{}: expected an object with \"levels\"", file.string()));
  }
  graph["run"] = folder.string();
  return graph;
}

std::string svg_tree(const DisconnectivityTree& tree) {
  std::vector<double> values{tree.threshold};
  values.insert(values.end(), tree.values.begin(), tree.values.end());
  for (const DisconnectivityTree::Pair& pair : tree.pairs) {
    values.push_back(pair.barrier);
  }
  const bool positive = std::ranges::all_of(values, [](double value) { return value > 0.0; });
  const ScaleKind kind = positive ? ScaleKind::log : ScaleKind::linear;
  constexpr Frame frame{.left = 80, .right = 880, .top = 60, .bottom = 410};
  const Scale y(kind, range_of(kind, values), frame.bottom, frame.top);
  Svg svg(900, 470, tree.title, "a disconnectivity tree");
  svg.text(frame.left, 30, tree.title, {.size = 16, .bold = true});
  draw_value_axis(svg, frame, y, tree.metric.name);
  const double level = y.at(tree.threshold);
  svg.line(frame.left, level, frame.right, level, {"#d55e00", 1.4, "3 3"});
  const auto count = static_cast<double>(std::max<std::size_t>(tree.values.size(), 1));
  const double pitch = (frame.right - frame.left - 20) / count;
  TreePicture picture(svg, tree, y, frame.left + 10 + pitch / 2, pitch);
  for (const auto& node : grown(tree)) {
    picture.draw(*node, node->height);
  }
  svg.text(frame.left,
           452,
           "blue: at or below the threshold (dashed); red: above it, an upper bound of the barrier",
           {.size = 12, .color = "#555555"});
  return svg.str();
}

ComponentsReport components_report(const fs::path& folder) {
  const Json config = read_json(file_of(folder, run_files::config));
  const fs::path graph_file = file_of(folder, graph_name);
  const std::string csv = read_file(file_of(folder, table_name));
  const Json graph = read_json(graph_file);
  ComponentsReport report{.headline = "No level is finished yet.", .html = {}, .tree = {}};
  try {
    if (const Json* level = lowest_level(graph)) {
      const DisconnectivityTree tree = tree_of(graph, *level);
      report.headline = headline_of(tree, *level);
      report.tree = tree.values.size() > 1 ? svg_tree(tree) : "";
    }
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: {}", graph_file.string(), error.what()));
  }
  const std::string title =
      html_escape(fmt::format("{}: components of level sets", config.value("task", "a run")));
  report.html = page_head(title);
  report.html +=
      fmt::format("<div class=\"verdict\"><p>{}</p></div>\n", html_escape(report.headline));
  report.html += "<h2>Components against the threshold</h2>\n";
  report.html += html_figure(svg_components(components_figure(folder)));
  report.html += "<h2>Which networks meet where</h2>\n" + html_figure(report.tree);
  report.html += "<h2>Tables</h2>\n" + table_of(csv);
  report.html +=
      fmt::format("<p><a download=\"components.csv\" href=\"{}\">components.csv</a></p>\n",
                  data_link("text/csv", csv));
  report.html += fmt::format(
      "<details><summary>Configuration</summary><pre tabindex=\"0\">{}</pre></details>\n"
      "</main>\n</body>\n</html>\n",
      html_escape_lines(config.dump(2)));
  return report;
}

}  // namespace isthmus
