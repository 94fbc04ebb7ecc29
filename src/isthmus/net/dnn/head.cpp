// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/head.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/net/dnn/loops.h"
#include "isthmus/net/dnn/loss.h"
#include "isthmus/net/dnn/parameter.h"

namespace isthmus::dnn {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

constexpr auto f32 = memory::data_type::f32;

// Outputs of a tile: with 400 samples of 200 features a tile and its weights are 900 KB.
constexpr std::size_t tile_width = 384;
// From here on the logits of a batch leave the cache.
constexpr std::size_t least_outputs = 4 * tile_width;

memory::desc transposed(std::size_t rows, std::size_t columns) {
  return {{extent(rows), extent(columns)}, f32, Tag::ba};
}

}  // namespace

bool Head::suits(const Network& network) {
  const auto* linear =
      network.layers.empty() ? nullptr : std::get_if<Linear>(&network.layers.back());
  return linear != nullptr && linear->out_features >= least_outputs;
}

Head::Head(const Site& site, const Linear& linear)
    : count_(site.input.count),
      features_(site.input.channels),
      outputs_(linear.out_features),
      training_(site.training()),
      has_bias_(site.bias != nullptr),
      weight_offset_(site.weight->offset),
      bias_offset_(has_bias_ ? site.bias->offset : 0),
      input_(site.input),
      labels_(count_),
      largest_(count_),
      sums_(count_),
      chosen_(count_) {
  const std::size_t tiles = (outputs_ + tile_width - 1) / tile_width;
  logits_ = site.workspace.make(flat_desc(count_, training_ ? outputs_ : tile_width));
  references_.resize(training_ ? tiles * count_ : 0);
  bias_gradient_.resize(has_bias_ ? 0 : tile_width);
  whole_ = make_tile(site, tile_width);
  if (outputs_ % tile_width != 0) {
    rest_ = make_tile(site, outputs_ % tile_width);
  }
}

Head::Tile Head::make_tile(const Site& site, std::size_t width) const {
  Workspace& workspace = site.workspace;
  Tile made;
  made.width = width;
  made.weight = workspace.unbound(transposed(features_, width));
  made.bias = workspace.unbound(flat_desc(1, width));
  made.values = workspace.unbound(flat_desc(count_, width));
  made.forward = product(workspace,
                         attributes(),
                         input_.value,
                         made.weight,
                         has_bias_ ? &made.bias : nullptr,
                         made.values);
  if (!training_) {
    return made;
  }
  made.values_transposed = workspace.unbound(transposed(width, count_));
  made.weight_gradient = workspace.unbound(flat_desc(width, features_));
  made.backward_weight = product(
      workspace, attributes(), made.values_transposed, input_.value, nullptr, made.weight_gradient);
  if (site.propagate) {
    made.untransposed = workspace.unbound(flat_desc(width, features_));
    made.backward_data = product(
        workspace, attributes_adding(), made.values, made.untransposed, nullptr, input_.gradient);
  }
  return made;
}

Head::Tile& Head::tile(std::size_t index) {
  return (index + 1) * tile_width <= outputs_ ? whole_ : rest_;
}

float* Head::values(std::size_t index) const {
  return static_cast<float*>(logits_.get_data_handle()) +
         (training_ ? index * tile_width * count_ : 0);
}

double Head::forward(const Step& step, const BatchView& batch, double scale) {
  scale_ = scale;
  weights_ = batch.weights;
  for (std::size_t i = 0; i < count_; ++i) {
    labels_[i] = label_of(batch, i, outputs_);
  }
  std::ranges::fill(largest_, std::numeric_limits<float>::lowest());
  std::ranges::fill(sums_, 0.0);
  for (std::size_t first = 0, index = 0; first < outputs_; first += tile_width, ++index) {
    Tile& part = tile(index);
    // oneDNN has no memory objects of constants.
    part.weight.set_data_handle(
        const_cast<float*>(step.theta + weight_offset_ + first * features_));
    if (has_bias_) {
      part.bias.set_data_handle(const_cast<float*>(step.theta + bias_offset_ + first));
    }
    part.values.set_data_handle(values(index));
    part.forward(step.stream);
    add_powers(index, part.width);
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < count_; ++i) {
    const double loss = std::log(sums_[i]) - (chosen_[i] - static_cast<double>(largest_[i]));
    if (batch.sample_losses != nullptr) {
      batch.sample_losses[i] = static_cast<float>(loss);
    }
    sum += weights_ == nullptr ? loss : static_cast<double>(weights_[i]) * loss;
  }
  return sum;
}

void Head::add_powers(std::size_t index, std::size_t width) {
  const Loops& loop = loops();
  const std::size_t first = index * tile_width;
  float* row = values(index);
  for (std::size_t i = 0; i < count_; ++i, row += width) {
    if (labels_[i] >= first && labels_[i] < first + width) {
      chosen_[i] = static_cast<double>(row[labels_[i] - first]);
    }
    const float largest = loop.largest_of_many(width, row);
    if (largest > largest_[i]) {
      sums_[i] *= std::exp(static_cast<double>(largest_[i]) - static_cast<double>(largest));
      largest_[i] = largest;
    }
    sums_[i] += loop.powers_in_place(width, largest_[i], row);
    if (training_) {
      references_[index * count_ + i] = largest_[i];
    }
  }
}

void Head::differentiate(std::size_t index, std::size_t width, float* bias_gradient) {
  const Loops& loop = loops();
  const std::size_t first = index * tile_width;
  std::fill_n(bias_gradient, width, 0.0F);
  float* row = values(index);
  for (std::size_t i = 0; i < count_; ++i, row += width) {
    const double share = std::exp(static_cast<double>(references_[index * count_ + i]) -
                                  static_cast<double>(largest_[i]));
    const double scale = weights_ == nullptr ? scale_ : scale_ * static_cast<double>(weights_[i]);
    const auto hit = static_cast<float>(scale);
    loop.scale_row(width, static_cast<float>(scale * share / sums_[i]), row, bias_gradient);
    if (labels_[i] >= first && labels_[i] < first + width) {
      row[labels_[i] - first] -= hit;
      bias_gradient[labels_[i] - first] -= hit;
    }
  }
}

void Head::backward(const Step& step) {
  const bool propagate = static_cast<bool>(whole_.backward_data);
  if (propagate) {
    std::fill_n(input_.gradients(), input_.size(), 0.0F);
  }
  for (std::size_t first = 0, index = 0; first < outputs_; first += tile_width, ++index) {
    Tile& part = tile(index);
    differentiate(index,
                  part.width,
                  has_bias_ ? step.gradient + bias_offset_ + first : bias_gradient_.data());
    part.values_transposed.set_data_handle(values(index));
    part.weight_gradient.set_data_handle(step.gradient + weight_offset_ + first * features_);
    part.backward_weight(step.stream);
    if (propagate) {
      part.values.set_data_handle(values(index));
      part.untransposed.set_data_handle(
          const_cast<float*>(step.theta + weight_offset_ + first * features_));
      part.backward_data(step.stream);
    }
  }
}

}  // namespace isthmus::dnn
