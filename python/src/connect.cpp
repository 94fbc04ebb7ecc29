// SPDX-License-Identifier: MIT
#include "connect.h"

#include <fmt/format.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrays.h"
#include "build_info.h"
#include "foreign_objective.h"
#include "interpreter.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/objective/gradient_check.h"
#include "isthmus/path/measures.h"
#include "isthmus/study/run_directory.h"
#include "journal.h"
#include "options.h"

namespace isthmus::python {
namespace {

// One call from Python: the objective, its evaluators, and who is told.
class Session {
 public:
  Session(nb::object described, std::size_t threads, nb::object progress)
      : objective_(make_foreign_objective(std::move(described))), threads_(threads) {
    if (threads < 1 || threads > 256) {
      throw UsageError(fmt::format("threads: expected 1 to 256, got {}", threads));
    }
    if (!progress.is_none()) {
      progress_.emplace(std::move(progress));
    }
  }

  const Objective& objective() const { return *objective_; }

  std::span<const float> end_point(const char* name, const Vector& vector) const {
    if (vector.size() != objective_->dimension()) {
      throw UsageError(fmt::format("end point {}: expected {} numbers, got {}",
                                   name,
                                   objective_->dimension(),
                                   vector.size()));
    }
    return span_of(vector);
  }

  // Calls work(evaluators, callbacks) without the GIL.
  template <class Work>
  void run(const Work& work, StringJournal* journal = nullptr) {
    run_interruptibly(stop_, [&] {
      Workers workers(threads_);
      Evaluators evaluators(*objective_, workers);
      work(evaluators,
           StringCallbacks{.journal = journal,
                           .stop = &stop_,
                           .progress = [this](const StringProgress& event) { tell(event); }});
    });
  }

 private:
  void tell(const StringProgress& event) const {
    if (!progress_) {
      return;
    }
    static constexpr const char* kinds[] = {
        "round_started", "bead_step", "bead_trained", "segment_checked"};
    const nb::gil_scoped_acquire gil;
    nb::dict told;
    told["kind"] = kinds[static_cast<int>(event.kind)];
    told["attempt"] = event.attempt;
    told["round"] = event.round;
    told["beads"] = event.beads;
    told["open_segments"] = event.open_segments;
    told["bead"] = event.bead;
    told["steps"] =
        event.kind == StringProgress::Kind::bead_step ? event.training.steps : event.trained.steps;
    told["value"] = event.kind == StringProgress::Kind::bead_step      ? event.training.metric
                    : event.kind == StringProgress::Kind::bead_trained ? event.trained.last_metric
                                                                       : event.worst_value;
    told["passed"] = event.passed;
    progress_->get()(told);
  }

