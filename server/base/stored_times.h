// The instants and lengths of time in the stored forms: what damage has made of one must be found where the row is
// read. Later it would be a sum out of range, or the end of the process (proto_time.h).
#ifndef CARESYNC_SERVER_BASE_STORED_TIMES_H_
#define CARESYNC_SERVER_BASE_STORED_TIMES_H_

#include <memory>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace caresync::base {

// Which fields of a form hold such, as their names say (stored.proto): an int64 `..._us` is an instant, an int64
// `..._s` or `..._s_plus_1` a length in seconds. Immutable; safe from any thread.
class StoredTimes {
 public:
  // Of `form`, and of the messages in it.
  explicit StoredTimes(const google::protobuf::Descriptor* form) : StoredTimes(form, 0) {}

  // Whether all instants lie in the years 1 to 9999, and all lengths in 0 to a thousand years. `message` is of the
  // form.
  bool HoldIn(const google::protobuf::Message& message) const;

 private:
  using Field = const google::protobuf::FieldDescriptor*;

  StoredTimes(const google::protobuf::Descriptor* form, int depth);
  bool IsEmpty() const { return instants_.empty() && lengths_.empty() && within_.empty(); }

  std::vector<Field> instants_;
  std::vector<Field> lengths_;
  // Fields that are messages with such fields.
  std::vector<std::pair<Field, std::unique_ptr<const StoredTimes>>> within_;
};

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_STORED_TIMES_H_
