// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "context.h"
#include "isthmus/data/safetensors.h"
#include "theory_series.h"

namespace isthmus::app {

/// The subcommands of `isthmus theory`, a file each.
void add_theory_linear(Parser& theory, Context& context);
void add_theory_kernel(Parser& theory, Context& context);
void add_theory_relu(Parser& theory, Context& context);
void add_theory_rate(Parser& theory, Context& context);
void add_theory_dropout(Parser& theory, Context& context);
void add_theory_risk(Parser& theory, Context& context);

/// The network 1-1-1, for which the printed Proposition 2.2 fails, and what one more unit changes.
void print_linear_counterexample(std::size_t points, bool json);

/// Throws UsageError that names the option and its range.
void check_count(const char* option, std::size_t value, std::size_t least, std::size_t most);

/// The upper median of numbers, of which there is at least one.
double median(std::vector<double> values);

/// The most random instances of a series, and numbers of the samples of one.
inline constexpr std::size_t most_instances = 1'000'000;
inline constexpr std::size_t most_numbers = 100'000'000;

/// The numbers of a tensor of `path`. Throws DataError for those that are not finite.
std::vector<double> doubles_of(const SafetensorsFile& file,
                               const std::string& path,
                               const std::string& name);

/// Throws DataError unless the tensor is there and is a matrix.
const TensorInfo& matrix_of(const SafetensorsFile& file,
                            const std::string& path,
                            const std::string& name);

}  // namespace isthmus::app
