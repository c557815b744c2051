// A small agency as it is after some days: what the fuzz targets damage, and talk to.
#ifndef CARESYNC_TESTS_FUZZ_SMALL_AGENCY_H_
#define CARESYNC_TESTS_FUZZ_SMALL_AGENCY_H_

#include <memory>
#include <string>

#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/sync/start_check.h"
#include "storage/memory_store.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"

namespace caresync::fuzz {

inline constexpr char kSource[] = "rota";

// Two carers in a group that may see a service user with two visits and two care plans; a change that waits; a device
// each, with syncs, two events that were accepted and two for review. The same at each making.
struct SmallAgency {
  base::TenantId tenant;
  base::Uuid carer;
  base::Uuid colleague;
  base::Uuid group;
  base::Uuid service_user;
  base::Uuid visit;
  base::Uuid care_plan;
  // The record that a waiting change would write.
  base::Uuid waiting;
  // The carer's, caught up, and one of its events.
  fakes::TestDevice device;
  std::string accepted_event_id;
  absl::Time now;
  std::unique_ptr<storage::MemoryStore> memory;
};

// Made once a process.
const SmallAgency& TheAgency();

// A server on a copy of the agency's store, opened anew. Used by one thread.
class RunningAgency {
 public:
  RunningAgency();

  const SmallAgency& agency() const { return agency_; }
  fakes::Engine& engine() { return engine_; }
  fakes::SyncServer& server() { return server_; }

  // Runs the change to its end; an error has a name.
  bool Run(commit::Change change);
  sync::SessionIdentity CarersDevice() const { return {agency_.tenant, agency_.device.uuid(), agency_.carer}; }

  // A sync by the rules, which ends: at once, or when the server has waited for long enough.
  absl::Status Sync(fakes::TestDevice& device, const base::Uuid& carer, v1::SyncType type);

  // A phone that was never here syncs as the colleague, and holds what it should, whatever others have said. The store
  // is not damaged.
  void CheckNewPhone();

 private:
  const SmallAgency& agency_ = TheAgency();
  fakes::Engine engine_{agency_.memory->Copy(), 2, agency_.now, fakes::Mismatches::kNoted};
  fakes::SyncServer server_{engine_};
};

}  // namespace caresync::fuzz

#endif  // CARESYNC_TESTS_FUZZ_SMALL_AGENCY_H_
