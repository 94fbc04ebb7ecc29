// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/plan.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus::dnn {
namespace {

const Tensor* find(const Layout& layout, const std::string& name) {
  for (const Tensor& tensor : layout.tensors()) {
    if (tensor.name == name) {
      return &tensor;
    }
  }
  return nullptr;
}

const Activation* elementwise(const Layer* layer) {
  const auto* activation = layer == nullptr ? nullptr : std::get_if<Activation>(layer);
  return activation != nullptr && activation->kind != Activation::Kind::softmax ? activation
                                                                                : nullptr;
}

bool is_max_pool(const Layer* layer) {
  const auto* pool = layer == nullptr ? nullptr : std::get_if<Pool2d>(layer);
  return pool != nullptr && pool->kind == Pool2d::Kind::max;
}

}  // namespace

// Walks the layers and strings stages together, merging what can be: a layer with parameters
// applies the elementwise function behind it, and a maximum pool the derivative of the ReLU before
// it (four times fewer numbers for a 2 x 2 pool; the same result, since a maximum above zero is
// that of an active unit).
class Plan::Builder {
 public:
  Builder(Plan& plan, const Network& network, const Layout& layout, std::size_t streams, Mode mode)
      : plan_(plan), network_(network), layout_(layout), streams_(streams), mode_(mode) {}

  void run(std::size_t count, Last last);

 private:
  const Layer* layer(std::size_t index) const {
    return index < network_.layers.size() ? &network_.layers[index] : nullptr;
  }
  void add(std::size_t index);
  void add_weighted(std::size_t index);
  void add_head(std::size_t index);
  void add_embedding(std::size_t index, const Embedding& embedding);
  void add_lstm(std::size_t index, const Lstm& lstm);
  const Tensor* tensor(std::size_t index, const char* name) const {
    return find(layout_, std::to_string(index) + "." + name);
  }
  // The stage that comes next has parameters.
  void mark_trainable() {
    if (!trainable_) {
      plan_.first_trainable_ = plan_.stages_.size();
    }
  }
  // Of a layer with weights and perhaps biases.
  Site weighted_site(std::size_t index) {
    Site here = site();
    const auto* linear = std::get_if<Linear>(layer(index));
    here.weight = tensor(linear != nullptr && linear->tied ? 0 : index, "weight");
    here.bias = tensor(index, "bias");
    ISTHMUS_ASSERT(here.weight != nullptr, "a layer has no weight in the layout");
    mark_trainable();
    return here;
  }
  Site site() const {
    return {
        .workspace = plan_.workspace_, .mode = mode_, .input = current_, .propagate = trainable_};
  }
  void append(Built built) {
    plan_.stages_.push_back(std::move(built.stage));
    current_ = built.output;
  }

  Plan& plan_;
  const Network& network_;
  const Layout& layout_;
  std::size_t streams_;
  Mode mode_;
  Blob current_;
  std::size_t state_offset_ = 0;  // of the next Lstm
  bool trainable_ = false;        // a stage so far has parameters
  bool skip_next_ = false;        // the next layer is already applied
  bool relu_pending_ = false;     // the next stage, a pool, accounts for the ReLU's derivative
};

void Plan::Builder::add_weighted(std::size_t index) {
  const Layer* next = layer(index + 1);
  const Activation* activation = elementwise(next);
  Site here = weighted_site(index);
  if (activation != nullptr) {
    here.fused = activation->kind;
    skip_next_ = true;
  }
  if (const auto* linear = std::get_if<Linear>(layer(index))) {
    append(build_linear(here, *linear));
  } else {
    relu_pending_ = here.fused == Activation::Kind::relu && is_max_pool(layer(index + 2));
    append(build_convolution(here, std::get<Conv2d>(*layer(index)), relu_pending_));
  }
  trainable_ = true;
}

void Plan::Builder::add_head(std::size_t index) {
  plan_.head_.emplace(weighted_site(index), std::get<Linear>(*layer(index)));
}

