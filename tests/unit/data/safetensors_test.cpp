// SPDX-License-Identifier: MIT
#include "isthmus/data/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include "isthmus/core/error.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::bytes_of;
using testing::expect_error;
using testing::TemporaryFolder;

// A file with this header, as it is, and `data` bytes of data.
std::string file_of(const std::string& header, std::size_t data) {
  const std::uint64_t size = header.size();
  std::string content(sizeof(size), '\0');
  std::memcpy(content.data(), &size, sizeof(size));
  return content + header + std::string(data, '\0');
}

std::string tensor(const std::string& name,
                   const std::string& dtype,
                   const std::string& shape,
                   std::uint64_t begin,
                   std::uint64_t end) {
  return fmt::format(
      R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype, shape, begin, end);
}

void expect_refused(const std::string& content, std::initializer_list<std::string_view> parts) {
  const TemporaryFolder folder;
  const auto path = folder.write("file.safetensors", content);
  expect_error<DataError>([&] { SafetensorsFile file(path); }, parts);
  expect_error<DataError>([&] { SafetensorsFile file(path); }, {path.string()});
}

void expect_header_refused(const std::string& header,
                           std::size_t data,
                           std::initializer_list<std::string_view> parts) {
  expect_refused(file_of(header, data), parts);
}

// fixtures/mixed.safetensors holds tensor[i] = i / 8 - 1 in every dtype.
std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(i) / 8.0F - 1.0F;
  }
  return values;
}

SafetensorsFile fixture() {
  return SafetensorsFile(ISTHMUS_TEST_FOLDER "/fixtures/mixed.safetensors");
}

TEST(Safetensors, reads_what_python_wrote_in_every_float_type) {
  const SafetensorsFile file = fixture();
  EXPECT_EQ(file.tensors().size(), 6U);
  EXPECT_EQ(file.metadata().at("written by"), "safetensors for Python");
  EXPECT_EQ(file.metadata().at("quote"), "a \"b\" \\ \xc3\xa4");
  EXPECT_EQ(file.read("1.weight"), ramp(12));
  EXPECT_EQ(file.read("1.bias"), ramp(3));
  EXPECT_EQ(file.read("3.weight"), ramp(6));
  EXPECT_EQ(file.read("3.bias"), ramp(2));
  EXPECT_TRUE(file.read("empty").empty());
  ASSERT_NE(file.find("1.weight"), nullptr);
  EXPECT_EQ(file.find("1.weight")->shape, (std::vector<std::size_t>{3, 4}));
  EXPECT_EQ(file.find("1.weight")->dtype, "F32");
  EXPECT_EQ(file.find("2.weight"), nullptr);
}

TEST(Safetensors, says_what_it_converts) {
  const std::string text = fixture().conversion();
  EXPECT_NE(text.find("mixed.safetensors: converted to float32: 1 tensor from BF16, 1 tensor from "
                      "F16, 1 tensor from F64"),
            std::string::npos)
      << text;
}

TEST(Safetensors, tensors_that_are_not_there_or_not_floats) {
  const SafetensorsFile file = fixture();
  expect_error<DataError>([&] { file.read("2.weight"); },
                          {"expected a tensor '2.weight'", "1.weight", "steps"});
  expect_error<DataError>([&] { file.read("steps"); }, {"'steps'", "found I64"});
}

TEST(Safetensors, reads_rows_of_any_type) {
  const SafetensorsFile file = fixture();
  const std::vector<float> all = ramp(12);
  EXPECT_EQ(file.read_rows("1.weight", 1, 2), std::vector<float>(all.begin() + 4, all.end()));
  EXPECT_EQ(file.read_rows("3.weight", 1, 1), std::vector<float>(all.begin() + 3, all.begin() + 6));
  EXPECT_EQ(file.read_rows("1.bias", 2, 1), std::vector<float>{-0.75F});
  EXPECT_TRUE(file.read_rows("1.weight", 3, 0).empty());
  EXPECT_TRUE(file.read_rows("empty", 0, 0).empty());
  EXPECT_THROW(file.read_rows("1.weight", 3, 1), UsageError);
  EXPECT_THROW(file.read_rows("1.weight", 1, std::numeric_limits<std::size_t>::max()), UsageError);
}

