// SPDX-License-Identifier: MIT
#include "isthmus/data/fetch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "support/environment.h"
#include "support/http_server.h"
#include "support/idx_files.h"
#include "support/tar_files.h"
#include "support/temporary_folder.h"
#include "support/xz_files.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::bytes_of;
using testing::content_response;
using testing::EnvironmentVariable;
using testing::expect_error;
using testing::gzip_content;
using testing::HttpRequest;
using testing::HttpResponse;
using testing::HttpServer;
using testing::tar_end;
using testing::tar_entry;
using testing::TemporaryFolder;
using testing::xz_content;

// 200 kB that do not pack, so that a transfer takes many reads.
std::string noise() {
  std::string content(200000, '\0');
  std::uint32_t state = 1;
  for (char& byte : content) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return content;
}

// A published set of one file, served from a mirror of the loopback address.
class Fetch : public ::testing::Test {
 protected:
  FetchSummary fetch(std::vector<std::string> mirrors) {
    options_.mirrors = std::move(mirrors);
    return fetch_dataset(set_, target(), options_);
  }
  fs::path target() const { return folder_ / "set"; }
  fs::path final_path() const { return target() / "file.gz"; }
  fs::path partial_path() const { return target() / "file.gz.partial"; }
  void write_partial(std::string_view content) const {
    folder_.write("set/file.gz.partial", content);
  }

  void expect_complete() const {
    EXPECT_EQ(bytes_of(final_path()), packed_);
    EXPECT_FALSE(fs::exists(partial_path()));
  }
  void expect_nothing() const {
    EXPECT_FALSE(fs::exists(final_path()));
    EXPECT_FALSE(fs::exists(partial_path()));
  }

  const std::string content_ = noise();
  const std::string packed_ = gzip_content(content_);
  const std::string hash_ = sha256(content_);
  const std::array<KnownFile, 1> files_{{{"file", content_.size(), hash_}}};
  const KnownSet set_{.name = "test-set", .folder = "test-set", .files = files_};
  const EnvironmentVariable no_proxy_{"no_proxy", "*"};
  TemporaryFolder folder_;
  FetchOptions options_;
};

TEST_F(Fetch, downloads_verifies_and_reports) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  FetchProgress last;
  options_.progress = [&](const FetchProgress& progress) {
    EXPECT_EQ(progress.file, "file");
    EXPECT_GE(progress.bytes, last.bytes);
    last = progress;
  };
  const FetchSummary summary = fetch({server.address() + "mirror/"});
  EXPECT_EQ(summary.downloaded, 1U);
  EXPECT_EQ(summary.present, 0U);
  EXPECT_EQ(last.bytes, packed_.size());
  EXPECT_EQ(last.total, packed_.size());
  expect_complete();
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].path, "/mirror/file.gz");
  EXPECT_FALSE(server.requests()[0].range_start);
}

TEST_F(Fetch, leaves_a_right_file_alone_and_replaces_a_wrong_one) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  folder_.write("set/file.gz", packed_);
  EXPECT_EQ(fetch({server.address()}).present, 1U);
  EXPECT_TRUE(server.requests().empty());
  folder_.write("set/file.gz", packed_.substr(0, 1000));
  EXPECT_EQ(fetch({server.address()}).downloaded, 1U);
  expect_complete();
}

TEST_F(Fetch, an_unpacked_file_counts_and_a_wrong_one_is_in_the_way) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  folder_.write("set/file", content_);
  EXPECT_EQ(fetch({server.address()}).present, 1U);
  folder_.write("set/file", "something else");
  expect_error<DataError>([&] { fetch({server.address()}); },
                          {"set/file", "expected 200000 bytes unpacked, found 14", "remove it"});
  EXPECT_EQ(bytes_of(target() / "file"), "something else");
}

TEST_F(Fetch, a_cut_connection_is_resumed_where_it_ended) {
  int requests = 0;
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    if (++requests < 3) {
      response.cut_after = 70000;
    }
    return response;
  });
  EXPECT_EQ(fetch({server.address()}).downloaded, 1U);
  expect_complete();
  const auto seen = server.requests();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_FALSE(seen[0].range_start);
  EXPECT_EQ(seen[1].range_start, 70000U);
  EXPECT_EQ(seen[2].range_start, 140000U);
}

