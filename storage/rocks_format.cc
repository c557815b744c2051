#include "storage/rocks_format.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/tuple.h"

namespace caresync::storage {
namespace {

constexpr char kFormatPrefix[] = "caresync store format ";
constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;
constexpr size_t kSmallFileBytes = 256;

absl::Status DiskError(absl::string_view what, const std::string& path) {
  const int error = errno;
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", std::generic_category().message(error),
                                             "; check the disk, the path and its permissions"));
}

absl::Status FlushDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return DiskError("open", path);
  auto close_it = absl::MakeCleanup([fd] { close(fd); });
  return fsync(fd) == 0 ? absl::OkStatus() : DiskError("flush", path);
}

absl::Status MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) != 0) {
    return errno == EEXIST ? absl::OkStatus() : DiskError("make the directory", path);
  }
  std::filesystem::path parent = std::filesystem::absolute(path).parent_path();
  // "data/" has the parent "data"; its entry lies one further up.
  if (path.back() == '/') parent = parent.parent_path();
  return FlushDirectory(parent);
}

// Nullopt where there is no such file.
absl::StatusOr<std::optional<std::string>> ReadSmallFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return DiskError("open", path);
  }
  auto close_it = absl::MakeCleanup([fd] { close(fd); });
  std::string text(kSmallFileBytes, '\0');
  const ssize_t length = pread(fd, text.data(), text.size(), 0);
  if (length < 0) return DiskError("read", path);
  text.resize(static_cast<size_t>(length));
  return std::optional<std::string>(std::move(text));
}

// At the beginning of an open file.
absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), 0);
  if (written == static_cast<ssize_t>(bytes.size())) return absl::OkStatus();
  if (written >= 0) errno = ENOSPC;
  return DiskError("write", path);
}

// Whole, durable, or not at all.
absl::Status CreateFile(const std::string& path, std::string_view bytes) {
  const std::string temporary = absl::StrCat(path, ".new");
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode);
  if (fd < 0) return DiskError("create", temporary);
  auto close_it = absl::MakeCleanup([fd] { close(fd); });
  if (absl::Status status = WriteAll(fd, bytes, temporary); !status.ok()) return status;
  if (fsync(fd) != 0) return DiskError("flush", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return DiskError("create", path);
  return FlushDirectory(std::filesystem::path(path).parent_path());
}

