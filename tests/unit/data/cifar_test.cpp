// SPDX-License-Identifier: MIT
#include "isthmus/data/cifar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/locations.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"
#include "support/xz_files.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::gzip_content;
using testing::TemporaryFolder;
using testing::xz_content;

constexpr std::size_t image_bytes = 3072;
constexpr std::size_t record_bytes = 3073;

char pixel(std::size_t record, std::size_t place) {
  return static_cast<char>((record * 31 + place * 7 + place / 1024) % 256);
}

// Records first, first + 1, ...: labels in turn, pixels that tell record and place.
std::string batch(std::size_t first, std::size_t count) {
  std::string content;
  for (std::size_t record = first; record < first + count; ++record) {
    content += static_cast<char>(record % 10);
    for (std::size_t place = 0; place < image_bytes; ++place) {
      content += pixel(record, place);
    }
  }
  return content;
}

// `count` records in each of the six files, numbered through.
void write_set(const TemporaryFolder& folder, std::size_t count) {
  for (std::size_t i = 0; i < 5; ++i) {
    folder.write("data_batch_" + std::to_string(i + 1) + ".bin", batch(i * count, count));
  }
  folder.write("test_batch.bin", batch(5 * count, count));
}

void expect_records(const Samples& samples, std::size_t first, std::size_t count) {
  ASSERT_EQ(samples.count, count);
  EXPECT_EQ(samples.input_shape, (std::vector<std::size_t>{3, 32, 32}));
  ASSERT_EQ(samples.labels.size(), count);
  ASSERT_EQ(samples.bytes.size(), count * image_bytes);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(samples.labels[i], static_cast<std::int32_t>((first + i) % 10));
    for (std::size_t place = 0; place < image_bytes; ++place) {
      ASSERT_EQ(static_cast<char>(samples.bytes[i * image_bytes + place]), pixel(first + i, place))
          << "record " << i << ", place " << place;
    }
  }
}

std::size_t read(const fs::path& path, std::size_t records) {
  Samples samples;
  std::vector<SourceFile> sources;
  return read_cifar_batch(path, records, samples, sources);
}

TEST(Cifar, a_batch_plain_gzip_and_xz) {
  const TemporaryFolder folder;
  // Below, at and above the reader's buffer of 64 records.
  for (const std::size_t count : {1U, 63U, 64U, 65U, 128U, 200U}) {
    const std::string content = batch(3, count);
    for (const std::string& file : {content, gzip_content(content), xz_content(content)}) {
      const fs::path path = folder.write("batch", file);
      Samples samples;
      samples.input_shape = {3, 32, 32};
      std::vector<SourceFile> sources;
      EXPECT_EQ(read_cifar_batch(path, count, samples, sources), count);
      expect_records(samples, 3, count);
      ASSERT_EQ(sources.size(), 1U);
      EXPECT_EQ(sources[0].name, "batch");
      EXPECT_EQ(sources[0].sha256, sha256(content));
      EXPECT_EQ(read(path, 0), count);
    }
  }
}

TEST(Cifar, a_set_keeps_the_order_of_its_batches) {
  const TemporaryFolder folder;
  write_set(folder, 3);
  folder.write("data_batch_2.bin.gz", gzip_content(batch(3, 3)));
  fs::remove(folder / "data_batch_2.bin");
  folder.write("test_batch.bin.xz", xz_content(batch(15, 3)));
  fs::remove(folder / "test_batch.bin");
  const Dataset dataset = load_cifar10(folder.path());
  EXPECT_EQ(dataset.name, "cifar-10");
  EXPECT_EQ(dataset.classes, 10U);
  expect_records(dataset.train, 0, 15);
  expect_records(dataset.test, 15, 3);
  ASSERT_EQ(dataset.sources.size(), 6U);
  EXPECT_EQ(dataset.sources[1].name, "data_batch_2.bin.gz");
  EXPECT_EQ(dataset.sources[5].name, "test_batch.bin.xz");
  EXPECT_EQ(dataset.sources[5].sha256, sha256(batch(15, 3)));
  EXPECT_FALSE(is_canonical(dataset));
}

TEST(Cifar, an_unpacked_file_is_taken_first_then_gzip) {
  const TemporaryFolder folder;
  write_set(folder, 1);
  folder.write("test_batch.bin.gz", "not read");
  folder.write("test_batch.bin.xz", "not read");
  expect_records(load_cifar10(folder.path()).test, 5, 1);
  fs::remove(folder / "test_batch.bin");
  folder.write("test_batch.bin.gz", gzip_content(batch(7, 1)));
  expect_records(load_cifar10(folder.path()).test, 7, 1);
}

TEST(Cifar, truncated_and_oversized) {
  const TemporaryFolder folder;
  const std::string content = batch(0, 2);
  for (const std::size_t size : {std::size_t{1}, record_bytes - 1, record_bytes + 1}) {
    for (const bool packed : {false, true}) {
      const std::string cut = content.substr(0, size);
      const fs::path path = folder.write("batch", packed ? xz_content(cut) : cut);
      expect_error<DataError>([&] { read(path, 2); },
                              {path.string(),
                               "whole records of 3073 bytes",
                               std::to_string(size / record_bytes) + " records and " +
                                   std::to_string(size % record_bytes) + " bytes more",
                               "incomplete"});
    }
  }
  const fs::path empty = folder.write("empty", "");
  expect_error<DataError>([&] { read(empty, 2); }, {"found an empty file"});
  expect_error<DataError>([&] { read(empty, 0); }, {"found an empty file"});
  const fs::path two = folder.write("two", content);
  expect_error<DataError>([&] { read(two, 3); }, {"expected 3 records", "found 2."});
  expect_error<DataError>([&] { read(two, 1); }, {"expected 1 records", "found at least 2."});
}