TEST_F(Fetch, a_cut_transfer_is_kept_for_the_next_call) {
  HttpServer broken([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    response.cut_after = request.range_start ? 0 : 50000;
    return response;
  });
  expect_error<MissingInput>([&] { fetch({broken.address()}); },
                             {"file: no mirror has it", broken.address() + "file.gz: "});
  EXPECT_FALSE(fs::exists(final_path()));
  EXPECT_EQ(bytes_of(partial_path()), packed_.substr(0, 50000));

  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  EXPECT_EQ(fetch({server.address()}).downloaded, 1U);
  expect_complete();
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].range_start, 50000U);
}

TEST_F(Fetch, a_cut_transfer_goes_on_at_the_next_mirror) {
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    if (request.path.starts_with("/a/")) {
      response.cut_after = request.range_start ? 0 : 50000;
    }
    return response;
  });
  fetch({server.address() + "a/", server.address() + "b/"});
  expect_complete();
  ASSERT_EQ(server.requests().size(), 3U);
  EXPECT_EQ(server.requests()[2].path, "/b/file.gz");
  EXPECT_EQ(server.requests()[2].range_start, 50000U);
}

TEST_F(Fetch, a_server_that_ignores_ranges_starts_from_the_beginning) {
  HttpServer server([&](const HttpRequest&) { return HttpResponse{.body = packed_}; });
  write_partial(packed_.substr(0, 1234));
  fetch({server.address()});
  expect_complete();
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].range_start, 1234U);
}

TEST_F(Fetch, a_server_that_sends_another_range_is_not_trusted) {
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    response.headers = "Content-Range: bytes 0-199/200\r\n";
    return response;
  });
  write_partial(packed_.substr(0, 1234));
  expect_error<MissingInput>([&] { fetch({server.address()}); },
                             {"HTTP 206 with bytes from 0, not from 1234"});
  EXPECT_EQ(bytes_of(partial_path()), packed_.substr(0, 1234));
}

TEST_F(Fetch, a_partial_file_that_was_complete_is_published) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  write_partial(packed_);
  fetch({server.address()});
  expect_complete();
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Fetch, a_partial_file_of_another_packing_is_dropped) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  for (const std::size_t size : {std::size_t{1000}, packed_.size() + 1000}) {
    fs::remove(final_path());
    write_partial(std::string(size, 'x'));
    fetch({server.address()});
    expect_complete();
  }
}

TEST_F(Fetch, wrong_content_everywhere_is_a_data_error_and_leaves_nothing) {
  std::string wrong = content_;
  wrong[100] = static_cast<char>(wrong[100] ^ 1);
  HttpServer server([&](const HttpRequest& request) {
    return content_response(request,
                            request.path.starts_with("/hash/")      ? gzip_content(wrong)
                            : request.path.starts_with("/size/")    ? gzip_content("short")
                            : request.path.starts_with("/damaged/") ? packed_.substr(0, 1000)
                                                                    : std::string(300000, 'x'));
  });
  const std::string base = server.address();
  expect_error<DataError>(
      [&] {
        fetch({base + "hash/", base + "size/", base + "damaged/", base + "long/"});
      },
      {"hash/file.gz: wrong content: expected the SHA-256 " + hash_ + ", found " + sha256(wrong),
       "size/file.gz: wrong content: expected 200000 bytes unpacked, found 5",
       "damaged/file.gz: wrong content: ",
       "long/file.gz: wrong content: more than the 200000 bytes"});
  expect_nothing();
}

TEST_F(Fetch, wrong_content_at_one_mirror_leads_to_the_next) {
  HttpServer server([&](const HttpRequest& request) {
    return content_response(request,
                            request.path.starts_with("/a/") ? gzip_content("wrong") : packed_);
  });
  fetch({server.address() + "a/", server.address() + "b/"});
  expect_complete();
}

TEST_F(Fetch, an_error_status_leads_to_the_next_mirror) {
  HttpServer server([&](const HttpRequest& request) {
    return request.path.starts_with("/a/") ? HttpResponse{.status = 404, .body = "not here"}
                                           : content_response(request, packed_);
  });
  fetch({server.address() + "a/", server.address() + "b/"});
  expect_complete();
}

