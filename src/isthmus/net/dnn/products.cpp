// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/products.h"

#include <algorithm>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/onednn.h"

namespace isthmus::dnn {

void row_products(std::span<const float> a,
                  std::span<const float> b,
                  std::size_t width,
                  std::span<float> products) {
  if (width == 0) {
    std::ranges::fill(products, 0.0F);
    return;
  }
  const auto rows = static_cast<dnnl_dim_t>(a.size() / width);
  const auto columns = static_cast<dnnl_dim_t>(b.size() / width);
  const auto depth = static_cast<dnnl_dim_t>(width);
  ISTHMUS_ASSERT(products.size() == static_cast<std::size_t>(rows * columns),
                 "a product for each pair of rows");
  const OneThread one_thread;
  dnnl::error::wrap_c_api(dnnl_sgemm('N',
                                     'T',
                                     rows,
                                     columns,
                                     depth,
                                     1.0F,
                                     a.data(),
                                     depth,
                                     b.data(),
                                     depth,
                                     0.0F,
                                     products.data(),
                                     columns),
                          "could not multiply matrices");
}

}  // namespace isthmus::dnn
