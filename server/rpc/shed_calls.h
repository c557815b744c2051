// Calls of devices that the server had no room for. They are answered before anything is read or written for them; that
// they came is written down and logged a moment later, for many at once, so that refusing costs next to nothing.
#ifndef CARESYNC_SERVER_RPC_SHED_CALLS_H_
#define CARESYNC_SERVER_RPC_SHED_CALLS_H_

#include <memory>

#include "absl/status/status.h"
#include "server/access/identity.h"
#include "server/base/clock.h"
#include "server/base/executor.h"
#include "storage/store.h"

namespace caresync::rpc {

// Thread-safe. It may go before what it noted is written down; that is lost when the server stops meanwhile, as the
// last moments of call times may be.
class ShedCalls {
 public:
  // All must outlive it, and the store and the clock must outlive the executor's work.
  ShedCalls(storage::Store& store, base::Clock& clock, base::Executor& executor);
  ~ShedCalls();

  // Notes that a call of `caller`'s device was refused now for `why`: its row of the report shows it
  // limits::kShedCallsEvery later, if it is a device that is known and no later call of it is shown by then. Past
  // limits::kShedDevices of them within that time, a device's is only counted. `caller.device` must be set.
  void Note(const access::Identity& caller, const absl::Status& why);

 private:
  class Noted;
  base::Executor& executor_;
  const std::shared_ptr<Noted> noted_;
};

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_SHED_CALLS_H_