TEST_F(Fetch, every_mirror_gives_its_reason) {
  HttpServer server([](const HttpRequest& request) {
    return HttpResponse{.status = request.path.starts_with("/a/") ? 404 : 503};
  });
  expect_error<MissingInput>(
      [&] {
        fetch(
            {server.address() + "a/", server.address() + "b/", "http://127.0.0.1:1/", "ftp://x/"});
      },
      {"a/file.gz: the server answered HTTP 404",
       "b/file.gz: the server answered HTTP 503",
       "http://127.0.0.1:1/file.gz: Failed to connect",
       "ftp://x/file.gz: Protocol \"ftp\" not supported",
       "--data DIR"});
  expect_nothing();
}

TEST_F(Fetch, redirects_are_followed_within_http_only) {
  HttpServer server([&](const HttpRequest& request) -> HttpResponse {
    if (request.path == "/a/file.gz") {
      return {.status = 302, .headers = "Location: /b/file.gz\r\n", .body = "moved"};
    }
    if (request.path == "/file/file.gz") {
      return {.status = 302, .headers = "Location: file:///etc/passwd\r\n"};
    }
    if (request.path == "/loop/file.gz") {
      return {.status = 302, .headers = "Location: /loop/file.gz\r\n"};
    }
    return content_response(request, packed_);
  });
  expect_error<MissingInput>(
      [&] {
        fetch({server.address() + "file/", server.address() + "loop/"});
      },
      {"Protocol \"file\"", "Maximum (5) redirects"});
  expect_nothing();
  fetch({server.address() + "a/"});
  expect_complete();
}

TEST_F(Fetch, a_stalled_transfer_is_given_up_and_resumed) {
  int requests = 0;
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    if (++requests == 1) {
      response.cut_after = 1000;
      response.stall = true;
    }
    return response;
  });
  options_.stall_timeout = std::chrono::seconds(1);
  fetch({server.address()});
  expect_complete();
  EXPECT_EQ(server.requests().back().range_start, 1000U);
}

TEST_F(Fetch, a_stop_ends_the_transfer_and_keeps_what_came) {
  Stop stop;
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, packed_);
    response.cut_after = 60000;
    response.stall = true;
    return response;
  });
  options_.stop = &stop;
  options_.progress = [&](const FetchProgress& progress) {
    if (progress.bytes >= 60000) {
      stop.request();
    }
  };
  expect_error<Interrupted>([&] { fetch({server.address()}); }, {"file", "60000 bytes"});
  EXPECT_EQ(bytes_of(partial_path()), packed_.substr(0, 60000));
  EXPECT_FALSE(fs::exists(final_path()));
}

TEST_F(Fetch, an_exception_of_the_progress_callback_comes_through) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  options_.progress = [](const FetchProgress&) { throw std::runtime_error("no terminal"); };
  expect_error<std::runtime_error>([&] { fetch({server.address()}); }, {"no terminal"});
}

TEST_F(Fetch, an_unwritable_target) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  options_.mirrors = {server.address()};
  EXPECT_THROW(fetch_dataset(set_, "/proc/isthmus", options_), WriteError);
  fs::create_directories(target() / "file.gz.partial");
  expect_error<WriteError>([&] { fetch({server.address()}); }, {"file.gz.partial", "directory"});
}

TEST_F(Fetch, a_full_disk) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  fs::create_directories(target());
  fs::create_symlink("/dev/full", partial_path());
  expect_error<WriteError>([&] { fetch({server.address()}); }, {"No space left on device"});
  EXPECT_FALSE(fs::exists(final_path()));
}

TEST_F(Fetch, two_at_once_exclude_each_other) {
  HttpServer server([&](const HttpRequest& request) { return content_response(request, packed_); });
  write_partial("x");
  const int other = ::open(partial_path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  expect_error<WriteError>([&] { fetch({server.address()}); }, {"another process"});
  ::close(other);
  fetch({server.address()});
  expect_complete();
}

// The same content and a second file in one archive.
class FetchArchive : public Fetch {
 protected:
  FetchSummary fetch_all(const std::string& mirror) {
    options_.mirrors = {mirror};
    return fetch_dataset(archived_, target(), options_);
  }
  std::string archive_of(const std::string& first, const std::string& second) const {
    return gzip_content(tar_entry("set/", "", '5') + tar_entry("set/readme.html", "hello") +
                        tar_entry("set/file", first) + tar_entry("set/second", second) + tar_end());
  }
  void expect_unpacked() const {
    EXPECT_EQ(bytes_of(target() / "file"), content_);
    EXPECT_EQ(bytes_of(target() / "second"), second_);
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(target())) {
      ++entries;
    }
    EXPECT_EQ(entries, 2U) << "neither the archive nor anything partial stays";
  }

  const std::string second_ = content_.substr(1000, 70000);
  const std::string second_hash_ = sha256(second_);
  const std::array<KnownFile, 2> both_{
      {{"file", content_.size(), hash_}, {"second", second_.size(), second_hash_}}};
  const KnownSet archived_{
      .name = "test-set", .folder = "test-set", .files = both_, .archive = "set.tar.gz"};
  const std::string archive_ = archive_of(content_, second_);
};

