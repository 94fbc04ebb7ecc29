// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/net/network.h"
#include "isthmus/net/window.h"

namespace isthmus {
namespace {

// Tokens travel as floats, which name every whole number up to here.
constexpr std::size_t largest_vocabulary = std::size_t{1} << 24U;

// Windows and strides up to here are let be, whatever the image: deep layers may see a single
// pixel.
constexpr std::size_t small_window = 16;

// The product, unless it is beyond largest_size.
std::optional<std::size_t> limited_size(const Shape& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    if (extent > 0 && size > largest_size / extent) {
      return std::nullopt;
    }
    size *= extent;
  }
  return size;
}

// One layer after another; in() is the shape of a sample before the layer at `index_`.
class Walk {
 public:
  explicit Walk(const Network& network) : network_(network), shapes_{network.input} {}

  std::vector<Shape> through() {
    for (const Layer& layer : network_.layers) {
      Shape out = std::visit([this](const auto& kind) { return after(kind); }, layer);
      if (!limited_size(out)) {
        refuse("expected at most {} numbers in the output of a sample, got ({})",
               largest_size,
               fmt::join(out, ", "));
      }
      shapes_.push_back(std::move(out));
      ++index_;
    }
    return std::move(shapes_);
  }

 private:
  const Shape& in() const { return shapes_.back(); }

  Shape after(const Linear& linear) {
    if (linear.tied) {
      check_tied(linear);
    }
    require_flat("linear");
    require_size("linear: expected out_features", linear.out_features);
    count({linear.out_features, in()[0]}, linear.tied ? 0 : 1);
    count({linear.out_features}, linear.bias ? 1 : 0);
    return {linear.out_features};
  }

  Shape after(const Conv2d& conv) {
    require_image("conv2d");
    require_size("conv2d: expected out_channels", conv.out_channels);
    require_window("conv2d", window_of(conv));
    count({conv.out_channels, in()[0], conv.kernel, conv.kernel});
    count({conv.out_channels}, conv.bias ? 1 : 0);
    return windowed(conv.out_channels, window_of(conv));
  }

  Shape after(const Pool2d& pool) const {
    require_image("pooling");
    require_window("pooling", window_of(pool));
    if (std::max(pool.padding.rows, pool.padding.columns) > pool.kernel / 2) {
      refuse("pooling: expected a padding of at most {} (half the kernel), got ({}, {})",
             pool.kernel / 2,
             pool.padding.rows,
             pool.padding.columns);
    }
    return windowed(in()[0], window_of(pool));
  }

  Shape after(const LocalResponseNorm& norm) const {
    require_image("local_response_norm");
    require_size("local_response_norm: expected size", norm.size);
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

  Shape after(const Embedding& embedding) {
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
    require_size("embedding: expected features", embedding.features);
    count({embedding.tokens, embedding.features});
    return {embedding.features};
  }

  Shape after(const Lstm& lstm) {
    require_flat("lstm");
    require_size("lstm: expected features", lstm.features);
    count({4, lstm.features, in()[0]});
    count({4, lstm.features, lstm.features});
    count({4, lstm.features});
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

  void require_window(const char* kind, const Window& window) const {
    if (window.kernel == 0 || window.stride == 0) {
      refuse(
          "{}: expected kernel and stride >= 1, got {} and {}", kind, window.kernel, window.stride);
    }
    if (window.stride > largest_size || window.kernel > largest_size ||
        std::max(window.padding.rows, window.padding.columns) > largest_size) {
      refuse("{}: expected kernel, stride and padding of at most {}, got {}, {} and ({}, {})",
             kind,
             largest_size,
             window.kernel,
             window.stride,
             window.padding.rows,
             window.padding.columns);
    }
    const std::size_t height = in()[1] + 2 * window.padding.rows;
    const std::size_t width = in()[2] + 2 * window.padding.columns;
    // A larger window of padding "same" sees nothing more, from wherever it looks.
    const std::size_t room = window.padding.is_same
                                 ? std::max({small_window, 2 * height + 1, 2 * width + 1})
                                 : std::min(height, width);
    if (window.kernel > room) {
      refuse(
          "{}: expected a kernel of at most {} (what the input ({}) and its padding have room "
          "for), got {}",
          kind,
          room,
          fmt::join(in(), ", "),
          window.kernel);
    }
    const std::size_t farthest = std::max({small_window, window.kernel, height, width});
    if (window.stride > farthest) {
      refuse(
          "{}: expected a stride of at most {} (the kernel, or the input ({}) with its padding), "
          "got {}",
          kind,
          farthest,
          fmt::join(in(), ", "),
          window.stride);
    }
  }

  Shape windowed(std::size_t channels, const Window& window) const {
    return {channels, window.rows(in()[1]).output, window.columns(in()[2]).output};
  }

  // Adds `times` tensors of that shape to the parameters.
  void count(const Shape& tensor, std::size_t times = 1) {
    const std::optional<std::size_t> size = limited_size(tensor);
    if (times > 0 && (!size || *size > largest_size - parameters_)) {
      refuse(
          "expected at most {} parameters in all layers up to here, got {} before a tensor of "
          "({})",
          largest_size,
          parameters_,
          fmt::join(tensor, ", "));
    }
    parameters_ += times * size.value_or(0);
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

  void require_size(const char* expected, std::size_t size) const {
    if (size == 0 || size > largest_size) {
      refuse("{} in 1..{}, got {}", expected, largest_size, size);
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
  std::size_t parameters_ = 0;  // of the layers so far
};

}  // namespace

std::vector<Shape> shapes(const Network& network) {
  if (network.input.empty() || limited_size(network.input).value_or(0) == 0) {
    throw UsageError(fmt::format(
        "network: expected an input shape of positive extents and at most {} numbers, got ({})",
        largest_size,
        fmt::join(network.input, ", ")));
  }
  return Walk(network).through();
}

}  // namespace isthmus
