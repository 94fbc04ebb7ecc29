// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/net/dnn/stage.h"

namespace isthmus::dnn {

/// A tensor inside the flat vectors of parameters and of gradients, whose addresses change with
/// every call.
class Parameter {
 public:
  Parameter(const Site& site, const Tensor& tensor, const dnnl::memory::desc& desc)
      : offset_(tensor.offset), memory_(site.workspace.unbound(desc)) {}

  const dnnl::memory& bound() const { return memory_; }
  /// For reading only: oneDNN has no memory objects of constants.
  void bind(const float* flat) const {
    memory_.set_data_handle(const_cast<float*>(flat + offset_));
  }
  void bind(float* flat) const { memory_.set_data_handle(flat + offset_); }

 private:
  std::size_t offset_;
  dnnl::memory memory_;
};

/// Attributes of a forward primitive of a site: with the function it applies itself, if any.
inline dnnl::primitive_attr attributes_for(const Site& site) {
  return site.fused ? attributes_with(*site.fused) : attributes();
}

/// result = left right (+ bias, one row), with what `attr` does to it. Row-major or transposed.
Call product(Workspace& workspace,
             const dnnl::primitive_attr& attr,
             const dnnl::memory& left,
             const dnnl::memory& right,
             const dnnl::memory* bias,
             const dnnl::memory& result);

/// sums (width) of rows (count, width).
void sum_rows(std::size_t count, std::size_t width, const float* rows, float* sums);

inline dnnl::memory::dim extent(std::size_t value) {
  return static_cast<dnnl::memory::dim>(value);
}

}  // namespace isthmus::dnn
