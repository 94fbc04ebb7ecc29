// SPDX-License-Identifier: MIT
#include "isthmus/report/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/files.h"
#include "isthmus/report/figure.h"
#include "isthmus/report/html.h"
#include "isthmus/report/page_assets.h"
#include "isthmus/report/page_data.h"
#include "isthmus/report/page_parts.h"
#include "isthmus/report/plane_figure.h"
#include "isthmus/report/string_figure.h"

namespace isthmus {
namespace {

std::string section(std::string_view id, std::string_view heading, const std::string& content) {
  return content.empty() ? ""
                         : fmt::format(
                               "<section aria-labelledby=\"{0}-h\">\n<h2 "
                               "id=\"{0}-h\">{1}</h2>\n{2}</section>\n",
                               id,
                               html_escape(heading),
                               content);
}

// A still picture and the place of the one that can be turned.
std::string figure_html(std::string_view id,
                        std::string_view label,
                        const std::string& svg,
                        const std::string& caption,
                        const std::string& controls = "") {
  return fmt::format(
      "<figure>\n{4}<div class=\"live\" id=\"{0}\" role=\"img\" aria-label=\"{1}\" hidden></div>\n"
      "<div class=\"still\">{2}</div>\n<figcaption>{3}</figcaption>\n</figure>\n",
      id,
      html_escape(label),
      svg,
      caption,
      controls);
}

std::string string_controls(const PathPicture& picture) {
  std::string html = "<div class=\"controls\" hidden>\n";
  if (const auto rounds = picture.rounds(); rounds && *rounds > 0) {
    html += fmt::format(
        "<button type=\"button\" id=\"play\">Play</button>\n<label>Round "
        "<input type=\"range\" id=\"round\" min=\"0\" max=\"{0}\" value=\"{0}\" "
        "step=\"1\"></label>\n"
        "<output id=\"round-text\" for=\"round\" aria-live=\"polite\"></output>\n",
        *rounds);
  } else {
    html +=
        "<span hidden><button type=\"button\" id=\"play\"></button><input type=\"range\" "
        "id=\"round\" "
        "min=\"0\" max=\"0\" aria-label=\"round\"><output id=\"round-text\"></output></span>\n";
  }
  constexpr std::array<std::array<std::string_view, 3>, 4> turns{
      {{"0.26,0", "turn left", "\u2190"},
       {"-0.26,0", "turn right", "\u2192"},
       {"0,0.2", "from higher up", "\u2191"},
       {"0,-0.2", "from lower down", "\u2193"}}};
  for (const auto& [by, label, arrow] : turns) {
    html += fmt::format("<button type=\"button\" data-turn=\"{}\" aria-label=\"{}\">{}</button>\n",
                        by,
                        label,
                        arrow);
  }
  return html +
         "<span class=\"key\" id=\"key\" hidden><span id=\"key-low\"></span><span "
         "class=\"key-bar\" "
         "id=\"key-bar\"></span><span id=\"key-high\"></span></span>\n</div>\n";
}

std::string string_part(const RunRecord& run, const PageCell& cell) {
  if (!cell.picture) {
    return fmt::format("<p>The string cannot be shown: {}.</p>\n", html_escape(cell.no_picture));
  }
  const PathPicture& picture = *cell.picture;
  const StringFigure figure{.picture = picture,
                            .title = fmt::format("{}: the string on its principal axes", run.task),
                            .metric = metric_label(run.metric),
                            .threshold = cell.row.threshold,
                            .lower_bound = cell.lower_bound};
  std::string caption =
      "Each bead is a whole network; the axes are those along which the beads of the finished "
      "string "
      "differ most (principal components), each with a scale of its own. Blue: at or below the "
      "threshold; red: the highest value, on a logarithmic scale. Grey: shadows on three planes. ";
  caption += html_escape(axes_sentence(picture));
  if (!picture.rounds()) {
    caption +=
        " The order in which its beads were put in is not known: the run is of a version that "
        "did not keep it, so the string is shown as it ended.";
  }
  if (picture.info.value("kept", false)) {
    caption +=
        " The colours are those of the points that the run looked at; `--evaluate all` computes "
        "more of them, on both splits.";
  }
  if (const std::string note = picture.info.value("note", std::string()); !note.empty()) {
    caption += " The metric along the string is not shown here: " + html_escape(note) + ".";
  }
  caption +=
      "<span class=\"no-webgl\" hidden> This browser draws no WebGL, so the picture stays "
      "still.</span>";
  return figure_html("string", figure.title, svg_string(figure), caption, string_controls(picture));
}

std::string profile_part(const RunRecord& run, const PageCell& cell) {
  const auto profile = along_profile(run, cell);
  std::string text;
  if (profile && cell.profile) {
    PathProfile still = *cell.profile;
    if (cell.picture && !cell.picture->along.empty()) {
      still.path = still_samples(*cell.picture);
      still.undecided = false;
    }
    const bool finite = std::ranges::all_of(
        still.path, [](const ProfileSample& sample) { return std::isfinite(sample.arc_length); });
    if (finite) {
      text += figure_html(
          "profile",
          "The metric along the path",
          svg_profile(still),
          "The metric at every point of the path, from network A on the left to network "
          "B on the right. The dashed line is the threshold." +
              std::string(profile->bounds.empty()
                              ? ""
                              : " Thick: what is proven to be nowhere exceeded on each "
                                "segment."));
    }
  }
  return text + barrier_table(run, cell) + curvature_table(cell);
}

std::string plane_part(const RunRecord& run, const PageCell& cell) {
  if (!cell.picture || cell.picture->plane.empty()) {
    return "";
  }
  const PlaneFigure figure = plane_figure(*cell.picture, metric_label(run.metric));
  const std::optional<PlaneFigure> companion = companion_plane(*cell.picture);
  return figure_html(
             "plane", figure.title, svg_plane(figure), html_escape(plane_sentence(figure))) +
         (companion ? html_figure(svg_plane(*companion)) : "");
}

std::string stages_part(const RunRecord& run, const PageCell& cell) {
  const bool shown = cell.picture && !cell.picture->along.empty() &&
                     (cell.lower_bound || cell.row.verdict == Verdict::not_connected);
  if (!shown) {
    return "";
  }
  const StringFigure figure{.picture = *cell.picture,
                            .title = stages_title(run, cell.row),
                            .metric = metric_label(run.metric),
                            .threshold = cell.row.threshold,
                            .lower_bound = cell.lower_bound};
  return html_figure(svg_stages(figure));
}

std::string curve_part(const RunRecord& run) {
  if (run.cells.size() < 2) {
    return "";
  }
  const std::string svg = svg_figure(figure_data(run));
  return fmt::format(
      "<figure>\n<div class=\"live\" id=\"curve-length\" role=\"img\" aria-label=\"normalised "
      "length against "
      "the threshold\" hidden></div>\n<div class=\"live\" id=\"curve-beads\" role=\"img\" "
      "aria-label=\"beads "
      "against the threshold\" hidden></div>\n<div class=\"still\">{}</div>\n<figcaption>Length of "
      "the paths "
      "(the straight line is 1) and networks on them, against the threshold: harder problems are "
      "to the left. "
      "Bars are one standard error; means are over the connected pairs "
      "alone.{}</figcaption>\n</figure>\n",
      svg,
      figure_data(run).published ? " Squares are the published values." : "");
}

std::string page_end(const RunRecord& run, const PageCell* cell, std::string_view plots) {
  std::string html = "</main>\n";
  if (plots.empty()) {
    return html +
           "<p class=\"note\">This program was built without its plotting library (npm was "
           "missing, or the "
           "network), so the pictures of this page are still ones.</p>\n</body>\n</html>\n";
  }
  html += fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n",
                      script_text(page_data(run, cell).dump()));
  html += fmt::format("<script>{}</script>\n<script>\n{}</script>\n", plots, page_script());
  return html + "</body>\n</html>\n";
}

std::string verdict_part(const RunRecord& run, const PageCell* cell) {
  const bool one = cell != nullptr && run.cells.size() == 1;
  const std::vector<std::string> words = one ? verdict_words(run, *cell) : verdict_words(run);
  const bool good = std::ranges::any_of(
      run.cells, [](const CellRow& row) { return row.verdict == Verdict::connected; });
  std::string html = fmt::format("<div class=\"verdict{}\">\n<p><strong>{}</strong></p>\n",
                                 good ? "" : " bad",
                                 html_escape(words.front()));
  for (std::size_t i = 1; i < words.size(); ++i) {
    html += fmt::format("<p>{}</p>\n", html_escape(words[i]));
  }
  for (const std::string& note : run.notes) {
    html += fmt::format("<p class=\"small\">{}</p>\n", html_escape(note));
  }
  return html + "</div>\n";
}

// Of a run of many pairs one string is shown.
std::string chosen_words(const RunRecord& run, const PageCell& cell) {
  if (run.cells.size() == 1) {
    return "";
  }
  std::string html = fmt::format(
      "<p>Shown is pair {} at threshold {} (<code>isthmus report RUN --threshold L0 --pair "
      "N</code> shows "
      "another).</p>\n",
      cell.row.pair,
      html_escape(with_unit(cell.row.threshold, metric_label(run.metric))));
  for (const std::string& words : verdict_words(run, cell)) {
    html += fmt::format("<p>{}</p>\n", html_escape(words));
  }
  return html;
}

}  // namespace

std::string page_headline(const RunRecord& run, const PageCell* cell) {
  const bool one = cell != nullptr && run.cells.size() == 1;
  const std::vector<std::string> words = one ? verdict_words(run, *cell) : verdict_words(run);
  return fmt::format("{}\n", fmt::join(words, "\n"));
}

std::string page_html(const RunRecord& run, const PageCell* cell, const PageOptions& options) {
  std::string html =
      page_head(html_escape(run_title(run))) + verdict_part(run, cell) + numbers_part(run, cell);
  if (cell != nullptr) {
    html +=
        section("string-part", "The string", chosen_words(run, *cell) + string_part(run, *cell));
    html += section("profile-part", "Along the path", profile_part(run, *cell));
    html += section("plane-part", "The plane through three networks", plane_part(run, *cell));
    html += section("stages-part", "The string as it grew", stages_part(run, *cell));
  }
  html += section("curve-part", "Lengths and beads", curve_part(run));
  html += section("tables-part", "Tables", tables_part(run, cell, options.most_table));
  html += section("run-part", "How this was made", making_part(run, options.command));
  return html + page_end(run, cell, options.plots);
}

}  // namespace isthmus