TEST_F(FetchArchive, unpacks_verifies_and_removes_the_archive) {
  HttpServer server(
      [&](const HttpRequest& request) { return content_response(request, archive_); });
  EXPECT_EQ(fetch_all(server.address()).downloaded, 2U);
  expect_unpacked();
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(server.requests()[0].path, "/set.tar.gz");
  const FetchSummary again = fetch_all(server.address());
  EXPECT_EQ(again.downloaded, 0U);
  EXPECT_EQ(again.present, 2U);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(FetchArchive, takes_out_only_what_is_missing) {
  HttpServer server(
      [&](const HttpRequest& request) { return content_response(request, archive_); });
  folder_.write("set/file.xz", xz_content(content_));
  const FetchSummary summary = fetch_all(server.address());
  EXPECT_EQ(summary.downloaded, 1U);
  EXPECT_EQ(summary.present, 1U);
  EXPECT_FALSE(fs::exists(target() / "file"));
  EXPECT_EQ(bytes_of(target() / "second"), second_);
}

TEST_F(FetchArchive, a_cut_archive_is_resumed) {
  int requests = 0;
  HttpServer server([&](const HttpRequest& request) {
    HttpResponse response = content_response(request, archive_);
    if (++requests == 1) {
      response.cut_after = 70000;
    }
    return response;
  });
  fetch_all(server.address());
  expect_unpacked();
  EXPECT_EQ(server.requests().back().range_start, 70000U);
}

TEST_F(FetchArchive, wrong_archives_leave_no_wrong_file) {
  std::string other = content_;
  other[100] = static_cast<char>(other[100] ^ 1);
  std::string answer;
  HttpServer server([&](const HttpRequest& request) { return content_response(request, answer); });
  const auto expect_wrong = [&](const std::string& archive, std::string_view part) {
    answer = archive;
    expect_error<DataError>([&] { fetch_all(server.address()); },
                            {"set.tar.gz: ", "wrong content", part});
    EXPECT_FALSE(fs::exists(target() / "file"));
    EXPECT_FALSE(fs::exists(target() / "file.partial"));
    EXPECT_FALSE(fs::exists(target() / "set.tar.gz.partial"));
  };
  expect_wrong(archive_of(other, second_), "file: wrong content: expected the SHA-256 " + hash_);
  expect_wrong(archive_of("short", second_), "expected a file file of 200000 bytes");
  expect_wrong(gzip_content(tar_end()), "in the archive, found none");
  expect_wrong("no archive at all", "incomplete");
  expect_wrong(archive_.substr(0, 1000), "gzip stream");
  expect_wrong(std::string(400000, 'x'), "more than the");
}

TEST_F(FetchArchive, a_wrong_unpacked_file_is_in_the_way) {
  HttpServer server(
      [&](const HttpRequest& request) { return content_response(request, archive_); });
  folder_.write("set/second", "mine");
  expect_error<DataError>([&] { fetch_all(server.address()); }, {"set/second", "remove it"});
  EXPECT_EQ(bytes_of(target() / "second"), "mine");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Fetch, a_set_without_mirrors_says_so) {
  expect_error<UsageError>([&] { fetch_dataset("ptb", target()); },
                           {"ptb", "not freely licensed", "--data DIR"});
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, unknown_names_list_the_known_ones) {
  expect_error<UsageError>([&] { fetch_dataset("mist", target()); },
                           {"mnist, fashion-mnist", "'mist'"});
}

}  // namespace
}  // namespace isthmus
