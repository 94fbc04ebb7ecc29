// SPDX-License-Identifier: MIT
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace isthmus::testing {

struct HttpRequest {
  std::string path;                               ///< "/mirror/file.gz"
  std::optional<std::uint64_t> range_start = {};  ///< of "Range: bytes=N-"
};

struct HttpResponse {
  int status = 200;
  std::string headers = {};  ///< further lines, each ending in "\r\n"
  std::string body = {};
  /// Content-Length says the whole body, but the connection ends after so many bytes of it.
  std::size_t cut_after = std::numeric_limits<std::size_t>::max();
  /// Instead of ending, the connection then says nothing more until the client leaves.
  bool stall = false;
};

/// The whole content, or, if the request asks for a range, the rest of it as a server should say
/// it.
inline HttpResponse content_response(const HttpRequest& request, const std::string& content) {
  if (!request.range_start) {
    return {.body = content};
  }
  const std::size_t start = *request.range_start;
  if (start >= content.size()) {
    return {.status = 416};
  }
  return {.status = 206,
          .headers = "Content-Range: bytes " + std::to_string(start) + "-" +
                     std::to_string(content.size() - 1) + "/" + std::to_string(content.size()) +
                     "\r\n",
          .body = content.substr(start)};
}

/// An HTTP server on the loopback address, on a free port, for one connection at a time. What it
/// answers is up to the handler, which runs on the server's thread.
class HttpServer {
 public:
  explicit HttpServer(std::function<HttpResponse(const HttpRequest&)> handler)
      : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("the test server cannot listen on the loopback address");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~HttpServer() {
    closing_ = true;
    thread_.join();
    ::close(listener_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:PORT/"
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  /// All requests so far, in order.
  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  // Waits until there is something to read. False when the server closes.
  bool wait_readable(int descriptor) const {
    while (!closing_) {
      pollfd poll_state{descriptor, POLLIN, 0};
      if (::poll(&poll_state, 1, 20) > 0) {
        return true;
      }
    }
    return false;
  }

  void serve() {
    while (wait_readable(listener_)) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection >= 0) {
        answer(connection);
        ::close(connection);
      }
    }
  }

  void answer(int connection) {
    std::string text;
    std::vector<char> buffer(4096);
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got =
          wait_readable(connection) ? ::recv(connection, buffer.data(), buffer.size(), 0) : 0;
      if (got <= 0) {
        return;
      }
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    const HttpRequest request = parse(text);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const HttpResponse response = handler_(request);
    send_all(connection,
             "HTTP/1.1 " + std::to_string(response.status) + " Status\r\nConnection: close\r\n" +
                 "Content-Length: " + std::to_string(response.body.size()) + "\r\n" +
                 response.headers + "\r\n");
    send_all(connection, std::string_view(response.body).substr(0, response.cut_after));
    if (response.stall) {
      wait_readable(connection);  // the client's end of the connection
    }
  }

  static HttpRequest parse(const std::string& text) {
    HttpRequest request;
    const std::size_t start = text.find(' ') + 1;
    request.path = text.substr(start, text.find(' ', start) - start);
    constexpr std::string_view range = "Range: bytes=";
    if (const std::size_t place = text.find(range); place != std::string::npos) {
      request.range_start = std::stoull(text.substr(place + range.size()));
    }
    return request;
  }

  static void send_all(int connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  std::function<HttpResponse(const HttpRequest&)> handler_;
  int listener_;
  int port_ = 0;
  std::atomic<bool> closing_{false};
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::jthread thread_;
};

}  // namespace isthmus::testing
