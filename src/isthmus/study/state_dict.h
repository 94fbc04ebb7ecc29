// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/data/safetensors.h"
#include "isthmus/net/network.h"

namespace isthmus {

/// Where the numbers of one tensor of a network lie in a file.
struct TensorSource {
  std::string name;    ///< in the file
  std::string second;  ///< another of the same shape that is added to it (bias_hh_l0); mostly empty
};

/// How the tensors of a file are those of a network.
struct StateDict {
  std::vector<TensorSource> sources;  ///< of each tensor of the network's layout, in its order
  /// Two tensors of the file that are one in the network, tied, and must hold the same numbers.
  std::optional<std::pair<std::string, std::string>> tied;
  /// What was not as the network has it, in words for the user: a prefix, other names.
  std::vector<std::string> notes;
};

/// Finds the tensors of a network in a PyTorch state_dict:
///   - under the names of a torch.nn.Sequential of the same layers ("3.weight"), exactly;
///   - under these names behind a prefix that all tensors share ("_orig_mod.", "module.model.");
///   - under other names, module by module: a module (what stands before the last dot) is the layer
///     whose parameters have the same names and shapes. Where several layers are alike, modules
///     whose names differ in numbers alone are taken in the order of the numbers ("fc2" before
///     "fc10"); others in the order of their data, if the file is not simply sorted by name and all
///     of its modules lie in the order of the layers. Layer k of a torch.nn.LSTM is the k-th lstm
///     of the network.
///   - if its names have no such parameters, tensor by tensor, by the same rules.
/// bias_hh_l0 is added to bias_ih_l0. The weight of a tied layer may be there as the embedding's,
/// as its own, or as both.
/// Throws DataError that names each missing, extra, wrongly shaped or unreadable tensor, or those
/// of which it cannot be told which is which; messages do not name the file.
StateDict match_state_dict(const std::vector<TensorInfo>& tensors, const Network& network);

}  // namespace isthmus
