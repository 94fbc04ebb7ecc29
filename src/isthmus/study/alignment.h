// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/core/stop.h"
#include "isthmus/net/symmetry/symmetry.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// How the units of two networks are told to correspond (docs/symmetry.md).
enum class AlignMethod {
  weights,      ///< least distance, see match_weights()
  activations,  ///< largest correlation on data, see match_activations()
};

template <>
inline constexpr auto enum_names<AlignMethod> = name_table<AlignMethod>(
    "method", {{AlignMethod::weights, "weights"}, {AlignMethod::activations, "activations"}});

struct AlignOptions {
  AlignMethod method = AlignMethod::weights;
  std::uint64_t seed = 1;
  std::size_t restarts = 10;   ///< weights alone
  std::size_t samples = 1000;  ///< activations alone: training samples, at least that many if there
                               ///< are as many
};

/// A network of the function of B, as close to A as the method brought it.
struct Alignment {
  /// B is A with its units moved and scaled: then `theta` is A, up to rounding.
  bool twins = false;
  Symmetry symmetry{};         ///< applied to b gives `theta`
  std::vector<float> theta{};  ///< (P)
  double distance_before = 0.0;
  double distance = 0.0;
};

/// What a run keeps of them.
Json to_json(const SymmetryExtent& extent);
Json to_json(const Alignment& alignment);

/// Looks first whether the two are twins, and aligns them by the method if they are not. a, b (P).
/// Throws UsageError if the network has no hidden units to align, or the objective no network;
/// Interrupted when `stop` is raised.
Alignment align(const Objective& objective,
                std::span<const float> a,
                std::span<const float> b,
                const AlignOptions& options,
                const Stop* stop = nullptr);

}  // namespace isthmus