absl::StatusOr<int> TakeLock(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
  if (fd < 0) return DiskError("open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  auto close_it = absl::MakeCleanup([fd] { close(fd); });
  if (errno != EWOULDBLOCK) return DiskError("lock", path);
  absl::StatusOr<std::optional<std::string>> holder = ReadSmallFile(path);
  std::string process = holder.ok() && holder->has_value() ? **holder : "";
  absl::StripTrailingAsciiWhitespace(&process);
  return absl::FailedPreconditionError(absl::StrCat("another process (pid ", process.empty() ? "unknown" : process,
                                                    ") has the data directory ", directory,
                                                    " open; stop it first, or use another directory"));
}

bool HoldsData(const std::string& database_path) {
  std::error_code error;
  return std::filesystem::exists(database_path, error) && !std::filesystem::is_empty(database_path, error);
}

// Links the logs in `from` into `to`, which is made if absent; one that is there already stays. Whatever fails here
// takes away a safeguard for the worst day, and must not keep a sound store from opening.
void LinkLogs(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code ignored;
  std::filesystem::create_directory(to, ignored);
  std::filesystem::directory_iterator files(from, ignored);
  for (; files != std::filesystem::directory_iterator(); files.increment(ignored)) {
    const std::filesystem::path& file = files->path();
    if (file.extension() == ".log") std::filesystem::create_hard_link(file, to / file.filename(), ignored);
  }
}

std::string MarkBytes(uint64_t sequence) { return TupleWriter().Uint64(sequence).Uint64(~sequence).Take(); }

std::optional<uint64_t> ParseMark(std::string_view bytes) {
  TupleReader reader(bytes);
  uint64_t sequence = 0;
  uint64_t inverted = 0;
  if (!reader.Uint64(&sequence) || !reader.Uint64(&inverted) || !reader.AtEnd()) return std::nullopt;
  if (inverted != ~sequence) return std::nullopt;
  return sequence;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDirectory>> RocksDirectory::Open(const std::string& directory) {
  if (directory.empty()) return absl::UnavailableError("the data directory has no name; give one");
  if (absl::Status made = MakeDirectory(directory); !made.ok()) return made;
  absl::StatusOr<int> lock = TakeLock(directory);
  if (!lock.ok()) return lock.status();
  std::unique_ptr<RocksDirectory> opened(new RocksDirectory(directory, *lock));

  absl::Status checked = opened->CheckFormat();
  if (!checked.ok()) return checked;
  if (ftruncate(opened->lock_, 0) != 0) return DiskError("write", directory + "/LOCK");
  absl::Status signed_by = WriteAll(opened->lock_, absl::StrCat(getpid(), "\n"), directory + "/LOCK");
  if (!signed_by.ok()) return signed_by;
  absl::Status marked = opened->OpenMark();
  if (!marked.ok()) return marked;
  absl::Status read = opened->ReadRecoveredLog();
  if (!read.ok()) return read;
  return opened;
}

RocksDirectory::~RocksDirectory() {
  if (mark_ >= 0) close(mark_);
  // The lock ends with its last descriptor.
  close(lock_);
}

std::string RocksDirectory::database_path() const { return path_ + "/rocksdb"; }

std::string RocksDirectory::opening_path() const { return path_ + "/opening"; }

std::string RocksDirectory::recovery_path() const { return path_ + "/recovery"; }

absl::Status RocksDirectory::MakeDatabase() const {
  const std::string path = database_path();
  if (mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return DiskError("make the directory", path);
  // Also where it was there already: whoever made it may have been cut off before this.
  return FlushDirectory(path_);
}

void RocksDirectory::KeepLogsAside() const { LinkLogs(database_path(), opening_path()); }

void RocksDirectory::DropLogsAside() const {
  std::error_code ignored;
  std::filesystem::remove_all(opening_path(), ignored);
}

void RocksDirectory::KeepLogsForRecovery() const {
  LinkLogs(opening_path(), recovery_path());
  DropLogsAside();
}

absl::Status RocksDirectory::CheckFormat() const {
  const std::string path = path_ + "/FORMAT";
  absl::StatusOr<std::optional<std::string>> text = ReadSmallFile(path);
  if (!text.ok()) return text.status();
  if (!text->has_value()) {
    if (HoldsData(database_path())) {
      return absl::DataLossError(
          absl::StrCat("there is a database in ", database_path(), " but no ", path,
                       ", so its format is not known; restore the whole directory from a backup"));
    }
    return CreateFile(path, absl::StrCat(kFormatPrefix, kRocksFormat, "\n"));
  }
  absl::string_view number = **text;
  uint32_t format = 0;
  const bool readable = absl::ConsumePrefix(&number, kFormatPrefix) && absl::ConsumeSuffix(&number, "\n") &&
                        absl::SimpleAtoi(number, &format) && format > 0;
  if (!readable) {
    return absl::DataLossError(absl::StrCat(path, " cannot be read; restore the whole directory from a backup"));
  }
  if (format > kRocksFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the store in ", path_, " has format ", format, ", and this version reads formats up to ", kRocksFormat,
        "; nothing was changed. Start the newer version that wrote it, or restore a backup of the older one"));
  }
  return absl::OkStatus();
}

absl::Status RocksDirectory::OpenMark() {
  const std::string path = path_ + "/ACKNOWLEDGED";
  absl::StatusOr<std::optional<std::string>> bytes = ReadSmallFile(path);
  if (!bytes.ok()) return bytes.status();
  if (bytes->has_value()) {
    acknowledged_ = ParseMark(**bytes);
    if (!acknowledged_.has_value()) {
      return absl::DataLossError(absl::StrCat(
          path, " cannot be read; restore the whole directory from a backup, or delete that file to go on ",
          "with what the database still holds"));
    }
  } else if (absl::Status created = CreateFile(path, MarkBytes(0)); !created.ok()) {
    return created;
  }
  mark_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  return mark_ >= 0 ? absl::OkStatus() : DiskError("open", path);
}

absl::Status RocksDirectory::ReadRecoveredLog() {
  const std::string path = path_ + "/RECOVERED";
  absl::StatusOr<std::optional<std::string>> bytes = ReadSmallFile(path);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::OkStatus();
  const std::optional<uint64_t> log = ParseMark(**bytes);
  if (!log.has_value()) {
    return absl::DataLossError(absl::StrCat(path, " cannot be read; restore the whole directory from a backup"));
  }
  recovered_log_ = *log;
  return absl::OkStatus();
}

absl::Status RocksDirectory::SetRecoveredLog(uint64_t log) {
  recovered_log_ = log;
  return CreateFile(path_ + "/RECOVERED", MarkBytes(log));
}

absl::Status RocksDirectory::Acknowledge(uint64_t sequence) {
  acknowledged_ = sequence;
  return WriteAll(mark_, MarkBytes(sequence), path_ + "/ACKNOWLEDGED");
}

absl::Status RocksDirectory::FlushMark() {
  return fdatasync(mark_) == 0 ? absl::OkStatus() : DiskError("flush", path_ + "/ACKNOWLEDGED");
}

absl::StatusOr<uint64_t> FreeBytes(const std::string& directory) {
  struct statvfs file_system {};
  if (statvfs(directory.c_str(), &file_system) != 0) return DiskError("ask for the free space of", directory);
  return uint64_t{file_system.f_bavail} * file_system.f_frsize;
}

}  // namespace caresync::storage
