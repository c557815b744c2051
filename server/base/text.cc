#include "server/base/text.h"

#include <cstdint>

namespace caresync::base {
namespace {

// How a UTF-8 sequence goes on after its first byte: the continuation bytes, and the range of the first of them, which
// is narrower where a longer form, a surrogate or a number above U+10FFFF would begin.
struct Sequence {
  size_t continuation_bytes;
  uint8_t second_least;
  uint8_t second_most;
};

std::optional<Sequence> SequenceAfter(uint8_t first) {
  if (first < 0x80) return Sequence{0, 0, 0};
  if (first >= 0xC2 && first <= 0xDF) return Sequence{1, 0x80, 0xBF};
  if (first == 0xE0) return Sequence{2, 0xA0, 0xBF};
  if (first == 0xED) return Sequence{2, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return Sequence{2, 0x80, 0xBF};
  if (first == 0xF0) return Sequence{3, 0x90, 0xBF};
  if (first >= 0xF1 && first <= 0xF3) return Sequence{3, 0x80, 0xBF};
  if (first == 0xF4) return Sequence{3, 0x80, 0x8F};
  return std::nullopt;
}

uint8_t ByteAt(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

}  // namespace

std::optional<size_t> CountCharacters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    const std::optional<Sequence> sequence = SequenceAfter(ByteAt(text, at));
    if (!sequence.has_value() || text.size() - at <= sequence->continuation_bytes) return std::nullopt;
    for (size_t i = 1; i <= sequence->continuation_bytes; ++i) {
      const uint8_t least = i == 1 ? sequence->second_least : 0x80;
      const uint8_t most = i == 1 ? sequence->second_most : 0xBF;
      if (ByteAt(text, at + i) < least || ByteAt(text, at + i) > most) return std::nullopt;
    }
    at += 1 + sequence->continuation_bytes;
  }
  return count;
}

bool HasControlCharacters(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    const uint8_t byte = ByteAt(text, at);
    if (byte < 0x20 || byte == 0x7F) return true;
    // U+0080 to U+009F are 0xC2 and the number itself.
    if (byte == 0xC2 && at + 1 < text.size() && ByteAt(text, at + 1) < 0xA0) return true;
  }
  return false;
}

}  // namespace caresync::base
