// SPDX-License-Identifier: MIT
#include "isthmus/data/fetch.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/reason.h"
#include "isthmus/data/content_reader.h"
#include "isthmus/data/packed_file.h"
#include "isthmus/data/partial_file.h"
#include "isthmus/data/tar.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

constexpr long http_ok = 200;
constexpr long http_partial_content = 206;
constexpr long http_range_not_satisfiable = 416;
constexpr long redirect_limit = 5;
constexpr long stall_bytes_per_second = 1000;
constexpr std::size_t unpack_buffer = std::size_t{256} * 1024;
// Headers, padding and small files besides the wanted ones.
constexpr std::uint64_t archive_allowance = std::uint64_t{64} * 1024;

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlHandle = std::unique_ptr<CURL, CurlDeleter>;

// Only a fetch pays for the start of libcurl (and of its TLS library).
CurlHandle make_handle() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CurlHandle handle(curl_easy_init());
  if (!handle) {
    throw InternalError("libcurl could not be started (out of memory?)");
  }
  return handle;
}

// Why the content of a file is not the published one; nothing if it is.
std::optional<std::string> content_problem(const fs::path& path, const KnownFile& file) {
  try {
    ContentReader reader(path);
    const std::uint64_t size = reader.drain();
    if (size != file.bytes) {
      return fmt::format("wrong content: expected {} bytes unpacked, found {}", file.bytes, size);
    }
    const std::string hash = reader.sha256();
    if (hash != file.sha256) {
      return fmt::format("wrong content: expected the SHA-256 {}, found {}", file.sha256, hash);
    }
  } catch (const DataError& error) {
    return fmt::format("wrong content: {}", reason_of(error, path.string()));
  }
  return std::nullopt;
}

// What a download must be: its name at a mirror, a size that it cannot pass, and its check.
struct Wanted {
  std::string_view name;    // to be shown
  std::string remote_name;  // behind the address of a mirror
  std::uint64_t bytes = 0;  // unpacked; what packing and an archive add comes on top
  std::function<std::optional<std::string>(const fs::path&)> problem;  // nothing if it is right
};

// One request for what a partial file lacks. The callbacks run inside libcurl, a C library, so
// exceptions wait in `failure` until it has returned.
class Transfer {
 public:
  Transfer(const Wanted& wanted, const FetchOptions& options, PartialFile& partial)
      : wanted_(wanted), options_(options), partial_(partial), offset_(partial.size()) {}

  // Returns libcurl's code. Throws WriteError, Interrupted, and what the progress callback throws.
  CURLcode run(const std::string& address) {
    const CurlHandle owner = make_handle();
    handle_ = owner.get();
    configure(address);
    const CURLcode code = curl_easy_perform(handle_);
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status_);
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    if (stopped()) {
      throw Interrupted(
          fmt::format("the download of {} was interrupted after {} bytes. Repeat the command: it "
                      "goes on where it stopped.",
                      wanted_.name,
                      partial_.size()));
    }
    if (code != CURLE_OK && problem_.empty()) {
      problem_ = describe(code);
    }
    return code;
  }

  long status() const { return status_; }
  const std::string& problem() const { return problem_; }
  bool wrong_content() const { return wrong_content_; }
  // Whether the file now holds bytes of an earlier attempt.
  bool resumed() const { return offset_ > 0; }

 private:
  void configure(const std::string& address) {
    const auto set = [&](CURLoption option, auto value) {
      curl_easy_setopt(handle_, option, value);
    };
    set(CURLOPT_URL, address.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, redirect_limit);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "isthmus");
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, stall_bytes_per_second);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_timeout.count()));
    set(CURLOPT_ERRORBUFFER, message_.data());
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, this);
    if (offset_ > 0) {
      // Not CURLOPT_RESUME_FROM: that fails where a server ignores ranges and sends everything.
      range_ = fmt::format("{}-", offset_);
      set(CURLOPT_RANGE, range_.c_str());
    }
  }

  bool stopped() const { return options_.stop != nullptr && options_.stop->requested(); }

  std::string describe(CURLcode code) const {
    if (code == CURLE_HTTP_RETURNED_ERROR) {
      return fmt::format("the server answered HTTP {}", status_);
    }
    return message_.front() != '\0' ? message_.data() : curl_easy_strerror(code);
  }

  // On the first byte of the answer: does it go on where the file ends?
  bool begin_body() {
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status_);
    if (status_ == http_ok) {
      partial_.clear();
      offset_ = 0;
    } else if (status_ != http_partial_content || range_start_ != offset_) {
      problem_ = fmt::format("the server answered HTTP {} with bytes from {}, not from {}",
                             status_,
                             range_start_,
                             offset_);
      return false;
    }
    return true;
  }

  bool take(std::span<const std::byte> bytes) {
    if (!begun_) {
      begun_ = true;
      if (!begin_body()) {
        return false;
      }
    }
    // Packing lengthens what it cannot shorten by less than a thousandth.
    if (partial_.size() + bytes.size() > wanted_.bytes + wanted_.bytes / 1000 + 1024) {
      problem_ =
          fmt::format("wrong content: more than the {} bytes of the unpacked file", wanted_.bytes);
      wrong_content_ = true;
      partial_.clear();
      return false;
    }
    partial_.append(bytes);
    return true;
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    try {
      return transfer->take(std::as_bytes(std::span(data, size))) ? size : 0;
    } catch (...) {
      transfer->failure_ = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    constexpr std::string_view name = "content-range: bytes ";
    if (size > name.size() && curl_strnequal(data, name.data(), name.size()) != 0) {
      const std::string value(data + name.size(), size - name.size());
      static_cast<Transfer*>(self)->range_start_ = std::strtoull(value.c_str(), nullptr, 10);
    }
    return size;
  }

  static int on_progress(
      void* self, curl_off_t total, curl_off_t received, curl_off_t, curl_off_t) {
    auto* transfer = static_cast<Transfer*>(self);
    if (transfer->stopped()) {
      return 1;
    }
    if (!transfer->options_.progress || (received == 0 && total == 0)) {
      return 0;
    }
    try {
      const std::uint64_t offset = transfer->offset_;
      transfer->options_.progress(
          {transfer->wanted_.name,
           offset + static_cast<std::uint64_t>(received),
           total > 0 ? offset + static_cast<std::uint64_t>(total) : std::uint64_t{0}});
      return 0;
    } catch (...) {
      transfer->failure_ = std::current_exception();
      return 1;
    }
  }

  const Wanted& wanted_;
  const FetchOptions& options_;
  PartialFile& partial_;
  std::uint64_t offset_;
  std::uint64_t range_start_ = 0;
  CURL* handle_ = nullptr;
  long status_ = 0;
  bool begun_ = false;
  bool wrong_content_ = false;
  std::string range_;
  std::string problem_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::exception_ptr failure_;
};

