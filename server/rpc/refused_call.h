// A device's call that was refused before any session saw it still counts as its last call.
#ifndef CARESYNC_SERVER_RPC_REFUSED_CALL_H_
#define CARESYNC_SERVER_RPC_REFUSED_CALL_H_

#include <functional>

#include "absl/status/status.h"
#include "server/access/identity.h"
#include "server/rpc/edge.h"

namespace caresync::rpc {

// Records that `caller`'s device was refused for `why`, if it is a device that is known, then calls `done`, on any
// thread. A row that cannot be written is no error of the call: the answer is the same. Nor is one that is not written
// because kRefusedAtOnce others are. `caller.device` must be set: proven, though perhaps expired.
void RecordRefusedCall(Edge& edge, const access::Identity& caller, const absl::Status& why, std::function<void()> done);

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_REFUSED_CALL_H_