  std::unique_ptr<Objective> objective_;
  std::size_t threads_;
  std::optional<Held> progress_;
  Stop stop_;
};

nb::object number(double value) {
  return nb::cast(value);
}

nb::list checks_of(const StringSummary& summary) {
  nb::list list;
  for (const SegmentCheck& check : summary.segments) {
    nb::dict one;
    one["passed"] = check.passed;
    one["max"] = number(check.worst_value);
    one["t"] = check.worst_t;
    one["error"] = check.error;
    one["values"] = array_of(check.values);
    list.append(one);
  }
  return list;
}

void put_string(nb::dict& result, StringSummary summary, const MethodOptions& options) {
  result["verdict"] = std::string(name_of(summary.verdict));
  result["reason"] = sentence(summary.ending);
  result["ending"] = std::string(name_of(summary.ending.kind));
  result["value_a"] = summary.value_a;
  result["value_b"] = summary.value_b;
  result["max_metric"] = summary.max_metric;
  result["max_t"] = summary.max_t;
  result["best_max_metric"] = summary.best_max_metric;
  result["beads_inserted"] = summary.beads_inserted;
  result["beads_unreached"] = summary.beads_unreached;
  result["rounds"] = summary.rounds;
  result["gradient_samples"] = summary.cost.gradient_samples_beads;
  result["forward_samples_beads"] = summary.cost.forward_samples_beads;
  result["forward_samples_checks"] = summary.cost.forward_samples_checks;
  result["segments"] = checks_of(summary);
  result["check"] = std::string(name_of(options.check));
  result["method"] = std::string(name_of(options.method));
  result["split"] = std::string(name_of(options.grid.split));
  result["threshold"] = options.threshold;
  result["tolerance"] = options.tolerance;
  result["points"] = options.grid.points;
  result["include_end"] = options.grid.include_end;
  const std::size_t rows = summary.path.size();
  result["beads"] = array_of(std::move(summary.path.beads), rows);
}

// What decides the numbers of a string beside the objective: a journal belongs to it.
std::string name_of_work(const Vector& a, const Vector& b, const std::string& options) {
  const auto bytes = [](const Vector& v) {
    return std::string_view(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float));
  };
  return sha256(bytes(a)) + sha256(bytes(b)) + options;
}

// The same, for a folder that keeps a string.
Json configuration_of(const Objective& objective,
                      const Vector& a,
                      const Vector& b,
                      const std::string& options) {
  return {{"format", "isthmus-connect-1"},
          {"version", ISTHMUS_VERSION},
          {"end_points", sha256(name_of_work(a, b, ""))},
          {"tensors", to_json(objective.layout())},
          {"samples", {objective.samples(Split::train), objective.samples(Split::test)}},
          {"metrics", objective.own_metrics()},
          {"options", Json::parse(options)}};
}

nb::dict connect_two(nb::object described,
                     const Vector& a,
                     const Vector& b,
                     const std::string& given,
                     std::size_t threads,
                     nb::object progress,
                     std::shared_ptr<MemoryJournal> memory,
                     const std::optional<std::filesystem::path>& folder) {
  Session session(std::move(described), threads, std::move(progress));
  const ConnectOptions options = connect_options(session.objective(), Json::parse(given));
  if (!options.shorten) {
    refuse_shortening(Json::parse(given));
  }
  const auto from = session.end_point("A", a);
  const auto to = session.end_point("B", b);
  if (memory && !memory->belongs_to(name_of_work(a, b, given))) {
    throw UsageError(
        "journal: it is of other end points or other options; give those that it began with, or "
        "another journal");
  }
  RepairedString found;
  bool shorter = false;
  std::optional<RunDirectory> kept;
  if (folder) {
    kept.emplace(*folder, configuration_of(session.objective(), a, b, given), true);
  }
  const auto journal = kept     ? kept->journal(options.string.threshold, 0)
                       : memory ? journal_on(std::move(memory))
                                : nullptr;
  session.run(
      [&](Evaluators& evaluators, const StringCallbacks& callbacks) {
        found = connect_repaired(evaluators, from, to, options.string, options.repair, callbacks);
        if (options.shorten && found.string.verdict == Verdict::connected) {
          shorter = shorten_grown(evaluators,
                                  found.string,
                                  ShortenOptions(options.string, options.shortening),
                                  {.stop = callbacks.stop, .progress = callbacks.progress})
                        .shorter;
        }
      },
      journal.get());
  nb::dict result;
  result["metric"] = session.objective().metric_name(options.string.grid.metric);
  result["tries"] = found.tries;
  result["repaired"] = found.repaired;
  result["shortened"] = shorter;
  put_string(result, std::move(found.string), options.string);
  return result;
}

nb::dict shorten_string(nb::object described,
                        const Beads& beads,
                        const std::string& given,
                        std::size_t threads,
                        nb::object progress) {
  Session session(std::move(described), threads, std::move(progress));
  const ConnectOptions options = connect_options(session.objective(), Json::parse(given));
  const Path path = path_of(beads);
  Shortening shortening;
  session.run([&](Evaluators& evaluators, const StringCallbacks& callbacks) {
    shortening = isthmus::shorten(evaluators,
                                  path,
                                  ShortenOptions(options.string, options.shortening),
                                  {.stop = callbacks.stop, .progress = callbacks.progress});
  });
  nb::dict result;
  result["metric"] = session.objective().metric_name(options.string.grid.metric);
  result["shortened"] = shortening.shorter;
  result["length_before"] = shortening.length_before;
  result["length_after"] = shortening.length_after;
  put_string(result, std::move(shortening.string), options.string);
  return result;
}

// Every point of the grid of every segment.
nb::list check_beads(nb::object described,
                     const Beads& beads,
                     const std::string& given,
                     std::size_t threads,
                     nb::object progress) {
  Session session(std::move(described), threads, std::move(progress));
  const ConnectOptions options = connect_options(session.objective(), Json::parse(given));
  SegmentGrid grid = options.string.grid;
  grid.bound = options.string.bound();
  grid.stop_at_failure = false;
  StringSummary summary;
  const Path path = path_of(beads);
  session.run([&](Evaluators& evaluators, const StringCallbacks& callbacks) {
    summary.segments = check_path(evaluators, path, grid, callbacks.stop);
  });
  return checks_of(summary);
}

nb::dict train_one(nb::object described,
                   const Vector& start,
                   double target,
                   const std::string& given,
                   nb::object progress) {
  Session session(std::move(described), 1, std::move(progress));
  const ConnectOptions options = connect_options(session.objective(), Json::parse(given));
  const auto theta = session.end_point("start", start);
  TrainJob job;
  job.theta.assign(theta.begin(), theta.end());
  job.targets = {target};
  job.seed = options.string.seed;
  job.stream = options.string.stream;
  session.run([&](Evaluators& evaluators, const StringCallbacks& callbacks) {
    train(evaluators, {&job, 1}, options.string.training, callbacks.stop);
  });
  nb::dict result;
  result["termination"] = std::string(name_of(job.summary.termination));
  result["steps"] = job.summary.steps;
  result["value"] = job.summary.last_metric;
  result["gradient_samples"] = job.summary.gradient_samples;
  result["forward_samples"] = job.summary.forward_samples;
  result["theta"] = array_of(std::move(job.theta));
  return result;
}

nb::list gradient_errors(nb::object described, const Vector& at, double step, double precision) {
  Session session(std::move(described), 1, nb::none());
  const auto theta = session.end_point("theta", at);
  GradientCheck check;
  session.run([&](Evaluators&, const StringCallbacks&) {
    check = check_gradient(
        session.objective(), theta, GradientCheckOptions{.step = step, .precision = precision});
  });
  nb::list list;
  for (const TensorCheck& tensor : check.tensors) {
    nb::dict one;
    one["name"] = tensor.name;
    one["checked"] = tensor.checked;
    one["failed"] = tensor.failed;
    one["skipped"] = tensor.skipped;
    one["worst_error"] = tensor.worst_error;
    list.append(one);
  }
  return list;
}

}  // namespace

