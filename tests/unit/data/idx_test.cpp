// SPDX-License-Identifier: MIT
#include "isthmus/data/idx.h"

#include <gtest/gtest.h>

#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::gzip_content;
using testing::idx_content;
using testing::TemporaryFolder;
using namespace std::string_literals;

// Longer than the reader's buffer, so that reading crosses its borders, and hard to pack.
std::string noise(std::size_t size) {
  std::string values(size, '\0');
  std::uint32_t state = 1;
  for (char& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<char>(state >> 24U);
  }
  return values;
}

void expect_data_error(const std::string& content, std::initializer_list<std::string_view> parts) {
  const TemporaryFolder folder;
  const auto path = folder.write("file", content);
  expect_error<DataError>([&] { read_idx(path); }, parts);
  expect_error<DataError>([&] { read_idx(path); }, {path.string()});
}

TEST(Idx, reads_plain_and_gzip_alike_whatever_the_name) {
  const TemporaryFolder folder;
  const std::string values = noise(300 * 31 * 17);
  const std::string content = idx_content({300, 31, 17}, values);
  for (const auto& path :
       {folder.write("plain.gz", content), folder.write("packed", gzip_content(content))}) {
    const IdxArray array = read_idx(path);
    EXPECT_EQ(array.shape, (std::vector<std::size_t>{300, 31, 17}));
    EXPECT_EQ(std::string(array.bytes.begin(), array.bytes.end()), values);
    EXPECT_EQ(array.sha256, sha256(content));
  }
}

TEST(Idx, reads_gzip_in_several_members) {
  const TemporaryFolder folder;
  const std::string content = idx_content({6}, "abcdef");
  const auto path =
      folder.write("file", gzip_content(content.substr(0, 9)) + gzip_content(content.substr(9)));
  const IdxArray array = read_idx(path);
  EXPECT_EQ(std::string(array.bytes.begin(), array.bytes.end()), "abcdef");
  EXPECT_EQ(array.sha256, sha256(content));
}

TEST(Idx, missing_file_and_folder) {
  const TemporaryFolder folder;
  expect_error<MissingInput>([&] { read_idx(folder / "nothing"); }, {"nothing: no such file"});
  expect_error<DataError>([&] { read_idx(folder.path()); }, {"found a folder"});
}

TEST(Idx, wrong_header) {
  expect_data_error("", {"found the end of the file within it"});
  expect_data_error("\0\0\x08"s, {"found the end of the file within it"});
  expect_data_error("PNG?", {"begins with the bytes 00 00, found 50 4e"});
  expect_data_error(idx_content({2}, "12345678", '\x0D'), {"found type 0d (32-bit float)"});
  expect_data_error(idx_content({2}, "12", '\x07'), {"found type 07 (unknown)"});
  expect_data_error(idx_content({}, ""), {"at least one dimension"});
  expect_data_error(idx_content({3, 0, 2}, ""), {"at least 1, found the shape (3, 0, 2)"});
  expect_data_error("\0\0\x08\x03\0\0\0\x02"s, {"found the end of the file within it"});
}

TEST(Idx, absurd_sizes_are_refused_without_allocating) {
  const std::uint32_t huge = 0xffffffffU;
  const std::string content = idx_content({huge, huge, huge}, "abc");
  expect_data_error(content, {"(4294967295, 4294967295, 4294967295)", "has 19 bytes"});
  expect_data_error(gzip_content(content), {"cannot unpack to more than"});
}

TEST(Idx, truncated_and_oversized) {
  const std::string content = idx_content({2, 3}, "abcdef");
  expect_data_error(content.substr(0, content.size() - 1), {"expected 6 bytes", "incomplete"});
  expect_data_error(content + "xy", {"expected 6 bytes", "found 2 more"});
  expect_data_error(gzip_content(content.substr(0, content.size() - 1)),
                    {"expected 6 bytes", "found 5", "incomplete"});
  expect_data_error(gzip_content(content + "xy"), {"found 2 more"});
}

