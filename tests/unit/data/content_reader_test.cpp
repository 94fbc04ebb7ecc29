// SPDX-License-Identifier: MIT
// The xz side; that of gzip is tested through the IDX reader.
#include "isthmus/data/content_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"
#include "support/xz_files.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::gzip_content;
using testing::TemporaryFolder;
using testing::xz_content;
using namespace std::string_literals;

// Everything in a file, read in pieces of `piece` bytes; the hash must be that of what was read.
std::string read_all(const std::filesystem::path& path, std::size_t piece) {
  ContentReader reader(path);
  std::string content;
  std::vector<std::uint8_t> buffer(piece);
  std::size_t got = 0;
  do {
    got = reader.read(buffer);
    content.append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
  } while (got == piece);
  EXPECT_EQ(reader.sha256(), sha256(content));
  return content;
}

// Longer than the reader's buffer, and hard to pack.
std::string noise() {
  std::string values(200000, '\0');
  std::uint32_t state = 1;
  for (char& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<char>(state >> 24U);
  }
  return values;
}

void expect_data_error(const std::string& file, std::initializer_list<std::string_view> parts) {
  const TemporaryFolder folder;
  const auto path = folder.write("file", file);
  expect_error<DataError>([&] { ContentReader(path).drain(); }, parts);
  expect_error<DataError>([&] { ContentReader(path).drain(); }, {path.string()});
}

TEST(Xz, content_in_pieces_of_any_size_whatever_the_name) {
  const TemporaryFolder folder;
  const std::string content = noise();
  const auto path = folder.write("named.gz", xz_content(content));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4097}, content.size()}) {
    EXPECT_EQ(read_all(path, piece), content) << piece;
  }
  EXPECT_TRUE(ContentReader(path).compressed());
  EXPECT_EQ(read_all(folder.write("empty", xz_content("")), 10), "");
}

TEST(Xz, several_streams_and_padding) {
  const TemporaryFolder folder;
  const std::string packed = xz_content("first ") + "\0\0\0\0"s + xz_content("second");
  EXPECT_EQ(read_all(folder.write("file", packed), 5), "first second");
}

TEST(Xz, every_truncation_is_an_error) {
  const TemporaryFolder folder;
  const std::string packed = xz_content("abcdefghijklmnop");
  for (std::size_t size = 6; size < packed.size(); ++size) {
    const auto path = folder.write("file", packed.substr(0, size));
    EXPECT_THROW(ContentReader(path).drain(), DataError) << "cut after " << size << " bytes";
  }
  expect_data_error(packed.substr(0, packed.size() - 1),
                    {"more of its xz stream", "after 16 unpacked bytes", "incomplete"});
}

TEST(Xz, every_changed_byte_is_an_error) {
  const TemporaryFolder folder;
  const std::string packed = xz_content("abcdefghijklmnop");
  for (std::size_t i = 6; i < packed.size(); ++i) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto path = folder.write("file", damaged);
    EXPECT_THROW(ContentReader(path).drain(), DataError) << "byte " << i;
  }
}

TEST(Xz, damage_gives_its_reason) {
  const std::string packed = xz_content(noise());
  std::string wrong = packed;
  wrong[packed.size() / 2] = static_cast<char>(wrong[packed.size() / 2] ^ 1);
  expect_data_error(wrong, {"expected an xz stream, found damage after", "wrong data or checksum"});
  for (const std::string& garbage : {"garbage"s, gzip_content("x"), "\0\0\0\0x"s}) {
    expect_data_error(packed + garbage, {"xz stream (200000 bytes unpacked)", "behind it"});
  }
  expect_data_error(packed + "\xfd" + "7zXZ", {"after 200000 unpacked bytes", "incomplete"});
  expect_data_error(packed + "\xfd" + "neither that", {"200000", "not an xz header"});
  expect_data_error(packed + "\0\0\0"s, {"wrong data"});
  std::string filter = xz_content("word");
  filter[6] = 1;  // reserved stream flags, whose CRC is then wrong as well
  expect_data_error(filter, {"after 0 unpacked bytes"});
}

TEST(Xz, a_dictionary_beyond_the_limit_is_refused) {
  const TemporaryFolder folder;
  constexpr std::uint32_t mebibyte = 1U << 20U;
  // A one-word content, but a header that asks for memory.
  EXPECT_EQ(read_all(folder.write("file", xz_content("word", 1, 128 * mebibyte)), 10), "word");
  expect_data_error(xz_content("word", 1, 512 * mebibyte),
                    {"at most 256 MiB", "needs 512 MiB", "xz -9"});
}

TEST(Xz, nothing_packs_better_than_the_limit) {
  const TemporaryFolder folder;
  const std::string zeros(std::size_t{64} << 20U, '\0');
  const ContentReader reader(folder.write("file", xz_content(zeros, 6)));
  EXPECT_GE(reader.size_limit(), zeros.size());
  EXPECT_LT(reader.size_limit(), 2 * zeros.size());
}

}  // namespace
}  // namespace isthmus
