// What a device keeps, in one SQLite file: for each of its carers a copy of the records (and, during a rebuild, a
// second one beside it) with the token that belongs to it, and the events that the carer recorded.
//
// Every call that writes is one transaction, durable when it returns OK: the process may be killed between any two of
// them. Not thread-safe; two processes may open one file, and only one of them may sync (SyncLock). Errors:
// DEVICE_STORE_FAILED and those named.
#ifndef CARESYNC_TOOLS_CARESYNC_DEVICE_STORE_H_
#define CARESYNC_TOOLS_CARESYNC_DEVICE_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/sqlite.h"

namespace caresync::cli {

// The fingerprint of a record, as CopySum specifies it.
uint64_t Fingerprint(v1::RecordKind kind, std::string_view record_id, std::string_view payload);

struct HeldCopy {
  int64_t id = 0;
  // 0 only where the server never named one.
  uint64_t rebuild_number = 0;
  std::string token;
  // Of the last `caught_up`; 0 where there was none.
  uint64_t revision = 0;
};

struct HeldRecord {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  std::string id;
  std::string payload;
};

// Held by the one process that syncs; given back when destroyed, and by the system when the process ends.
class SyncLock {
 public:
  SyncLock(SyncLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  SyncLock& operator=(SyncLock&&) = delete;
  ~SyncLock();

 private:
  friend class DeviceStore;
  explicit SyncLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

class DeviceStore {
 public:
  // Makes the file, and its folder, where there is none, for nobody else to read. Errors: DEVICE_OF_OTHER_TENANT where
  // it was bound to another one, DEVICE_STORE_TOO_NEW, DEVICE_STORE_NOT_VALID.
  static absl::StatusOr<DeviceStore> Open(const std::string& file, std::string_view tenant);

  // The server has taken the tenant given to Open for one that it knows: from now on the file is of this tenant, for
  // ever. Before anything that the server said is kept. Errors: DEVICE_OF_OTHER_TENANT.
  absl::Status Bind() const;

  // Errors: SYNC_RUNS_ALREADY.
  absl::StatusOr<SyncLock> LockForSync() const;

  // ---- Copies. At most one of a carer is in use, at most one is being made.

  absl::StatusOr<std::optional<HeldCopy>> InUse(std::string_view carer) const;
  absl::StatusOr<std::optional<HeldCopy>> BeingMade(std::string_view carer) const;
  // Drops the unfinished copy, if any.
  absl::Status DropUnfinished(std::string_view carer) const;
  // Drops both copies, with their tokens; events are kept.
  absl::Status DropCopies(std::string_view carer) const;
  // The server does not take the token: the copy in use stays without it, an unfinished one is dropped.
  absl::Status ForgetTokens(std::string_view carer) const;
  // Drops the unfinished copy, if any, and begins one with no records and no token.
  absl::Status BeginCopy(std::string_view carer, uint64_t rebuild_number) const;
  // The batch's records and its token. Errors: SERVER_BROKE_PROTOCOL where the copy that it names is not there.
  absl::Status Apply(std::string_view carer, const v1::Changes& changes) const;
  // The token and the revision; a copy that was being made replaces the one in use. Errors as above.
  absl::Status CaughtUp(std::string_view carer, const v1::CaughtUp& caught_up) const;
  // Worked out anew from the stored bytes of the copy in use.
  absl::StatusOr<v1::CopySum> Holds(std::string_view carer) const;
  // The copy in use, by kind and ID.
  absl::StatusOr<std::vector<HeldRecord>> Records(std::string_view carer) const;
  // What can be shown while no copy is in use: of the copy being made the records that came as the carer's next visits.
  // By kind and ID; empty where there are none.
  absl::StatusOr<std::vector<HeldRecord>> NextVisits(std::string_view carer) const;

  // ---- Events

  // Keeps `event` (a serialized CareEvent) until the server has answered for it, under the device's next running
  // number.
  absl::Status AddEvent(std::string_view carer, std::string_view event_id, std::string_view event) const;
  // Those without a result, by running number.
  absl::StatusOr<std::vector<v1::UploadedEvent>> UnsentEvents(std::string_view carer) const;
  // Those with a result, by running number.
  absl::StatusOr<std::vector<v1::UploadedEvent>> AnsweredEvents(std::string_view carer) const;
  // An event stays 14 days from its first result, whichever it was, for the day on which a server asks for it again;
  // that the server knows it already changes nothing of what came of it.
  absl::Status SetResults(const v1::UploadResult& results, absl::Time now) const;
  // The last that came with results of the carer's events; empty: none did.
  absl::StatusOr<std::string> UploadsToken(std::string_view carer) const;
  absl::Status SetUploadsToken(std::string_view carer, std::string_view token) const;
  // Drops the events whose 14 days are over.
  absl::Status ForgetOldEvents(absl::Time now) const;
  // All that are kept, by running number, sent or not.
  absl::StatusOr<std::vector<v1::UploadedEvent>> KeptEvents(std::string_view carer) const;

  // ---- What else the device remembers of a carer

  // Empty: none.
  absl::StatusOr<std::string> OpenVisit(std::string_view carer) const;
  // Records the event and, with it, which visit is open now.
  absl::Status AddVisitEvent(std::string_view carer, std::string_view event_id, std::string_view event,
                             std::string_view open_visit) const;

  // When the first visit ended that no sync which the carer started has followed, as the server said; nullopt: none is
  // due.
  absl::StatusOr<std::optional<absl::Time>> ManualSyncDueSince(std::string_view carer) const;
  absl::Status SetManualSyncDueSince(std::string_view carer, std::optional<absl::Time> since) const;

  // ---- What it remembers of its last sync, whichever carer's it was

  // How the sync before this one was interrupted; where its process died, INTERRUPTION_CAUSE_UNKNOWN. One that the
  // server was not told of is told once more.
  absl::StatusOr<v1::InterruptionCause> BeginSync() const;
  // The server knows of the interruption.
  absl::Status InterruptionTold() const;
  // Unspecified: the server knows how it ended.
  absl::Status EndSync(v1::InterruptionCause cause) const;
  // The server had no room to hear it: what it said of the one before is said again.
  absl::Status EndUnheardSync() const;

  // Settings by name, such as the tenant's time zone; empty where never set.
  absl::StatusOr<std::string> Setting(std::string_view name) const;
  absl::Status SetSetting(std::string_view name, std::string_view value) const;

 private:
  DeviceStore(std::string file, std::string tenant, Database database);
  // Of another tenant than the one given to Open: an error.
  absl::StatusOr<bool> IsBound() const;
  absl::StatusOr<std::optional<HeldCopy>> FindCopy(std::string_view carer, bool in_use) const;
  absl::StatusOr<std::vector<HeldRecord>> RecordsOf(const HeldCopy& copy, bool next_visits_only) const;
  // The copy that a message with this rebuild number is about.
  absl::StatusOr<HeldCopy> NamedCopy(std::string_view carer, uint64_t rebuild_number) const;
  // The one that the server has not been told of.
  absl::StatusOr<v1::InterruptionCause> Interruption() const;
  absl::Status AddInterruption(v1::InterruptionCause cause) const;
  absl::Status PutEvent(std::string_view carer, std::string_view event_id, std::string_view event) const;
  enum class Which { kUnsent, kAnswered, kAll };
  absl::StatusOr<std::vector<v1::UploadedEvent>> Events(std::string_view carer, Which which) const;

  std::string file_;
  std::string tenant_;
  Database database_;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_DEVICE_STORE_H_
