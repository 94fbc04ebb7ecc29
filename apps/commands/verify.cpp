// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/objective/penalty.h"
#include "isthmus/study/certificate.h"
#include "isthmus/study/study.h"
#include "path_files.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct VerifyCommand {
  std::string target;
  std::optional<std::size_t> points;
  std::optional<std::string> split;
  std::optional<std::string> metric;
  std::optional<double> threshold;
  std::optional<std::string> data;
  std::size_t threads = 0;
  bool certified = false;
  std::optional<double> gap;
  std::optional<double> max_evaluations;
  bool json = false;
};

// In words.
std::string places_of(const SegmentGrid& grid) {
  return grid.include_end
             ? fmt::format("{} points a segment, t = k / {}", grid.points, grid.points - 1)
             : fmt::format("{0} points a segment, t = k / {0} without 1, and end point B",
                           grid.points);
}

Json to_json(const std::filesystem::path& file, const Verification& result) {
  Json segments = Json::array();
  for (const SegmentCheck& check : result.segments) {
    segments.push_back({{"max", check.worst_value}, {"t", check.worst_t}});
  }
  return {{"file", file.string()},
          {"task", result.problem.task},
          {"metric", name_of(result.grid.metric)},
          {"split", name_of(result.grid.split)},
          {"points", result.grid.points},
          {"include_end", result.grid.include_end},
          {"threshold", result.threshold},
          {"tolerance", result.tolerance},
          {"below", result.below},
          {"max_metric", result.max_metric},
          {"max_t", result.max_t},
          {"metric_b", result.value_b},
          {"beads", result.beads},
          {"normalized_length", result.length.normalized},
          {"normalized_length_weights", result.length_weights.normalized},
          {"segments", std::move(segments)}};
}

// certificate.json beside a path file; of several files of one folder, each with its own name.
std::filesystem::path certificate_file(const std::filesystem::path& file, bool alone) {
  return alone ? file.parent_path() / "certificate.json"
               : std::filesystem::path(file).replace_extension(".certificate.json");
}

// What was converted on the way, if anything.
void tell(const std::string& conversion) {
  if (!conversion.empty()) {
    fmt::print(stderr, "{}\n", conversion);
  }
}

std::string reason_of(const Certificate& certificate) {
  for (std::size_t i = 0; i < certificate.segments.size(); ++i) {
    const SegmentProof& proof = certificate.segments[i];
    if (proof.outcome == SegmentProof::Outcome::violated) {
      return fmt::format("segment {}: {} is {:.6g} at t = {}, above {:.6g}",
                         i,
                         name_of(certificate.metric),
                         shown(proof.largest_seen),
                         proof.t,
                         certificate.threshold);
    }
    if (proof.outcome == SegmentProof::Outcome::undecided) {
      return fmt::format(
          "segment {}: undecided after {:.1f} evaluations: {} is at most {:.6g}, and {:.6g} at "
          "t = {} (--max-evaluations allows more)",
          i,
          proof.evaluations,
          name_of(certificate.metric),
          shown(proof.bound),
          shown(proof.largest_seen),
          proof.t);
    }
  }
  return {};
}

void print(const std::filesystem::path& file,
           const Certificate& certificate,
           const std::filesystem::path& written) {
  fmt::print(
      "{}: {}{} on {}: {} {:.8g} everywhere on the path; {:.8g} at t = {} of segment {}; "
      "{} segments, {:.1f} evaluations; {}\n",
      file.filename().string(),
      name_of(certificate.metric),
      certificate.penalty.any() ? " with " + text_of(certificate.penalty) : std::string(),
      name_of(certificate.split),
      certificate.proven ? "proven at most" : "NOT PROVEN; at most",
      shown(certificate.bound),
      shown(certificate.largest_seen),
      certificate.t,
      certificate.segment,
      certificate.segments.size(),
      certificate.evaluations,
      written.string());
}

ExitCode certify(const VerifyCommand& command, const Stop& stop) {
  CertificateOptions options;
  if (command.split) {
    options.split = named<Split>(*command.split);
  }
  if (command.metric) {
    options.metric = named<Metric>(*command.metric);
  }
  options.threshold = command.threshold;
  options.gap = command.gap;
  options.max_evaluations = command.max_evaluations.value_or(options.max_evaluations);
  if (!(options.max_evaluations >= 0.0)) {
    throw UsageError(
        fmt::format("--max-evaluations: expected a number >= 0, got {}", options.max_evaluations));
  }
  if (command.data) {
    options.data_folder = *command.data;
  }
  Workers workers(worker_count(command.threads));
  const std::vector<std::filesystem::path> files = path_files_of(command.target);
  Json list = Json::array();
  std::string reasons;
  for (const std::filesystem::path& file : files) {
    const Certificate certificate = certify_path(file, options, workers, &stop);
    tell(certificate.conversion);
    const std::filesystem::path written = certificate_file(file, files.size() == 1);
    write_json(written, to_json(certificate));
    if (!certificate.proven) {
      reasons += fmt::format("{}{}: {}",
                             reasons.empty() ? "" : "\n",
                             file.filename().string(),
                             reason_of(certificate));
    }
    if (command.json) {
      list.push_back(to_json(certificate));
      continue;
    }
    print(file, certificate, written);
  }
  if (command.json) {
    fmt::print("{}\n", (list.size() == 1 ? list.front() : list).dump(2));
  }
  if (reasons.empty()) {
    return ExitCode::ok;
  }
  std::fflush(stdout);
  fmt::print(stderr, "isthmus: not proven: {}\n", reasons);
  return ExitCode::not_proven;
}

