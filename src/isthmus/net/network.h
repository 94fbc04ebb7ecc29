// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/layout.h"

namespace isthmus {

using Shape = std::vector<std::size_t>;

/// Numbers in an array of that shape: the product of its extents.
std::size_t size_of(const Shape& shape);

/// How the numbers of one tensor are drawn.
struct Initializer {
  enum class Kind {
    fan_in_uniform,    ///< uniform in +-1/sqrt(fan in): PyTorch's default for weights and biases
    uniform,           ///< uniform in [-scale, scale]
    normal,            ///< standard deviation `scale`
    truncated_normal,  ///< standard deviation `scale`, redrawn beyond two of them
    constant,          ///< `scale` itself
  };
  Kind kind = Kind::fan_in_uniform;
  double scale = 0.0;
};

template <>
inline constexpr auto enum_names<Initializer::Kind> =
    name_table<Initializer::Kind>("kind",
                                  {{Initializer::Kind::fan_in_uniform, "fan_in_uniform"},
                                   {Initializer::Kind::uniform, "uniform"},
                                   {Initializer::Kind::normal, "normal"},
                                   {Initializer::Kind::truncated_normal, "truncated_normal"},
                                   {Initializer::Kind::constant, "constant"}});

/// Tokens to vectors: row `token` of W, of shape (tokens, features). Only as the first layer of a
/// network with input {1}, whose numbers are whole and in [0, tokens).
struct Embedding {
  std::size_t tokens = 0;
  std::size_t features = 0;
  Initializer weight_init{Initializer::Kind::normal, 1.0};
};

/// y = W x + b, W of shape (out_features, in).
struct Linear {
  std::size_t out_features = 0;
  bool bias = true;
  Initializer weight_init{};
  Initializer bias_init{};
  /// W is that of the network's embedding: out_features are its tokens, and the input has as many
  /// numbers as its features.
  bool tied = false;
};

/// A layer of long short-term memory, without peepholes. A batch is `BatchView::streams` sequences
/// side by side; for each step of one, with the gates in PyTorch's order,
///     (i, f, g, o) = W_ih x + W_hh h + b,   i, f, o through the sigmoid, g through tanh,
///     c <- f c + i g,   y = h <- o tanh(c).
/// W_ih (4 features, in) is the tensor "weight_ih_l0", W_hh (4 features, features) "weight_hh_l0",
/// b (4 features) "bias_ih_l0". torch.nn.LSTM has a second bias, which adds nothing but itself: set
/// its "bias_hh_l0" to zero. Fan in, for the initialisers, is `features`, as it is there.
struct Lstm {
  std::size_t features = 0;
  Initializer weight_init{};
  Initializer bias_init{};
};

/// What lies around an image before a window goes over it: zeros for a convolution, nothing that
/// can be largest for a maximum. `rows` above and below and `columns` on the left and the right, as
/// PyTorch's padding=(rows, columns); or `same`, as much as gives ceil(input / stride) outputs, an
/// odd total with the extra row or column at the end.
struct Padding {
  std::size_t rows = 0;
  std::size_t columns = 0;
  bool is_same = false;

