#include "tests/simulation/seed_processes.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace caresync::simulation {
namespace {

// The last line of a whole outcome.
constexpr char kEnd[] = "end";

// One seed at work in a process of its own.
struct Running {
  uint64_t seed = 0;
  pid_t process = 0;
  int pipe = -1;
  std::string text;
};

void WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

absl::StatusOr<Running> Begin(uint64_t seed, const ProcessLimits& limits, const RunInProcess& run) {
  int ends[2];
  if (pipe(ends) != 0) return absl::InternalError(absl::StrCat("no pipe: ", std::strerror(errno)));
  // What is not written yet would be written twice.
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) return absl::InternalError(absl::StrCat("no process: ", std::strerror(errno)));
  if (process == 0) {
    close(ends[0]);
    alarm(limits.seconds_a_seed);
    WriteAll(ends[1], ToText(run(seed)));
    _exit(0);
  }
  close(ends[1]);
  return Running{seed, process, ends[0], {}};
}

// False once nothing more comes.
bool ReadSome(Running& running) {
  char bytes[65'536];
  const ssize_t count = read(running.pipe, bytes, sizeof(bytes));
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  running.text.append(bytes, static_cast<size_t>(count));
  return true;
}

SeedOutcome End(const Running& running, const ProcessLimits& limits) {
  close(running.pipe);
  int status = 0;
  while (waitpid(running.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (std::optional<SeedOutcome> outcome = FromText(running.text); outcome.has_value()) return *std::move(outcome);
  SeedOutcome outcome;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    outcome.fault = absl::StrCat("it does not come to its end within ", limits.seconds_a_seed, " s");
  } else if (WIFSIGNALED(status)) {
    outcome.fault = absl::StrCat("it crashed: ", strsignal(WTERMSIG(status)));
  } else {
    outcome.fault = "its process ended without an outcome";
  }
  return outcome;
}

// Waits until one of them has something to say; those that have no more are at the end.
void ReadWhatComes(std::vector<Running>& running, std::vector<Running>& ended) {
  std::vector<pollfd> files;
  for (const Running& one : running) files.push_back({one.pipe, POLLIN, 0});
  if (poll(files.data(), files.size(), -1) < 0) return;
  std::vector<Running> left;
  for (size_t i = 0; i < running.size(); ++i) {
    const bool more = files[i].revents == 0 || ReadSome(running[i]);
    (more ? left : ended).push_back(std::move(running[i]));
  }
  running = std::move(left);
}

}  // namespace

absl::Status RunInProcesses(const SeedRange& seeds, const ProcessLimits& limits, const RunInProcess& run,
                            const OnOutcome& on_outcome) {
  std::vector<Running> running;
  absl::Status status;
  uint64_t begun_seeds = 0;
  bool goes_on = true;
  while (true) {
    while (goes_on && begun_seeds < seeds.count && running.size() < limits.jobs) {
      absl::StatusOr<Running> begun = Begin(seeds.first + begun_seeds++ * seeds.step, limits, run);
      status = begun.status();
      goes_on = begun.ok();
      if (begun.ok()) running.push_back(*std::move(begun));
    }
    if (running.empty()) return status;
    std::vector<Running> ended;
    ReadWhatComes(running, ended);
    for (const Running& one : ended) {
      const SeedOutcome outcome = End(one, limits);
      if (goes_on) goes_on = on_outcome(one.seed, outcome);
    }
  }
}

std::string ToText(const SeedOutcome& outcome) {
  std::string text = absl::StrCat(absl::CEscape(outcome.fault), "\n", outcome.trace_hash, "\n");
  for (const auto& [what, count] : outcome.counts) absl::StrAppend(&text, count, " ", absl::CEscape(what), "\n");
  absl::StrAppend(&text, kEnd);
  return text;
}

std::optional<SeedOutcome> FromText(std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(absl::string_view(text.data(), text.size()), '\n');
  SeedOutcome outcome;
  const bool whole = lines.size() >= 3 && lines.back() == kEnd && absl::CUnescape(lines[0], &outcome.fault) &&
                     absl::SimpleAtoi(lines[1], &outcome.trace_hash);
  if (!whole) return std::nullopt;
  for (size_t i = 2; i + 1 < lines.size(); ++i) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(lines[i], absl::MaxSplits(' ', 1));
    std::string what;
    uint64_t count = 0;
    if (!absl::SimpleAtoi(parts.first, &count) || !absl::CUnescape(parts.second, &what)) return std::nullopt;
    outcome.counts[what] = count;
  }
  return outcome;
}

}  // namespace caresync::simulation
