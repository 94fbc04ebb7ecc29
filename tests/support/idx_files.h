// SPDX-License-Identifier: MIT
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus::testing {

/// The bytes of an IDX file: magic, shape, values.
inline std::string idx_content(const std::vector<std::uint32_t>& shape,
                               std::string_view values,
                               char type = '\x08') {
  std::string content{'\0', '\0', type, static_cast<char>(shape.size())};
  for (const std::uint32_t dimension : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      content += static_cast<char>(dimension >> shift & 0xffU);
    }
  }
  content += values;
  return content;
}

/// The bytes of a gzip file with this content.
inline std::string gzip_content(std::string_view content) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace isthmus::testing
