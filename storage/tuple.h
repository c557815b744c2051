// Order-preserving code for tuples of strings and numbers: encoded tuples compare bytewise as the tuples compare part
// by part, and an encoded tuple of n parts is a prefix of every tuple that begins with them. The tuple layer of
// FoundationDB is the model, without its type codes: each layout in server/base/keys.h fixes the types of its parts.
//
//   string  its bytes, 0x00 written as 0x00 0xFF, then 0x00 0x01
//   uint64  8 bytes, big-endian
//   raw     bytes of a length that the layout fixes, as they are
//
// Pure functions over values; safe from any thread.
#ifndef CARESYNC_STORAGE_TUPLE_H_
#define CARESYNC_STORAGE_TUPLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace caresync::storage {

class TupleWriter {
 public:
  TupleWriter() = default;
  // Makes room for so many bytes at once.
  explicit TupleWriter(size_t bytes) { bytes_.reserve(bytes); }

  TupleWriter& String(std::string_view value);
  TupleWriter& Uint64(uint64_t value);
  TupleWriter& Byte(uint8_t value);
  TupleWriter& Raw(std::string_view value);

  // The encoded tuple; leaves the writer empty.
  std::string Take() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

// Reads the parts back in order. Each call returns false, and leaves the reader where it was, where the bytes are not
// of that form.
class TupleReader {
 public:
  // `bytes` must outlive the reader.
  explicit TupleReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool String(std::string* value);
  [[nodiscard]] bool Uint64(uint64_t* value);
  [[nodiscard]] bool Byte(uint8_t* value);
  [[nodiscard]] bool Raw(size_t length, std::string* value);

  std::string_view rest() const { return rest_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace caresync::storage

#endif  // CARESYNC_STORAGE_TUPLE_H_
