// SPDX-License-Identifier: MIT
#include "isthmus/report/page_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/report/string_figure.h"

namespace isthmus {
namespace {

// Larger is shown rather: most beads of the connected, else what came nearest to the threshold.
bool shown_rather(const CellRow& a, const CellRow& b) {
  const auto rank = [](Verdict verdict) {
    return verdict == Verdict::connected ? 2 : verdict == Verdict::not_connected ? 1 : 0;
  };
  if (rank(a.verdict) != rank(b.verdict)) {
    return rank(a.verdict) > rank(b.verdict);
  }
  if (a.verdict == Verdict::connected) {
    return a.beads > b.beads;
  }
  return std::isnan(b.max_metric) ? !std::isnan(a.max_metric) : a.max_metric < b.max_metric;
}

double detail(const PageCell& cell, const char* key) {
  return cell.details.is_object() && cell.details.contains(key)
             ? number_or_nan(cell.details.at(key))
             : no_value;
}

std::string reason_of(const PageCell& cell) {
  return cell.details.is_object() ? cell.details.value("reason", std::string()) : std::string();
}

std::string points_of(const std::string& proof) {
  const std::size_t colon = proof.find(':');
  return colon == std::string::npos ? "some" : proof.substr(colon + 1);
}

void add_connected(const RunRecord& run, const PageCell& cell, std::vector<std::string>& words) {
  const MetricLabel metric = metric_label(run.metric);
  const std::string level = with_unit(cell.row.threshold, metric);
  if (cell.row.proof == "proven") {
    words.push_back("Connected, and proven.");
    words.push_back(
        fmt::format("The two trained networks are joined by a continuous path of networks. "
                    "Everywhere on it, and "
                    "not only where someone looked, the {} is at most {}: a proof covers every "
                    "point of the path "
                    "(for the stored weights, computed in real numbers).",
                    metric.name,
                    level));
  } else {
    words.push_back("Connected, as far as was looked.");
    words.push_back(fmt::format(
        "The two trained networks are joined by a path of networks. At each of {} points on every "
        "segment of it the {} is at most {}; between these points nothing is proven.",
        points_of(cell.row.proof),
        metric.name,
        level));
  }
  if (cell.row.beads == 2) {
    words.push_back("The path is the straight line between the two networks.");
  } else {
    words.push_back(fmt::format(
        "The path has {} networks in all (its ends and {} beads between them) and is {} times as "
        "long as the straight line.",
        cell.row.beads,
        cell.row.beads - 2,
        fixed(cell.row.normalized_length, 3)));
  }
  if (cell.row.joined == "repaired") {
    words.push_back("The direct way failed; this is a way around.");
  } else if (cell.row.joined == "symmetry") {
    words.push_back("Both ends compute the same function: the path follows that symmetry.");
  }
}

void add_not_connected(const RunRecord& run,
                       const PageCell& cell,
                       std::vector<std::string>& words) {
  const MetricLabel metric = metric_label(run.metric);
  words.push_back("Not connected: no path was found.");
  const double best = detail(cell, "best_max_metric");
  const double nearest = std::isnan(best) ? cell.row.max_metric : best;
  words.push_back(
      fmt::format("The search ended after {} rounds with {} networks on the string. The nearest it "
                  "came: the {} "
                  "rises to {}{}, and at most {} was allowed.",
                  cell.row.rounds,
                  cell.row.beads,
                  metric.name,
                  short_number(nearest * metric.factor),
                  metric.unit.empty() ? "" : " " + metric.unit,
                  with_unit(cell.row.threshold, metric)));
  if (cell.lower_bound && *cell.lower_bound > cell.row.threshold) {
    words.push_back(
        fmt::format("There is no such path: it is proven that every path between these two "
                    "networks meets {} or "
                    "more.",
                    lower_bound_text(*cell.lower_bound * metric.factor)));
  } else {
    words.push_back(
        "This proves nothing: there may be a path that the search did not find. Shown is the best "
        "string.");
  }
  if (const std::string reason = reason_of(cell); !reason.empty()) {
    words.push_back("Why it ended: " + reason + ".");
  }
}

// Where nothing was evaluated for the picture: the points that the run kept.
void take_kept(const PathProfile& kept, PathPicture& picture) {
  if (kept.path.empty() || kept.path.back().segment + 2 != picture.beads.size()) {
    return;
  }
  for (const ProfileSample& sample : kept.path) {
    picture.along.push_back({.left = sample.segment,
                             .right = sample.segment + 1,
                             .t = sample.t,
                             .metric = sample.value});
  }
  picture.info["note"] = "";
  picture.info["kept"] = true;
}

}  // namespace

std::optional<CellRow> choose_cell(const RunRecord& run,
                                   std::optional<double> threshold,
                                   std::optional<std::size_t> pair) {
  std::vector<CellRow> rows = run.cells;
  std::erase_if(rows, [&](const CellRow& row) {
    return (threshold && row.threshold != *threshold) || (pair && row.pair != *pair);
  });
  if (rows.empty()) {
    if (threshold || pair) {
      throw UsageError(fmt::format(
          "{}: no finished pair {}at {}",
          run.folder.string(),
          pair ? std::to_string(*pair) + " " : "",
          threshold ? "threshold " + format_number(*threshold) : std::string("any threshold")));
    }
    return std::nullopt;
  }
  const CellRow* chosen = &rows.front();
  for (const CellRow& row : rows) {
    const bool connected = row.verdict == Verdict::connected;
    const bool before = chosen->verdict == Verdict::connected;
    const bool lower = row.threshold < chosen->threshold;
    const bool equal = row.threshold == chosen->threshold;
    if ((connected && !before) || (connected == before && lower) ||
        (equal && shown_rather(row, *chosen))) {
      chosen = &row;
    }
  }
  return *chosen;
}

std::string cell_stem(const CellRow& row) {
  return std::filesystem::path(path_file_name(row.threshold, row.pair)).stem().string();
}

std::string stages_title(const RunRecord& run, const CellRow& row) {
  return fmt::format(
      "{}: {}",
      run.task,
      row.verdict == Verdict::connected ? "the string as it grew" : "a string that fails");
}

PageCell read_page_cell(const RunRecord& run, const CellRow& row) {
  PageCell cell{.row = row, .details = nullptr, .profile = {}, .picture = {}, .no_picture = {}};
  const std::filesystem::path file =
      run.folder / run_files::cell_details / (cell_stem(row) + ".json");
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    const Json json = read_json(file);
    cell.details = json.is_object() ? json.value("details", Json()) : Json();
  }
  cell.profile = read_profile(run, row.threshold, row.pair);
  cell.picture = read_picture(run.folder / picture_files::folder, cell_stem(row));
  if (cell.picture && cell.profile && cell.picture->along.empty()) {
    take_kept(*cell.profile, *cell.picture);
  }
  return cell;
}

