// SPDX-License-Identifier: MIT
#include "isthmus/study/saved_path.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/study/options.h"

namespace isthmus {
namespace {

// The metadata of a path file, with errors that name it.
class Metadata {
 public:
  Metadata(const std::filesystem::path& file, const std::map<std::string, std::string>& entries)
      : file_(file), entries_(entries) {}

  const std::string& text(const std::string& key) const {
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) {
      throw DataError(fmt::format("{}: its metadata have no '{}'", file_.string(), key));
    }
    return entry->second;
  }

  double number(const std::string& key) const {
    const std::string& digits = text(key);
    double value = 0.0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value)) {
      throw DataError(fmt::format(
          "{}: metadata '{}': expected a number, found '{}'", file_.string(), key, digits));
    }
    return value;
  }

  // Grid points of a segment.
  std::size_t points() const {
    constexpr double most = 1e9;
    const double value = number("points");
    if (value < 2.0 || value > most || value != std::floor(value)) {
      throw DataError(
          fmt::format("{}: metadata 'points': expected a whole number from 2 to {}, found {}",
                      file_.string(),
                      most,
                      value));
    }
    return static_cast<std::size_t>(value);
  }

  // Whether the grid has the end of a segment, if the file says it.
  std::optional<bool> include_end() const {
    const auto entry = entries_.find("include_end");
    if (entry == entries_.end()) {
      return std::nullopt;
    }
    if (entry->second != "true" && entry->second != "false") {
      throw DataError(fmt::format("{}: metadata 'include_end': expected true or false, found '{}'",
                                  file_.string(),
                                  entry->second));
    }
    return entry->second == "true";
  }

  template <class Enum>
  Enum name(const std::string& key) const {
    const std::string& value = text(key);
    try {
      return named<Enum>(value);
    } catch (const UsageError& error) {
      throw DataError(fmt::format("{}: metadata '{}': {}", file_.string(), key, error.what()));
    }
  }

  Problem problem() const {
    const std::string& json = text("problem");
    try {
      return problem_from_json(Json::parse(json));
    } catch (const Json::exception& error) {
      throw DataError(fmt::format("{}: metadata 'problem': {}", file_.string(), error.what()));
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", file_.string(), error.what()));
    }
  }

 private:
  const std::filesystem::path& file_;
  const std::map<std::string, std::string>& entries_;
};

// The same, as the run says it whose paths the file is among.
std::optional<bool> include_end_of_run(const std::filesystem::path& file) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const std::filesystem::path config = folder.parent_path() / run_files::config;
  if (folder.filename() != run_files::paths || !std::filesystem::exists(config)) {
    return std::nullopt;
  }
  const Json json = read_json(config);
  if (!json.is_object() || !json.contains("include_end")) {
    return std::nullopt;
  }
  const Json& value = json["include_end"];
  if (!value.is_boolean()) {
    throw DataError(fmt::format(
        "{}: expected true or false as \"include_end\", found {}", config.string(), value.dump()));
  }
  return value.get<bool>();
}

}  // namespace

SavedPath load_path(const std::filesystem::path& file,
                    const std::optional<Split>& split,
                    const std::optional<Metric>& metric,
                    const std::optional<double>& threshold,
                    const std::optional<std::filesystem::path>& data_folder) {
  SavedPath loaded{.path = read_path(file), .problem = {}, .objective = nullptr};
  const Metadata metadata(file, loaded.path.metadata);
  loaded.problem = metadata.problem();
  loaded.threshold = threshold.value_or(metadata.number("threshold"));
  loaded.tolerance = threshold ? 1.0 : metadata.number("tolerance");
  loaded.points = metadata.points();
  std::optional<bool> include_end = metadata.include_end();
  if (!include_end) {
    include_end = include_end_of_run(file);
  }
  loaded.include_end = include_end.value_or(true);
  loaded.split = split ? *split : metadata.name<Split>("split");
  loaded.metric = metric ? *metric : metadata.name<Metric>("metric");
  if (threshold) {
    validate_threshold(*threshold, loaded.metric);
  }
  loaded.objective = make_objective(loaded.problem, load_data(loaded.problem, data_folder));
  if (to_json(loaded.objective->layout()) != to_json(loaded.path.layout)) {
    throw DataError(fmt::format("{}: its layout is not that of its network", file.string()));
  }
  if (!loaded.objective->supports(loaded.metric)) {
    throw UsageError(fmt::format("metric: {} cannot be computed for the task {}",
                                 name_of(loaded.metric),
                                 loaded.problem.task));
  }
  return loaded;
}

}  // namespace isthmus
