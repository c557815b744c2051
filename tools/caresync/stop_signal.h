// Ctrl-C as something that a command hears and answers in its own time.
#ifndef CARESYNC_TOOLS_CARESYNC_STOP_SIGNAL_H_
#define CARESYNC_TOOLS_CARESYNC_STOP_SIGNAL_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace caresync::cli {

// While it lives, SIGINT and SIGTERM do not end the process. To be made before any other thread is. One at a time;
// thread-safe.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Whom to tell when somebody asks to stop; told at once where that was asked already. nullptr: nobody. When it
  // returns, the one before is not being told any more.
  void Tell(std::function<void()> told);
  bool asked() const;
  // Waits, but no longer than until somebody asks to stop.
  void Wait(absl::Duration most);

 private:
  void Watch();

  // A signal descriptor, and one that ends the thread.
  int signals_;
  int end_;
  mutable std::mutex mutex_;
  std::condition_variable asked_now_;
  bool asked_ = false;
  std::function<void()> told_;
  std::thread thread_;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_STOP_SIGNAL_H_
