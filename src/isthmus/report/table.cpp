// SPDX-License-Identifier: MIT
#include "isthmus/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "isthmus/report/comparison.h"
#include "isthmus/report/failures.h"
#include "isthmus/report/format.h"

namespace isthmus {
namespace {

constexpr int length_decimals = 4;
constexpr int beads_decimals = 2;
constexpr std::size_t most_cells_listed = 24;

// Verdicts and costs of some cells.
struct Totals {
  std::size_t connected = 0;
  std::size_t not_connected = 0;
  std::size_t endpoint_not_reached = 0;
  std::size_t repaired = 0;     ///< of the connected ones
  std::uint64_t tries = 0;      ///< of repair
  std::uint64_t endpoints = 0;  ///< gradient samples
  std::uint64_t beads = 0;      ///< gradient samples
  std::uint64_t checks = 0;     ///< forward samples

  void add(const CellRow& cell) {
    connected += cell.verdict == Verdict::connected;
    not_connected += cell.verdict == Verdict::not_connected;
    endpoint_not_reached += cell.verdict == Verdict::endpoint_not_reached;
    repaired += cell.joined == "repaired";
    tries += cell.tries;
    endpoints += cell.gradient_samples_endpoints;
    beads += cell.gradient_samples_beads;
    checks += cell.forward_samples_checks;
  }
  std::size_t cells() const { return connected + not_connected + endpoint_not_reached; }
};

Totals totals_of(const RunRecord& run) {
  Totals totals;
  for (const CellRow& cell : run.cells) {
    totals.add(cell);
  }
  return totals;
}

Totals totals_of(const RunRecord& run, double threshold) {
  Totals totals;
  for (const CellRow& cell : run.cells) {
    if (cell.threshold == threshold) {
      totals.add(cell);
    }
  }
  return totals;
}

std::string count(std::size_t number) {
  return fmt::format("{}", number);
}

std::string per_pair(std::uint64_t samples, std::size_t pairs) {
  return pairs == 0 ? "-" : human_count(static_cast<double>(samples) / static_cast<double>(pairs));
}

std::string heading(const RunRecord& run, TableForm form) {
  std::string text = fmt::format("{}: {}{}{}{}{}{}",
                                 run.task.empty() ? "run" : run.task,
                                 metric_label(run.metric).name,
                                 run.split.empty() ? "" : fmt::format(", {} split", run.split),
                                 run.protocol.empty() ? "" : ", protocol " + run.protocol,
                                 run.risk.empty() ? "" : ", risk " + run.risk,
                                 run.penalty.empty() ? "" : ", penalty " + run.penalty,
                                 run.align.empty() ? "" : ", B aligned by " + run.align);
  return form == TableForm::markdown ? "## " + text + "\n" : text + "\n";
}

std::string section(std::string_view title, const TextTable& table, TableForm form) {
  if (table.empty()) {
    return "";
  }
  return fmt::format("\n{}{}\n{}{}",
                     form == TableForm::markdown ? "### " : "",
                     title,
                     form == TableForm::markdown ? "\n" : "",
                     table.str(form));
}

TextTable measures_table(const RunRecord& run) {
  const MetricLabel metric = metric_label(run.metric);
  TextTable table({"threshold",
                   "pairs",
                   "connected",
                   "direct",
                   "failed",
                   "unreached",
                   "length",
                   "s.e.",
                   "weights only",
                   "s.e.",
                   "beads",
                   "s.e."});
  for (const CurveRow& row : run.curve) {
    const Totals totals = totals_of(run, row.threshold);
    table.add({with_unit(row.threshold, metric),
               count(row.pairs),
               fmt::format("{} ({})", row.connected, percentage(row.connected, row.pairs)),
               fmt::format("{} ({})", row.direct, percentage(row.direct, row.pairs)),
               count(totals.not_connected),
               count(totals.endpoint_not_reached),
               fixed(row.length_mean, length_decimals),
               fixed(row.length_sem, length_decimals),
               fixed(row.length_weights_mean, length_decimals),
               fixed(row.length_weights_sem, length_decimals),
               fixed(row.beads_mean, beads_decimals),
               fixed(row.beads_sem, beads_decimals)});
  }
  return table;
}

TextTable comparison_table(const RunRecord& run, const std::vector<ComparedThreshold>& compared) {
  const MetricLabel metric = metric_label(run.metric);
  TextTable table({"threshold",
                   "length",
                   "s.e.",
                   "published",
                   "s.e.",
                   "z",
                   "beads",
                   "s.e.",
                   "published",
                   "s.e.",
                   "z"});
  for (const ComparedThreshold& row : compared) {
    std::vector<std::string> fields{with_unit(row.threshold, metric)};
    for (const auto& [value, decimals] :
         {std::pair(&row.length, length_decimals), std::pair(&row.beads, beads_decimals)}) {
      for (const double number :
           {value->ours, value->error, value->published, value->published_error}) {
        fields.push_back(fixed(number, decimals));
      }
      fields.push_back(std::isnan(value->z) ? "-" : fmt::format("{:+.1f}", value->z));
    }
    table.add(std::move(fields));
  }
  return table;
}

TextTable cost_table(const RunRecord& run) {
  const MetricLabel metric = metric_label(run.metric);
  TextTable table({"threshold", "end points", "beads", "checks"});
  for (const CurveRow& row : run.curve) {
    const Totals totals = totals_of(run, row.threshold);
    table.add({with_unit(row.threshold, metric),
               per_pair(totals.endpoints, row.pairs),
               per_pair(totals.beads, row.pairs),
               per_pair(totals.checks, row.pairs)});
  }
  return table;
}

TextTable cell_table(const RunRecord& run) {
  const MetricLabel metric = metric_label(run.metric);
  TextTable table({"threshold",
                   "pair",
                   "verdict",
                   "greatest " + metric.name,
                   "at",
                   "length",
                   "weights only",
                   "beads",
                   "inserted",
                   "rounds",
                   "proof",
                   "bound"});
  if (run.cells.size() > most_cells_listed) {
    return table;
  }
  for (const CellRow& cell : run.cells) {
    std::string verdict(name_of(cell.verdict));
    std::replace(verdict.begin(), verdict.end(), '_', ' ');
    verdict += cell.joined == "symmetry" ? " (symmetry)" : "";
    verdict += cell.aligned == "aligned" ? ", aligned" : "";
    if (cell.tries > 0) {
      verdict += fmt::format("{} ({} tr{})",
                             cell.joined == "repaired" ? ", repaired" : "",
                             cell.tries,
                             cell.tries == 1 ? "y" : "ies");
    }
    const std::string unit = metric.unit.empty() ? "" : " " + metric.unit;
    table.add(
        {with_unit(cell.threshold, metric),
         count(cell.pair),
         verdict,
         std::isnan(cell.max_metric)
             ? "NaN"
             : fmt::format("{:.4g}{}", cell.max_metric * metric.factor, unit),
         fixed(cell.max_t, 3),
         fixed(cell.normalized_length, length_decimals),
         fixed(cell.normalized_length_weights, length_decimals),
         count(cell.beads),
         count(cell.beads_inserted),
         count(cell.rounds),
         cell.proof.empty() ? "-" : cell.proof,
         std::isnan(cell.bound) ? "-" : fmt::format("{:.4g}{}", cell.bound * metric.factor, unit)});
  }
  return table;
}

// "wall_seconds" -> "wall 12.3 s", for the numbers at the top of timing.json.
std::string timing_line(const RunRecord& run) {
  std::string text;
  if (run.timing.is_object()) {
    for (const auto& [key, value] : run.timing.items()) {
      if (value.is_number() && key.ends_with("seconds")) {
        std::string name = key.substr(0, key.size() - std::string_view("seconds").size());
        std::replace(name.begin(), name.end(), '_', ' ');
        text += fmt::format("{}{}{}", text.empty() ? "" : ", ", name, human_duration(value));
      }
    }
  }
  return text.empty() ? "" : "time: " + text;
}

std::string notes_text(const std::vector<std::string>& notes, TableForm form) {
  std::string text;
  for (const std::string& note : notes) {
    if (!note.empty()) {
      text += (form == TableForm::markdown ? "- " : "") + note + "\n";
    }
  }
  return text.empty() ? "" : "\n" + text;
}

std::string totals_line(const RunRecord& run) {
  const Totals totals = totals_of(run);
  return fmt::format(
      "{} of {} connected{}, {} not connected (failed), {} with an end point that did not reach "
      "its "
      "threshold (unreached)",
      totals.connected,
      totals.cells(),
      totals.tries == 0
          ? ""
          : fmt::format(
                " ({} of them repaired; {} tries of repair in all)", totals.repaired, totals.tries),
      totals.not_connected,
      totals.endpoint_not_reached);
}

// Gradient samples of all end points. The strict protocol trains each once for all thresholds, and
// a cell counts the samples up to its own.
std::uint64_t endpoint_samples(const RunRecord& run) {
  if (run.protocol != "strict") {
    return totals_of(run).endpoints;
  }
  std::map<std::size_t, std::uint64_t> of_pair;
  for (const CellRow& cell : run.cells) {
    std::uint64_t& samples = of_pair[cell.pair];
    samples = std::max(samples, cell.gradient_samples_endpoints);
  }
  std::uint64_t sum = 0;
  for (const auto& [pair, samples] : of_pair) {
    sum += samples;
  }
  return sum;
}

std::string total_cost_line(const RunRecord& run) {
  const Totals totals = totals_of(run);
  return fmt::format(
      "in all: {} gradient samples for end points, {} for beads; {} forward samples for checks",
      human_count(static_cast<double>(endpoint_samples(run))),
      human_count(static_cast<double>(totals.beads)),
      human_count(static_cast<double>(totals.checks)));
}

// Of a run whose paths were shortened.
std::vector<std::string> shortening_lines(const RunRecord& run) {
  if (!run.summary.is_object() || !run.summary.contains("shortening")) {
    return {};
  }
  const Json& all = run.summary["shortening"];
  const double estimate = number_or_nan(all.at("length_estimate_mean"));
  return {fmt::format("Shortened: {} of {} paths; mean length {} before, {} after{}.",
                      all.at("shorter").get<std::size_t>(),
                      all.at("tried").get<std::size_t>(),
                      fixed(number_or_nan(all.at("length_before_mean")), length_decimals),
                      fixed(number_or_nan(all.at("length_after_mean")), length_decimals),
                      std::isnan(estimate)
                          ? ""
                          : fmt::format(" (at least about {}: an estimate, not proven)",
                                        fixed(estimate, length_decimals)))};
}

Json to_json(const ComparedValue& value) {
  return {{"value", value.published},
          {"half_width", value.half_width},
          {"standard_error", value.published_error},
          {"z", value.z}};
}

Json threshold_json(const RunRecord& run, const CurveRow& row) {
  const Totals totals = totals_of(run, row.threshold);
  return {{"threshold", row.threshold},
          {"pairs", row.pairs},
          {"connected", row.connected},
          {"direct", row.direct},
          {"not_connected", totals.not_connected},
          {"endpoint_not_reached", totals.endpoint_not_reached},
          {"length_mean", row.length_mean},
          {"length_sem", row.length_sem},
          {"length_weights_mean", row.length_weights_mean},
          {"length_weights_sem", row.length_weights_sem},
          {"beads_mean", row.beads_mean},
          {"beads_sem", row.beads_sem},
          {"gradient_samples_endpoints", totals.endpoints},
          {"gradient_samples_beads", totals.beads},
          {"forward_samples_checks", totals.checks}};
}

Json cell_json(const CellRow& cell) {
  return {{"threshold", cell.threshold},
          {"pair", cell.pair},
          {"seed", cell.seed},
          {"verdict", name_of(cell.verdict)},
          {"max_metric", cell.max_metric},
          {"max_t", cell.max_t},
          {"normalized_length", cell.normalized_length},
          {"normalized_length_weights", cell.normalized_length_weights},
          {"beads", cell.beads},
          {"beads_inserted", cell.beads_inserted},
          {"rounds", cell.rounds},
          {"gradient_samples_endpoints", cell.gradient_samples_endpoints},
          {"gradient_samples_beads", cell.gradient_samples_beads},
          {"forward_samples_checks", cell.forward_samples_checks},
          {"max_metric_train", cell.max_metric_train},
          {"proof", cell.proof},
          {"bound", cell.bound},
          {"check_evaluations", cell.check_evaluations},
          {"joined", cell.joined},
          {"tries", cell.tries},
          {"aligned", cell.aligned}};
}

// JSON has no NaN. The library writes null for one, but a value in memory should say so too.
void nan_to_null(Json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    json = nullptr;
  }
  if (json.is_structured()) {
    for (Json& element : json) {
      nan_to_null(element);
    }
  }
}

}  // namespace

