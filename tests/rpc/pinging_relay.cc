#include "tests/rpc/pinging_relay.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/loopback_address.h"

namespace caresync::rpc {
namespace {

constexpr size_t kFrameHeader = 9;
// RFC 9113, section 6.7: eight bytes, type 6, no flags, stream 0; the answer has the flag ACK and the same bytes.
constexpr std::string_view kPing("\0\0\x08\x06\0\0\0\0\0keepopen", 17);
constexpr std::string_view kAnswer("\0\0\x08\x06\x01\0\0\0\0keepopen", 17);

int NewSocket() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ABSL_RAW_CHECK(socket >= 0, "no socket");
  return socket;
}

int Connect(int port) {
  const int server = NewSocket();
  const sockaddr_in address = fakes::LoopbackAddress(port);
  ABSL_RAW_CHECK(::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "no server");
  return server;
}

bool SendAll(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

void PingingRelay::Frames::Take(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t passed = std::min(left_, bytes.size());
    left_ -= passed;
    bytes.remove_prefix(passed);
    if (bytes.empty()) return;
    header_.push_back(bytes.front());
    bytes.remove_prefix(1);
    if (header_.size() < kFrameHeader) continue;
    const auto byte = [this](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(header_[i])); };
    left_ = byte(0) << 16 | byte(1) << 8 | byte(2);
    header_.clear();
  }
}

PingingRelay::PingingRelay(int server_port) : listener_(fakes::ListenOnLoopback(1)), server_(Connect(server_port)) {
  thread_ = std::thread([this] { Run(); });
}

PingingRelay::~PingingRelay() {
  ::shutdown(listener_, SHUT_RDWR);
  ::shutdown(server_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  ::close(server_);
}

std::string PingingRelay::address() const { return absl::StrCat("127.0.0.1:", fakes::PortOf(listener_)); }

bool PingingRelay::Ping() {
  const int before = answers_;
  return fakes::Eventually([this] { return SendPing(); }) &&
         fakes::Eventually([this, before] { return answers_ > before; });
}

bool PingingRelay::SendPing() {
  storage::MutexLock lock(mutex_);
  return frames_.between() && SendAll(server_, kPing);
}

void PingingRelay::Run() {
  client_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client_ < 0) return;
  std::thread to_client([this] { RelayToClient(); });
  RelayToServer();
  // Of a path that is gone nobody hears that its other end has left.
  if (!deaf_) ::shutdown(server_, SHUT_RDWR);
  to_client.join();
  ::close(client_);
}

void PingingRelay::RelayToServer() {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t size = ::recv(client_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    if (deaf_) continue;
    const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
    storage::MutexLock lock(mutex_);
    frames_.Take(bytes);
    if (!SendAll(server_, bytes)) return;
  }
}

void PingingRelay::RelayToClient() {
  std::array<char, 4096> buffer;
  // The end of what went before: an answer may come in two pieces.
  std::string seen;
  while (true) {
    const ssize_t size = ::recv(server_, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    if (deaf_) continue;
    const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
    if (!SendAll(client_, bytes)) break;
    seen += bytes;
    if (const size_t answer = seen.find(kAnswer); answer != std::string::npos) {
      seen.erase(0, answer + kAnswer.size());
      ++answers_;
    }
    if (seen.size() > kAnswer.size()) seen.erase(0, seen.size() - kAnswer.size());
  }
  ::shutdown(client_, SHUT_RDWR);
}

}  // namespace caresync::rpc
