// SPDX-License-Identifier: MIT
#pragma once

#include <lzma.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace isthmus::testing {

/// The bytes of an xz file with this content, packed as `xz -N` does for preset N. Another
/// `dictionary` than 0 replaces the preset's, in bytes.
inline std::string xz_content(std::string_view content,
                              std::uint32_t preset = 1,
                              std::uint32_t dictionary = 0) {
  lzma_options_lzma options{};
  lzma_lzma_preset(&options, preset);
  if (dictionary != 0) {
    options.dict_size = dictionary;
  }
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  std::string packed(lzma_stream_buffer_bound(content.size()), '\0');
  std::size_t size = 0;
  const lzma_ret result =
      lzma_stream_buffer_encode(const_cast<lzma_filter*>(filters),
                                LZMA_CHECK_CRC64,
                                nullptr,
                                reinterpret_cast<const std::uint8_t*>(content.data()),
                                content.size(),
                                reinterpret_cast<std::uint8_t*>(packed.data()),
                                &size,
                                packed.size());
  if (result != LZMA_OK) {
    throw std::runtime_error("liblzma cannot pack");
  }
  packed.resize(size);
  return packed;
}

}  // namespace isthmus::testing
