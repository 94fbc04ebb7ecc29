// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "isthmus/net/network.h"

/// Everything that differs between oneDNN 2.x and 3.x, and what this room needs around the library.
/// No other room includes its headers.
namespace isthmus::dnn {

/// The library's CPU engine: one a process, safe to share.
const dnnl::engine& cpu();

/// A primitive descriptor of a forward operation (or of one without direction).
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attributes,
                                            const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), arguments..., attributes};
#else
  return {typename Primitive::desc(arguments...), attributes, cpu()};
#endif
}

/// A primitive descriptor of a backward operation, with that of its forward operation as hint.
template <class Primitive, class Hint, class... Arguments>
typename Primitive::primitive_desc describe_backward(const dnnl::primitive_attr& attributes,
                                                     const Hint& hint,
                                                     const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), arguments..., hint, attributes};
#else
  return {typename Primitive::desc(arguments...), attributes, cpu(), hint};
#endif
}

/// Attributes of every primitive here: the scratch memory is the caller's (see Workspace).
dnnl::primitive_attr attributes();
/// The same for a result that is added to what is there.
dnnl::primitive_attr attributes_adding();
/// The same with an elementwise function applied to what is written: relu, sigmoid or tanh.
dnnl::primitive_attr attributes_with(Activation::Kind kind);
/// That function as a primitive of its own.
dnnl::eltwise_forward::primitive_desc describe_activation(Activation::Kind kind,
                                                          const dnnl::memory::desc& desc);

/// A primitive bound to its arguments. The memory objects are shared handles: changing the address
/// of one elsewhere changes it here.
class Call {
 public:
  Call() = default;
  Call(const dnnl::primitive& primitive,
       const std::vector<std::pair<int, dnnl::memory>>& arguments);

  explicit operator bool() const { return !arguments_.empty(); }
  /// Runs it to its end (CPU streams are in order). Unlike dnnl::primitive::execute it makes no
  /// table of arguments.
  void operator()(const dnnl::stream& stream) const;

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;  // keeps alive what arguments_ points to
  std::vector<dnnl_exec_arg_t> arguments_;
};

/// While it lives, the OpenMP runtime under oneDNN uses one thread for work started on this thread.
/// Needed both where primitives are made (they plan for a number of threads) and where they run.
/// OpenMP keeps that number for each thread, so others are not affected.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = 0;
};

/// While it lives, numbers below the smallest normal float count as zero on this thread (x86 only;
/// elsewhere nothing happens). attributes_with(relu) relies on it, see there; it also spares the
/// slow path that processors have for such numbers, which dying gradients are made of.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_ = 0;
};

}  // namespace isthmus::dnn
