// The device's side of a sync without a network: what it sends, and what it does with each message that it gets.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_CLIENT_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/limits.h"
#include "tools/caresync/device_store.h"

namespace caresync::cli {

struct SyncPlan {
  std::string device_uuid;
  std::string device_name;
  std::string app_version;
  std::string carer_id;
  v1::SyncType type = v1::SYNC_TYPE_STANDARD;
  // Go on with changes as they commit.
  bool follow = false;
  uint32_t data_level = base::limits::kDataLevel;
};

// One sync. Whatever it was given is durable when Handle returns. Not thread-safe.
class DeviceClient {
 public:
  // `store` must outlive it.
  DeviceClient(const DeviceStore& store, SyncPlan plan) : store_(store), plan_(std::move(plan)) {}

  // What to send before anything is received: `start`, then the uploads. Called once.
  absl::StatusOr<std::vector<v1::SyncRequest>> Begin(absl::Time now);
  // Applies a message; what it is answered with, if anything. Errors: SERVER_BROKE_PROTOCOL, those of
  // the store.
  absl::StatusOr<std::optional<v1::SyncRequest>> Handle(const v1::SyncResponse& response, absl::Time now);

  // What a message is answered with before its ack: where the server asks for the events of the last 14 days, those
  // that had results, and that these are all.
  absl::StatusOr<std::vector<v1::SyncRequest>> Resend(const v1::SyncResponse& response) const;

  // The sync is recorded, at least once: unless it follows, nothing is left to do.
  bool recorded() const { return recorded_; }
  bool done() const { return recorded_ && !plan_.follow; }

 private:
  absl::StatusOr<v1::Start> MakeStart(absl::Time now, size_t unsent_events);
  absl::Status HandleStarted(const v1::Started& started);
  // Drops the copies that the server names, and names them in the next ack.
  absl::Status DropCopies(const google::protobuf::RepeatedPtrField<std::string>& carers);
  // The ack of what `response` brought.
  absl::StatusOr<std::optional<v1::SyncRequest>> AckOf(const v1::SyncResponse& response);

  const DeviceStore& store_;
  const SyncPlan plan_;
  bool recorded_ = false;
  // Not told to the server yet.
  std::vector<std::string> dropped_;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_CLIENT_H_