void bind_strings(nb::module_& module) {
  nb::class_<MemoryJournal>(module, "Journal")
      .def(nb::init<>())
      .def_prop_ro("beads", &MemoryJournal::beads)
      .def_prop_ro("checks", &MemoryJournal::checks);
  module.def("connect",
             &connect_two,
             nb::arg("objective"),
             nb::arg("a"),
             nb::arg("b"),
             nb::arg("options"),
             nb::arg("threads"),
             nb::arg("progress").none(),
             nb::arg("journal").none(),
             nb::arg("keep").none());
  module.def("shorten",
             &shorten_string,
             nb::arg("objective"),
             nb::arg("beads"),
             nb::arg("options"),
             nb::arg("threads"),
             nb::arg("progress").none());
  module.def("check",
             &check_beads,
             nb::arg("objective"),
             nb::arg("beads"),
             nb::arg("options"),
             nb::arg("threads"),
             nb::arg("progress").none());
  module.def("train",
             &train_one,
             nb::arg("objective"),
             nb::arg("start"),
             nb::arg("target"),
             nb::arg("options"),
             nb::arg("progress").none());
  module.def("gradient_errors",
             &gradient_errors,
             nb::arg("objective"),
             nb::arg("theta"),
             nb::arg("step"),
             nb::arg("precision"));
  module.def("keywords", [] { return connect_keywords().dump(); });
}

}  // namespace isthmus::python
