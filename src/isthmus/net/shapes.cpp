// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/net/network.h"

namespace isthmus {
namespace {

// Tokens travel as floats, which name every whole number up to here.
constexpr std::size_t largest_vocabulary = std::size_t{1} << 24U;

// One layer after another; `shape` is that of a sample before the layer at `index`.
class Walk {
 public:
  explicit Walk(const Network& network) : network_(network), shapes_{network.input} {}

  std::vector<Shape> through() {
    for (const Layer& layer : network_.layers) {
      shapes_.push_back(std::visit([this](const auto& kind) { return after(kind); }, layer));
      ++index_;
    }
    return std::move(shapes_);
  }

 private:
  const Shape& in() const { return shapes_.back(); }

  Shape after(const Linear& linear) const {
    if (linear.tied) {
      check_tied(linear);
    }
    require_flat("linear");
    require_positive("linear", "out_features", linear.out_features);
    return {linear.out_features};
  }

  Shape after(const Conv2d& conv) const {
    require_image("conv2d");
    require_positive("conv2d", "out_channels", conv.out_channels);
    return {conv.out_channels, windowed(in()[1], conv), windowed(in()[2], conv)};
  }

  Shape after(const Pool2d& pool) const {
    require_image("pooling");
    return {in()[0], windowed(in()[1], pool), windowed(in()[2], pool)};
  }

  Shape after(const LocalResponseNorm& norm) const {
    require_image("local_response_norm");
    if (norm.size % 2 == 0 || !(norm.alpha >= 0.0) || !(norm.beta > 0.0) || !(norm.k > 0.0) ||
        !std::isfinite(norm.alpha + norm.beta + norm.k)) {
      refuse(
          "local_response_norm: expected an odd size, alpha >= 0, beta > 0 and k > 0, got {}, {}, "
          "{} and {}",
          norm.size,
          norm.alpha,
          norm.beta,
          norm.k);
    }
    return in();
  }

  Shape after(const Embedding& embedding) const {
    if (index_ != 0 || in() != Shape{1}) {
      refuse(
          "embedding: expected to be the first layer of a network with input (1), got layer {} "
          "with input ({})",
          index_,
          fmt::join(in(), ", "));
    }
    if (embedding.tokens == 0 || embedding.features == 0 || embedding.tokens > largest_vocabulary) {
      refuse("embedding: expected tokens in 1..{} and features >= 1, got {} and {}",
             largest_vocabulary,
             embedding.tokens,
             embedding.features);
    }
    return {embedding.features};
  }

  Shape after(const Lstm& lstm) const {
    require_flat("lstm");
    require_positive("lstm", "features", lstm.features);
    return {lstm.features};
  }

  Shape after(const Activation& activation) const {
    if (activation.kind == Activation::Kind::softmax) {
      require_flat("softmax");
    }
    return in();
  }

  Shape after(const Dropout& dropout) const {
    if (!(dropout.probability >= 0.0 && dropout.probability < 1.0)) {
      refuse("dropout: expected a probability in [0, 1), got {}", dropout.probability);
    }
    return in();
  }

  Shape after(const Flatten&) const { return {size_of(in())}; }

  // Extent of one spatial axis after the window of a convolution or a pooling layer.
  template <class Windowed>
  std::size_t windowed(std::size_t extent, const Windowed& layer) const {
    if (layer.kernel == 0 || layer.stride == 0) {
      refuse("expected kernel and stride >= 1, got {} and {}", layer.kernel, layer.stride);
    }
    if (layer.padding == Padding::same) {
      return (extent + layer.stride - 1) / layer.stride;
    }
    if (extent < layer.kernel) {
      refuse("a window of {} does not fit an input of {} (padding 'same' would)",
             layer.kernel,
             extent);
    }
    return (extent - layer.kernel) / layer.stride + 1;
  }

  // A tied layer is the transpose of the embedding that the network begins with.
  void check_tied(const Linear& linear) const {
    const auto* embedding = std::get_if<Embedding>(&network_.layers.front());
    if (embedding == nullptr) {
      refuse("linear: tied, but the network does not begin with an embedding");
    }
    if (linear.out_features != embedding->tokens || in()[0] != embedding->features) {
      refuse(
          "linear: tied to the embedding of {} tokens as {} features, so expected {} inputs and "
          "{} outputs, got {} and {}",
          embedding->tokens,
          embedding->features,
          embedding->features,
          embedding->tokens,
          in()[0],
          linear.out_features);
    }
  }

  void require_positive(const char* kind, const char* field, std::size_t value) const {
    if (value == 0) {
      refuse("{}: expected {} >= 1, got 0", kind, field);
    }
  }

  void require_image(const char* kind) const {
    if (in().size() != 3) {
      refuse(
          "{} expects an input (channels, height, width), got ({})", kind, fmt::join(in(), ", "));
    }
  }

  void require_flat(const char* kind) const {
    if (in().size() != 1) {
      refuse("{} expects a flat input, got ({}): put a flatten layer before it",
             kind,
             fmt::join(in(), ", "));
    }
  }

  template <class... Parts>
  [[noreturn]] void refuse(fmt::format_string<Parts...> form, Parts&&... parts) const {
    throw UsageError(fmt::format(
        "network: layer {}: {}", index_, fmt::format(form, std::forward<Parts>(parts)...)));
  }

  const Network& network_;
  std::vector<Shape> shapes_;
  std::size_t index_ = 0;
};

}  // namespace

std::vector<Shape> shapes(const Network& network) {
  if (network.input.empty() || size_of(network.input) == 0) {
    throw UsageError(fmt::format("network: expected an input shape of positive extents, got ({})",
                                 fmt::join(network.input, ", ")));
  }
  return Walk(network).through();
}

}  // namespace isthmus
