#include "storage/rocks_errors.h"

#include "absl/strings/str_cat.h"

namespace caresync::storage {
namespace {

using rocksdb::BackgroundErrorReason;

// Also of making a new log, which may lose what the old one held back.
bool OfAWrite(BackgroundErrorReason reason) {
  return reason == BackgroundErrorReason::kWriteCallback || reason == BackgroundErrorReason::kMemTable;
}

absl::Status StoppedBy(const rocksdb::Status& error) {
  return absl::UnavailableError(absl::StrCat("the store has stopped writing: ", error.ToString()));
}

}  // namespace

absl::Status RocksErrors::Stopped() const {
  MutexLock lock(mutex_);
  return stopped_.ok() ? absl::OkStatus() : StoppedBy(stopped_);
}

void RocksErrors::Forget() {
  MutexLock lock(mutex_);
  stopped_ = rocksdb::Status::OK();
}

absl::Status RocksErrors::Refused(const rocksdb::Status& status) {
  MutexLock lock(mutex_);
  if (write_failed_ || !tables_failed_) return absl::OkStatus();
  stopped_ = status;
  return StoppedBy(status);
}

void RocksErrors::OnBackgroundError(BackgroundErrorReason reason, rocksdb::Status* status) {
  MutexLock lock(mutex_);
  (OfAWrite(reason) ? write_failed_ : tables_failed_) = true;
  stopped_ = *status;
}

void RocksErrors::OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) {
  MutexLock lock(mutex_);
  stopped_ = info.new_bg_error;
}

}  // namespace caresync::storage
