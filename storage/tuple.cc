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
  // Nearly all strings are without a zero, and are taken as they are.
  while (true) {
    const size_t zero = value.find(kZero);
    bytes_.append(value.substr(0, zero));
    if (zero == std::string_view::npos) break;
    bytes_.push_back(kZero);
    bytes_.push_back(kEscaped);
    value.remove_prefix(zero + 1);
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
  std::string_view rest = rest_;
  while (true) {
    const size_t zero = rest.find(kZero);
    if (zero == std::string_view::npos || zero + 1 == rest.size()) return false;
    const char mark = rest[zero + 1];
    if (mark != kEnd && mark != kEscaped) return false;
    decoded.append(rest.substr(0, zero));
    rest.remove_prefix(zero + 2);
    if (mark == kEnd) break;
    decoded.push_back(kZero);
  }
  *value = std::move(decoded);
  rest_ = rest;
  return true;
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
