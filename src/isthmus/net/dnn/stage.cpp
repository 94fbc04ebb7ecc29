// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/stage.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#include "isthmus/core/error.h"

namespace isthmus::dnn {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

constexpr std::size_t cache_line = 64;

memory::dim extent(std::size_t value) {
  return static_cast<memory::dim>(value);
}

class Relayout final : public Stage {
 public:
  Relayout(Call forward, Call backward)
      : forward_(std::move(forward)), backward_(std::move(backward)) {}
  void forward(const Step& step) override { forward_(step.stream); }
  void backward(const Step& step) override {
    if (backward_) {
      backward_(step.stream);
    }
  }

 private:
  Call forward_;
  Call backward_;
};

// Moves nothing: input and output are one memory.
class Alias final : public Stage {
 public:
  void forward(const Step&) override {}
  void backward(const Step&) override {}
};

std::size_t block_of(Tag order, std::size_t channels) {
  switch (order) {
    case Tag::nChw4c:
      return 4;
    case Tag::nChw8c:
      return 8;
    case Tag::nChw16c:
      return 16;
    case Tag::nhwc:
      return channels;
    default:
      return 1;
  }
}

}  // namespace

Call reorder(Workspace& workspace, const memory& from, const memory& to) {
  const dnnl::reorder::primitive_desc described(from, to, attributes());
  return {dnnl::reorder(described),
          {{DNNL_ARG_FROM, from},
           {DNNL_ARG_TO, to},
           {DNNL_ARG_SCRATCHPAD, workspace.scratch(described.scratchpad_desc())}}};
}

void Workspace::Free::operator()(float* pointer) const {
  ::operator delete[](pointer, std::align_val_t{cache_line});
}

float* Workspace::allocate(std::size_t bytes) {
  const std::size_t padded =
      std::max(cache_line, (bytes + cache_line - 1) / cache_line * cache_line);
  auto* pointer = static_cast<float*>(::operator new[](padded, std::align_val_t{cache_line}));
  buffers_.emplace_back(pointer);
  std::memset(pointer, 0, padded);
  return pointer;
}

memory Workspace::make(const memory::desc& desc) {
  return {desc, cpu(), allocate(desc.get_size())};
}

memory Workspace::unbound(const memory::desc& desc) const {
  return {desc, cpu(), DNNL_MEMORY_NONE};
}

memory Workspace::view(const memory& of, const memory::desc& desc) {
  void* address = of.get_data_handle();
  memory result(desc, cpu(), address);
  if (address == nullptr) {
    inputs_.push_back(result);
  }
  return result;
}

memory Workspace::scratch(const memory::desc& desc) {
  scratches_.push_back(unbound(desc));
  scratch_bytes_ = std::max(scratch_bytes_, desc.get_size());
  return scratches_.back();
}

void Workspace::seal() {
  float* shared = allocate(scratch_bytes_);
  for (const memory& each : scratches_) {
    each.set_data_handle(shared);
  }
}

void Workspace::bind_input(const float* input) {
  for (const memory& each : inputs_) {
    each.set_data_handle(const_cast<float*>(input));  // oneDNN has no memory objects of constants
  }
}

memory::desc flat_desc(std::size_t count, std::size_t features) {
  return {{extent(count), extent(features)}, memory::data_type::f32, Tag::ab};
}

memory::desc image_desc(const Blob& blob, Tag tag) {
  return {{extent(blob.count), extent(blob.channels), extent(blob.height), extent(blob.width)},
          memory::data_type::f32,
          tag};
}

Blob make_blob(Workspace& workspace, Blob shape, const memory::desc& desc, bool gradient) {
  // Orders coincide for some shapes (one pixel, one channel): then the one asked for stays.
  if (!shape.flat && desc != image_desc(shape, shape.order)) {
    constexpr Tag orders[] = {Tag::nchw, Tag::nChw16c, Tag::nChw8c, Tag::nChw4c, Tag::nhwc};
    const Tag* found =
        std::ranges::find_if(orders, [&](Tag order) { return desc == image_desc(shape, order); });
    ISTHMUS_ASSERT(found != std::end(orders), "oneDNN chose an unknown order in memory");
    shape.order = *found;
  }
  shape.block = block_of(shape.order, shape.channels);
  shape.value = workspace.make(desc);
  shape.gradient = gradient ? workspace.make(desc) : memory();
  return shape;
}

Built build_relayout(const Site& site, const memory::desc& desc) {
  Blob output = make_blob(site.workspace, site.input, desc, site.training() && site.propagate);
  Call forward = reorder(site.workspace, site.input.value, output.value);
  Call backward;
  if (output.gradient) {
    backward = reorder(site.workspace, output.gradient, site.input.gradient);
  }
  return {std::make_unique<Relayout>(std::move(forward), std::move(backward)), output};
}

Built build_flatten(const Site& site) {
  const Blob& input = site.input;
  if (!input.flat && input.value.get_desc() != image_desc(input, Tag::nchw)) {
    Built plain = build_relayout(site, image_desc(input, Tag::nchw));
    const Site again{.workspace = site.workspace,
                     .mode = site.mode,
                     .input = plain.output,
                     .propagate = site.propagate};
    plain.output = build_flatten(again).output;
    return plain;
  }
  Blob output = input;
  output.flat = true;
  output.channels = input.features();
  output.height = output.width = output.block = 1;
  output.order = Tag::nchw;
  const memory::desc desc = flat_desc(output.count, output.channels);
  output.value = site.workspace.view(input.value, desc);
  if (input.gradient) {
    output.gradient = site.workspace.view(input.gradient, desc);
  }
  return {std::make_unique<Alias>(), output};
}

}  // namespace isthmus::dnn
