// SPDX-License-Identifier: MIT
#include "theory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus::app {

void check_count(const char* option, std::size_t value, std::size_t least, std::size_t most) {
  if (value < least || value > most) {
    throw UsageError(
        fmt::format("{}: expected at least {} and at most {}, got {}", option, least, most, value));
  }
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::vector<double> doubles_of(const SafetensorsFile& file,
                               const std::string& path,
                               const std::string& name) {
  const std::vector<float> values = file.read(name);
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    throw DataError(
        fmt::format("{}: {}: expected finite numbers, got NaN or infinity", path, name));
  }
  return {values.begin(), values.end()};
}

const TensorInfo& matrix_of(const SafetensorsFile& file,
                            const std::string& path,
                            const std::string& name) {
  const TensorInfo* tensor = file.find(name);
  if (tensor == nullptr || tensor->shape.size() != 2) {
    throw DataError(fmt::format("{}: expected a matrix '{}', got {}",
                                path,
                                name,
                                tensor == nullptr ? "no tensor of that name" : "another shape"));
  }
  return *tensor;
}

void add_theory(Context& context) {
  Parser* parser = context.parser->add_subcommand(
      "theory",
      "Build the paths that the paper's theorems promise, and evaluate them.\n\n"
      "Section 2 of Freeman & Bruna (2017), executable: the construction of each proof on given or "
      "random\n"
      "weights, the loss along it, and the bound beside it. docs/theory.md has the statements.");
  parser->require_subcommand(1);
  add_theory_linear(*parser, context);
  add_theory_kernel(*parser, context);
  add_theory_relu(*parser, context);
  add_theory_rate(*parser, context);
  add_theory_dropout(*parser, context);
  add_theory_risk(*parser, context);
}

}  // namespace isthmus::app