TEST(Idx, every_truncation_of_a_gzip_file_is_an_error) {
  const TemporaryFolder folder;
  const std::string packed = gzip_content(idx_content({2, 3}, "abcdef"));
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const auto path = folder.write("file", packed.substr(0, size));
    EXPECT_THROW(read_idx(path), DataError) << "cut after " << size << " bytes";
  }
}

TEST(Idx, damaged_gzip) {
  const std::string packed = gzip_content(idx_content({4, 4}, "abcdefghijklmnop"));
  std::string wrong_crc = packed;
  wrong_crc[packed.size() - 8] = static_cast<char>(wrong_crc[packed.size() - 8] ^ 1);
  expect_data_error(wrong_crc, {"damage after 28 unpacked bytes", "incorrect data check"});
  std::string wrong_length = packed;
  wrong_length[packed.size() - 4] = static_cast<char>(wrong_length[packed.size() - 4] ^ 1);
  expect_data_error(wrong_length, {"damage", "incorrect length check"});
  std::string wrong_method = packed;
  wrong_method[2] = 7;
  expect_data_error(wrong_method, {"damage", "unknown compression method"});
  expect_data_error(packed + "garbage", {"other bytes behind it"});
}

TEST(Idx, images_become_one_channel_and_other_shapes_stay) {
  const TemporaryFolder folder;
  const auto labels = folder.write("labels", idx_content({2}, "\x01\x02"));
  const auto shape_of = [&](const std::vector<std::uint32_t>& shape) {
    std::size_t size = 1;
    for (const std::uint32_t dimension : shape) {
      size *= dimension;
    }
    const auto images = folder.write("images", idx_content(shape, std::string(size, 'x')));
    return read_idx_samples(images, labels, 3).input_shape;
  };
  EXPECT_EQ(shape_of({2, 3, 5}), (std::vector<std::size_t>{1, 3, 5}));
  EXPECT_EQ(shape_of({2, 7}), (std::vector<std::size_t>{7}));
  EXPECT_EQ(shape_of({2, 3, 4, 5}), (std::vector<std::size_t>{3, 4, 5}));
}

TEST(Idx, samples_hold_bytes_labels_and_sources) {
  const TemporaryFolder folder;
  const std::string images = idx_content({2, 1, 2}, "\x00\x33\xff\x66"s);
  const auto images_path = folder.write("images", images);
  const auto labels_path = folder.write("labels.gz", gzip_content(idx_content({2}, "\x07\x00"s)));
  std::vector<SourceFile> sources;
  const Samples samples = read_idx_samples(images_path, labels_path, 10, &sources);
  EXPECT_EQ(samples.count, 2U);
  EXPECT_EQ(samples.bytes, (std::vector<std::uint8_t>{0, 0x33, 0xff, 0x66}));
  EXPECT_EQ(samples.labels, (std::vector<std::int32_t>{7, 0}));
  EXPECT_TRUE(samples.values.empty());
  EXPECT_TRUE(samples.targets.empty());
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[0].name, "images");
  EXPECT_EQ(sources[0].sha256, sha256(images));
  EXPECT_EQ(sources[1].name, "labels.gz");
  EXPECT_EQ(sources[1].sha256, sha256(idx_content({2}, "\x07\x00"s)));
}

TEST(Idx, images_and_labels_that_do_not_fit) {
  const TemporaryFolder folder;
  const auto images = folder.write("images", idx_content({2, 1, 2}, "abcd"));
  const auto two = folder.write("two", idx_content({2}, "\x01\x09"));
  const auto three = folder.write("three", idx_content({3}, "\x01\x02\x03"));
  expect_error<DataError>([&] { read_idx_samples(images, two, 9); },
                          {two.string(), "expected labels from 0 to 8, found 9 at index 1"});
  EXPECT_NO_THROW(read_idx_samples(images, two, 0));
  expect_error<DataError>([&] { read_idx_samples(images, three, 10); },
                          {three.string(), "each of the 2 images", "found 3 labels"});
  expect_error<DataError>([&] { read_idx_samples(images, images, 10); }, {"Are these images?"});
  expect_error<DataError>([&] { read_idx_samples(two, two, 10); }, {"Are these labels?"});
}

}  // namespace
}  // namespace isthmus
