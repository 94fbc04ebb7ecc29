// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "isthmus/net/dnn/stage.h"
#include "isthmus/net/engine.h"

namespace isthmus::dnn {

/// The last layer of a network with many outputs and the cross-entropy of what it gives, as one:
/// the outputs are made a tile at a time and used while the tile is in the cache. In evaluation
/// they are never kept; in training their powers are, tile by tile.
///
/// Sums of powers refer to the largest logit of the tiles so far, and are brought to a new one
/// where a tile has a larger; tiles are the same for any batch.
class Head {
 public:
  /// Whether a network ends in a layer that is worth it.
  static bool suits(const Network& network);

  Head(const Site& site, const Linear& linear);

  /// The sum over the batch of the losses, as sum_of_losses; of the batch only labels and weights
  /// are read. In training, backward() will be that of the sum times `scale`.
  double forward(const Step& step, const BatchView& batch, double scale);
  /// Writes the gradients of the layer, and those of its input if it has any.
  void backward(const Step& step);

 private:
  // A product of each kind with the outputs of one tile; what they are bound to changes with it.
  struct Tile {
    std::size_t width = 0;
    dnnl::memory weight;        // (features, width)
    dnnl::memory untransposed;  // (width, features)
    dnnl::memory bias;          // (1, width)
    dnnl::memory values;        // (count, width)
    dnnl::memory values_transposed;
    dnnl::memory weight_gradient;  // (width, features)
    Call forward;
    Call backward_weight;
    Call backward_data;
  };
  Tile make_tile(const Site& site, std::size_t width) const;
  Tile& tile(std::size_t index);
  float* values(std::size_t index) const;
  // Adds a tile to the sums of all samples.
  void add_powers(std::size_t index, std::size_t width);
  // Makes derivatives of its powers, adds them up over the batch into bias_gradient (or not: null).
  void differentiate(std::size_t index, std::size_t width, float* bias_gradient);

  std::size_t count_;
  std::size_t features_;
  std::size_t outputs_;
  bool training_;
  bool has_bias_;
  std::size_t weight_offset_;
  std::size_t bias_offset_ = 0;
  Blob input_;
  dnnl::memory logits_;  // training: (tiles, count, width of the tile); else of one tile
  Tile whole_;
  Tile rest_;  // the last one, if it is narrower

  double scale_ = 0.0;                // of the last forward pass, like all below
  const float* weights_ = nullptr;    // those of the batch
  std::vector<std::size_t> labels_;   // (count)
  std::vector<float> references_;     // (tiles, count) in training, else (count)
  std::vector<float> largest_;        // (count)
  std::vector<double> sums_;          // (count): of powers less the largest logit
  std::vector<double> chosen_;        // (count): the logit of the label
  std::vector<float> bias_gradient_;  // scratch of a layer without bias
};

}  // namespace isthmus::dnn
