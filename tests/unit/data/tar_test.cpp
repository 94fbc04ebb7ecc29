// SPDX-License-Identifier: MIT
#include "isthmus/data/tar.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "support/idx_files.h"
#include "support/tar_files.h"
#include "support/temporary_folder.h"
#include "support/xz_files.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::gzip_content;
using testing::tar_end;
using testing::tar_entry;
using testing::TemporaryFolder;
using testing::xz_content;

struct File {
  std::string name;
  std::string content;
  bool operator==(const File&) const = default;
};

std::vector<File> read_all(const std::filesystem::path& path, std::size_t piece) {
  TarReader reader(path);
  std::vector<File> files;
  while (const auto entry = reader.next()) {
    File file{entry->name, ""};
    std::vector<std::uint8_t> buffer(piece);
    std::size_t got = 0;
    do {
      got = reader.read(buffer);
      file.content.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
    } while (got == piece);
    EXPECT_EQ(file.content.size(), entry->bytes);
    files.push_back(std::move(file));
  }
  return files;
}

TEST(Tar, regular_files_plain_gzip_and_xz) {
  const TemporaryFolder folder;
  const std::string full(512, 'x');
  const std::string long_content(200000, 'y');
  const std::string archive = tar_entry("folder/", "", '5') + tar_entry("folder/a.txt", "alpha") +
                              tar_entry("pax", "30 path=whatever", 'x') + tar_entry("full", full) +
                              tar_entry("link", "", '2') + tar_entry("empty", "") +
                              tar_entry("../../long", long_content, '\0') + tar_end();
  const std::vector<File> expected{
      {"a.txt", "alpha"}, {"full", full}, {"empty", ""}, {"long", long_content}};
  for (const std::string& file : {archive, gzip_content(archive), xz_content(archive)}) {
    const auto path = folder.write("archive", file);
    EXPECT_EQ(read_all(path, 7), expected);
    EXPECT_EQ(read_all(path, 1 << 20), expected);
  }
}

TEST(Tar, files_may_be_passed_over) {
  const TemporaryFolder folder;
  TarReader reader(folder.write(
      "archive", tar_entry("a", std::string(70000, 'a')) + tar_entry("b", "beta") + tar_end()));
  EXPECT_EQ(reader.next()->name, "a");
  std::vector<std::uint8_t> buffer(10);
  reader.read(buffer);
  EXPECT_EQ(reader.next()->name, "b");
  EXPECT_EQ(reader.read(buffer), 4U);
  EXPECT_EQ(buffer[0], 'b');
  EXPECT_EQ(reader.read(buffer), 0U);
  EXPECT_FALSE(reader.next());
}

TEST(Tar, damaged) {
  const TemporaryFolder folder;
  const std::string archive = tar_entry("a", "alpha") + tar_end();
  const auto expect_refused = [&](const std::string& content, std::string_view part) {
    const auto path = folder.write("archive", content);
    expect_error<DataError>([&] { read_all(path, 100); }, {path.string(), part});
  };
  for (const std::size_t size : {0, 1, 511, 512, 514, 1023, 1024, 1100}) {
    expect_refused(archive.substr(0, size), "incomplete");
  }
  std::string wrong = archive;
  wrong[0] = 'b';
  expect_refused(wrong, "checksum");
  expect_refused(std::string(1024, 'x'), "checksum");
  // A size in GNU's binary form, under a right checksum: 0x80 instead of '0'.
  std::string binary = archive;
  binary[124] = static_cast<char>(0x80);
  const std::size_t sum = 0x80U - '0' + std::stoul(binary.substr(148, 6), nullptr, 8);
  char digits[8];
  std::snprintf(digits, sizeof(digits), "%06zo", sum);
  binary.replace(148, 6, digits);
  expect_refused(binary, "size is wrong");
  const std::string packed = gzip_content(archive);
  expect_refused(packed.substr(0, packed.size() - 1), "gzip stream");
  EXPECT_THROW(TarReader(folder / "nothing"), MissingInput);
}

}  // namespace
}  // namespace isthmus
