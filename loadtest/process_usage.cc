#include "loadtest/process_usage.h"

#include <time.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

absl::StatusOr<std::string> ReadProc(pid_t process, const std::string& name) {
  std::ifstream file(absl::StrCat("/proc/", process, "/", name));
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError(absl::StrCat("there is no process ", process));
  return std::move(text).str();
}

// As clock_getcpuclockid(3) has it, which is finer than the ticks in /proc.
absl::StatusOr<absl::Duration> ReadCpu(pid_t process) {
  clockid_t clock = 0;
  timespec time = {};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no process ", process));
  }
  return absl::DurationFromTimespec(time);
}

// A line such as "VmRSS:     1234 kB"; 0 where it is missing.
uint64_t ReadKilobytes(const std::string& status, const std::string& name) {
  const std::vector<std::string> lines = absl::StrSplit(status, '\n');
  for (const std::string& line : lines) {
    if (!absl::StartsWith(line, absl::StrCat(name, ":"))) continue;
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t kilobytes = 0;
    return words.size() > 1 && absl::SimpleAtoi(words[1], &kilobytes) ? kilobytes : 0;
  }
  return 0;
}

}  // namespace

absl::StatusOr<ProcessUsage> ReadUsage(pid_t process) {
  ProcessUsage usage;
  ASSIGN_OR_RETURN(usage.cpu, ReadCpu(process));
  ASSIGN_OR_RETURN(const std::string status, ReadProc(process, "status"));
  usage.rss_bytes = ReadKilobytes(status, "VmRSS") * 1024;
  usage.peak_rss_bytes = ReadKilobytes(status, "VmHWM") * 1024;
  return usage;
}

}  // namespace caresync::loadtest
