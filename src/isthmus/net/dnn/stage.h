// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/dnn/onednn.h"
#include "isthmus/net/layout.h"
#include "isthmus/net/network.h"

/// The stages of a plan: what one layer of a network does to one batch size.
namespace isthmus::dnn {

/// Numbers of a batch between two stages: their values, and the loss's derivatives by them.
///
/// Images lie in memory as (count, channels / block, height, width, block), the channels filled up
/// with zeros to a multiple of the block: block 1 is PyTorch's order, 8 or 16 what vector units
/// like, and all channels in one block is "channels last". Flat samples are images of one pixel in
/// block 1.
struct Blob {
  std::size_t count = 0;
  std::size_t channels = 0;  ///< features, if flat
  std::size_t height = 1;
  std::size_t width = 1;
  std::size_t block = 1;
  dnnl::memory::format_tag order = dnnl::memory::format_tag::nchw;  ///< which says the block
  bool flat = false;
  dnnl::memory value;
  dnnl::memory gradient;  ///< empty where no derivative is needed

  std::size_t features() const { return channels * height * width; }
  std::size_t groups() const { return (channels + block - 1) / block; }
  /// Numbers in memory, the filling among them.
  std::size_t size() const { return count * groups() * block * height * width; }
  float* values() const { return static_cast<float*>(value.get_data_handle()); }
  float* gradients() const { return static_cast<float*>(gradient.get_data_handle()); }
};

/// The memory of a plan, all of it made while the plan is built.
class Workspace {
 public:
  /// A zeroed buffer, aligned to a cache line.
  dnnl::memory make(const dnnl::memory::desc& desc);
  /// A memory object without an address: it is set before each call.
  dnnl::memory unbound(const dnnl::memory::desc& desc) const;
  /// The same numbers under another descriptor; follows if `of` is the unbound input.
  dnnl::memory view(const dnnl::memory& of, const dnnl::memory::desc& desc);
  /// Scratch memory, shared by all primitives of the plan since they run one after the other.
  dnnl::memory scratch(const dnnl::memory::desc& desc);

  /// Makes the shared scratch memory; call once, when all primitives are made.
  void seal();
  /// Sets the address of the unbound input and of its views.
  void bind_input(const float* input);

 private:
  struct Free {
    void operator()(float* pointer) const;
  };
  float* allocate(std::size_t bytes);

  std::vector<std::unique_ptr<float[], Free>> buffers_;
  std::vector<dnnl::memory> inputs_;
  std::vector<dnnl::memory> scratches_;
  std::size_t scratch_bytes_ = 0;
};

/// The arguments of one pass.
struct Step {
  const float* theta = nullptr;  ///< (P)
  float* gradient = nullptr;     ///< (P), in training
  float* state = nullptr;        ///< see BatchView::state
  Rng* dropout = nullptr;        ///< in training, if the network has dropout
  const dnnl::stream& stream;
};

/// One operation of a plan, bound to the memory of its input and output.
class Stage {
 public:
  virtual ~Stage() = default;
  /// Takes over the parameters of a step. Once a theta; then any number of passes.
  virtual void load(const Step&) {}
  virtual void forward(const Step& step) = 0;
  /// From the output's gradient (which may be overwritten): the input's if it has one, and those of
  /// the parameters.
  virtual void backward(const Step& step) = 0;
};

enum class Mode { training, evaluation };

/// What a stage is built from.
struct Site {
  Workspace& workspace;
  Mode mode = Mode::evaluation;
  const Blob& input;
  /// Whether a layer before this one has parameters, so that derivatives must go on.
  bool propagate = false;
  /// Of the layer, in the flat vector; null where there is none.
  const Tensor* weight = nullptr;
  const Tensor* bias = nullptr;
  const Tensor* recurrent = nullptr;  ///< W_hh of an Lstm
  /// An elementwise function right behind this layer that it shall apply itself.
  std::optional<Activation::Kind> fused{};

  bool training() const { return mode == Mode::training; }
};

/// A stage and what it writes.
struct Built {
  std::unique_ptr<Stage> stage;
  Blob output;
};

Built build_linear(const Site& site, const Linear& linear);
/// `gradient_masked`: the stage behind it accounts for the fused function in its backward pass.
Built build_convolution(const Site& site, const Conv2d& conv, bool gradient_masked);
/// `mask`: the input is the output of a ReLU whose derivative this stage accounts for.
Built build_pool(const Site& site, const Pool2d& pool, bool mask);
Built build_norm(const Site& site, const LocalResponseNorm& norm);
/// `tied`: a later layer writes a gradient of the same tensor, to which this one's is added.
Built build_embedding(const Site& site, const Embedding& embedding, bool tied);
/// `state_offset`: of this layer's h in Step::state.
Built build_lstm(const Site& site, const Lstm& lstm, std::size_t streams, std::size_t state_offset);
Built build_activation(const Site& site, Activation::Kind kind);
Built build_dropout(const Site& site, const Dropout& dropout);
/// Flat samples in PyTorch's order.
Built build_flatten(const Site& site);
/// The same blob in another order in memory.
Built build_relayout(const Site& site, const dnnl::memory::desc& desc);

/// The descriptors of a blob in the orders named.
dnnl::memory::desc flat_desc(std::size_t count, std::size_t features);
dnnl::memory::desc image_desc(const Blob& blob, dnnl::memory::format_tag tag);

/// A blob of values laid out as `desc` says, with gradients if `gradient`. If that is `shape`'s own
/// order, it is kept; else the order is found.
/// Throws InternalError for a descriptor outside Blob's orders.
Blob make_blob(Workspace& workspace, Blob shape, const dnnl::memory::desc& desc, bool gradient);

/// Copies between two orders in memory.
Call reorder(Workspace& workspace, const dnnl::memory& from, const dnnl::memory& to);

/// gradient *= f'(x), from y = f(x); over the whole memory of a blob.
void multiply_by_derivative(Activation::Kind kind,
                            std::size_t size,
                            const float* values,
                            float* gradients);

}  // namespace isthmus::dnn
