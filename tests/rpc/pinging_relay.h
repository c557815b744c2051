// A relay between a client and a server that sends HTTP/2 pings of its own: what a phone's network does to keep a path
// open, and what no session is told of.
#ifndef CARESYNC_TESTS_RPC_PINGING_RELAY_H_
#define CARESYNC_TESTS_RPC_PINGING_RELAY_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "storage/mutex.h"

namespace caresync::rpc {

// Relays one connection. Used by one thread.
class PingingRelay {
 public:
  // To a server on this machine.
  explicit PingingRelay(int server_port);
  // Cuts the connection.
  ~PingingRelay();
  PingingRelay(const PingingRelay&) = delete;
  PingingRelay& operator=(const PingingRelay&) = delete;

  // HOST:PORT for the client.
  std::string address() const;
  // Sends a ping to the server, after the client has connected. True once the server has answered it; false where it
  // does not for half a minute.
  bool Ping();

  // From now on nothing comes through, in neither direction, and neither side is told: a phone out of its network.
  void GoDeaf() { deaf_ = true; }

 private:
  // Where the client's bytes stand: a ping may go only between two frames (RFC 9113, section 4.1).
  class Frames {
   public:
    void Take(std::string_view bytes);
    bool between() const { return left_ == 0 && header_.empty(); }

   private:
    // The client's connection preface.
    size_t left_ = 24;
    std::string header_;
  };

  void Run();
  void RelayToServer();
  void RelayToClient();
  bool SendPing() ABSL_LOCKS_EXCLUDED(mutex_);

  const int listener_;
  const int server_;
  int client_ = -1;
  std::atomic<int> answers_{0};
  std::atomic<bool> deaf_{false};
  storage::Mutex mutex_;
  Frames frames_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_TESTS_RPC_PINGING_RELAY_H_
