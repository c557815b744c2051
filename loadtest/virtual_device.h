// A carer's device without a network and without an app: what it sends in a sync, what it does with each message, and
// what it keeps. Whatever it was given counts as durable when Handle returns.
//
// It keeps the two-copy rule: a rebuild makes a new copy beside the one in use, which is replaced when the new one is
// complete.
#ifndef CARESYNC_LOADTEST_VIRTUAL_DEVICE_H_
#define CARESYNC_LOADTEST_VIRTUAL_DEVICE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "loadtest/held_copy.h"

namespace caresync::loadtest {

// What a carer recorded on a device.
struct OwnEvent {
  std::string device_uuid;
  v1::UploadedEvent upload;
  // The visit or service user it is recorded on.
  RecordName parent;
  // Unset until the server has answered for it.
  std::optional<v1::EventResult> result;
};

// Not thread-safe: one sync at a time uses it.
class VirtualDevice {
 public:
  // `name` is shown in the report.
  VirtualDevice(std::string uuid, std::string name, std::string carer_id);

  const std::string& uuid() const { return uuid_; }
  const std::string& name() const { return name_; }
  const std::string& carer_id() const { return carer_id_; }

  // Records care; it goes out with the next sync. The event's carer is this device's.
  void Record(const RecordName& parent, v1::CareEvent event);

  // Begins a sync: `start`, then the uploads. What was left of the last one is settled by the token in it.
  std::vector<v1::SyncRequest> Begin(v1::SyncType type, bool follow);
  // Applies a message of the sync that was begun last; what it is to be answered with, if anything.
  std::optional<v1::SyncRequest> Handle(const v1::SyncResponse& response);
  // The sync that was begun last was refused, with a reason.
  void Refused() { refused_ = true; }
  // The sync that was begun last is recorded; one that follows, at least once.
  bool recorded() const { return recorded_; }

  // The copy in use.
  const HeldCopy& copy() const { return in_use_.records; }
  // A rebuild is unfinished.
  bool is_rebuilding() const { return making_.has_value(); }
  size_t unsent() const { return unsent_.size(); }
  // The events that have their result, by event ID.
  const std::map<std::string, OwnEvent>& settled() const { return settled_; }

  // What the server did that it must not do, each as a sentence; empties the list.
  std::vector<std::string> TakeFaults();

 private:
  struct Copy {
    // 0 for the first one in use.
    uint64_t number = 0;
    // Empty: nothing of it is held yet.
    std::string token;
    HeldCopy records;
  };

  v1::SyncRequest MakeStart(v1::SyncType type, bool follow);
  void AppendUploads(std::vector<v1::SyncRequest>& requests) const;
  void OnResults(const v1::UploadResult& result);
  void OnChanges(const v1::Changes& changes);
  void OnCaughtUp(const v1::CaughtUp& caught_up);
  std::optional<v1::SyncRequest> AckOf(const v1::SyncResponse& response) const;
  void Expect(bool holds, const std::string& fault);

  const std::string uuid_;
  const std::string name_;
  const std::string carer_id_;

  Copy in_use_;
  std::string uploads_token_;
  std::optional<Copy> making_;
  uint64_t last_sequence_ = 0;
  std::deque<OwnEvent> unsent_;
  std::map<std::string, OwnEvent> settled_;

  // The sync that was begun last.
  bool following_ = false;
  bool recorded_ = true;
  bool refused_ = false;

  std::vector<std::string> faults_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_VIRTUAL_DEVICE_H_
