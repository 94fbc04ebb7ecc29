// SPDX-License-Identifier: MIT
#include "isthmus/study/shorten_path.h"

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/rng.h"
#include "isthmus/study/saved_path.h"
#include "isthmus/study/task.h"

namespace isthmus {
namespace {

StudyOptions defaults_of(const Problem& problem) {
  return problem.task == "network"
             ? default_options(problem.network, problem.data, Protocol::strict)
             : default_options(task_of(problem.task), Protocol::strict);
}

ShortenOptions options_of(const SavedPath& saved, const ShortenPathOptions& given) {
  ShortenOptions options(defaults_of(saved.problem).string, given.terms);
  options.threshold = saved.threshold;
  options.tolerance = saved.tolerance;
  options.grid.points = saved.points;
  options.grid.include_end = true;
  options.grid.split = saved.split;
  options.grid.metric = saved.metric;
  const auto check = saved.path.metadata.find("check");
  if (check != saved.path.metadata.end()) {
    options.check = named<CheckKind>(check->second);
  }
  options.seed = given.seed;
  options.stream = stream_name({0x73686f7274});  // "short"
  return options;
}

}  // namespace

Shortening shorten_path(const std::filesystem::path& file,
                        const std::filesystem::path& out,
                        const ShortenPathOptions& options,
                        Workers& workers,
                        const Stop* stop,
                        const std::function<void(const StringProgress&)>& progress) {
  SavedPath saved = load_path(file, {}, {}, {}, options.data_folder);
  Evaluators evaluators(*saved.objective, workers);
  Shortening result = shorten(evaluators,
                              saved.path.path,
                              options_of(saved, options),
                              {.journal = nullptr, .stop = stop, .progress = progress});
  if (result.shorter) {
    saved.path.path = result.string.path;
    saved.path.metadata["verdict"] = name_of(result.string.verdict);
    saved.path.metadata["include_end"] = "true";  // as it was looked at
    saved.path.metadata["shortened_from"] = sha256(read_file(file));
    write_path(out, saved.path);
  }
  return result;
}

}  // namespace isthmus
