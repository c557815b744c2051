// What one session writes of its device: its report row, its place in the history, its last call. It makes commits and
// applies none.
//
// The first commit (Begin) makes the session the only writer of the device's own rows: it stands on the device and its
// report as they were read, so that nothing another session wrote meanwhile is overwritten (each begins by writing the
// report, which counts its sync), and no user who was taken off meanwhile syncs; later commits stand on the session row
// holding this session's ID. For one session; not thread-safe.
//
// Beside the device's history stands each carer's, on whatever device: one index row for each sync, written with it and
// deleted when the device's history lets the sync go.
#ifndef CARESYNC_SERVER_DEVICES_SESSION_ROWS_H_
#define CARESYNC_SERVER_DEVICES_SESSION_ROWS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/device_rows.h"
#include "storage/store.h"

namespace caresync::devices {

// What is read of a device when one of its syncs starts.
struct StartRows {
  // The device and its report; its other rows are not read.
  DeviceRows rows;
  // The bytes of what administrators say and of the report, for the first commit's conditions.
  std::optional<std::string> device_bytes;
  std::optional<std::string> report_bytes;
  // The last sync of the history; left out where the report says that it ended well.
  std::optional<store::SyncRow> last_sync;
  // The tenant's head when the last sync began, however that ended; 0: there was none.
  base::Revision last_began = 0;
  // The oldest one, where the next sync pushes it out of the history.
  std::optional<store::SyncRow> oldest_sync;
};

absl::StatusOr<StartRows> ReadStartRows(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::Uuid& device);

// Whose rows, for which session.
struct SessionOwner {
  base::TenantId tenant;
  base::Uuid device;
  base::Uuid carer;
  std::string session_id;
  // The opening of the store (its timeline).
  std::string opening;
};

class SessionRows {
 public:
  // `displaced`: another session of the device was open and is being ended. `branch_id` is the carer's, for a device
  // that becomes known by this sync. `most_take_overs`: see IsCloned.
  SessionRows(SessionOwner owner, StartRows loaded, const v1::Start& start, absl::Time now, bool displaced,
              std::string branch_id, size_t most_take_overs = base::limits::kTakeOversInAnHour);

  // What this sync came to so far, what the device says of itself, and the carer's copy in it: the caller's to change
  // until the next commit is made.
  store::SyncRow& sync() { return sync_; }
  const store::SyncRow& sync() const { return sync_; }
  // The first call of `copy` makes its row where the device holds none of this carer. After ForgetCopy of it nothing
  // that is set there is ever written.
  store::DeviceCopy& copy();

  // The number of the next mark of what the device holds (deliveries/marks.h), to be written with the commit that is
  // made next.
  uint64_t TakeMarkNumber();
  // The sync's, in the device's history.
  uint64_t number() const { return report_.syncs(); }
  // What is recorded of the carer's copy as something that the device holds, be it not known what.
  bool Holds(const std::string& carer_id) const;
  // The device dropped the carer's own copy: what is set in `copy` is never written.
  bool dropped_own() const { return dropped_copy_.has_value(); }

  // The carer signs in by this sync, on another device than before: it is in use once the sync begins, also where that
  // is refused.
  void SignIn() { signs_in_ = true; }

  // The cursor of the carer's copy lies before the one that was recorded when this began, or there is none any more; or
  // there is a copy where there was none, which may show what is gone: the device holds less than was known.
  bool FallsBack() const;

  // The device says that it dropped the carer's copy: nothing is said of it any more, also where a sync that the device
  // confirmed before becomes a success after it.
  void ForgetCopy(const std::string& carer_id);

  // Events to be sent again: asked for until they came, whatever becomes of the carer's copy, and whether or not there
  // is one.
  // A token of the carer's tells that some may be lost: they are asked for once in an opening.
  void WantResend();
  // Those of everybody who may have synced on the device are: its users, whoever's copy it holds or was to drop, and
  // the carer of this session.
  void WantResendOfAll();
  // This carer's have been sent.
  void ResendComplete();
  bool resend_wanted() const;

  // Ends of the carer's visits after it, and none before, ask for a manual sync, as the rows stand by now: as
  // ManualSyncDueSince (copy_facts.h) has it of those that are stored.
  absl::Time ManualSyncCountsFrom();

  // Two phones use the device's UUID, as was known before or as this session's take-over shows (IsCloned).
  bool cloned() const { return cloned_; }

  // Records that the device's carer confirmed to be caught up: a success of the day (UTC), and for a sync that the
  // carer started (standard or clean), what S8 asks for. A clean sync counts as one however often it is confirmed.
  void MarkSuccess(absl::Time now);
  // Sets how the sync ended; `outcome` is not UNDER_WAY. One that did not succeed counts as failed, once.
  void MarkEnd(v1::SyncOutcome outcome, std::string_view reason, absl::Time now);

  // The first commit; may end the sync at once (MarkEnd before it). Ends the sync before this one in the history where
  // it was left under way, with the cause that the app tells now. Makes the device known where it is not. Marks it as
  // cloned where this session's take-over says so (IsCloned), and is durable then.
  storage::Commit Begin(storage::Durability durability);
  // A later commit of all that has changed.
  storage::Commit Update(storage::Durability durability);

 private:
  store::Resend& ResendOf(const std::string& carer);
  // What came in an earlier opening says nothing any more.
  void ForgetAnsweredResends();
  void EndLastSync(const v1::Start& start, absl::Time now, bool displaced);
  void CountSuccess(absl::Time now);
  // The device's row, where it is to be written.
  std::optional<store::Device> DeviceAfter() const;
  // What makes room for the new sync in the history, and lists it among the carer's.
  void AddHistory(storage::Commit& commit) const;
  void AddRows(storage::Commit& commit);

  const SessionOwner owner_;
  const StartRows loaded_;
  const std::string branch_id_;
  const absl::Time start_time_;
  const uint32_t data_level_;
  bool cloned_ = false;
  bool succeeded_ = false;
  bool signs_in_ = false;
  // Takes what is still said of the own copy after it was dropped.
  std::optional<store::DeviceCopy> dropped_copy_;
  // Calls that failed before this one since the last success.
  uint32_t failures_before_ = 0;
  std::optional<store::SyncRow> ended_last_sync_;
  store::DeviceReport report_;
  store::SyncRow sync_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_SESSION_ROWS_H_
