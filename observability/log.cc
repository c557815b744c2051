#include "observability/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/ascii.h"

namespace caresync::observability {
namespace {

// Longer values are cut: one line must not fill a log.
constexpr size_t kValueBytes = 1'000;

spdlog::level::level_enum SpdlogLevel(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Never destroyed: threads may log until the process is gone.
spdlog::logger& Logger() {
  static spdlog::logger& logger = *[] {
    auto* created = new spdlog::logger("caresync", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %l %v", spdlog::pattern_time_type::utc);
    created->set_level(spdlog::level::info);
    return created;
  }();
  return logger;
}

// Whatever is not ASCII is written byte by byte: a value may be no UTF-8, be cut within a character, or hold one that
// ends a line or turns its direction round (U+0085, U+2028, U+202E). A log has IDs and names of errors; it loses
// little.
bool IsWrittenAsNumber(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return !absl::ascii_isascii(byte) || absl::ascii_iscntrl(byte);
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (char c : value) {
    if (c == ' ' || c == '"' || c == '\\' || c == '=' || IsWrittenAsNumber(c)) return true;
  }
  return false;
}

void AppendEscaped(std::string& line, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    line.push_back('\\');
    line.push_back(c);
  } else if (c == '\n') {
    line.append("\\n");
  } else if (IsWrittenAsNumber(c)) {
    line.append("\\x");
    line.push_back(kHex[byte >> 4]);
    line.push_back(kHex[byte & 0xF]);
  } else {
    line.push_back(c);
  }
}

void AppendValue(std::string& line, std::string_view value) {
  value = value.substr(0, kValueBytes);
  if (!NeedsQuotes(value)) {
    line.append(value);
    return;
  }
  line.push_back('"');
  for (char c : value) AppendEscaped(line, c);
  line.push_back('"');
}

}  // namespace

void SetLevel(Level level) { Logger().set_level(SpdlogLevel(level)); }

void Log(Level level, std::string_view event, std::initializer_list<Field> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(SpdlogLevel(level))) return;
  std::string line(event);
  for (const Field& field : fields) {
    line.push_back(' ');
    line.append(field.key);
    line.push_back('=');
    AppendValue(line, field.value);
  }
  logger.log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace caresync::observability