struct Failure {
  std::string reason;
  bool wrong_content = false;
};

// Completes the partial file from one mirror. Returns nothing if it now has the published content.
std::optional<Failure> complete(const std::string& address,
                                const Wanted& wanted,
                                const FetchOptions& options,
                                PartialFile& partial) {
  std::string reason;
  for (int attempt = 0; attempt <= options.resumptions; ++attempt) {
    const std::uint64_t before = partial.size();
    Transfer transfer(wanted, options, partial);
    const CURLcode code = transfer.run(address);
    // "Range not satisfiable": the file already has all bytes that there are.
    if (code == CURLE_OK ||
        (transfer.resumed() && transfer.status() == http_range_not_satisfiable)) {
      std::optional<std::string> problem = wanted.problem(partial.path());
      if (!problem) {
        return std::nullopt;
      }
      partial.clear();
      reason = *problem;
      if (!transfer.resumed()) {
        return Failure{reason, true};
      }
      continue;  // the older part may have been of another packing: once more, from the start
    }
    reason = transfer.problem();
    if (partial.size() <= before) {
      return Failure{reason, transfer.wrong_content()};
    }
  }
  return Failure{reason, false};
}

[[noreturn]] void fail_everywhere(std::string_view name,
                                  const std::string& reasons,
                                  bool all_wrong_content) {
  const std::string message = fmt::format(
      "{}: no mirror has it. Tried:{}\nCheck the connection and the proxy (https_proxy), then "
      "repeat "
      "the command; or get the file elsewhere and name its folder with --data DIR.",
      name,
      reasons);
  if (all_wrong_content) {
    throw DataError(message);
  }
  throw MissingInput(message);
}

// Completes the partial file from the first mirror that can.
void download(const Wanted& wanted,
              std::span<const std::string> mirrors,
              const FetchOptions& options,
              PartialFile& partial) {
  std::string reasons;
  bool all_wrong_content = true;
  for (const std::string& mirror : mirrors) {
    const std::string address = mirror + wanted.remote_name;
    const std::optional<Failure> failure = complete(address, wanted, options, partial);
    if (!failure) {
      return;
    }
    reasons += fmt::format("\n  {}: {}", address, failure->reason);
    all_wrong_content = all_wrong_content && failure->wrong_content;
  }
  fail_everywhere(wanted.name, reasons, all_wrong_content);
}

// Whether the file is there with the published content. Throws DataError if it is unpacked with
// another: readers would take it before what is fetched.
bool is_present(const KnownFile& file, const fs::path& folder) {
  const std::optional<fs::path> path = find_file(folder, file.name);
  if (!path) {
    return false;
  }
  const std::optional<std::string> problem = content_problem(*path, file);
  if (problem && path->filename() == file.name) {
    throw DataError(
        fmt::format("{}: {}. It hides a downloaded file: remove it, then repeat the command.",
                    path->string(),
                    *problem));
  }
  return !problem;
}

