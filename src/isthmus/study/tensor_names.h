// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/data/safetensors.h"
#include "isthmus/net/network.h"

namespace isthmus {

/// What the user says of the tensors of a file: their names there, and what each is called in the
/// network, as write_network_weights calls it; nothing: it is left out.
using TensorNames = std::map<std::string, std::optional<std::string>>;

/// Reads an object {"name in the file": "name in the network" or null}. Throws MissingInput, and
/// DataError for anything else, a name that is there twice among it.
TensorNames read_tensor_names(const std::filesystem::path& file);

/// The second bias of an lstm, "bias_hh_l0", which is added to its first.
bool has_second_bias(const Tensor& tensor);
std::string second_bias_of(std::string name);
/// The name under which a tied weight is written once more.
std::optional<std::string> tied_name(const Network& network);

/// All names that a tensor of the network can have in a file, with their shapes.
using Shapes = std::map<std::string, Shape>;
Shapes tensor_shapes(const Network& network);

/// The tensors of a file under the names of a network.
struct RenamedTensors {
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::string> in_file;  ///< what they are called there
};

/// Calls the tensors as `names` says. Those of which it says nothing have the network's names
/// already, perhaps behind a prefix that all of them share ("model."), or stay as they are.
/// Throws DataError that lists what is in `names` and neither in the file nor in the network, two
/// tensors that would be one, and tensors of another shape than the network's; messages do not name
/// the file.
RenamedTensors rename_tensors(const std::vector<TensorInfo>& tensors,
                              const TensorNames& names,
                              const Network& network);

}  // namespace isthmus
