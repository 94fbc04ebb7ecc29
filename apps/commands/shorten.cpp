// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/study/shorten_path.h"
#include "path_files.h"
#include "study_flags.h"

namespace isthmus::app {
namespace {

struct ShortenCommand {
  std::string target;
  std::optional<std::string> out;
  std::optional<std::string> data;
  std::vector<std::pair<const Option<ShortenTerms>*, std::string>> terms;  // as they were given
  ShortenPathOptions options;
  std::size_t threads = 0;
  bool json = false;
};

Json to_json(const std::filesystem::path& file,
             const std::filesystem::path& written,
             const Shortening& result) {
  return {
      {"file", file.string()},
      {"shorter", result.shorter},
      {"written", result.shorter ? Json(written.string()) : Json()},
      {"length_before", result.length_before},
      {"length_after", result.length_after},
      {"length_estimate", result.estimate ? Json(result.estimate->ratio) : Json()},
      {"beads_before", result.beads_before},
      {"beads_after", result.beads_after},
      {"max_metric", number_or_null(result.string.max_metric)},
      {"bound", number_or_null(result.string.bound)},
      {"gradient_samples", result.cost.gradient_samples_beads},
      {"forward_samples", result.cost.forward_samples_beads + result.cost.forward_samples_checks}};
}

void print(const std::filesystem::path& file,
           const std::filesystem::path& written,
           const Shortening& result) {
  const double bound = result.string.bound;
  fmt::print(
      "{}: length {:.4f} -> {:.4f}{}, {} -> {} beads, {}; {:.3g} gradient and {:.3g} forward "
      "samples; {}\n",
      file.filename().string(),
      result.length_before,
      result.length_after,
      result.estimate ? fmt::format(" (at least about {:.3f}: an estimate)", result.estimate->ratio)
                      : "",
      result.beads_before,
      result.beads_after,
      std::isnan(bound) ? fmt::format("max {:.6g} on the grid", result.string.max_metric)
                        : fmt::format("proven at most {:.6g}", bound),
      static_cast<double>(result.cost.gradient_samples_beads),
      static_cast<double>(result.cost.forward_samples_beads + result.cost.forward_samples_checks),
      result.shorter ? written.string() : "no shorter one found, nothing written");
}

ExitCode run_command(const ShortenCommand& command, const Stop& stop) {
  const std::filesystem::path target = command.target;
  ShortenPathOptions options = command.options;
  for (const auto& [option, text] : command.terms) {
    option->parse(options.terms, text);
  }
  if (command.data) {
    options.data_folder = *command.data;
  }
  const bool whole_run = std::filesystem::is_directory(target);
  const std::filesystem::path folder =
      command.out ? std::filesystem::path(*command.out)
                  : (whole_run ? target / "shortened" : target.parent_path());
  Workers workers(worker_count(command.threads));
  Json list = Json::array();
  double before = 0.0;
  double after = 0.0;
  const std::vector<std::filesystem::path> files = connected_files_of(target);
  for (const std::filesystem::path& file : files) {
    std::filesystem::path written = folder / file.filename();
    if (!command.out && !whole_run) {
      written.replace_extension(".short.safetensors");
    }
    if (std::filesystem::exists(written) && std::filesystem::equivalent(written, file)) {
      throw UsageError(
          fmt::format("--out: {} is the path itself; name another folder", written.string()));
    }
    if (!folder.empty()) {
      make_folder(folder);
    }
    const Shortening result = shorten_path(file, written, options, workers, &stop);
    before += result.length_before;
    after += result.length_after;
    if (command.json) {
      list.push_back(to_json(file, written, result));
    } else {
      print(file, written, result);
      std::fflush(stdout);
    }
  }
  if (command.json) {
    fmt::print("{}\n", list.dump(2));
  } else if (files.size() > 1) {
    const auto count = static_cast<double>(files.size());
    fmt::print(
        "{} paths: mean length {:.4f} -> {:.4f}\n", files.size(), before / count, after / count);
  }
  return ExitCode::ok;
}

}  // namespace

void add_shorten(Context& context) {
  auto command = std::make_shared<ShortenCommand>();
  Parser* parser =
      context.parser->add_subcommand("shorten",
                                     "Make saved paths shorter at their own level.\n\n"
                                     "Takes one path file or the connected paths of a run "
                                     "directory. A path is pulled straight while "
                                     "its\n"
                                     "loss is held below the threshold, made to pass its check "
                                     "again (proven where it was), and kept "
                                     "only\n"
                                     "if it is shorter (docs/strings.md).");
  parser->footer(
      "\nExamples:\n"
      "  isthmus shorten runs/quadratic/paths/0.01_0.safetensors\n"
      "  isthmus shorten runs/quadratic --out runs/short");
  parser->add_option("target", command->target, "A path file or a run directory")->required();
  parser
      ->add_option("--out",
                   command->out,
                   "Folder for the shorter paths [RUN/shortened; of a file: beside it, as "
                   "NAME.short.safetensors]")
      ->type_name("DIR");
  for (const Option<ShortenTerms>& option : shorten_option_table()) {
    parser
        ->add_option_function(
            "--" + std::string(option.text.flag),
            [command, &option](const std::string& text) {
              command->terms.emplace_back(&option, text);
            },
            option_help(option.text, option.range))
        ->type_name(std::string(option.type));
  }
  parser->add_option("--seed", command->options.seed, "Equal seeds give equal files")
      ->capture_default_str();
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