void Plan::Builder::add_embedding(std::size_t index, const Embedding& embedding) {
  Site here = site();
  here.weight = tensor(index, "weight");
  mark_trainable();
  const bool tied = std::ranges::any_of(network_.layers, [](const Layer& layer) {
    const auto* linear = std::get_if<Linear>(&layer);
    return linear != nullptr && linear->tied;
  });
  append(build_embedding(here, embedding, tied));
  trainable_ = true;
}

void Plan::Builder::add_lstm(std::size_t index, const Lstm& lstm) {
  Site here = site();
  here.weight = tensor(index, "weight_ih_l0");
  here.recurrent = tensor(index, "weight_hh_l0");
  here.bias = tensor(index, "bias_ih_l0");
  mark_trainable();
  append(build_lstm(here, lstm, streams_, state_offset_));
  state_offset_ += 2 * streams_ * lstm.features;
  trainable_ = true;
}

void Plan::Builder::add(std::size_t index) {
  if (std::exchange(skip_next_, false)) {
    return;
  }
  const Layer& here = *layer(index);
  if (std::holds_alternative<Linear>(here) || std::holds_alternative<Conv2d>(here)) {
    add_weighted(index);
  } else if (const auto* embedding = std::get_if<Embedding>(&here)) {
    add_embedding(index, *embedding);
  } else if (const auto* lstm = std::get_if<Lstm>(&here)) {
    add_lstm(index, *lstm);
  } else if (const auto* norm = std::get_if<LocalResponseNorm>(&here)) {
    append(build_norm(site(), *norm));
  } else if (const auto* pool = std::get_if<Pool2d>(&here)) {
    append(build_pool(site(), *pool, std::exchange(relu_pending_, false)));
  } else if (const auto* activation = std::get_if<Activation>(&here)) {
    append(build_activation(site(), activation->kind));
  } else if (const auto* dropout = std::get_if<Dropout>(&here)) {
    if (mode_ == Mode::training) {
      append(build_dropout(site(), *dropout));
    }
  } else {
    append(build_flatten(site()));
  }
}

void Plan::Builder::run(std::size_t count, Last last) {
  const Shape& input = network_.input;
  current_.count = count;
  current_.flat = input.size() == 1;
  if (input.size() == 3) {
    current_.channels = input[0];
    current_.height = input[1];
    current_.width = input[2];
  } else {
    current_.channels =
        std::accumulate(input.begin(), input.end(), std::size_t{1}, std::multiplies<>());
  }
  const dnnl::memory::desc desc = current_.flat
                                      ? flat_desc(count, current_.channels)
                                      : image_desc(current_, dnnl::memory::format_tag::nchw);
  const dnnl::memory unbound = plan_.workspace_.unbound(desc);
  current_.value = plan_.workspace_.view(unbound, desc);
  const std::size_t layers = network_.layers.size();
  for (std::size_t i = 0; i < layers; ++i) {
    last == Last::cross_entropy&& i + 1 == layers ? add_head(i) : add(i);
  }
  if (!plan_.head_) {
    append(build_flatten(site()));  // outputs of a network that ends in images
    plan_.output_ = current_;
  }
  plan_.workspace_.seal();
}

Plan::Plan(const Network& network,
           const Layout& layout,
           std::size_t count,
           std::size_t streams,
           Mode mode,
           Last last) {
  Builder(*this, network, layout, streams, mode).run(count, last);
}

void Plan::load(const Step& step) {
  for (const auto& stage : stages_) {
    stage->load(step);
  }
}

const float* Plan::forward(const Step& step, const float* inputs) {
  workspace_.bind_input(inputs);
  for (const auto& stage : stages_) {
    stage->forward(step);
  }
  return output_.values();
}

double Plan::cross_entropy(const Step& step, const BatchView& batch, double scale) {
  workspace_.bind_input(batch.inputs);
  for (const auto& stage : stages_) {
    stage->forward(step);
  }
  return head_->forward(step, batch, scale);
}

void Plan::backward(const Step& step) {
  if (head_) {
    head_->backward(step);
  }
  for (std::size_t i = stages_.size(); i > first_trainable_; --i) {
    stages_[i - 1]->backward(step);
  }
}

}  // namespace isthmus::dnn
