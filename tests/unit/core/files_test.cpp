// SPDX-License-Identifier: MIT
#include "isthmus/core/files.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/output_file.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::bytes_of;
using testing::expect_error;
using testing::TemporaryFolder;

// The name under which write_file and OutputFile prepare `path`.
fs::path partial_of(const fs::path& path) {
  return path.string() + "." + std::to_string(::getpid()) + ".partial";
}

TEST(Files, write_then_read) {
  const TemporaryFolder folder;
  for (const std::string& content :
       {std::string(), std::string("text\n"), std::string(300000, '\0')}) {
    write_file(folder / "file", content);
    EXPECT_EQ(read_file(folder / "file"), content);
  }
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Files, a_relative_path_without_a_folder) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file("file", "here");
  EXPECT_EQ(read_file("file"), "here");
  fs::current_path(before);
}

TEST(Files, reading_what_is_not_there_or_no_file) {
  const TemporaryFolder folder;
  expect_error<MissingInput>([&] { read_file(folder / "none"); }, {"none: no such file"});
  expect_error<DataError>([&] { read_file(folder.path()); }, {"found a folder"});
}

TEST(Files, a_failed_write_names_the_place_and_the_reason) {
  const TemporaryFolder folder;
  expect_error<WriteError>([&] { write_file(folder / "none/file", "x"); },
                           {(folder / "none/file").string(), "No such file or directory"});
  folder.write("plain", "x");
  expect_error<WriteError>([&] { write_file(folder / "plain/file", "x"); }, {"Not a directory"});
  expect_error<WriteError>([] { write_file("/proc/isthmus", "x"); }, {"/proc/isthmus"});
}

TEST(Files, a_folder_in_the_way_of_a_file) {
  const TemporaryFolder folder;
  make_folder(folder / "taken");
  expect_error<WriteError>([&] { write_file(folder / "taken", "x"); }, {"Is a directory"});
  EXPECT_EQ(folder.entries(), 1U);
}

// Root may write anywhere: where the tests run as root, somebody else tries.
TEST(Files, an_unwritable_folder) {
  constexpr uid_t nobody = 65534;
  const uid_t user = ::geteuid();
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  if (user == 0) {
    ASSERT_EQ(::seteuid(nobody), 0);
  }
  expect_error<WriteError>([&] { write_file(folder / "file", "x"); }, {"Permission denied"});
  expect_error<WriteError>([&] { make_folder(folder / "below"); }, {"Permission denied"});
  ASSERT_EQ(::seteuid(user), 0);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(Files, a_full_disk_leaves_the_old_file_and_nothing_else) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("file", "old");
  // The temporary file lies on a device that is always full.
  fs::create_symlink("/dev/full", partial_of(path));
  expect_error<WriteError>([&] { write_file(path, "new"); },
                           {path.string(), "No space left on device", "intact"});
  EXPECT_EQ(bytes_of(path), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Files, a_device_is_written_to_and_not_replaced) {
  const TemporaryFolder folder;
  fs::create_symlink("/dev/full", folder / "full");
  fs::create_symlink("/dev/null", folder / "null");
  expect_error<WriteError>([&] { write_file(folder / "full", "x"); }, {"No space left on device"});
  write_file(folder / "null", "x");
  EXPECT_TRUE(fs::is_symlink(folder / "full"));
  EXPECT_TRUE(fs::is_symlink(folder / "null"));
}

TEST(Files, kills_leave_the_old_file_or_the_new_one) {
  const TemporaryFolder folder;
  const std::string first(200000, 'a');
  const std::string second(150000, 'b');
  const fs::path path = folder / "file";
  write_file(path, first);
  for (int round = 0; round < 10; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      while (true) {
        write_file(path, second);
        write_file(path, first);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string content = bytes_of(path);
    EXPECT_TRUE(content == first || content == second) << content.size() << " bytes";
  }
}

TEST(OutputFile, appears_at_commit) {
  const TemporaryFolder folder;
  const fs::path path = folder / "file";
  {
    OutputFile file(path);
    file.write(std::as_bytes(std::span<const char>("one ", 4)));
    EXPECT_FALSE(fs::exists(path));
    file.write(std::as_bytes(std::span<const char>("two", 3)));
    file.commit();
  }
  EXPECT_EQ(bytes_of(path), "one two");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(OutputFile, without_commit_leaves_nothing) {
  const TemporaryFolder folder;
  const fs::path path = folder.write("file", "old");
  {
    OutputFile file(path);
    file.write(std::as_bytes(std::span<const char>("new", 3)));
  }
  EXPECT_EQ(bytes_of(path), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Files, folders_are_made_with_those_above) {
  const TemporaryFolder folder;
  make_folder(folder / "a/b/c");
  make_folder(folder / "a/b/c");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/c"));
  folder.write("plain", "x");
  EXPECT_THROW(make_folder(folder / "plain"), WriteError);
  EXPECT_THROW(make_folder(folder / "plain/below"), WriteError);
  EXPECT_THROW(make_folder("/proc/isthmus"), WriteError);
}

TEST(Files, json_keeps_the_order_of_its_keys) {
  const TemporaryFolder folder;
  const Json value = {{"zeta", 1}, {"alpha", {1.5, "x"}}, {"none", nullptr}};
  write_json(folder / "file", value);
  EXPECT_EQ(read_json(folder / "file"), value);
  const std::string text = bytes_of(folder / "file");
  EXPECT_LT(text.find("zeta"), text.find("alpha"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(Files, wrong_json_says_where) {
  const TemporaryFolder folder;
  for (const char* text : {"", "{\"a\": 1,\n \"b\": }", "{\"a\": 1} x", "\"\xff\"", "[1e999]"}) {
    const fs::path path = folder.write("file", text);
    expect_error<DataError>([&] { read_json(path); }, {path.string(), "not valid JSON"});
  }
  const fs::path path = folder.write("file", "{\"a\": 1,\n \"b\": }");
  expect_error<DataError>([&] { read_json(path); }, {"line 2"});
}

TEST(Files, json_that_is_nested_too_deep) {
  const TemporaryFolder folder;
  const auto nested = [&](std::size_t levels) {
    return folder.write("file", std::string(levels, '[') + std::string(levels, ']'));
  };
  EXPECT_NO_THROW(read_json(nested(100)));
  expect_error<DataError>([&] { read_json(nested(1000000)); }, {"at most 100 levels"});
}

TEST(Files, numbers_read_back_as_they_were) {
  for (const double value :
       {0.1, 1.0 / 3.0, 1e-300, -0.0, 5e-324, 123456789.0, std::numeric_limits<double>::max()}) {
    EXPECT_EQ(std::strtod(format_number(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(format_number(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(format_number(-std::numeric_limits<double>::infinity()), "-inf");
}

// The examples of FIPS 180-4.
TEST(Files, sha256_of_known_texts) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace isthmus
