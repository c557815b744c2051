// How a device stands, and why, in words that say what to do. Pure functions of what is stored and of the time.
//
// Each of the device's users has a state of its own; the device has the worst of them. What is wrong with the device as
// a whole (blocked, cloned, too old, failing) is wrong for each user. Of several states that hold the worst counts, in
// the order of v1::DeviceState:
//
//   blocked          the office blocked it, or two phones use its UUID
//   no user          no user is set, or all have left
//   too old          the app it last came with is below the tenant's least version
//   never synced     this carer never completed a sync on it
//   diverged         the copy's count and sum were wrong, and no sync has put that right
//   failing          the last call failed, or syncs have failed since the last success, also while the next is tried
//   overdue          now is later than the last success by more than twice the auto sync interval of its branch, and
//                    later than the device's system allowed the next sync (`earliest_next_sync`). Never where there
//                    are no auto syncs: nothing says when the next one should be, and what a visit asks for is the next
//                    row
//   manual sync due  a visit of the carer ended since the last successful sync that the carer started. This and the
//                    last one hold as well where the success lies ahead of now: the server's clock was wrong then, so
//                    nobody knows how long ago it was
//   behind           changes wait for the copy
//   current          none of these
#ifndef CARESYNC_SERVER_DEVICES_DEVICE_STATE_H_
#define CARESYNC_SERVER_DEVICES_DEVICE_STATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/uuid.h"
#include "server/devices/copy_facts.h"
#include "server/devices/device_rows.h"

namespace caresync::devices {

struct Standing {
  v1::DeviceState state = v1::DEVICE_STATE_UNSPECIFIED;
  // A sentence or two, for people. Times are in the tenant's zone.
  std::string reason;
};

// How the user's copy on the device stands. `rows.device` is set. A user who left stands as "no user".
Standing StandingOfUser(const DeviceRows& rows, const base::Uuid& carer, const CopyFacts& facts,
                        const store::Tenant& tenant, absl::Time now);

// Whether the user's copy is overdue by the time alone, as the row above says it, whatever is worse with the device:
// what keeps it from syncing makes it no less overdue. Not of one that never completed a sync: there is no success that
// the next one could be late after. `rows.device` is set.
bool IsOverdue(const DeviceRows& rows, const base::Uuid& carer, const store::Tenant& tenant, absl::Time now);

// A user's standing, and whose it is.
struct UserStanding {
  std::string carer_name;
  bool left = false;
  Standing standing;
};

// The worst of its users', the first one's among equals; the reason names the carer where there are several.
Standing StandingOfDevice(const DeviceRows& rows, const std::vector<UserStanding>& users);

// "manual sync due": the state's name for people.
std::string StateText(v1::DeviceState state);

// ---- Counts of the report's days (UTC), today's included

uint64_t SuccessfulSyncs7Days(const store::DeviceReport& report, absl::Time now);
uint64_t CleanSyncs30Days(const store::DeviceReport& report, absl::Time now);

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_DEVICE_STATE_H_
