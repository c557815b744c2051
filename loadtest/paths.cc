#include "loadtest/paths.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

constexpr int kEvents = 64;
constexpr size_t kChunk = size_t{16} * 1024;

// What an event is of: a path's listener, one of its ends, or the wish to stop.
constexpr uint64_t kStop = ~uint64_t{0};
constexpr uint64_t kListener = 2;
constexpr uint64_t kPlaces = 3;

absl::Status NoSocket(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno),
                                             ". Each path takes three sockets: allow more of them (ulimit -n), or run "
                                             "fewer --devices"));
}

void Close(int& socket) {
  if (socket >= 0) ::close(std::exchange(socket, -1));
}

// HOST and PORT of HOST:PORT; a host of IPv6 stands in brackets.
std::pair<std::string, std::string> Parts(const std::string& server) {
  const size_t colon = server.rfind(':');
  if (colon == std::string::npos) return {};
  std::string host = server.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {std::move(host), server.substr(colon + 1)};
}

// -1 where nobody listens.
int Connect(const std::string& server) {
  const auto [host, port] = Parts(server);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0) return -1;
  int connected = -1;
  for (const addrinfo* at = found; at != nullptr && connected < 0; at = at->ai_next) {
    connected = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connected >= 0 && ::connect(connected, at->ai_addr, at->ai_addrlen) != 0) Close(connected);
  }
  ::freeaddrinfo(found);
  return connected;
}

// What is relayed is to take no longer than without the relay.
void SendAtOnce(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Paths>> Paths::Open(const std::string& server, size_t count) {
  if (const auto [host, port] = Parts(server); host.empty() || port.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(server, ": name a server by HOST:PORT"));
  }
  std::unique_ptr<Paths> paths(new Paths(server));
  RETURN_IF_ERROR(paths->SetUp(count));
  paths->thread_ = std::thread([p = paths.get()] { p->Run(); });
  return paths;
}

Paths::~Paths() {
  if (thread_.joinable()) {
    ::eventfd_write(stop_, 1);
    thread_.join();
  }
  for (const std::unique_ptr<Path>& path : paths_) {
    Close(path->listener);
    CloseEnd(*path, kClient);
    CloseEnd(*path, kServer);
  }
  Close(events_);
  Close(stop_);
}

absl::Status Paths::SetUp(size_t count) {
  events_ = ::epoll_create1(EPOLL_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStop;
  if (events_ < 0 || stop_ < 0 || ::epoll_ctl(events_, EPOLL_CTL_ADD, stop_, &event) != 0) {
    return NoSocket("no path");
  }
  for (size_t i = 0; i < count; ++i) RETURN_IF_ERROR(AddPath());
  return absl::OkStatus();
}

absl::Status Paths::AddPath() {
  const size_t index = paths_.size();
  Path& path = *paths_.emplace_back(std::make_unique<Path>());
  path.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index * kPlaces + kListener;
  if (path.listener < 0 || ::bind(path.listener, generic, size) != 0 || ::listen(path.listener, 1) != 0 ||
      ::getsockname(path.listener, generic, &size) != 0 ||
      ::epoll_ctl(events_, EPOLL_CTL_ADD, path.listener, &event) != 0) {
    return NoSocket(absl::StrCat("path ", index));
  }
  addresses_.push_back(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
  return absl::OkStatus();
}

void Paths::Run() {
  std::array<epoll_event, kEvents> events;
  while (true) {
    const int count = ::epoll_wait(events_, events.data(), kEvents, -1);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.u64 == kStop) return;
      const size_t index = event.data.u64 / kPlaces;
      if (event.data.u64 % kPlaces == kListener) {
        Accept(index);
        continue;
      }
      const End end = event.data.u64 % kPlaces == kClient ? kClient : kServer;
      if ((event.events & EPOLLOUT) != 0) Flush(index, end);
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Pass(index, end);
    }
  }
}

void Paths::Accept(size_t index) {
  Path& path = *paths_[index];
  if (path.listener < 0) return;
  path.sockets[kClient] = ::accept4(path.listener, nullptr, nullptr, SOCK_CLOEXEC);
  // A path is for one connection.
  Close(path.listener);
  if (path.sockets[kClient] < 0) return;
  path.sockets[kServer] = Connect(server_);
  if (path.sockets[kServer] < 0) return CloseEnd(path, kClient);
  for (const End end : {kClient, kServer}) {
    SendAtOnce(path.sockets[end]);
    if (!Watch(index, end, EPOLL_CTL_ADD)) return OnClosed(index, kServer);
  }
}

bool Paths::Watch(size_t index, End end, int operation) {
  const Path& path = *paths_[index];
  const End other = end == kClient ? kServer : kClient;
  if (path.sockets[end] < 0) return false;
  epoll_event event{};
  if (!path.blocked[other]) event.events |= EPOLLIN;
  if (path.blocked[end]) event.events |= EPOLLOUT;
  event.data.u64 = index * kPlaces + end;
  return ::epoll_ctl(events_, operation, path.sockets[end], &event) == 0;
}

void Paths::Pass(size_t index, End from) {
  Path& path = *paths_[index];
  if (path.sockets[from] < 0) return;
  std::array<char, kChunk> chunk;
  const ssize_t size = ::recv(path.sockets[from], chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return OnClosed(index, from);
  if (path.lost) return;
  const End to = from == kClient ? kServer : kClient;
  path.waiting[to].append(chunk.data(), static_cast<size_t>(size));
  Flush(index, to);
}

void Paths::Flush(size_t index, End to) {
  Path& path = *paths_[index];
  if (path.sockets[to] < 0) return;
  std::string& waiting = path.waiting[to];
  if (path.lost) waiting.clear();
  size_t sent = 0;
  while (sent < waiting.size()) {
    const ssize_t size =
        ::send(path.sockets[to], waiting.data() + sent, waiting.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<size_t>(size);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return OnClosed(index, to);
    }
  }
  waiting.erase(0, sent);
  if (path.blocked[to] == !waiting.empty()) return;
  path.blocked[to] = !waiting.empty();
  Watch(index, kClient, EPOLL_CTL_MOD);
  Watch(index, kServer, EPOLL_CTL_MOD);
}

void Paths::OnClosed(size_t index, End end) {
  Path& path = *paths_[index];
  CloseEnd(path, end);
  if (end == kClient && path.lost) return;
  CloseEnd(path, end == kClient ? kServer : kClient);
}

void Paths::CloseEnd(Path& path, End end) { Close(path.sockets[end]); }

}  // namespace caresync::loadtest
