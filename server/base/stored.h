// Reading and writing the stored protobuf forms.
#ifndef CARESYNC_SERVER_BASE_STORED_H_
#define CARESYNC_SERVER_BASE_STORED_H_

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/base/errors.h"
#include "server/base/stored_times.h"
#include "storage/store.h"

namespace caresync::base {

// `Message` from stored bytes; its times and lengths of time are such (StoredTimes). Errors: DAMAGED_ROW naming the
// message's type.
template <typename Message>
absl::StatusOr<Message> ParseStored(std::string_view bytes) {
  static const StoredTimes times(Message::descriptor());
  Message message;
  const bool whole = bytes.size() <= std::numeric_limits<int>::max() &&
                     message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!whole || !times.HoldIn(message)) return errors::DamagedRow(Message::descriptor()->full_name());
  return message;
}

// The row under `key`; nullopt where there is none.
template <typename Message>
absl::StatusOr<std::optional<Message>> GetStored(const storage::Reader& reader, storage::Space space,
                                                 std::string_view key) {
  absl::StatusOr<std::optional<std::string>> bytes = reader.Get(space, key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<Message>();
  absl::StatusOr<Message> message = ParseStored<Message>(**bytes);
  if (!message.ok()) return message.status();
  return std::optional<Message>(*std::move(message));
}

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_STORED_H_
