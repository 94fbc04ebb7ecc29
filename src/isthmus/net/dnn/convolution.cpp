// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "isthmus/net/dnn/parameter.h"
#include "isthmus/net/window.h"

namespace isthmus::dnn {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

constexpr auto f32 = memory::data_type::f32;

// The extents of one convolution as oneDNN wants them.
struct Extents {
  memory::dims weight;
  memory::dims strides;
  memory::dims before;  // padding above and to the left
  memory::dims after;
};

Extents extents_of(const Conv2d& conv, const Blob& input) {
  const Window window = window_of(conv);
  const Window::Axis rows = window.rows(input.height);
  const Window::Axis columns = window.columns(input.width);
  return {.weight = {extent(conv.out_channels),
                     extent(input.channels),
                     extent(conv.kernel),
                     extent(conv.kernel)},
          .strides = {extent(conv.stride), extent(conv.stride)},
          .before = {extent(rows.before), extent(columns.before)},
          .after = {extent(rows.after), extent(columns.after)}};
}

Blob shape_after(const Conv2d& conv, const Blob& input) {
  const Window window = window_of(conv);
  Blob output = input;
  output.channels = conv.out_channels;
  output.height = window.rows(input.height).output;
  output.width = window.columns(input.width).output;
  output.order = Tag::nchw;  // until the primitives are chosen
  return output;
}

// Values of a parameter in the order that a primitive wants, copied from the flat vector or to it.
struct Ordered {
  memory ordered;  // the flat vector's own memory if the order is PyTorch's
  Call copy;
};

// `back`: from the primitive's order to the flat vector's.
Ordered order(Workspace& workspace, const memory& plain, const memory::desc& wanted, bool back) {
  if (wanted == plain.get_desc()) {
    return {plain, {}};
  }
  const memory ordered = workspace.make(wanted);
  return {ordered, back ? reorder(workspace, ordered, plain) : reorder(workspace, plain, ordered)};
}

// The shape of a convolution in oneDNN's terms, with the orders in memory left open.
struct Question {
  Extents window;
  memory::desc weight;
  memory::desc bias;  // empty if there is none
  const Blob& output;
};

// Three primitives that agree on the order of source and destination.
struct Answer {
  dnnl::convolution_forward::primitive_desc forward;
  dnnl::convolution_backward_weights::primitive_desc weights;  // in training
  dnnl::convolution_backward_data::primitive_desc data;        // if derivatives go on
  int slow = 0;  // how many of them are oneDNN's reference loops, hundreds of times slower
};

// Lets oneDNN choose its kernel by the shape alone. Training kernels serve evaluation too: those
// chosen for inference were no faster, and want channels last, which the layers around do not.
constexpr auto direction = dnnl::prop_kind::forward_training;
constexpr auto algorithm = dnnl::algorithm::convolution_auto;

struct Orders {
  Tag source, destination;
};

bool is_reference(std::string_view implementation) {
  return implementation.substr(0, 3) == "ref";
}

Answer ask(const Site& site, const Question& question, Orders orders) {
  const auto& [window, weight, bias, output] = question;
  const memory::desc source = image_desc(site.input, orders.source);
  const memory::desc destination = image_desc(output, orders.destination);
  Answer answer;
  answer.forward = describe<dnnl::convolution_forward>(attributes_for(site),
                                                       direction,
                                                       algorithm,
                                                       source,
                                                       weight,
                                                       bias,
                                                       destination,
                                                       window.strides,
                                                       window.before,
                                                       window.after);
  answer.slow += is_reference(answer.forward.impl_info_str());
  if (!site.training()) {
    return answer;
  }
  answer.weights = describe_backward<dnnl::convolution_backward_weights>(attributes(),
                                                                         answer.forward,
                                                                         algorithm,
                                                                         answer.forward.src_desc(),
                                                                         weight,
                                                                         bias,
                                                                         answer.forward.dst_desc(),
                                                                         window.strides,
                                                                         window.before,
                                                                         window.after);
  answer.slow += is_reference(answer.weights.impl_info_str());
  if (site.propagate) {
    answer.data = describe_backward<dnnl::convolution_backward_data>(attributes(),
                                                                     answer.forward,
                                                                     algorithm,
                                                                     answer.forward.src_desc(),
                                                                     weight,
                                                                     answer.forward.dst_desc(),
                                                                     window.strides,
                                                                     window.before,
                                                                     window.after);
    answer.slow += is_reference(answer.data.impl_info_str());
  }
  return answer;
}

// oneDNN's own choice looks at the forward pass alone; with few channels it may leave the backward
// passes no fast kernel, so other orders of source and destination are tried then.
Answer choose(const Site& site, const Question& question) {
  constexpr Orders others[] = {{Tag::nChw16c, Tag::any},
                               {Tag::nhwc, Tag::nhwc},
                               {Tag::nChw8c, Tag::any},
                               {Tag::nchw, Tag::nchw}};
  Answer best = ask(site, question, {Tag::any, Tag::any});
  for (const Orders& orders : others) {
    if (best.slow == 0) {
      break;
    }
    try {
      const Answer next = ask(site, question, orders);
      if (next.slow < best.slow) {
        best = next;
      }
    } catch (const dnnl::error&) {  // no such kernel
    }
  }
  return best;
}

class Convolution final : public Stage {
 public:
  Convolution(const Site& site, const Conv2d& conv, bool gradient_masked);

  void load(const Step& step) override;
  void forward(const Step& step) override;
  void backward(const Step& step) override;
  const Blob& output() const { return output_; }

