// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "isthmus/objective/network_context.h"

namespace isthmus {

/// Computes on a network objective, with an engine of its own.
std::unique_ptr<Evaluator> make_network_evaluator(std::shared_ptr<NetworkContext> context);

}  // namespace isthmus
