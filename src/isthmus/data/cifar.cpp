// SPDX-License-Identifier: MIT
#include "isthmus/data/cifar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "isthmus/core/error.h"
#include "isthmus/data/content_reader.h"
#include "isthmus/data/file_kind.h"
#include "isthmus/data/packed_file.h"

namespace isthmus {
namespace {

constexpr std::size_t classes = 10;
constexpr std::size_t image_bytes = std::size_t{3} * 32 * 32;
constexpr std::size_t record_bytes = 1 + image_bytes;
constexpr std::size_t published_records = 10000;
constexpr std::size_t buffered_records = 64;

constexpr std::array<std::string_view, 5> train_batches{"data_batch_1.bin",
                                                        "data_batch_2.bin",
                                                        "data_batch_3.bin",
                                                        "data_batch_4.bin",
                                                        "data_batch_5.bin"};
constexpr std::string_view test_batch = "test_batch.bin";

// Another kind of file, if that can be told.
std::string what_it_is(const std::filesystem::path& path, std::string_view otherwise) {
  const std::string kind = kind_of_content(path);
  return kind.empty() ? std::string(otherwise) : kind;
}

void append_record(std::span<const std::uint8_t> record,
                   std::size_t index,
                   const std::filesystem::path& path,
                   Samples& samples) {
  const std::uint8_t label = record.front();
  if (label >= classes) {
    throw DataError(
        fmt::format("{}: expected labels from 0 to {}, found {} at record {} (byte {}). {}",
                    path.string(),
                    classes - 1,
                    label,
                    index,
                    index * record_bytes,
                    what_it_is(path, "Is it the binary version of CIFAR-10?")));
  }
  samples.labels.push_back(label);
  samples.bytes.insert(samples.bytes.end(), record.begin() + 1, record.end());
}

[[noreturn]] void fail_cut(const std::filesystem::path& path,
                           std::size_t whole,
                           std::size_t left_over) {
  throw DataError(
      fmt::format("{}: expected whole records of {} bytes, found {} records and {} bytes more. {}",
                  path.string(),
                  record_bytes,
                  whole,
                  left_over,
                  what_it_is(path,
                             "The file is incomplete, or not the binary version of CIFAR-10: get "
                             "it again.")));
}

void check_count(const std::filesystem::path& path, std::size_t expected, std::size_t found) {
  if (found == 0) {
    throw DataError(
        fmt::format("{}: expected records of {} bytes, found an empty file. Get it "
                    "again.",
                    path.string(),
                    record_bytes));
  }
  if (expected != 0 && found != expected) {
    throw DataError(
        fmt::format("{}: expected {} records of {} bytes, found {}{}. All batches of a set hold "
                    "equally many, the published ones {}: one of them is not whole, get it again.",
                    path.string(),
                    expected,
                    record_bytes,
                    found > expected ? "at least " : "",
                    found,
                    published_records));
  }
}

Samples empty_samples(std::size_t count) {
  Samples samples;
  samples.input_shape = {3, 32, 32};
  samples.bytes.reserve(count * image_bytes);
  samples.labels.reserve(count);
  return samples;
}

}  // namespace

std::size_t read_cifar_batch(const std::filesystem::path& path,
                             std::size_t records,
                             Samples& samples,
                             std::vector<SourceFile>& sources) {
  ContentReader reader(path);
  std::vector<std::uint8_t> buffer(buffered_records * record_bytes);
  std::size_t found = 0;
  std::size_t got = buffer.size();
  // One record too many is enough to refuse a file, so a packed one cannot fill the memory.
  while (got == buffer.size() && (records == 0 || found <= records)) {
    got = reader.read(buffer);
    for (std::size_t start = 0; start + record_bytes <= got; start += record_bytes) {
      append_record(std::span(buffer).subspan(start, record_bytes), found, path, samples);
      ++found;
    }
    if (got % record_bytes != 0) {
      fail_cut(path, found, got % record_bytes);
    }
  }
  check_count(path, records, found);
  samples.count += found;
  sources.push_back({path.filename().string(), reader.sha256()});
  return found;
}

Dataset load_cifar10(const std::filesystem::path& folder) {
  Dataset dataset;
  dataset.name = "cifar-10";
  dataset.classes = classes;
  // All names first: a missing file is known before a second is spent on the others.
  std::array<std::filesystem::path, train_batches.size()> train_paths;
  std::transform(
      train_batches.begin(), train_batches.end(), train_paths.begin(), [&](std::string_view name) {
        return require_file(folder, name);
      });
  const std::filesystem::path test_path = require_file(folder, test_batch);

  // What a batch can hold, so that the samples of published files are never moved.
  const std::uint64_t limit = ContentReader(train_paths[0]).size_limit() / record_bytes;
  const auto capacity = static_cast<std::size_t>(std::min<std::uint64_t>(limit, published_records));
  dataset.train = empty_samples(train_batches.size() * capacity);
  std::size_t records = 0;  // of the first batch, once it is read
  for (const std::filesystem::path& path : train_paths) {
    records = read_cifar_batch(path, records, dataset.train, dataset.sources);
  }
  dataset.test = empty_samples(records);
  read_cifar_batch(test_path, records, dataset.test, dataset.sources);
  return dataset;
}

}  // namespace isthmus
