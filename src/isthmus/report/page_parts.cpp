// SPDX-License-Identifier: MIT
#include "isthmus/report/page_parts.h"

#include <fmt/format.h>

#include <cmath>

#include "isthmus/core/files.h"
#include "isthmus/report/format.h"
#include "isthmus/report/html.h"

namespace isthmus {
namespace {

constexpr std::size_t most_rows = 100;

std::string number_html(std::string_view name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_escape(name), html_escape(value));
}

double detail(const PageCell& cell, const char* key) {
  return cell.details.is_object() && cell.details.contains(key)
             ? number_or_nan(cell.details.at(key))
             : no_value;
}

std::string shown(double value, const MetricLabel& metric) {
  return std::isfinite(value) ? fmt::format("{}{}",
                                            fmt::format("{:.4g}", value * metric.factor),
                                            metric.unit.empty() ? "" : " " + metric.unit)
                              : "-";
}

std::string cells_table(const RunRecord& run) {
  const MetricLabel metric = metric_label(run.metric);
  std::vector<std::vector<std::string>> rows;
  for (const CellRow& row : run.cells) {
    if (rows.size() == most_rows) {
      break;
    }
    rows.push_back({with_unit(row.threshold, metric),
                    std::to_string(row.pair),
                    std::string(name_of(row.verdict)),
                    row.proof,
                    shown(row.max_metric, metric),
                    shown(row.bound, metric),
                    fixed(row.normalized_length, 4),
                    std::to_string(row.beads),
                    std::to_string(row.rounds),
                    human_count(static_cast<double>(row.gradient_samples_beads))});
  }
  std::string html = html_table({"threshold",
                                 "pair",
                                 "verdict",
                                 "proof",
                                 "largest",
                                 "bound",
                                 "length",
                                 "beads",
                                 "rounds",
                                 "gradients"},
                                rows,
                                "pairs");
  if (run.cells.size() > most_rows) {
    html += fmt::format("<p class=\"note\">The first {} of {} rows; cells.csv has all.</p>\n",
                        most_rows,
                        run.cells.size());
  }
  return html;
}

std::string curve_table(const RunRecord& run) {
  const MetricLabel metric = metric_label(run.metric);
  std::vector<std::vector<std::string>> rows;
  for (const CurveRow& row : run.curve) {
    rows.push_back({with_unit(row.threshold, metric),
                    fmt::format("{} of {}", row.connected, row.pairs),
                    fixed(row.length_mean, 4),
                    fixed(row.length_sem, 4),
                    fixed(row.length_weights_mean, 4),
                    fixed(row.beads_mean, 2),
                    fixed(row.beads_sem, 2)});
  }
  return html_table(
      {"threshold", "connected", "length", "\u00b1", "over the weights", "beads", "\u00b1"},
      rows,
      "thresholds");
}

std::string beads_table(const PathPicture& picture) {
  std::vector<std::vector<std::string>> rows;
  for (const BeadRow& bead : picture.beads) {
    if (rows.size() == most_rows) {
      break;
    }
    rows.push_back({std::to_string(bead.bead),
                    picture.rounds() ? std::to_string(bead.round) : "-",
                    short_number(bead.arc_length),
                    short_number(bead.at[0]),
                    short_number(bead.at[1]),
                    short_number(bead.at[2]),
                    short_number(bead.off)});
  }
  std::vector<std::vector<std::string>> axes;
  for (const AxisRow& axis : picture.axes) {
    if (axes.size() == 10) {
      break;
    }
    axes.push_back({std::to_string(axis.axis),
                    short_number(axis.variance),
                    fixed(100.0 * axis.share, 2) + " %",
                    fixed(100.0 * axis.cumulative, 2) + " %"});
  }
  return "<h3>Beads</h3>\n" +
         html_table({"bead", "round", "arc length", "axis 1", "axis 2", "axis 3", "off the axes"},
                    rows,
                    "beads") +
         "<h3>Axes</h3>\n" + html_table({"axis", "variance", "share", "up to here"}, axes, "axes");
}

// A table of the run as a link that carries it, or, of a large one, to the file beside the page.
std::string file_link(const RunRecord& run, const std::string& name, std::size_t most) {
  const std::filesystem::path file = run.folder / name;
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) {
    return "";
  }
  const std::string shown_name = std::filesystem::path(name).filename().string();
  if (size > most) {
    return fmt::format("<li><a href=\"{0}\">{1}</a> (beside this page, {2}B)</li>\n",
                       html_escape(name),
                       html_escape(shown_name),
                       human_count(static_cast<double>(size)));
  }
  return fmt::format("<li><a download=\"{0}\" href=\"{1}\">{0}</a></li>\n",
                     html_escape(shown_name),
                     data_link("text/csv", read_file(file)));
}

}  // namespace

std::string run_title(const RunRecord& run) {
  const std::string pairs =
      run.cells.size() == 1
          ? fmt::format("two networks at threshold {}",
                        with_unit(run.cells.front().threshold, metric_label(run.metric)))
          : fmt::format("{} pairs of networks", run.cells.size());
  return fmt::format("{}: {}", run.task.empty() ? "A run" : run.task, pairs);
}

