// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "isthmus/net/network.h"
#include "isthmus/study/tensor_names.h"

namespace isthmus {

/// A network of the user's own, read from a file.
struct LoadedNetwork {
  std::vector<float> theta;  ///< (P)
  /// What was not as the network has it, a sentence each that begins with the file: numbers that
  /// were converted, a prefix, other names, the two biases of a torch.nn.LSTM that were added.
  std::vector<std::string> notes;
  /// What the tensors that write_network_weights writes are called in the file, where that is
  /// something else; "": it has no such tensor (one of the two biases, or of two tied weights).
  std::map<std::string, std::string> names{};
};

/// Reads a flat parameter vector from a safetensors file that holds the tensors of the network and
/// no other, under the names that match_state_dict knows, or as `names` says (see rename_tensors; a
/// file that has the network's own names and none of these is read without them). Two biases are
/// added in double and rounded once. Throws DataError that names each missing, extra, wrongly
/// shaped or non-finite tensor with what was expected and found, or a tied weight whose two copies
/// differ; MissingInput.
LoadedNetwork read_network_weights(const std::filesystem::path& file,
                                   const Network& network,
                                   const TensorNames& names = {});

/// Writes such a file, so that load_state_dict() of the same torch.nn.Sequential takes it: with
/// each lstm's second bias, "bias_hh_l0", of zeros, and a tied weight under both its names. A
/// tensor that `names` has is called as it says, "": left out. Throws WriteError, and UsageError
/// where two are called the same.
void write_network_weights(const std::filesystem::path& file,
                           std::span<const float> theta,
                           const Network& network,
                           const std::map<std::string, std::string>& metadata,
                           const std::map<std::string, std::string>& names = {});

}  // namespace isthmus
