#include "tools/caresync/stop_signal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace caresync::cli {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  ABSL_RAW_CHECK(signals_ >= 0 && end_ >= 0, "no descriptors are left");
  thread_ = std::thread([this] { Watch(); });
}

StopSignal::~StopSignal() {
  eventfd_write(end_, 1);
  thread_.join();
  close(signals_);
  close(end_);
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void StopSignal::Watch() {
  while (true) {
    pollfd watched[] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signals_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) continue;
    const std::lock_guard<std::mutex> lock(mutex_);
    // Whoever asks twice does not want to wait.
    if (std::exchange(asked_, true)) _exit(128 + static_cast<int>(info.ssi_signo));
    asked_now_.notify_all();
    if (told_) told_();
  }
}

void StopSignal::Tell(std::function<void()> told) {
  const std::lock_guard<std::mutex> lock(mutex_);
  told_ = std::move(told);
  if (asked_ && told_) told_();
}

bool StopSignal::asked() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return asked_;
}

void StopSignal::Wait(absl::Duration most) {
  std::unique_lock<std::mutex> lock(mutex_);
  asked_now_.wait_for(lock, absl::ToChronoMilliseconds(most), [this] { return asked_; });
}

}  // namespace caresync::cli