std::string numbers_part(const RunRecord& run, const PageCell* cell) {
  const MetricLabel metric = metric_label(run.metric);
  std::string html = "<dl class=\"numbers\">\n";
  if (cell != nullptr && run.cells.size() == 1) {
    const CellRow& row = cell->row;
    html += number_html("threshold L0", with_unit(row.threshold, metric));
    html += number_html(fmt::format("largest {} seen", metric.name), shown(row.max_metric, metric));
    html += number_html("proven bound", shown(row.bound, metric));
    html += number_html("length / straight line", fixed(row.normalized_length, 4));
    html += number_html("networks on the path", std::to_string(row.beads));
    html += number_html("rounds", std::to_string(row.rounds));
    if (cell->picture) {
      html += number_html("parameters", human_count(cell->picture->info.value("parameters", 0.0)));
    }
  } else if (!run.curve.empty()) {
    html += number_html("thresholds", std::to_string(run.curve.size()));
    html += number_html("pairs and thresholds", std::to_string(run.cells.size()));
    const CurveRow& hardest = run.curve.back();
    html += number_html("lowest threshold", with_unit(hardest.threshold, metric));
    html +=
        number_html("connected there", fmt::format("{} of {}", hardest.connected, hardest.pairs));
    html += number_html("length there", fixed(hardest.length_mean, 3));
    html += number_html("networks there", fixed(hardest.beads_mean, 1));
  }
  if (run.timing.is_object() && run.timing.contains("seconds")) {
    html += number_html("time", human_duration(number_or_nan(run.timing["seconds"])));
  }
  return html + "</dl>\n";
}

std::string barrier_table(const RunRecord& run, const PageCell& cell) {
  const MetricLabel metric = metric_label(run.metric);
  if (std::isnan(detail(cell, "metric_a"))) {
    return "";
  }
  const std::string other = run.split == "test" ? "train" : "test";
  return html_table(
      {fmt::format("{} ({} split)", metric.name, run.split), "value"},
      {{"network A", shown(detail(cell, "metric_a"), metric)},
       {"network B", shown(detail(cell, "metric_b"), metric)},
       {"largest on the path", shown(cell.row.max_metric, metric)},
       {fmt::format("largest seen on the {} split", other),
        shown(detail(cell, "max_metric_other_split"), metric)},
       {"barrier above the worse end", shown(detail(cell, "barrier_over_max"), metric)},
       {"barrier above the mean of the ends", shown(detail(cell, "barrier_over_mean"), metric)},
       {"barrier above the line between the ends",
        shown(detail(cell, "barrier_over_linear"), metric)}},
      "barriers");
}

std::string curvature_table(const PageCell& cell) {
  if (!cell.picture || cell.picture->curvature.empty()) {
    return "";
  }
  std::vector<std::vector<std::string>> rows;
  for (const CurvatureRow& row : cell.picture->curvature) {
    rows.push_back({std::to_string(row.bead),
                    short_number(row.smallest),
                    short_number(row.smallest_error),
                    short_number(row.largest),
                    short_number(row.largest_error),
                    std::to_string(row.products)});
  }
  return "<h3>Curvature of the training loss at the beads</h3>\n<p class=\"note\">Extreme "
         "eigenvalues of the "
         "Hessian, by Lanczos with differences of gradients, and how far off each may be.</p>\n" +
         html_table(
             {"bead", "smallest", "\u00b1", "largest", "\u00b1", "products"}, rows, "curvature");
}

std::string tables_part(const RunRecord& run, const PageCell* cell, std::size_t most_table) {
  std::string html;
  if (!run.curve.empty()) {
    html += "<h3>Thresholds</h3>\n" + curve_table(run) + "<h3>Pairs</h3>\n" + cells_table(run);
  }
  if (cell != nullptr && cell->picture) {
    html += beads_table(*cell->picture);
  }
  std::string files =
      file_link(run, "cells.csv", most_table) + file_link(run, "curve.csv", most_table);
  if (cell != nullptr) {
    for (const std::string_view ending : {picture_files::axes,
                                          picture_files::beads,
                                          picture_files::along,
                                          picture_files::curvature,
                                          picture_files::plane,
                                          picture_files::plane_points}) {
      files +=
          file_link(run,
                    fmt::format("{}/{}{}", picture_files::folder, cell_stem(cell->row), ending),
                    most_table);
    }
  }
  return html +
         (files.empty() ? "" : "<h3>As CSV</h3>\n<ul class=\"files\">\n" + files + "</ul>\n");
}

std::string making_part(const RunRecord& run, const std::string& command) {
  std::string html;
  if (!command.empty()) {
    html +=
        fmt::format("<p>The command:</p>\n<pre tabindex=\"0\">{}</pre>\n", html_escape(command));
  }
  std::vector<std::vector<std::string>> rows;
  if (run.manifest.is_object()) {
    for (const char* key : {"version", "commit", "compiler", "build_flags"}) {
      if (const auto found = run.manifest.find(key);
          found != run.manifest.end() && found->is_string()) {
        rows.push_back({key, found->get<std::string>()});
      }
    }
    const Json data = run.manifest.value("data", Json::object());
    for (const Json& file : data.value("files", Json::array())) {
      rows.push_back({file.value("name", ""), "sha256 " + file.value("sha256", "")});
    }
    if (data.value("files", Json::array()).empty()) {
      rows.push_back({"data", "generated from the seed"});
    }
  }
  if (!rows.empty()) {
    html += html_table({"", ""}, rows, "versions and checksums");
  }
  return html + fmt::format(
                    "<details><summary>Configuration: every value that decides a number</summary>\n"
                    "<pre tabindex=\"0\">{}</pre></details>\n",
                    html_escape_lines(run.config.dump(2)));
}

std::vector<ProfileSample> still_samples(const PathPicture& picture) {
  std::vector<ProfileSample> samples;
  for (const AlongRow& row : picture.along) {
    if (row.right == row.left + 1) {
      const double from = picture.beads[row.left].arc_length;
      const double to = picture.beads[row.right].arc_length;
      samples.push_back({.segment = row.left,
                         .t = row.t,
                         .arc_length = (1.0 - row.t) * from + row.t * to,
                         .value = row.metric});
    }
  }
  return samples;
}

}  // namespace isthmus
