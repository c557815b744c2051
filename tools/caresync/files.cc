#include "tools/caresync/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

// All of `content`, on the disk when it returns true.
bool WriteAll(int descriptor, const std::string& content) {
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t some = write(descriptor, content.data() + written, content.size() - written);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return false;
    written += static_cast<size_t>(some);
  }
  return fsync(descriptor) == 0;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& file, size_t most) {
  // Opening a pipe would wait for somebody who writes.
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return errors::FileNotReadable(file, std::strerror(errno));
  const auto close_it = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return errors::FileNotReadable(file, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return errors::FileNotReadable(file, "it is a folder");
  if (!S_ISREG(status.st_mode)) return errors::FileNotReadable(file, "it is no regular file, but a pipe or a device");
  std::string content;
  std::array<char, 65'536> buffer{};
  while (content.size() <= most) {
    const ssize_t some = read(descriptor, buffer.data(), buffer.size());
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) return errors::FileNotReadable(file, std::strerror(errno));
    if (some == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(some));
  }
  return errors::FileTooLarge(file, most);
}

absl::StatusOr<std::string> ReadFileIfAny(const std::string& file, size_t most) {
  std::error_code failed;
  // What cannot be looked at is not the same as what is not there: reading it says so.
  if (!std::filesystem::exists(file, failed) && !failed) return std::string();
  return ReadFile(file, most);
}

absl::Status CheckReplaceable(const std::string& file) {
  std::error_code failed;
  const std::filesystem::file_status status = std::filesystem::status(file, failed);
  // Where it cannot be looked at, writing it says so.
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) return absl::OkStatus();
  return errors::FileNotWritable(file);
}

absl::Status ReplaceFile(const std::string& file, const std::string& content) {
  RETURN_IF_ERROR(CheckReplaceable(file));
  const std::string fresh = file + ".new";
  const int descriptor = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
  if (descriptor < 0) return errors::FileNotWritable(fresh);
  const bool written = WriteAll(descriptor, content);
  // What a write could not tell, closing may.
  if (close(descriptor) != 0 || !written) return errors::FileNotWritable(fresh);
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return errors::FileNotWritable(file);
  return absl::OkStatus();
}

}  // namespace caresync::cli
