// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "isthmus/core/output_file.h"

namespace isthmus {

/// Numbers written one after the other, from which another process of the same program goes on.
/// They go straight to the disk and are sealed by a checksum; the file appears whole or not at all.
/// Not a format for exchange: byte order and sizes are this machine's. Throws WriteError.
class StateWriter {
 public:
  explicit StateWriter(const std::filesystem::path& path);
  ~StateWriter();

  template <class Value>
  void put(const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    bytes(std::as_bytes(std::span(&value, 1)));
  }
  /// Their number, then the values.
  template <class Value>
  void put_all(std::span<const Value> values) {
    static_assert(std::is_trivially_copyable_v<Value>);
    put(static_cast<std::uint64_t>(values.size()));
    bytes(std::as_bytes(values));
  }
  void commit();

 private:
  struct Digest;
  void bytes(std::span<const std::byte> content);

  OutputFile file_;
  std::unique_ptr<Digest> digest_;
};

/// Reads them in the same order.
class StateReader {
 public:
  /// Nothing if there is no such file. Throws DataError if it is damaged.
  static std::optional<StateReader> open(const std::filesystem::path& path);

  /// Throws DataError at the end of the file.
  template <class Value>
  Value get() {
    static_assert(std::is_trivially_copyable_v<Value>);
    Value value;
    take(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  /// Values written by put_all; throws DataError unless they are as many.
  template <class Value>
  void get_all(std::span<Value> values) {
    expect_count(values.size());
    take(std::as_writable_bytes(values));
  }

 private:
  StateReader(std::string content, std::string name);
  void expect_count(std::size_t count);
  void take(std::span<std::byte> into);

  std::string content_;
  std::string name_;
  std::size_t next_ = 0;
};

}  // namespace isthmus
