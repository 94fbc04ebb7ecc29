// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// What a parameter tensor is: published lengths count weights alone.
enum class Role { weight, bias };

/// One tensor inside a flat parameter vector, row-major, in PyTorch's shape.
struct Tensor {
  std::string name;                ///< as in a torch.nn.Sequential, e.g. "3.weight"
  std::size_t offset = 0;          ///< of its first number in the flat vector
  std::vector<std::size_t> shape;  ///< e.g. (out, in) or (out, in, kh, kw); (out) for a bias
  Role role = Role::weight;

  std::size_t size() const;
};

/// The table of tensors of a flat parameter vector: contiguous, in order, without gaps.
class Layout {
 public:
  Layout() = default;
  /// Appends a tensor behind the last one.
  void add(std::string name, std::vector<std::size_t> shape, Role role);

  const std::vector<Tensor>& tensors() const { return tensors_; }
  /// P, the length of the flat vector.
  std::size_t dimension() const { return dimension_; }

 private:
  std::vector<Tensor> tensors_;
  std::size_t dimension_ = 0;
};

/// A JSON list of {name, offset, shape, role}.
Json to_json(const Layout& layout);
/// Reads such a list; throws DataError if it is malformed, or its tensors do not lie end to end.
Layout layout_from_json(const Json& json);

}  // namespace isthmus