  static const Padding valid;  ///< none
  static const Padding same;
  bool operator==(const Padding&) const = default;
};

inline constexpr Padding Padding::valid{};
inline constexpr Padding Padding::same{.is_same = true};

/// Cross-correlation with W of shape (out_channels, in_channels, kernel, kernel).
struct Conv2d {
  std::size_t out_channels = 0;
  std::size_t kernel = 1;
  std::size_t stride = 1;
  Padding padding = Padding::valid;
  bool bias = true;
  Initializer weight_init{};
  Initializer bias_init{};
};

/// The padding's rows and columns are at most half the kernel.
struct Pool2d {
  enum class Kind { max, average };  ///< average: over the elements inside the image
  Kind kind = Kind::max;
  std::size_t kernel = 2;
  std::size_t stride = 2;
  Padding padding = Padding::valid;
  /// An average divides by all kernel^2 places of its window, padding too (PyTorch's default).
  bool count_padding = false;
};

template <>
inline constexpr auto enum_names<Pool2d::Kind> = name_table<Pool2d::Kind>(
    "type", {{Pool2d::Kind::max, "max_pool2d"}, {Pool2d::Kind::average, "avg_pool2d"}});

/// y_c = x_c / (k + alpha / size * sum of x_c'^2 over c' from c - size / 2 to c + size / 2)^beta,
/// over the channels of an image; `size` is odd. (torch.nn.LocalResponseNorm. TensorFlow's alpha is
/// alpha / size here, its depth_radius size / 2.)
struct LocalResponseNorm {
  std::size_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
};

struct Activation {
  enum class Kind { relu, sigmoid, tanh, softmax };  ///< softmax: over the features of a flat input
  Kind kind = Kind::relu;
};

template <>
inline constexpr auto enum_names<Activation::Kind> =
    name_table<Activation::Kind>("type",
                                 {{Activation::Kind::relu, "relu"},
                                  {Activation::Kind::sigmoid, "sigmoid"},
                                  {Activation::Kind::tanh, "tanh"},
                                  {Activation::Kind::softmax, "softmax"}});

/// In training: each number is zeroed with probability `probability`, the others are scaled by
/// 1 / (1 - probability). In evaluation: the identity.
struct Dropout {
  double probability = 0.5;
};

struct Flatten {};

using Layer = std::variant<Linear,
                           Conv2d,
                           Pool2d,
                           LocalResponseNorm,
                           Embedding,
                           Lstm,
                           Activation,
                           Dropout,
                           Flatten>;

/// A stack of layers, as a torch.nn.Sequential: layer i owns the tensors "i.weight" and "i.bias",
/// or those of an Lstm.
struct Network {
  Shape input;  ///< of one sample: {features} or {channels, height, width}
  std::vector<Layer> layers;
};

/// The most that a size in a network, the numbers in a sample after any layer, and the parameters
/// of all layers together may be.
constexpr std::size_t largest_size = 2147483647;

/// The shape of one sample after each layer; element 0 is the input, the last one the output.
/// Throws UsageError naming the layer where shapes do not fit, or a size is beyond its limit.
std::vector<Shape> shapes(const Network& network);

/// Numbers in the output of one sample.
std::size_t output_size(const Network& network);

/// Where each tensor lies in the flat parameter vector: layer after layer, weight before bias.
Layout layout_of(const Network& network);

/// Draws a parameter vector of size layout_of(network).dimension(), tensor after tensor.
void initialise(const Network& network, Rng& rng, std::span<float> theta);

/// A layer carries a state from one sample of a sequence to the next.
bool is_recurrent(const Network& network);

/// Numbers in the state of one stream: h and c of every Lstm.
std::size_t state_size(const Network& network);

/// True if every layer is Linear or an Activation other than softmax, so that the network is a
/// plain multilayer perceptron (a leading Flatten is allowed).
bool is_perceptron(const Network& network);

/// JSON form: {"input": [1, 28, 28], "layers": [{"type": "conv2d", "out_channels": 32, "kernel": 5,
/// "padding": "same"}, {"type": "relu"}, {"type": "max_pool2d"}, {"type": "flatten"}, {"type":
/// "linear", "out_features": 10}]}. Fields left out take the defaults above; a padding is "valid",
/// "same", a number or [rows, columns]; "weight_init" and
/// "bias_init" are {"kind": "truncated_normal", "scale": 0.1}.
Json to_json(const Network& network);
/// Throws DataError that names the layer and the field: unknown type or field, missing or wrong
/// value.
Network network_from_json(const Json& json);
/// Reads the JSON form from a file; messages name the file.
Network read_network(const std::filesystem::path& path);

}  // namespace isthmus