std::vector<std::string> verdict_words(const RunRecord& run, const PageCell& cell) {
  std::vector<std::string> words;
  switch (cell.row.verdict) {
    case Verdict::connected:
      add_connected(run, cell, words);
      break;
    case Verdict::not_connected:
      add_not_connected(run, cell, words);
      break;
    case Verdict::endpoint_not_reached:
      words.push_back("Not tried: an end point did not reach the threshold.");
      words.push_back(fmt::format(
          "A path below {} joins two networks that lie below it. Training ended before both did. "
          "Shown is the straight line between the networks as they are.",
          with_unit(cell.row.threshold, metric_label(run.metric))));
      if (const std::string reason = reason_of(cell); !reason.empty()) {
        words.push_back("In its words: " + reason + ".");
      }
  }
  return words;
}

std::vector<std::string> verdict_words(const RunRecord& run) {
  const auto connected = static_cast<std::size_t>(
      std::ranges::count(run.cells, Verdict::connected, &CellRow::verdict));
  const auto proven =
      static_cast<std::size_t>(std::ranges::count_if(run.cells, [](const CellRow& row) {
        return row.verdict == Verdict::connected && row.proof == "proven";
      }));
  const auto unreached = static_cast<std::size_t>(
      std::ranges::count(run.cells, Verdict::endpoint_not_reached, &CellRow::verdict));
  if (run.cells.empty()) {
    return {
        "Nothing is finished yet.",
        "The run was interrupted, or is under way, and no pair of networks has come to its end."};
  }
  std::vector<std::string> words{
      fmt::format("{} of {} pairs of networks are connected.", connected, run.cells.size())};
  words.push_back(fmt::format(
      "Connected means: a path of networks joins them along which the {} stays at or below the "
      "threshold L0. {} of these paths are proven at every point, {} were looked at on a grid.",
      metric_label(run.metric).name,
      proven,
      connected - proven));
  const std::size_t failed = run.cells.size() - connected - unreached;
  if (failed > 0) {
    words.push_back(
        fmt::format("For {} no path was found, which does not prove that there is none.", failed));
  }
  if (unreached > 0) {
    words.push_back(fmt::format(
        "For {} no path was tried: a network did not reach the threshold itself.", unreached));
  }
  return words;
}

}  // namespace isthmus