void fetch_file(const KnownFile& file,
                std::span<const std::string> mirrors,
                const fs::path& folder,
                const FetchOptions& options) {
  const std::string packed = fmt::format("{}.gz", file.name);
  PartialFile partial(folder / packed);
  download({file.name,
            packed,
            file.bytes,
            [&](const fs::path& path) { return content_problem(path, file); }},
           mirrors,
           options,
           partial);
  partial.publish();
}

// Writes the current file of an archive. Why it is not the published one; nothing if it is.
std::optional<std::string> unpack(TarReader& archive,
                                  const KnownFile& file,
                                  const fs::path& folder) {
  PartialFile partial(folder / file.name);
  partial.clear();
  std::vector<std::uint8_t> buffer(unpack_buffer);
  std::size_t got = buffer.size();
  while (got == buffer.size()) {
    got = archive.read(buffer);
    partial.append(std::as_bytes(std::span(buffer).first(got)));
  }
  std::optional<std::string> problem = content_problem(partial.path(), file);
  if (problem) {
    partial.clear();
    return fmt::format("{}: {}", file.name, *problem);
  }
  partial.publish();
  return std::nullopt;
}

// Takes the `missing` files out of an archive. Why that is not possible; nothing if all are there.
// Throws DataError for a damaged archive.
std::optional<std::string> unpack_missing(const fs::path& path,
                                          std::vector<KnownFile> missing,
                                          const fs::path& folder) {
  TarReader archive(path);
  while (const auto entry = archive.next()) {
    const auto found = std::find_if(missing.begin(), missing.end(), [&](const KnownFile& file) {
      return file.name == entry->name && file.bytes == entry->bytes;
    });
    if (found == missing.end()) {
      continue;
    }
    if (auto problem = unpack(archive, *found, folder)) {
      return problem;
    }
    missing.erase(found);
  }
  if (!missing.empty()) {
    return fmt::format("wrong content: expected a file {} of {} bytes in the archive, found none",
                       missing.front().name,
                       missing.front().bytes);
  }
  return std::nullopt;
}

// Why a downloaded archive does not give the missing files; nothing if it did.
std::optional<std::string> archive_problem(const fs::path& path,
                                           const std::vector<KnownFile>& missing,
                                           const fs::path& folder) {
  try {
    return unpack_missing(path, missing, folder);
  } catch (const DataError& error) {
    return fmt::format("wrong content: {}", reason_of(error, path.string()));
  }
}

void fetch_archive(const KnownSet& set,
                   const std::vector<KnownFile>& missing,
                   std::span<const std::string> mirrors,
                   const fs::path& folder,
                   const FetchOptions& options) {
  std::uint64_t bytes = archive_allowance;
  for (const KnownFile& file : set.files) {
    bytes += file.bytes;
  }
  PartialFile partial(folder / set.archive);
  download({set.archive,
            std::string(set.archive),
            bytes,
            [&](const fs::path& path) { return archive_problem(path, missing, folder); }},
           mirrors,
           options,
           partial);
  partial.clear();  // it has been unpacked
}

std::vector<std::string> mirrors_of(const KnownSet& set, const FetchOptions& options) {
  if (options.mirrors.empty() && set.mirrors.empty()) {
    throw UsageError(
        fmt::format("data set {}: expected a mirror, got none: it is not freely licensed, so none "
                    "is built in. Put its files into a folder and name that with --data DIR.",
                    set.name));
  }
  return options.mirrors.empty() ? std::vector<std::string>(set.mirrors.begin(), set.mirrors.end())
                                 : options.mirrors;
}

}  // namespace

FetchSummary fetch_dataset(const KnownSet& set,
                           const fs::path& folder,
                           const FetchOptions& options) {
  const std::vector<std::string> mirrors = mirrors_of(set, options);
  make_folder(folder);
  std::vector<KnownFile> missing;
  FetchSummary summary;
  for (const KnownFile& file : set.files) {
    if (is_present(file, folder)) {
      ++summary.present;
      continue;
    }
    if (set.archive.empty()) {
      fetch_file(file, mirrors, folder, options);
    }
    missing.push_back(file);
  }
  if (!set.archive.empty() && !missing.empty()) {
    fetch_archive(set, missing, mirrors, folder, options);
  }
  summary.downloaded = missing.size();
  return summary;
}

FetchSummary fetch_dataset(std::string_view name,
                           const fs::path& folder,
                           const FetchOptions& options) {
  return fetch_dataset(known_set(name), folder, options);
}

}  // namespace isthmus