TEST(Cifar, the_content_of_a_packed_file_cannot_outgrow_the_count) {
  const TemporaryFolder folder;
  // 20,000 records of zeros pack to less than 10 kB; reading stops after one buffer too many.
  const fs::path path =
      folder.write("bomb", xz_content(std::string(20000 * record_bytes, '\0'), 6));
  Samples samples;
  std::vector<SourceFile> sources;
  expect_error<DataError>([&] { read_cifar_batch(path, 10, samples, sources); },
                          {"expected 10 records", "found at least 64"});
  EXPECT_LE(samples.bytes.size(), 64 * image_bytes);
}

TEST(Cifar, labels_out_of_range) {
  const TemporaryFolder folder;
  std::string content = batch(0, 3);
  content[2 * record_bytes] = 10;
  const fs::path path = folder.write("batch", content);
  expect_error<DataError>([&] { read(path, 3); },
                          {path.string(), "from 0 to 9, found 10", "record 2 (byte 6146)"});
  content[2 * record_bytes] = static_cast<char>(255);
  folder.write("batch", content);
  expect_error<DataError>([&] { read(path, 3); }, {"found 255"});
}

TEST(Cifar, damaged_streams) {
  const TemporaryFolder folder;
  const std::string packed = xz_content(batch(0, 3));
  std::string damaged = packed;
  damaged[packed.size() / 2] = static_cast<char>(damaged[packed.size() / 2] ^ 0x55);
  expect_error<DataError>([&] { read(folder.write("batch", damaged), 3); }, {"found damage"});
  // The last bytes of the stream are checked, though every record came.
  for (const std::string& whole : {packed, gzip_content(batch(0, 3))}) {
    expect_error<DataError>(
        [&] { read(folder.write("batch", whole.substr(0, whole.size() - 1)), 3); },
        {"after 9219 unpacked bytes", "incomplete"});
  }
}

TEST(Cifar, a_missing_batch_is_named) {
  const TemporaryFolder folder;
  for (const std::string name : {"data_batch_1.bin", "data_batch_4.bin", "test_batch.bin"}) {
    write_set(folder, 1);
    fs::remove(folder / name);
    expect_error<MissingInput>([&] { load_cifar10(folder.path()); },
                               {folder.path().string(), name + ", " + name + ".gz or ", "found "});
  }
  expect_error<MissingInput>([&] { read(folder / "nothing", 0); }, {"nothing: no such file"});
}

TEST(Cifar, batches_that_do_not_fit_each_other) {
  const TemporaryFolder folder;
  write_set(folder, 3);
  folder.write("data_batch_3.bin", batch(6, 2));
  expect_error<DataError>([&] { load_cifar10(folder.path()); },
                          {"data_batch_3.bin: expected 3 records", "found 2", "10000"});
  write_set(folder, 3);
  folder.write("test_batch.bin", batch(15, 4));
  expect_error<DataError>([&] { load_cifar10(folder.path()); },
                          {"test_batch.bin: expected 3 records", "found at least 4"});
}

// The published files, where ISTHMUS_DATA or the user's data folder has them. The counts of the
// classes and the means are those of A. Krizhevsky's files.
TEST(Cifar, the_published_set) {
  fs::path folder;
  try {
    folder = find_dataset("cifar-10");
  } catch (const MissingInput&) {
    GTEST_SKIP() << "CIFAR-10 is not on this machine (ISTHMUS_DATA)";
  }
  const Dataset dataset = load_cifar10(folder);
  EXPECT_TRUE(is_canonical(dataset));
  ASSERT_EQ(dataset.train.count, 50000U);
  ASSERT_EQ(dataset.test.count, 10000U);
  EXPECT_EQ(dataset.train.bytes.capacity(), dataset.train.bytes.size());
  for (std::int32_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(dataset.train.labels.begin(), dataset.train.labels.end(), label), 5000);
    EXPECT_EQ(std::count(dataset.test.labels.begin(), dataset.test.labels.end(), label), 1000);
  }
  const std::vector<std::int32_t> start(dataset.train.labels.begin(),
                                        dataset.train.labels.begin() + 8);
  EXPECT_EQ(start, (std::vector<std::int32_t>{6, 9, 9, 4, 1, 1, 2, 7}));
  const double published_means[] = {0.4914, 0.4822, 0.4465};
  for (std::size_t channel = 0; channel < 3; ++channel) {
    double sum = 0.0;
    for (std::size_t i = 0; i < dataset.train.count; ++i) {
      for (std::size_t j = 0; j < 1024; ++j) {
        sum += dataset.train.bytes[i * image_bytes + channel * 1024 + j];
      }
    }
    EXPECT_NEAR(sum / (50000.0 * 1024 * 255), published_means[channel], 1e-4);
  }
}

}  // namespace
}  // namespace isthmus
