#include "storage/tuple.h"

namespace caresync::storage {
namespace {

constexpr char kZero = '\x00';
// After a zero byte: the zero belongs to the string. It sorts above kEnd, so that a string sorts before those it is a
// prefix of.
constexpr char kEscaped = '\xFF';
// After a zero byte: the string ends here.
constexpr char kEnd = '\x01';
constexpr size_t kUint64Bytes = 8;

}  // namespace

TupleWriter& TupleWriter::String(std::string_view value) {
  bytes_.reserve(bytes_.size() + value.size() + 2);
  for (char byte : value) {
    bytes_.push_back(byte);
    if (byte == kZero) bytes_.push_back(kEscaped);
  }
  bytes_.push_back(kZero);
  bytes_.push_back(kEnd);
  return *this;
}

TupleWriter& TupleWriter::Uint64(uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(value >> shift));
  return *this;
}

TupleWriter& TupleWriter::Byte(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

TupleWriter& TupleWriter::Raw(std::string_view value) {
  bytes_.append(value);
  return *this;
}

bool TupleReader::String(std::string* value) {
  std::string decoded;
  for (size_t i = 0; i + 1 < rest_.size(); ++i) {
    if (rest_[i] != kZero) {
      decoded.push_back(rest_[i]);
      continue;
    }
    char mark = rest_[++i];
    if (mark == kEnd) {
      *value = std::move(decoded);
      rest_.remove_prefix(i + 1);
      return true;
    }
    if (mark != kEscaped) return false;
    decoded.push_back(kZero);
  }
  return false;
}

bool TupleReader::Uint64(uint64_t* value) {
  if (rest_.size() < kUint64Bytes) return false;
  uint64_t decoded = 0;
  for (size_t i = 0; i < kUint64Bytes; ++i) decoded = decoded << 8 | static_cast<uint8_t>(rest_[i]);
  *value = decoded;
  rest_.remove_prefix(kUint64Bytes);
  return true;
}

bool TupleReader::Byte(uint8_t* value) {
  if (rest_.empty()) return false;
  *value = static_cast<uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  return true;
}

bool TupleReader::Raw(size_t length, std::string* value) {
  if (rest_.size() < length) return false;
  *value = std::string(rest_.substr(0, length));
  rest_.remove_prefix(length);
  return true;
}

}  // namespace caresync::storage
