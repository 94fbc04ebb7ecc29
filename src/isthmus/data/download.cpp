// SPDX-License-Identifier: MIT
#include "isthmus/data/download.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr long http_ok = 200;
constexpr long http_partial_content = 206;
constexpr long http_range_not_satisfiable = 416;
constexpr long redirect_limit = 5;
constexpr long stall_bytes_per_second = 1000;

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

}  // namespace

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

}  // namespace isthmus
