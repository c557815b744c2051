#include "loadtest/paths.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fakes/loopback_address.h"

namespace caresync::loadtest {
namespace {

// An end of a connection.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  ~Peer() { Close(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  bool Send(const std::string& bytes) const {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t size = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) return false;
      sent += static_cast<size_t>(size);
    }
    return true;
  }
  // Waits for so many bytes; fewer where the other end closes.
  std::string Receive(size_t size) const {
    std::string bytes(size, '\0');
    size_t received = 0;
    while (received < size) {
      const ssize_t more = ::recv(socket_, bytes.data() + received, size - received, 0);
      if (more <= 0) break;
      received += static_cast<size_t>(more);
    }
    bytes.resize(received);
    return bytes;
  }
  // Neither bytes nor the end of the connection are there.
  bool HearsNothing() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

 private:
  int socket_;
};

class PathsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto paths = Paths::Open(absl::StrCat("127.0.0.1:", fakes::PortOf(listener_)), 2);
    ASSERT_TRUE(paths.ok()) << paths.status();
    paths_ = *std::move(paths);
  }
  ~PathsTest() override { ::close(listener_); }

  std::unique_ptr<Peer> ConnectTo(size_t path) const {
    const std::string& address = paths_->addresses()[path];
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) << address;
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = fakes::LoopbackAddress(port);
    EXPECT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    return std::make_unique<Peer>(client);
  }
  std::unique_ptr<Peer> Accept() const {
    return std::make_unique<Peer>(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
  }

  // A path that is used by now: each end has heard the other.
  struct Ends {
    std::unique_ptr<Peer> client;
    std::unique_ptr<Peer> server;
  };
  Ends Use(size_t path) const {
    Ends ends{ConnectTo(path), Accept()};
    EXPECT_TRUE(ends.client->Send("hello"));
    EXPECT_EQ(ends.server->Receive(5), "hello");
    EXPECT_TRUE(ends.server->Send("well?"));
    EXPECT_EQ(ends.client->Receive(5), "well?");
    return ends;
  }

  const int listener_ = fakes::ListenOnLoopback(16);
  std::unique_ptr<Paths> paths_;
};

TEST_F(PathsTest, CarryMoreThanFitsIntoAnyBuffer) {
  const Ends ends = Use(0);
  std::string much(size_t{16} * 1024 * 1024, 'a');
  for (size_t i = 0; i < much.size(); i += 1'000) much[i] = static_cast<char>('b' + i / 1'000 % 20);
  const auto sent = std::async(std::launch::async, [&] { return ends.server->Send(much) && ends.client->Send(much); });
  EXPECT_TRUE(ends.client->Receive(much.size()) == much);
  EXPECT_TRUE(ends.server->Receive(much.size()) == much);
}

TEST_F(PathsTest, AnEndThatClosesIsHeardAtTheOther) {
  const Ends first = Use(0);
  first.client->Close();
  EXPECT_EQ(first.server->Receive(1), "");
  const Ends second = Use(1);
  second.server->Close();
  EXPECT_EQ(second.client->Receive(1), "");
}

TEST_F(PathsTest, OfALostOneTheClientHearsOnlyThatTheServerHasGivenItUp) {
  const Ends ends = Use(0);
  paths_->Lose(0);
  EXPECT_TRUE(ends.server->Send("lost"));
  ends.server->Close();
  EXPECT_EQ(ends.client->Receive(4), "");
}

TEST_F(PathsTest, OfALostOneTheServerHearsNothingNotEvenThatTheClientHasGone) {
  const Ends ends = Use(0);
  paths_->Lose(0);
  EXPECT_TRUE(ends.client->Send("lost"));
  ends.client->Close();
  // Behind that: another path is as it was.
  Use(1);
  EXPECT_TRUE(ends.server->HearsNothing());
}

TEST_F(PathsTest, AServerWithoutAPortIsRefused) {
  EXPECT_EQ(Paths::Open("127.0.0.1", 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace caresync::loadtest
