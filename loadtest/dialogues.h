// What a server said in recorded syncs: a server that does no work says the same again.
#ifndef CARESYNC_LOADTEST_DIALOGUES_H_
#define CARESYNC_LOADTEST_DIALOGUES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/device_sync.pb.h"

namespace caresync::loadtest {

// One sync: an auto one of a device that is caught up, or a clean one.
struct Dialogue {
  std::string carer_id;
  v1::SyncType type = v1::SYNC_TYPE_UNSPECIFIED;
  // In their order; the last one says `sync_recorded`, no other does.
  std::vector<v1::SyncResponse> responses;
};

// As a file: of each sync a SyncRequest whose `start` names carer and type, then the responses, every message behind
// its length (a varint). Errors: FILE_NOT_WRITABLE.
absl::Status WriteDialogues(const std::string& file, const std::vector<Dialogue>& dialogues);
// Errors: FILE_NOT_READABLE; kInvalidArgument where it is no such file, or holds no sync.
absl::StatusOr<std::vector<Dialogue>> ReadDialogues(const std::string& file);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_DIALOGUES_H_
