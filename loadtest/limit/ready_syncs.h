// Syncs ready to be said: recorded dialogues as bytes.
#ifndef CARESYNC_LOADTEST_LIMIT_READY_SYNCS_H_
#define CARESYNC_LOADTEST_LIMIT_READY_SYNCS_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "grpcpp/support/byte_buffer.h"
#include "loadtest/dialogues.h"

namespace caresync::loadtest {

struct ReadyReply {
  grpc::ByteBuffer bytes;
  // It waits until the device has sent so many acks: a server lets only so many batches go unacknowledged, and records
  // a sync when all are.
  size_t after_acks = 0;
};
using ReadySync = std::vector<ReadyReply>;

// Immutable; safe from any thread.
class ReadySyncs {
 public:
  explicit ReadySyncs(const std::vector<Dialogue>& dialogues);

  // What a device that begins so is told: a whole copy where it asks for a clean one or holds nothing. Null where no
  // such sync of its carer was recorded.
  const ReadySync* Find(const v1::Start& start) const;

 private:
  std::map<std::pair<std::string, v1::SyncType>, ReadySync> syncs_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_LIMIT_READY_SYNCS_H_
