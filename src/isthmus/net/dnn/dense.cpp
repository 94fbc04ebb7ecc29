// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <utility>

#include "isthmus/net/dnn/parameter.h"

namespace isthmus::dnn {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

constexpr auto f32 = memory::data_type::f32;

// Products of plain row-major matrices: parameters and gradients are used where they lie.
// Reordering the weights of a wide layer into oneDNN's blocked form costs as much as half the
// product.
class Dense final : public Stage {
 public:
  Dense(const Site& site, const Linear& linear);

  void load(const Step& step) override;
  void forward(const Step& step) override { forward_(step.stream); }
  void backward(const Step& step) override;
  const Blob& output() const { return output_; }

 private:
  Blob output_;
  std::optional<Activation::Kind> fused_;
  Parameter weight_;
  std::optional<Parameter> bias_;
  std::optional<Parameter> untransposed_;  // the same weights, for backward_data_
  std::optional<Parameter> weight_gradient_;
  std::size_t bias_offset_ = 0;
  Call forward_;
  Call backward_data_;
  Call backward_weight_;
};

Dense::Dense(const Site& site, const Linear& linear)
    : fused_(site.fused),
      weight_(site,
              *site.weight,
              {{extent(site.input.channels), extent(linear.out_features)}, f32, Tag::ba}) {
  const Blob& input = site.input;
  Workspace& workspace = site.workspace;
  Blob shape = input;
  shape.channels = linear.out_features;
  output_ =
      make_blob(workspace, shape, flat_desc(input.count, linear.out_features), site.training());
  if (site.bias != nullptr) {
    bias_offset_ = site.bias->offset;
    bias_.emplace(site, *site.bias, flat_desc(1, linear.out_features));
  }
  forward_ = product(workspace,
                     attributes_for(site),
                     input.value,
                     weight_.bound(),
                     bias_ ? &bias_->bound() : nullptr,
                     output_.value);
  if (!site.training()) {
    return;
  }
  const memory::dim rows = extent(input.count);
  const memory::dim in = extent(input.channels);
  const memory::dim out = extent(linear.out_features);
  const memory::desc untransposed({out, in}, f32, Tag::ab);
  weight_gradient_.emplace(site, *site.weight, untransposed);
  backward_weight_ = product(workspace,
                             attributes(),
                             workspace.view(output_.gradient, {{out, rows}, f32, Tag::ba}),
                             input.value,
                             nullptr,
                             weight_gradient_->bound());
  if (site.propagate) {
    untransposed_.emplace(site, *site.weight, untransposed);
    backward_data_ = product(
        workspace, attributes(), output_.gradient, untransposed_->bound(), nullptr, input.gradient);
  }
}

void Dense::load(const Step& step) {
  weight_.bind(step.theta);
  if (bias_) {
    bias_->bind(step.theta);
  }
  if (untransposed_) {
    untransposed_->bind(step.theta);
  }
  if (weight_gradient_) {
    weight_gradient_->bind(step.gradient);
  }
}

void Dense::backward(const Step& step) {
  if (fused_) {
    multiply_by_derivative(*fused_, output_.size(), output_.values(), output_.gradients());
  }
  if (bias_) {
    sum_rows(output_.count, output_.channels, output_.gradients(), step.gradient + bias_offset_);
  }
  backward_weight_(step.stream);
  if (backward_data_) {
    backward_data_(step.stream);
  }
}

}  // namespace

Call product(Workspace& workspace,
             const dnnl::primitive_attr& attr,
             const memory& left,
             const memory& right,
             const memory* bias,
             const memory& result) {
  const auto described =
      bias != nullptr
          ? describe<dnnl::matmul>(
                attr, left.get_desc(), right.get_desc(), bias->get_desc(), result.get_desc())
          : describe<dnnl::matmul>(attr, left.get_desc(), right.get_desc(), result.get_desc());
  std::vector<std::pair<int, memory>> arguments{
      {DNNL_ARG_SRC, left},
      {DNNL_ARG_WEIGHTS, right},
      {DNNL_ARG_DST, result},
      {DNNL_ARG_SCRATCHPAD, workspace.scratch(described.scratchpad_desc())}};
  if (bias != nullptr) {
    arguments.emplace_back(DNNL_ARG_BIAS, *bias);
  }
  return {dnnl::matmul(described), arguments};
}

void sum_rows(std::size_t count, std::size_t width, const float* rows, float* sums) {
  std::fill_n(sums, width, 0.0F);
  for (std::size_t i = 0; i < count; ++i, rows += width) {
    for (std::size_t j = 0; j < width; ++j) {
      sums[j] += rows[j];
    }
  }
}

Built build_linear(const Site& site, const Linear& linear) {
  auto stage = std::make_unique<Dense>(site, linear);
  const Blob output = stage->output();
  return {std::move(stage), output};
}

}  // namespace isthmus::dnn
