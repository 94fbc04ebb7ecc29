// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/data/safetensors.h"

namespace isthmus {

/// Where a tensor stands in a state_dict: what is before the last dot of its name, and behind it.
/// The layers of a torch.nn.LSTM, one module there, count as one each: "rnn.weight_ih_l1" is
/// "weight_ih_l0" of "rnn.l1".
struct TensorPlace {
  std::string module;
  std::string parameter;
};
TensorPlace place_of(const std::string& name);

/// "(4, 1)".
std::string shape_text(const std::vector<std::size_t>& shape);

/// A module of a file, or a layer of a network.
struct Module {
  std::string name;
  std::map<std::string, const TensorInfo*> file{};    ///< its tensors, by parameter
  std::map<std::string, const TensorInfo*> second{};  ///< to be added to those
  std::map<std::string, std::size_t> layout{};        ///< or, of a layer: their index in the layout
  std::string shapes{};  ///< all parameters with their shapes: what modules are compared by
};

/// Which module is which layer.
struct Assignment {
  std::vector<std::size_t> modules;  ///< of each layer
  std::string_view by;               ///< "", or what put modules of equal shapes in order
  std::vector<std::string> unclear;  ///< modules that nothing puts in order; then no more is said
};

/// Gives each layer the module of its shapes. Modules of equal shapes are taken in the order of the
/// numbers in their names, if nothing else differs between these and the same order holds for all
/// modules whose names differ from theirs in numbers alone; else in the order given, if
/// `order_counts` and all modules are in the order of the layers. Nothing if the shapes are not
/// those of the layers.
std::optional<Assignment> assign(const std::vector<Module>& modules,
                                 const std::vector<Module>& layers,
                                 bool order_counts);

}  // namespace isthmus
