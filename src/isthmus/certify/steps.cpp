// SPDX-License-Identifier: MIT
#include "isthmus/certify/steps.h"

#include <fmt/format.h>

#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/net/window.h"

namespace isthmus {
namespace {

class StepMaker {
 public:
  explicit StepMaker(const Network& network)
      : shapes_(shapes(network)), layout_(layout_of(network)) {}

  std::vector<Step> make(const Network& network) {
    for (const Layer& layer : network.layers) {
      std::visit([this](const auto& kind) { add(kind); }, layer);
      ++layer_;
    }
    return std::move(steps_);
  }

 private:
  const Shape& in() const { return shapes_[layer_]; }
  const Shape& out() const { return shapes_[layer_ + 1]; }

  Step step(Step::Kind kind) const {
    Step made;
    made.kind = kind;
    made.in_rows = size_of(in());
    made.out_rows = size_of(out());
    return made;
  }

  void take_tensors(Step& made, bool bias) {
    made.weight_offset = layout_.tensors()[tensor_++].offset;
    if (bias) {
      made.bias_offset = layout_.tensors()[tensor_++].offset;
    }
  }

  void add(const Linear& linear) {
    Step made = step(Step::Kind::linear);
    made.outputs = linear.out_features;
    made.inputs = made.in_rows;
    for (std::uint32_t i = 0; i < made.in_rows; ++i) {
      made.terms.push_back({.column = i, .row = i});
    }
    made.first = {0, made.terms.size()};
    take_tensors(made, linear.bias);
    steps_.push_back(std::move(made));
  }

  void add(const Conv2d& conv) {
    Step made = step(Step::Kind::linear);
    const std::size_t channels = in()[0];
    made.outputs = conv.out_channels;
    made.inputs = channels * conv.kernel * conv.kernel;
    made.first = {0};
    const Window window = window_of(conv);
    for (std::size_t oy = 0; oy < out()[1]; ++oy) {
      for (std::size_t ox = 0; ox < out()[2]; ++ox) {
        for (std::size_t c = 0; c < channels; ++c) {
          window.each(in(), oy, ox, [&](auto y, auto x, auto row, auto column) {
            made.terms.push_back(
                {.column =
                     static_cast<std::uint32_t>((c * conv.kernel + row) * conv.kernel + column),
                 .row = static_cast<std::uint32_t>((c * in()[1] + y) * in()[2] + x)});
          });
        }
        made.first.push_back(made.terms.size());
      }
    }
    take_tensors(made, conv.bias);
    steps_.push_back(std::move(made));
  }

  void add(const Pool2d& pool) {
    Step made =
        step(pool.kind == Pool2d::Kind::max ? Step::Kind::max_pool : Step::Kind::average_pool);
    made.first = {0};
    if (pool.count_padding) {
      made.divisor = static_cast<double>(pool.kernel) * static_cast<double>(pool.kernel);
    }
    const Window window = window_of(pool);
    for (std::size_t c = 0; c < in()[0]; ++c) {
      for (std::size_t oy = 0; oy < out()[1]; ++oy) {
        for (std::size_t ox = 0; ox < out()[2]; ++ox) {
          window.each(in(), oy, ox, [&](auto y, auto x, auto, auto) {
            made.terms.push_back(
                {.column = 0, .row = static_cast<std::uint32_t>((c * in()[1] + y) * in()[2] + x)});
          });
          made.first.push_back(made.terms.size());
        }
      }
    }
    steps_.push_back(std::move(made));
  }

  void add(const Activation& activation) {
    switch (activation.kind) {
      case Activation::Kind::relu:
        steps_.push_back(step(Step::Kind::relu));
        return;
      case Activation::Kind::sigmoid:
        steps_.push_back(step(Step::Kind::sigmoid));
        return;
      case Activation::Kind::tanh:
        steps_.push_back(step(Step::Kind::tanh));
        return;
      case Activation::Kind::softmax:
        throw UsageError(fmt::format("layer {}: a softmax layer has no enclosure", layer_));
    }
  }

  void add(const Dropout&) {}
  void add(const Flatten&) {}
  void add(const LocalResponseNorm&) { refuse(); }
  void add(const Embedding&) { refuse(); }
  void add(const Lstm&) { refuse(); }

  [[noreturn]] void refuse() const {
    throw UsageError(fmt::format("layer {}: a layer of this kind has no enclosure", layer_));
  }

  std::vector<Shape> shapes_;
  Layout layout_;
  std::vector<Step> steps_;
  std::size_t layer_ = 0;
  std::size_t tensor_ = 0;
};

}  // namespace

std::vector<Step> steps_of(const Network& network) {
  return StepMaker(network).make(network);
}

std::optional<std::string> layer_not_covered(const Network& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const auto* activation = std::get_if<Activation>(&network.layers[i]);
    if (activation != nullptr && activation->kind == Activation::Kind::softmax) {
      return fmt::format("layer {}: a softmax layer has no enclosure", i);
    }
    const std::string_view kind = std::visit(
        [](const auto& layer) -> std::string_view {
          using Kind = std::decay_t<decltype(layer)>;
          if constexpr (std::is_same_v<Kind, LocalResponseNorm>) {
            return "a local response normalisation";
          } else if constexpr (std::is_same_v<Kind, Embedding>) {
            return "an embedding";
          } else if constexpr (std::is_same_v<Kind, Lstm>) {
            return "an LSTM layer";
          }
          return "";
        },
        network.layers[i]);
    if (!kind.empty()) {
      return fmt::format("layer {}: {} has no enclosure", i, kind);
    }
  }
  return std::nullopt;
}

}  // namespace isthmus
