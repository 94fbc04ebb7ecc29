// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/onednn.h"

#include <dlfcn.h>

#include <limits>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "isthmus/core/error.h"

namespace isthmus::dnn {
namespace {

struct Function {
  dnnl::algorithm algorithm;
  float alpha;
};

// oneDNN's ReLU proper is max(x, 0), which on x86 makes 0 of NaN: a network with a NaN weight would
// have a finite loss. With a slope below zero it multiplies and selects, and NaN stays NaN. The
// slope is the smallest denormal: under FlushDenormals it counts as 0 in the generated code, but is
// not 0 when the code is generated.
Function function_of(Activation::Kind kind) {
  switch (kind) {
    case Activation::Kind::relu:
      return {dnnl::algorithm::eltwise_relu, std::numeric_limits<float>::denorm_min()};
    case Activation::Kind::sigmoid:
      return {dnnl::algorithm::eltwise_logistic, 0.0F};
    case Activation::Kind::tanh:
      return {dnnl::algorithm::eltwise_tanh, 0.0F};
    case Activation::Kind::softmax:
      break;
  }
  ISTHMUS_ASSERT(false, "softmax is not elementwise");
  return {};
}

// The functions of the OpenMP runtime that oneDNN itself is linked to. Linking to "the" runtime of
// the compiler at hand could bring in a second one, whose settings oneDNN would never see; and
// oneDNN may be built without OpenMP.
struct OpenMp {
  using Get = int (*)();
  using Set = void (*)(int);
  Get get_max_threads = reinterpret_cast<Get>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  Set set_num_threads = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
};

const OpenMp& open_mp() {
  static const OpenMp functions;
  return functions;
}

}  // namespace

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr result;
  result.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return result;
}

dnnl::primitive_attr attributes_adding() {
  dnnl::post_ops operations;
  operations.append_sum(1.0F);
  dnnl::primitive_attr result = attributes();
  result.set_post_ops(operations);
  return result;
}

dnnl::primitive_attr attributes_with(Activation::Kind kind) {
  const Function function = function_of(kind);
  dnnl::post_ops operations;
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(function.algorithm, function.alpha, 0.0F);
#else
  operations.append_eltwise(1.0F, function.algorithm, function.alpha, 0.0F);
#endif
  dnnl::primitive_attr result = attributes();
  result.set_post_ops(operations);
  return result;
}

dnnl::eltwise_forward::primitive_desc describe_activation(Activation::Kind kind,
                                                          const dnnl::memory::desc& desc) {
  const Function function = function_of(kind);
#if DNNL_VERSION_MAJOR >= 3
  return describe<dnnl::eltwise_forward>(attributes(),
                                         dnnl::prop_kind::forward_inference,
                                         function.algorithm,
                                         desc,
                                         desc,
                                         function.alpha,
                                         0.0F);
#else
  return describe<dnnl::eltwise_forward>(attributes(),
                                         dnnl::prop_kind::forward_inference,
                                         function.algorithm,
                                         desc,
                                         function.alpha,
                                         0.0F);
#endif
}

Call::Call(const dnnl::primitive& primitive,
           const std::vector<std::pair<int, dnnl::memory>>& arguments)
    : primitive_(primitive) {
  for (const auto& [index, memory] : arguments) {
    memories_.push_back(memory);
    arguments_.push_back({index, memory.get()});
  }
}

void Call::operator()(const dnnl::stream& stream) const {
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(
          primitive_.get(), stream.get(), static_cast<int>(arguments_.size()), arguments_.data()),
      "could not execute a primitive");
}

OneThread::OneThread() {
  const OpenMp& runtime = open_mp();
  if (runtime.get_max_threads != nullptr && runtime.set_num_threads != nullptr) {
    before_ = runtime.get_max_threads();
    runtime.set_num_threads(1);
  }
}

OneThread::~OneThread() {
  if (before_ > 0) {
    open_mp().set_num_threads(before_);
  }
}

#if defined(__SSE2__)
namespace {
constexpr unsigned flush_results_and_operands = 0x8040;  // FTZ and DAZ of the MXCSR register
}

FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
  _mm_setcsr(before_ | flush_results_and_operands);
}

FlushDenormals::~FlushDenormals() {
  _mm_setcsr(before_);
}
#else
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace isthmus::dnn
