// Network paths between a fleet and its server that can be lost without a word, as a phone's is that leaves its
// network.
//
// Each is a relay of one TCP connection on this machine. On a path that is lost, what either side sends is thrown away,
// and neither is told: no word, no window update, no answer to a ping comes through. That is a half-open connection as
// far as HTTP/2 and all above it can tell. It is not one to TCP, which goes on acknowledging what is thrown away: TCP's
// own patience with a peer that is gone, which would help a server, is not in play.
#ifndef CARESYNC_LOADTEST_PATHS_H_
#define CARESYNC_LOADTEST_PATHS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace caresync::loadtest {

// Lose is safe from any thread, at any time; the rest is used by one.
class Paths {
 public:
  // So many to `server`, HOST:PORT. Each takes three sockets once it is used. Errors: kUnavailable where there are not
  // enough, with what to do; kInvalidArgument where `server` is no such address.
  static absl::StatusOr<std::unique_ptr<Paths>> Open(const std::string& server, size_t count);
  // Cuts all.
  ~Paths();
  Paths(const Paths&) = delete;
  Paths& operator=(const Paths&) = delete;

  // Where each begins, for one connection: HOST:PORT.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // From now on nothing comes through the `index`-th. When the server closes its end, the client's is closed too: so it
  // shows that the server has given it up. That the client has gone, the server does not hear.
  void Lose(size_t index) { paths_[index]->lost = true; }

 private:
  enum End { kClient = 0, kServer = 1 };

  struct Path {
    int listener = -1;
    // By End, as the others: -1 where it is closed, or not open yet.
    std::array<int, 2> sockets = {-1, -1};
    // What is still to be sent to it. While there is some, nothing is read at the other end.
    std::array<std::string, 2> waiting;
    std::array<bool, 2> blocked = {false, false};
    std::atomic<bool> lost = false;
  };

  explicit Paths(std::string server) : server_(std::move(server)) {}

  absl::Status SetUp(size_t count);
  absl::Status AddPath();
  // On the thread.
  void Run();
  void Accept(size_t index);
  void Pass(size_t index, End from);
  void Flush(size_t index, End to);
  void OnClosed(size_t index, End end);
  bool Watch(size_t index, End end, int operation);
  static void CloseEnd(Path& path, End end);

  const std::string server_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Path>> paths_;
  int events_ = -1;
  // Readable where the thread is to end.
  int stop_ = -1;
  std::thread thread_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_PATHS_H_