std::string report_text(const RunRecord& run, TableForm form) {
  std::string text = heading(run, form);
  if (run.cells.empty()) {
    return text + "\nno finished pair yet\n" + notes_text(run.notes, form);
  }
  text += section("Paths", measures_table(run), form);
  text +=
      notes_text({totals_line(run),
                  "Means and standard errors (s.e.) are over connected pairs. Length: of the "
                  "path, divided by the distance of the end points. Beads: end points counted."},
                 form);
  text += notes_text(shortening_lines(run), form);
  const std::vector<ComparedThreshold> compared = compare_with_published(run);
  text += section("Beside the published values (Freeman and Bruna 2017, figure 1; weights only)",
                  comparison_table(run, compared),
                  form);
  text += notes_text(comparison_notes(run), form);
  text +=
      section("Cost, mean of a pair (samples: gradients of end points and beads, forward checks)",
              cost_table(run),
              form);
  text += notes_text({total_cost_line(run), timing_line(run)}, form);
  text += section("Pairs", cell_table(run), form);
  text += notes_text(failure_lines(run), form);
  return text + notes_text(run.notes, form);
}

Json report_json(const RunRecord& run) {
  const Totals totals = totals_of(run);
  Json json{{"task", run.task},
            {"metric", run.metric},
            {"split", run.split},
            {"protocol", run.protocol},
            {"risk", run.risk},
            {"penalty", run.penalty},
            {"align", run.align},
            {"complete", run.complete()},
            {"missing", run.missing},
            {"notes", run.notes},
            {"verdicts",
             {{"connected", totals.connected},
              {"not_connected", totals.not_connected},
              {"endpoint_not_reached", totals.endpoint_not_reached}}},
            {"thresholds", Json::array()},
            {"cells", Json::array()},
            {"timing", run.timing}};
  const std::vector<ComparedThreshold> compared = compare_with_published(run);
  for (const CurveRow& row : run.curve) {
    Json entry = threshold_json(run, row);
    const auto found = std::find_if(compared.begin(), compared.end(), [&](const auto& other) {
      return other.threshold == row.threshold;
    });
    if (found != compared.end()) {
      entry["published"] = {{"length_weights", to_json(found->length)},
                            {"beads", to_json(found->beads)}};
    }
    json["thresholds"].push_back(std::move(entry));
  }
  for (const CellRow& cell : run.cells) {
    json["cells"].push_back(cell_json(cell));
  }
  nan_to_null(json);
  return json;
}

}  // namespace isthmus