ExitCode run_command(const VerifyCommand& command, const Stop& stop) {
  if (command.certified) {
    if (command.points) {
      throw UsageError("--points: a proof has no grid");
    }
    return certify(command, stop);
  }
  if (command.gap || command.max_evaluations) {
    throw UsageError("--gap and --max-evaluations belong to --certified");
  }
  VerifyOptions options;
  options.points = command.points;
  if (command.split) {
    options.split = named<Split>(*command.split);
  }
  if (command.metric) {
    options.metric = named<Metric>(*command.metric);
  }
  options.threshold = command.threshold;
  if (command.data) {
    options.data_folder = *command.data;
  }
  Workers workers(worker_count(command.threads));
  Json list = Json::array();
  std::size_t below = 0;
  const std::vector<std::filesystem::path> files = path_files_of(command.target);
  for (const std::filesystem::path& file : files) {
    const Verification result = verify_path(file, options, workers, &stop);
    tell(result.conversion);
    below += result.below ? 1 : 0;
    if (command.json) {
      list.push_back(to_json(file, result));
      continue;
    }
    fmt::print(
        "{}: {} on {} ({}): max {:.6g} at {:.4f} of the path, {} {:.6g}; "
        "{} beads, length {:.4f} (weights {:.4f})\n",
        file.filename().string(),
        name_of(result.grid.metric),
        name_of(result.grid.split),
        places_of(result.grid),
        shown(result.max_metric),
        result.max_t,
        result.below ? "at most" : "ABOVE",
        result.threshold * result.tolerance,
        result.beads,
        result.length.normalized,
        result.length_weights.normalized);
  }
  if (command.json) {
    fmt::print("{}\n", list.dump(2));
  } else if (files.size() > 1) {
    fmt::print("{} of {} paths stay at or below their threshold\n", below, files.size());
  }
  return ExitCode::ok;
}

}  // namespace

void add_verify(Context& context) {
  auto command = std::make_shared<VerifyCommand>();
  Parser* parser = context.parser->add_subcommand(
      "verify",
      "Evaluate saved paths again, from their files and the data alone.\n\n"
      "Takes one path file or all paths of a run directory, and looks at every grid point of each "
      "segment,\n"
      "at the places where the run looked, and at end point B. The network, the data set, the "
      "threshold and\n"
      "the grid are in the file.");
  parser->footer(
      "\nExamples:\n"
      "  isthmus verify runs/mnist-2\n"
      "  isthmus verify runs/mnist-2/paths/0.02_0.safetensors --points 101 --split train\n"
      "  isthmus verify runs/mlp --certified --metric error_rate --gap 0");
  parser->add_option("target", command->target, "A path file or a run directory")->required();
  parser->add_option(
      "--points", command->points, "Grid points of a segment, both ends included [as in the file]");
  parser->add_option("--split", command->split, "test or train [as in the file]");
  parser->add_option("--metric", command->metric, "See `isthmus connect --help` [as in the file]");
  parser->add_option(
      "--threshold", command->threshold, "Compare with this, tolerance 1 [as in the file]");
  parser->add_flag("--certified",
                   command->certified,
                   "Prove the maximum over the whole path instead of sampling it, and write "
                   "certificate.json beside the path file; exit code 1 where that fails");
  parser->add_option("--gap",
                     command->gap,
                     "With --certified: prove a bound within this fraction of the largest value "
                     "seen, instead of the threshold; 0 is the exact maximum of an error rate");
  parser->add_option("--max-evaluations",
                     command->max_evaluations,
                     "With --certified: budget of a segment, in full passes over the split [400]");
  parser->add_option("--data", command->data, "Folder with data sets")->type_name("DIR");
  parser->add_option("--threads", command->threads, "Worker threads; 0: all cores")
      ->check(thread_count());
  parser->add_flag("--json", command->json, "Print JSON");
  parser->callback([&context, command] {
    context.chosen = [&context, command] {
      context.outcome = run_command(*command, *context.stop);
    };
  });
}

}  // namespace isthmus::app
