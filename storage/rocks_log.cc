#include "storage/rocks_log.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "observability/log.h"

namespace caresync::storage {
namespace {

using rocksdb::InfoLogLevel;

// Longer messages are cut.
constexpr size_t kMessageBytes = 1'000;

}  // namespace

void RocksLog::Logv(InfoLogLevel level, const char* format, va_list arguments) {
  // Its options at each start are of the level HEADER_LEVEL, above all others.
  if (level < InfoLogLevel::WARN_LEVEL || level > InfoLogLevel::FATAL_LEVEL) return;
  std::array<char, kMessageBytes> message{};
  vsnprintf(message.data(), message.size(), format, arguments);
  std::string_view text = message.data();
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  // Whether it matters is for the store to say: RocksDB calls some things an error that it then puts right.
  observability::Log(observability::Level::kInfo, "rocksdb", {{"message", text}});
}

}  // namespace caresync::storage
