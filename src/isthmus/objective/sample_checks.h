// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "isthmus/objective/network_objective.h"

namespace isthmus {

/// Samples fit the network, the loss and the augmentation of `options`; `where` names the split in
/// messages. Throws UsageError that names what does not fit.
void validate_samples(const Samples& samples,
                      std::string_view where,
                      const NetworkObjectiveOptions& options);

/// `order` holds every index in [0, count) once. Throws UsageError.
void validate_order(std::span<const std::uint32_t> order, std::size_t count);

}  // namespace isthmus
