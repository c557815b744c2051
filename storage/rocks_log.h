// What RocksDB has to say goes where everything else is logged.
#ifndef CARESYNC_STORAGE_ROCKS_LOG_H_
#define CARESYNC_STORAGE_ROCKS_LOG_H_

#include <rocksdb/env.h>

#include <cstdarg>

namespace caresync::storage {

// Thread-safe. By default RocksDB keeps a log of its own beside its data: a disk that does not take that log either
// ends the process (Debian's build asserts), before the server can say what is wrong.
class RocksLog : public rocksdb::Logger {
 public:
  RocksLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using rocksdb::Logger::Logv;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_ROCKS_LOG_H_
