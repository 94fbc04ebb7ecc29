// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/options.h"
#include "isthmus/net/network.h"
#include "isthmus/study/options.h"

namespace isthmus {

/// What decides the numbers of a run of components.
struct ComponentsOptions {
  /// Task, thresholds, seed, trainings and strings; its pairs are not looked at.
  StudyOptions study;
  std::size_t networks = 10;
  /// Hidden units of each layer, one graph for each: of networks of dense layers alone. None: the
  /// task's own.
  std::vector<std::size_t> widths{};

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// What a run of components is told beside its study.
const OptionTable<ComponentsOptions>& components_option_table();

/// The study of one width; nothing: of the task's own network. It has as many pairs as any run may
/// have, so that cells do not depend on how many networks there are.
StudyOptions study_of(const ComponentsOptions& options, std::optional<std::size_t> width);

/// Hidden units of each layer, where all layers are dense and have as many.
std::optional<std::size_t> width_of(Network network);

/// The configuration that a run of these options keeps: see RunDirectory.
Json run_configuration(const ComponentsOptions& options);

}  // namespace isthmus
