// SPDX-License-Identifier: MIT
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "arrays.h"
#include "connect.h"
#include "interpreter.h"
#include "isthmus/core/json.h"
#include "isthmus/path/path_file.h"
#include "isthmus/report/run.h"
#include "isthmus/study/certificate.h"
#include "isthmus/study/study.h"

namespace isthmus::python {
namespace {

using Metadata = std::map<std::string, std::string>;

template <class Enum>
std::optional<Enum> named_or_none(const std::optional<std::string>& name) {
  return name ? std::optional(named<Enum>(*name)) : std::nullopt;
}

nb::dict length_dict(const PathLength& length) {
  nb::dict one;
  one["length"] = length.length;
  one["endpoint_distance"] = length.endpoint_distance;
  one["normalized"] = length.normalized;
  return one;
}

nb::tuple lengths(const Beads& beads, const std::string& layout) {
  const Path path = path_of(beads);
  const Layout tensors = layout_from_json(Json::parse(layout));
  return nb::make_tuple(length_dict(length_of(path, tensors, Coordinates::all)),
                        length_dict(length_of(path, tensors, Coordinates::weights)));
}

nb::object point_between(const Vector& a, const Vector& b, double t) {
  std::vector<float> theta(a.size());
  interpolate(span_of(a), span_of(b), t, theta);
  return array_of(std::move(theta));
}

void write_beads(const std::filesystem::path& file,
                 const Beads& beads,
                 const std::string& layout,
                 const Metadata& metadata) {
  write_path(file,
             {.path = path_of(beads),
              .layout = layout_from_json(Json::parse(layout)),
              .metadata = metadata});
}

nb::tuple read_beads(const std::filesystem::path& file) {
  PathFile path = read_path(file);
  const std::size_t rows = path.path.size();
  return nb::make_tuple(array_of(std::move(path.path.beads), rows),
                        to_json(path.layout).dump(),
                        path.metadata,
                        path.conversion);
}

std::string verify_saved(const std::filesystem::path& file,
                         std::optional<std::size_t> points,
                         const std::optional<std::string>& split,
                         const std::optional<std::string>& metric,
                         std::optional<double> threshold,
                         const std::optional<std::filesystem::path>& data,
                         std::size_t threads) {
  const VerifyOptions options{.points = points,
                              .split = named_or_none<Split>(split),
                              .metric = named_or_none<Metric>(metric),
                              .threshold = threshold,
                              .data_folder = data};
  Stop stop;
  Verification found;
  run_interruptibly(stop, [&] {
    Workers workers(threads);
    found = verify_path(file, options, workers, &stop);
  });
  Json segments = Json::array();
  for (const SegmentCheck& check : found.segments) {
    Json values = Json::array();
    for (const double value : check.values) {
      values.push_back(number_or_null(value));
    }
    segments.push_back({{"max", number_or_null(check.worst_value)},
                        {"t", check.worst_t},
                        {"values", std::move(values)}});
  }
  return Json{{"task", found.problem.task},
              {"metric", name_of(found.grid.metric)},
              {"split", name_of(found.grid.split)},
              {"points", found.grid.points},
              {"include_end", found.grid.include_end},
              {"threshold", found.threshold},
              {"tolerance", found.tolerance},
              {"below", found.below},
              {"max_metric", number_or_null(found.max_metric)},
              {"max_t", found.max_t},
              {"value_b", number_or_null(found.value_b)},
              {"beads", found.beads},
              {"normalized_length", found.length.normalized},
              {"normalized_length_weights", found.length_weights.normalized},
              {"segments", std::move(segments)}}
      .dump();
}

std::string certify_saved(const std::filesystem::path& file,
                          const std::optional<std::string>& split,
                          const std::optional<std::string>& metric,
                          std::optional<double> threshold,
                          std::optional<double> gap,
                          std::optional<double> max_evaluations,
                          const std::optional<std::filesystem::path>& data,
                          std::size_t threads) {
  CertificateOptions options{.split = named_or_none<Split>(split),
                             .metric = named_or_none<Metric>(metric),
                             .threshold = threshold,
                             .gap = gap,
                             .data_folder = data};
  options.max_evaluations = max_evaluations.value_or(options.max_evaluations);
  Stop stop;
  Certificate found;
  run_interruptibly(stop, [&] {
    Workers workers(threads);
    found = certify_path(file, options, workers, &stop);
  });
  Json json = to_json(found);
  json["proven"] = found.proven;
  json["bound"] = number_or_null(found.bound);
  json["largest_seen"] = number_or_null(found.largest_seen);
  json["evaluations"] = found.evaluations;
  return json.dump();
}

// Cells and curve as columns, and what the run says of itself.
nb::dict run_of(const std::filesystem::path& folder) {
  const RunRecord run = read_run(folder);
  nb::dict result;
  result["task"] = run.task;
  result["metric"] = run.metric;
  result["split"] = run.split;
  result["protocol"] = run.protocol;
  result["complete"] = run.complete();
  result["cells"] = to_csv(run.cells);
  result["curve"] = to_csv(run.curve);
  result["config"] = run.config.dump();
  result["summary"] = run.summary.dump();
  result["missing"] = nb::list();
  for (const std::string& name : run.missing) {
    nb::cast<nb::list>(result["missing"]).append(name);
  }
  return result;
}

}  // namespace

void bind_paths(nb::module_& module) {
  module.def("lengths", &lengths, nb::arg("beads"), nb::arg("layout"));
  module.def("interpolate", &point_between, nb::arg("a"), nb::arg("b"), nb::arg("t"));
  module.def("write_path",
             &write_beads,
             nb::arg("file"),
             nb::arg("beads"),
             nb::arg("layout"),
             nb::arg("metadata"));
  module.def("read_path", &read_beads, nb::arg("file"));
  module.def("verify",
             &verify_saved,
             nb::arg("file"),
             nb::arg("points").none(),
             nb::arg("split").none(),
             nb::arg("metric").none(),
             nb::arg("threshold").none(),
             nb::arg("data").none(),
             nb::arg("threads"));
  module.def("certify",
             &certify_saved,
             nb::arg("file"),
             nb::arg("split").none(),
             nb::arg("metric").none(),
             nb::arg("threshold").none(),
             nb::arg("gap").none(),
             nb::arg("max_evaluations").none(),
             nb::arg("data").none(),
             nb::arg("threads"));
  module.def("read_run", &run_of, nb::arg("folder"));
}

}  // namespace isthmus::python
