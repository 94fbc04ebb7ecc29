// SPDX-License-Identifier: MIT
#include "isthmus/path/path_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/safetensors.h"

namespace isthmus {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw DataError(fmt::format("{}: not a path of isthmus: {}", file.string(), what));
}

Layout layout_in(const std::filesystem::path& file, const PathFile& path) {
  const auto entry = path.metadata.find("layout");
  if (entry == path.metadata.end()) {
    refuse(file, "its metadata have no 'layout'");
  }
  try {
    return layout_from_json(Json::parse(entry->second));
  } catch (const Json::exception& error) {
    refuse(file, fmt::format("its layout is not valid JSON ({})", error.what()));
  } catch (const DataError& error) {
    refuse(file, error.what());
  }
}

}  // namespace

void write_path(const std::filesystem::path& file, const PathFile& path) {
  std::map<std::string, std::string> metadata = path.metadata;
  metadata["format"] = path_format;
  metadata["layout"] = to_json(path.layout).dump();
  const NamedTensor theta{.name = "theta",
                          .shape = {path.path.size(), path.path.dimension},
                          .pieces = {path.path.beads}};
  write_safetensors(file, {&theta, 1}, metadata);
}

bool is_path_file(const std::filesystem::path& file) {
  try {
    return std::filesystem::exists(file) && SafetensorsFile(file).find("theta") != nullptr;
  } catch (const DataError&) {
    return false;
  }
}

PathFile read_path(const std::filesystem::path& file) {
  const SafetensorsFile tensors(file);
  PathFile path;
  path.metadata = tensors.metadata();
  const auto format = path.metadata.find("format");
  if (format == path.metadata.end() || format->second != path_format) {
    refuse(file,
           fmt::format("expected format {}, found {}",
                       path_format,
                       format == path.metadata.end() ? "none" : "'" + format->second + "'"));
  }
  const TensorInfo* theta = tensors.find("theta");
  if (theta == nullptr || theta->shape.size() != 2 || theta->shape[0] < 2 || theta->shape[1] == 0) {
    refuse(file,
           theta == nullptr ? "it has no tensor 'theta'"
                            : fmt::format("theta: expected a shape (M, P) with M >= 2, found ({})",
                                          fmt::join(theta->shape, ", ")));
  }
  path.layout = layout_in(file, path);
  path.path.dimension = theta->shape[1];
  if (path.layout.dimension() != path.path.dimension) {
    refuse(file,
           fmt::format("its layout has {} parameters, its beads have {}",
                       path.layout.dimension(),
                       path.path.dimension));
  }
  path.path.beads = tensors.read("theta");
  path.conversion = tensors.conversion();
  for (std::size_t i = 0; i < path.path.beads.size(); ++i) {
    if (!std::isfinite(path.path.beads[i])) {
      refuse(file,
             fmt::format(
                 "theta[{}, {}] is not finite", i / path.path.dimension, i % path.path.dimension));
    }
  }
  return path;
}

}  // namespace isthmus
