#include "loadtest/limit/ready_syncs.h"

#include <algorithm>

#include "server/base/limits.h"
#include "server/rpc/message.h"

namespace caresync::loadtest {
namespace {

ReadySync Ready(const Dialogue& dialogue) {
  ReadySync sync;
  // Each of them is acked once.
  size_t batches = 0;
  for (const v1::SyncResponse& response : dialogue.responses) {
    const size_t unacked = response.has_sync_recorded() ? 0 : base::limits::kUnacknowledgedBatches - 1;
    sync.push_back({rpc::SerializeMessage(response), batches - std::min(batches, unacked)});
    if (response.has_changes() || response.has_caught_up()) ++batches;
  }
  return sync;
}

}  // namespace

ReadySyncs::ReadySyncs(const std::vector<Dialogue>& dialogues) {
  for (const Dialogue& dialogue : dialogues) syncs_[{dialogue.carer_id, dialogue.type}] = Ready(dialogue);
}

const ReadySync* ReadySyncs::Find(const v1::Start& start) const {
  const v1::SyncType type = start.resume_token().empty() ? v1::SYNC_TYPE_CLEAN : start.sync_type();
  const auto sync = syncs_.find({start.carer_id(), type});
  return sync == syncs_.end() ? nullptr : &sync->second;
}

}  // namespace caresync::loadtest
