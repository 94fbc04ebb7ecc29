// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/report/components_figure.h"
#include "isthmus/report/format.h"
#include "isthmus/report/text_table.h"

namespace isthmus {

/// Networks of one level and what is known of the barriers between them.
struct DisconnectivityTree {
  struct Pair {
    std::size_t a = 0;
    std::size_t b = 0;
    double barrier = 0.0;
  };
  std::string title;
  MetricLabel metric;
  double threshold = 0.0;
  std::vector<double> values;  ///< of the networks, by number
  std::vector<Pair> pairs;     ///< that were tried
};

/// A self-contained SVG: a leaf a network, at its own value, joined where the smallest barrier that
/// was found lets them meet (single linkage), on a logarithmic axis; below the threshold blue,
/// above it red. Heights above the threshold are upper bounds of the barriers: a search that failed
/// proves nothing. The same data give the same bytes.
std::string svg_tree(const DisconnectivityTree& tree);

/// The figure of a run of `isthmus components` from its components.csv and config.json, which a
/// kept result has as well. Throws MissingInput and DataError for what is not there or damaged.
ComponentsFigure components_figure(const std::filesystem::path& folder);

/// components.csv as a table to read, with what its columns are.
std::string components_text(const ComponentsFigure& figure, TableForm form);

/// graph.json with the folder as `run`, for other programs. Throws MissingInput and DataError.
Json components_json(const std::filesystem::path& folder);

/// A run of `isthmus components` as a page without scripts; see page_html().
struct ComponentsReport {
  std::string headline;
  std::string html;
  std::string tree;  ///< SVG of its lowest level; empty if that has fewer than two networks
};
/// Throws MissingInput and DataError for what is not there or damaged.
ComponentsReport components_report(const std::filesystem::path& folder);

}  // namespace isthmus
