// A server on a free port of the loopback that gives every connection the same answer, or none.
#ifndef CARESYNC_TESTS_OUTBOX_ANSWERING_SERVER_H_
#define CARESYNC_TESTS_OUTBOX_ANSWERING_SERVER_H_

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "tests/fakes/loopback_address.h"

namespace caresync::fakes {

// Reads what comes first on each connection, then writes `answer` and closes it, or leaves it open until the end.
class AnsweringServer {
 public:
  enum class End { kCloses, kHangs };

  explicit AnsweringServer(std::string answer, End end = End::kCloses)
      : answer_(std::move(answer)), end_(end), listener_(ListenOnLoopback(SOMAXCONN)) {
    thread_ = std::thread([this] { RunThread(); });
  }
  ~AnsweringServer() {
    // Ends the accept.
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (const int connection : open_) close(connection);
  }
  AnsweringServer(const AnsweringServer&) = delete;
  AnsweringServer& operator=(const AnsweringServer&) = delete;

  std::string Url(const std::string& host = "127.0.0.1") const {
    return absl::StrCat("http://", host, ":", PortOf(listener_), "/push");
  }

  // Returns when so many connections have said something.
  void WaitForRequests(size_t count) const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    while (requests_.size() < count) arrived_.Wait(mutex_);
  }

  // Of each connection, what came first.
  std::vector<std::string> requests() const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return requests_;
  }

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      std::string request(64 * 1024, '\0');
      const ssize_t read_bytes = read(connection, request.data(), request.size());
      request.resize(read_bytes > 0 ? static_cast<size_t>(read_bytes) : 0);
      {
        storage::MutexLock lock(mutex_);
        requests_.push_back(std::move(request));
      }
      arrived_.NotifyAll();
      send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (end_ == End::kHangs) {
        open_.push_back(connection);
      } else {
        close(connection);
      }
    }
  }

  const std::string answer_;
  const End end_;
  const int listener_;
  // The thread's own while it runs.
  std::vector<int> open_;
  mutable storage::Mutex mutex_;
  mutable storage::CondVar arrived_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_OUTBOX_ANSWERING_SERVER_H_
