// A web server for tests, which answers as badly as it is told to.
//
//   HttpServer server([](const HttpRequest& request) { return HttpReply{.body = "hello"}; });
//   server.url() + "/file";           // http://127.0.0.1:PORT/file
//   server.requests()[0].from;        // what was asked for
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"

namespace mica::data {

struct HttpRequest {
  std::string target;  // "/file", or a whole URL when asked as a proxy
  int64_t from = -1;   // of a Range, -1 without one
  size_t number = 0;   // how many requests came before
};

struct HttpReply {
  std::string status = "200 OK";
  std::string headers{};  // whole lines
  std::string body{};
  int64_t length = -1;              // to claim; -1 for the body's own, -2 for none
  size_t sent = std::string::npos;  // bytes of the body after which the connection ends
  double seconds_before_end = 0;    // that it stays open without a word
};

class HttpServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    MICA_ASSERT(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    MICA_ASSERT(::listen(socket_, 16) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    stop_ = true;
    thread_.join();
    ::close(socket_);
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  std::vector<HttpRequest> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  /// First byte of each request, -1 for all.
  std::vector<int64_t> ranges() const {
    std::vector<int64_t> result;
    for (const HttpRequest& request : requests()) result.push_back(request.from);
    return result;
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd ready = {socket_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) continue;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string head;
    char part[2048];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(connection, part, sizeof(part), 0);
      if (got <= 0) return;
      head.append(part, static_cast<size_t>(got));
    }
    HttpRequest request;
    const size_t blank = head.find(' ');
    request.target = head.substr(blank + 1, head.find(' ', blank + 1) - blank - 1);
    const size_t range = head.find("Range: bytes=");
    if (range != std::string::npos) request.from = std::stoll(head.substr(range + 13));
    {
      const std::scoped_lock lock(mutex_);
      request.number = requests_.size();
      requests_.push_back(request);
    }
    const HttpReply reply = handler_(request);
    std::string text =
        fmt::format("HTTP/1.1 {}\r\nConnection: close\r\n{}", reply.status, reply.headers);
    const auto length = static_cast<int64_t>(reply.body.size());
    if (reply.length != -2) {
      text += fmt::format("Content-Length: {}\r\n", reply.length < 0 ? length : reply.length);
    }
    text += "\r\n" + reply.body.substr(0, reply.sent);
    for (size_t at = 0; at < text.size();) {
      const ssize_t sent = ::send(connection, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return;
      at += static_cast<size_t>(sent);
    }
    for (double waited = 0; waited < reply.seconds_before_end && !stop_; waited += 0.02) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::shutdown(connection, SHUT_WR);
  }

  Handler handler_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

/// What a server that knows ranges answers.
inline HttpReply ranged_reply(const HttpRequest& request, const std::string& file) {
  if (request.from < 0) return {.body = file};
  const auto from = static_cast<size_t>(request.from);
  if (from >= file.size()) return {.status = "416 Range Not Satisfiable"};
  return {.status = "206 Partial Content",
          .headers =
              fmt::format("Content-Range: bytes {}-{}/{}\r\n", from, file.size() - 1, file.size()),
          .body = file.substr(from)};
}

}  // namespace mica::data