 private:
  void build_forward(const Site& site, const Question& question, const Answer& answer);
  void build_backward(const Site& site, const Question& question, const Answer& answer);

  Built relayout_;  // of the input, where the primitives want another order
  Blob output_;
  std::optional<Activation::Kind> fused_;  // whose derivative is accounted for here
  std::optional<Parameter> weight_;
  std::optional<Parameter> bias_;
  std::optional<Parameter> weight_gradient_;
  std::optional<Parameter> bias_gradient_;
  Call load_forward_;
  Call load_backward_;
  Call store_gradient_;
  Call forward_;
  Call backward_data_;
  Call backward_weight_;
};

Convolution::Convolution(const Site& site, const Conv2d& conv, bool gradient_masked) {
  if (!gradient_masked) {
    fused_ = site.fused;
  }
  const Blob shape = shape_after(conv, site.input);
  const Extents window = extents_of(conv, site.input);
  const Question question{.window = window,
                          .weight = {window.weight, f32, Tag::any},
                          .bias = site.bias != nullptr
                                      ? memory::desc({extent(conv.out_channels)}, f32, Tag::a)
                                      : memory::desc(),
                          .output = shape};
  const Answer answer = choose(site, question);
  relayout_.output = site.input;
  if (answer.forward.src_desc() != site.input.value.get_desc()) {
    relayout_ = build_relayout(site, answer.forward.src_desc());
  }
  output_ = make_blob(site.workspace, shape, answer.forward.dst_desc(), site.training());
  build_forward(site, question, answer);
  if (site.training()) {
    build_backward(site, question, answer);
  }
}

void Convolution::build_forward(const Site& site, const Question& question, const Answer& answer) {
  Workspace& workspace = site.workspace;
  weight_.emplace(site, *site.weight, memory::desc(question.window.weight, f32, Tag::oihw));
  const Ordered weight = order(workspace, weight_->bound(), answer.forward.weights_desc(), false);
  load_forward_ = weight.copy;
  std::vector<std::pair<int, memory>> arguments{
      {DNNL_ARG_SRC, relayout_.output.value},
      {DNNL_ARG_WEIGHTS, weight.ordered},
      {DNNL_ARG_DST, output_.value},
      {DNNL_ARG_SCRATCHPAD, workspace.scratch(answer.forward.scratchpad_desc())}};
  if (site.bias != nullptr) {
    bias_.emplace(site, *site.bias, question.bias);
    arguments.emplace_back(DNNL_ARG_BIAS, bias_->bound());
  }
  forward_ = Call(dnnl::convolution_forward(answer.forward), arguments);
}

void Convolution::build_backward(const Site& site, const Question& question, const Answer& answer) {
  Workspace& workspace = site.workspace;
  weight_gradient_.emplace(site, *site.weight, weight_->bound().get_desc());
  const Ordered gradient =
      order(workspace, weight_gradient_->bound(), answer.weights.diff_weights_desc(), true);
  store_gradient_ = gradient.copy;
  std::vector<std::pair<int, memory>> arguments{
      {DNNL_ARG_SRC, relayout_.output.value},
      {DNNL_ARG_DIFF_DST, output_.gradient},
      {DNNL_ARG_DIFF_WEIGHTS, gradient.ordered},
      {DNNL_ARG_SCRATCHPAD, workspace.scratch(answer.weights.scratchpad_desc())}};
  if (site.bias != nullptr) {
    bias_gradient_.emplace(site, *site.bias, question.bias);
    arguments.emplace_back(DNNL_ARG_DIFF_BIAS, bias_gradient_->bound());
  }
  backward_weight_ = Call(dnnl::convolution_backward_weights(answer.weights), arguments);
  if (!site.propagate) {
    return;
  }
  const Ordered weight = order(workspace, weight_->bound(), answer.data.weights_desc(), false);
  load_backward_ = weight.copy;
  backward_data_ = Call(dnnl::convolution_backward_data(answer.data),
                        {{DNNL_ARG_DIFF_DST, output_.gradient},
                         {DNNL_ARG_WEIGHTS, weight.ordered},
                         {DNNL_ARG_DIFF_SRC, relayout_.output.gradient},
                         {DNNL_ARG_SCRATCHPAD, workspace.scratch(answer.data.scratchpad_desc())}});
}

void Convolution::load(const Step& step) {
  weight_->bind(step.theta);
  if (bias_) {
    bias_->bind(step.theta);
  }
  for (const Call* copy : {&load_forward_, &load_backward_}) {
    if (*copy) {
      (*copy)(step.stream);
    }
  }
  if (weight_gradient_) {
    weight_gradient_->bind(step.gradient);
  }
  if (bias_gradient_) {
    bias_gradient_->bind(step.gradient);
  }
}

void Convolution::forward(const Step& step) {
  if (relayout_.stage) {
    relayout_.stage->forward(step);
  }
  forward_(step.stream);
}

void Convolution::backward(const Step& step) {
  if (fused_) {
    multiply_by_derivative(*fused_, output_.size(), output_.values(), output_.gradients());
  }
  backward_weight_(step.stream);
  if (store_gradient_) {
    store_gradient_(step.stream);
  }
  if (backward_data_) {
    backward_data_(step.stream);
  }
  if (relayout_.stage) {
    relayout_.stage->backward(step);
  }
}

}  // namespace

Built build_convolution(const Site& site, const Conv2d& conv, bool gradient_masked) {
  auto stage = std::make_unique<Convolution>(site, conv, gradient_masked);
  const Blob output = stage->output();
  return {std::move(stage), output};
}

}  // namespace isthmus::dnn