TEST(Safetensors, several_threads_read_one_file) {
  const SafetensorsFile file = fixture();
  std::vector<std::vector<float>> results(8);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
      threads.emplace_back(
          [&, i] { results[i] = file.read(i % 2 == 0 ? "1.weight" : "3.weight"); });
    }
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i], ramp(i % 2 == 0 ? 12 : 6));
  }
}

TEST(Safetensors, writes_what_it_reads) {
  const TemporaryFolder folder;
  const std::vector<float> first = ramp(4);
  const std::vector<float> second = {1e-40F, -0.0F, std::numeric_limits<float>::infinity(), 3.0F};
  const std::vector<float> scalar = {42.0F};
  const std::map<std::string, std::string> metadata = {{"format", "test"},
                                                       {"quote", "\"\\\n\xc3\xa4"}};
  const auto path = folder / "file.safetensors";
  write_safetensors(
      path,
      std::vector<NamedTensor>{
          {"theta", {2, 4}, {first, second}}, {"none", {0, 3}, {}}, {"scalar", {}, {scalar}}},
      metadata);
  const SafetensorsFile file(path);
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.conversion(), "");
  EXPECT_EQ(file.read_rows("theta", 0, 1), first);
  const std::vector<float> row = file.read_rows("theta", 1, 1);
  EXPECT_EQ(std::memcmp(row.data(), second.data(), 4 * sizeof(float)), 0);
  EXPECT_EQ(file.read("scalar"), scalar);
  EXPECT_EQ(folder.entries(), 1U);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes_of(path).data(), sizeof(header));
  EXPECT_EQ(header % 8, 0U);
}

TEST(Safetensors, a_file_without_tensors) {
  const TemporaryFolder folder;
  write_safetensors(folder / "file", {}, {});
  EXPECT_TRUE(SafetensorsFile(folder / "file").tensors().empty());
}

TEST(Safetensors, equal_tensors_are_equal_files) {
  const TemporaryFolder folder;
  const std::vector<float> values = ramp(100);
  const std::vector<NamedTensor> tensors = {{"theta", {4, 25}, {values}}};
  write_safetensors(folder / "a", tensors, {{"x", "1"}, {"y", "2"}});
  write_safetensors(folder / "b", tensors, {{"y", "2"}, {"x", "1"}});
  EXPECT_EQ(bytes_of(folder / "a"), bytes_of(folder / "b"));
}

TEST(Safetensors, metadata_that_is_not_utf8_is_written_with_replacements) {
  const TemporaryFolder folder;
  write_safetensors(folder / "file", {}, {{"from", "caf\xe9"}});
  EXPECT_EQ(SafetensorsFile(folder / "file").metadata().at("from"), "caf\xef\xbf\xbd");
}

TEST(Safetensors, tensors_that_cannot_be_written) {
  const TemporaryFolder folder;
  const std::vector<float> values = ramp(5);
  const auto write = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(folder / "file", tensors);
  };
  expect_error<UsageError>([&] { write({{"w", {2, 3}, {values}}}); }, {"'w'", "(2, 3)", "got 5"});
  expect_error<UsageError>(
      [&] {
        write({{"w", {5}, {values}}, {"w", {5}, {values}}});
      },
      {"'w'", "once"});
  EXPECT_THROW(write({{"__metadata__", {5}, {values}}}), UsageError);
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(Safetensors, a_full_disk_leaves_the_old_file) {
  const TemporaryFolder folder;
  const auto path = folder / "file";
  const std::vector<float> values = ramp(100000);
  write_safetensors(path, std::vector<NamedTensor>{{"w", {100000}, {values}}});
  const std::string before = bytes_of(path);
  // The temporary file lies on a device that is always full.
  std::filesystem::create_symlink("/dev/full",
                                  fmt::format("{}.{}.partial", path.string(), ::getpid()));
  expect_error<WriteError>(
      [&] {
        write_safetensors(path, std::vector<NamedTensor>{{"v", {5}, {std::span(values).first(5)}}});
      },
      {path.string(), "No space left on device"});
  EXPECT_EQ(bytes_of(path), before);
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Safetensors, an_unwritable_place) {
  const std::vector<float> values = ramp(1);
  const std::vector<NamedTensor> tensors = {{"w", {1}, {values}}};
  EXPECT_THROW(write_safetensors("/proc/isthmus/file", tensors), WriteError);
}

