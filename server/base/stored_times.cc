#include "server/base/stored_times.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "server/base/proto_time.h"

namespace caresync::base {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// No stored form is nested deeper: a form that held itself would have no end.
constexpr int kDeepest = 8;
// More than anybody can choose: a thousand years. Added to a wall clock, it is still an instant.
constexpr int64_t kLongestSeconds = int64_t{1000} * 366 * 24 * 3600;

bool IsLength(int64_t seconds) { return seconds >= 0 && seconds <= kLongestSeconds; }

template <typename Check>
bool AllOf(const Message& message, const FieldDescriptor* field, Check check) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) return check(reflection.GetInt64(message, field));
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    if (!check(reflection.GetRepeatedInt64(message, field, i))) return false;
  }
  return true;
}

bool HoldWithin(const StoredTimes& times, const Message& message, const FieldDescriptor* field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) {
    return !reflection.HasField(message, field) || times.HoldIn(reflection.GetMessage(message, field));
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    if (!times.HoldIn(reflection.GetRepeatedMessage(message, field, i))) return false;
  }
  return true;
}

}  // namespace

StoredTimes::StoredTimes(const google::protobuf::Descriptor* form, int depth) {
  if (depth == kDeepest) return;
  for (int i = 0; i < form->field_count(); ++i) {
    const FieldDescriptor* field = form->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      std::unique_ptr<const StoredTimes> times(new StoredTimes(field->message_type(), depth + 1));
      if (!times->IsEmpty()) within_.emplace_back(field, std::move(times));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      if (absl::EndsWith(field->name(), "_us")) instants_.push_back(field);
      if (absl::EndsWith(field->name(), "_s") || absl::EndsWith(field->name(), "_s_plus_1")) lengths_.push_back(field);
    }
  }
}

bool StoredTimes::HoldIn(const Message& message) const {
  for (const Field field : instants_) {
    if (!AllOf(message, field, IsInstant)) return false;
  }
  for (const Field field : lengths_) {
    if (!AllOf(message, field, IsLength)) return false;
  }
  for (const auto& [field, times] : within_) {
    if (!HoldWithin(*times, message, field)) return false;
  }
  return true;
}

}  // namespace caresync::base
