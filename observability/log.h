// Structured logs: one line an event, `time level event key=value ...` on standard error. No personal data, ever: IDs
// only.
//
// Thread-safe. Values with spaces, quotes, control characters or anything that is not ASCII are quoted and escaped: a
// line is one line of ASCII, whatever a caller sent. A value is cut at 1,000 bytes.
#ifndef CARESYNC_OBSERVABILITY_LOG_H_
#define CARESYNC_OBSERVABILITY_LOG_H_

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace caresync::observability {

enum class Level { kDebug, kInfo, kWarning, kError };

// A key and its value; numbers convert.
struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
  // Debian's Abseil does not take the standard library's views; a template, so that nothing else converts to one.
  template <std::same_as<std::string_view> View>
  Field(std::string_view k, View v) : key(k), value(v) {}
};

// Events below `level` are not written. At the start: kInfo.
void SetLevel(Level level);

// `event` is a stable name of lower-case words with underscores, such as "sync_refused".
void Log(Level level, std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace caresync::observability

#endif  // CARESYNC_OBSERVABILITY_LOG_H_