TEST(Safetensors, missing_file_folder_and_device) {
  const TemporaryFolder folder;
  expect_error<MissingInput>([&] { SafetensorsFile file(folder / "none"); }, {"no such file"});
  expect_error<DataError>([&] { SafetensorsFile file(folder.path()); }, {"expected a file"});
  expect_error<DataError>([&] { SafetensorsFile file("/dev/zero"); }, {"expected a file"});
}

TEST(Safetensors, truncated_anywhere) {
  const std::string whole = bytes_of(ISTHMUS_TEST_FOLDER "/fixtures/mixed.safetensors");
  const TemporaryFolder folder;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto path = folder.write("file", whole.substr(0, size));
    EXPECT_THROW(SafetensorsFile{path}, DataError) << "cut after " << size << " bytes";
  }
  expect_refused(whole.substr(0, 5), {"at least 8 bytes, found 5"});
  expect_refused(whole.substr(0, whole.size() - 3),
                 {"114 bytes of data", "found 111", "incomplete"});
}

TEST(Safetensors, a_file_that_shrinks_while_open) {
  const TemporaryFolder folder;
  const auto path = folder.write("file", file_of("{" + tensor("w", "F32", "[4]", 0, 16) + "}", 16));
  const SafetensorsFile file(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  expect_error<DataError>([&] { file.read("w"); }, {"became shorter"});
}

TEST(Safetensors, absurd_header_lengths) {
  std::string content = file_of("{}", 0);
  content[7] = '\x7f';
  expect_refused(content,
                 {"header of at most 2 bytes", "the first 8 bytes say 9151314442816847874"});
  content[7] = '\xff';
  expect_refused(content, {"header of at most 2 bytes"});
}

TEST(Safetensors, bad_json) {
  expect_header_refused("", 0, {"expected a header in JSON"});
  expect_header_refused("{]", 0, {"expected a header in JSON"});
  expect_header_refused("[1]", 0, {"expected a JSON object"});
  expect_header_refused("{\"\xff\":1}", 0, {"expected a header in JSON"});
  expect_header_refused(std::string(200000, '['), 0, {"nested too deep"});
  expect_header_refused(R"({"__metadata__":[]})", 0, {"object of strings"});
  expect_header_refused(R"({"__metadata__":{"a":1}})", 0, {"metadata 'a'"});
  for (const char* entry : {R"({"w":1})",
                            R"({"w":{}})",
                            R"({"w":{"dtype":"F32","shape":[]}})",
                            R"({"w":{"dtype":4,"shape":[],"data_offsets":[0,4]}})",
                            R"({"w":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})",
                            R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}})",
                            R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":0}})"}) {
    expect_header_refused(entry, 4, {"tensor 'w'", "dtype, shape and two data_offsets"});
  }
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  expect_header_refused(
      "{" + tensor("w", "F32", "[" + deep + "]", 0, 4) + "}", 4, {"nested too deep"});
}

TEST(Safetensors, duplicate_names) {
  expect_header_refused(
      "{" + tensor("w", "F32", "[1]", 0, 4) + "," + tensor("w", "F32", "[1]", 4, 8) + "}",
      8,
      {"'w' twice"});
}

