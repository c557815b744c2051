#include "tests/integration/output.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>

#include "absl/strings/match.h"

namespace caresync::integration {
namespace {

constexpr std::chrono::seconds kWaitAtMost(30);

bool HoldsAll(const std::string& line, const std::vector<std::string>& parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return absl::StrContains(line, part); });
}

}  // namespace

Output::Output(int pipe) : pipe_(pipe), reader_([this] { ReadAll(); }) {}

Output::~Output() {
  reader_.join();
  close(pipe_);
}

void Output::ReadAll() {
  std::array<char, 4096> buffer{};
  std::string begun;
  ssize_t length = 0;
  while ((length = read(pipe_, buffer.data(), buffer.size())) > 0) {
    begun.append(buffer.data(), length);
    storage::MutexLock lock(mutex_);
    for (size_t end = begun.find('\n'); end != std::string::npos; end = begun.find('\n')) {
      lines_.push_back(begun.substr(0, end));
      std::cerr << lines_.back() << "\n";
      begun.erase(0, end + 1);
    }
    more_.NotifyAll();
  }
  storage::MutexLock lock(mutex_);
  ended_ = true;
  more_.NotifyAll();
}

std::string Output::FindLine(const std::vector<std::string>& parts) const {
  const auto give_up = std::chrono::steady_clock::now() + kWaitAtMost;
  storage::MutexLock lock(mutex_);
  for (size_t next = 0;;) {
    for (; next < lines_.size(); ++next) {
      if (HoldsAll(lines_[next], parts)) return lines_[next];
    }
    const auto left = give_up - std::chrono::steady_clock::now();
    if (ended_ || left <= std::chrono::steady_clock::duration::zero()) return "";
    more_.WaitFor(mutex_, left);
  }
}

}  // namespace caresync::integration
