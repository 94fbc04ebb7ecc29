// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "isthmus/objective/objective.h"

namespace isthmus {

/// Batches that say which samples they have (BatchView::indices) and nothing else, for objectives
/// whose samples another program holds: those that a network objective on as many samples would
/// take for the same seed, stream and batch size. With a batch size of 0 all `samples` at every
/// step, without indices: a constant batch. Throws UsageError for a batch larger than an epoch.
std::unique_ptr<BatchSource> make_index_batches(std::size_t samples,
                                                std::size_t batch_size,
                                                std::uint64_t seed,
                                                std::uint64_t stream);

}  // namespace isthmus