TEST(Safetensors, wrong_shapes_and_types) {
  const auto refuse = [](const std::string& entry, std::initializer_list<std::string_view> parts) {
    expect_header_refused("{" + entry + "}", 16, parts);
  };
  refuse(tensor("w", "F4", "[3]", 0, 1), {"'w'", "F4 numbers of shape (3)", "[0, 1]"});
  refuse(tensor("w", "C64", "[4]", 0, 16), {"'w'", "C64 numbers of shape (4)"});
  refuse(tensor("w", "F32", "[5]", 0, 16), {"'w'", "F32 numbers of shape (5)", "[0, 16]"});
  refuse(tensor("w", "F32", "[-4]", 0, 16), {"'w'", "whole numbers", "-4"});
  refuse(tensor("w", "F32", "[4.5]", 0, 16), {"'w'", "whole numbers", "4.5"});
  refuse(tensor("w", "F32", "[\"4\"]", 0, 16), {"'w'", "whole numbers", "string"});
  refuse(tensor("w", "F32", "[4]", 16, 0), {"'w'", "[16, 0]"});
  // 2^62 * 4 wraps round to 0.
  refuse(tensor("w", "F32", "[4611686018427387904]", 0, 0), {"'w'", "[0, 0]"});
  refuse(tensor("w", "F32", "[99999999999999999999]", 0, 16), {"'w'", "whole numbers"});
}

TEST(Safetensors, types_that_cannot_be_read_are_known_by_name) {
  const TemporaryFolder folder;
  // The types of safetensors 0.8 that have no float32 of their own, and one of times to come.
  for (const auto& [dtype, shape, bytes] : {std::tuple{"F8_E4M3", "[4]", 4},
                                            {"F8_E5M2", "[4]", 4},
                                            {"F8_E8M0", "[4]", 4},
                                            {"F8_E4M3FNUZ", "[4]", 4},
                                            {"F8_E5M2FNUZ", "[4]", 4},
                                            {"F6_E2M3", "[4]", 3},
                                            {"F6_E3M2", "[4]", 3},
                                            {"F4", "[4]", 2},
                                            {"C64", "[4]", 32},
                                            {"BOOL", "[4]", 4},
                                            {"I64", "[4]", 32},
                                            {"F128_NEW", "[4]", 7}}) {
    const auto size = static_cast<std::uint64_t>(bytes);
    const SafetensorsFile file(
        folder.write("file",
                     file_of(fmt::format("{{{},{}}}",
                                         tensor("w", dtype, shape, 0, size),
                                         tensor("x", "F32", "[1]", size, size + 4)),
                             size + 4)));
    EXPECT_EQ(file.read("x").size(), 1U) << dtype;
    EXPECT_FALSE(file.find("w")->readable());
    expect_error<DataError>([&] { file.read("w"); }, {"'w'", dtype, "F32, F16, BF16 or F64"});
  }
}

TEST(Safetensors, overlaps_gaps_and_garbage) {
  const auto two = [](std::uint64_t begin, std::uint64_t end) {
    return "{" + tensor("a", "F32", "[2]", 0, 8) + "," + tensor("b", "F32", "[2]", begin, end) +
           "}";
  };
  EXPECT_NO_FATAL_FAILURE({
    const TemporaryFolder folder;
    EXPECT_EQ(SafetensorsFile(folder.write("file", file_of(two(8, 16), 16))).tensors().size(), 2U);
  });
  expect_header_refused(two(4, 12), 12, {"'b'", "begin at byte 8", "found 4", "overlap"});
  expect_header_refused(two(12, 20), 20, {"'b'", "begin at byte 8", "found 12", "gap"});
  expect_header_refused(two(8, 16), 17, {"16 bytes of data", "found 17", "behind the last tensor"});
  expect_header_refused(two(8, 16), 12, {"16 bytes of data", "found 12", "incomplete"});
}

TEST(Safetensors, float64_beyond_float32) {
  const TemporaryFolder folder;
  std::string content = file_of("{" + tensor("w", "F64", "[3]", 0, 24) + "}", 24);
  const auto with = [&](double value) {
    std::memcpy(content.data() + content.size() - sizeof(value), &value, sizeof(value));
    return SafetensorsFile(folder.write("file", content)).read("w").back();
  };
  EXPECT_EQ(with(0.1), 0.1F);
  EXPECT_EQ(with(1e-300), 0.0F);
  EXPECT_TRUE(std::isinf(with(std::numeric_limits<double>::infinity())));
  EXPECT_TRUE(std::isnan(with(std::numeric_limits<double>::quiet_NaN())));
  expect_error<DataError>([&] { with(1e300); }, {"'w'", "range of float32", "1e+300"});
}

}  // namespace
}  // namespace isthmus
