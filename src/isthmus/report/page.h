// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "isthmus/report/page_assets.h"
#include "isthmus/report/page_cell.h"

namespace isthmus {

/// What a page has beside the run itself.
struct PageOptions {
  std::string command{};  ///< that repeats the run
  /// Tables up to so many bytes are in the page; larger ones are links to the files beside it.
  std::size_t most_table = 400'000;
  /// The plotting library that the page carries; empty: its pictures are still, and it says so.
  std::string_view plots = plot_library();
};

/// The report of a run as one page that needs no other file and no network: the verdict in plain
/// words and the numbers first; then the string on its principal axes, the metric along it, the
/// plane, the stages of a string that failed, the curves, the tables, and what made it. With
/// scripts, WebGL and the plotting library its pictures can be turned; without them they are still
/// pictures. `cell`: whose string is shown; null: none is finished. The same arguments give the
/// same bytes.
std::string page_html(const RunRecord& run, const PageCell* cell, const PageOptions& options);

/// The first lines of the page as text: the verdict.
std::string page_headline(const RunRecord& run, const PageCell* cell);

}  // namespace isthmus
