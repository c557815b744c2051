// What passes between a session and whoever drives it: what it is told, as events, and what it asks to be done, as
// actions. Values, all of them.
#ifndef CARESYNC_SERVER_SYNC_SESSION_EVENTS_H_
#define CARESYNC_SERVER_SYNC_SESSION_EVENTS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/feed/feed_reader.h"
#include "server/mismatch/integration_lag.h"
#include "server/sync/download.h"
#include "server/sync/notice.h"
#include "server/sync/start_check.h"
#include "storage/store.h"

namespace caresync::sync {

enum class SessionTimer {
  kStart,       // `start` has not come.
  kSilence,     // The device is silent while it has something to do.
  kWrite,       // A message does not leave.
  kConfirm,     // A follower is to confirm again that it is caught up.
  kCredential,  // A follower's credential is about to end, or has ended.
  kFanOutLook,  // Perhaps nobody told that the fan-outs are through.
  kFanOutWait,  // The fan-outs take too long.
};

// ---- Events in

struct OpenedEvent {};
struct MessageEvent {
  v1::SyncRequest request;
};
struct HalfClosedEvent {};
struct SentEvent {
  bool ok;
};
struct CancelledEvent {};
// What the device sent is no message that is understood here.
struct BadMessageEvent {
  absl::Status status;
};
// Told to end: taken over, or the server goes away.
struct StopEvent {
  absl::Status status;
};
// Answers LoadAction.
struct LoadedEvent {
  absl::StatusOr<StartFacts> facts;
  // A session of the device is open; once this one has entered, that may be itself.
  bool another_open;
  // It is one whose stream came after this one's.
  bool later_open = false;
};
struct BatchReadEvent {
  absl::StatusOr<DownloadBatch> batch;
};
struct RowsWrittenEvent {
  storage::CommitResult result;
  // Why the rows were not handed to the store, where what had to come before them failed (WriteRowsAction::less_of).
  absl::Status not_begun = absl::OkStatus();
};
// Answers TakeEventsAction.
struct EventsTakenEvent {
  absl::StatusOr<v1::UploadResult> result;
  // The head after the last of the events was taken.
  base::CommitPoint head = {};
};
// The carer's feed has moved to `revision`. Several moves may come as one event, with the last one's revision.
struct MovedEvent {
  base::Revision revision;
};
// A fan-out is through.
struct FanOutsMovedEvent {};
// There is something to tell the device.
struct NoticeEvent {
  Notice notice;
};
// Answers ReadTenantAction.
struct TenantReadEvent {
  absl::StatusOr<store::Tenant> tenant;
  // The device's branch; nullopt where the device is not known yet.
  std::optional<std::string> branch_id = std::nullopt;
};
// Answers ReadManualDueAction: the end of the first such visit, as of now; nullopt: none has ended.
struct ManualDueReadEvent {
  absl::StatusOr<std::optional<absl::Time>> since;
};
struct TimerEvent {
  SessionTimer timer;
  // Which setting of the timer fired, by the driver's count.
  uint64_t setting;
};
// Answers RecordDropsAction.
struct DropsRecordedEvent {
  absl::Status status;
};
using SessionEvent =
    std::variant<OpenedEvent, MessageEvent, HalfClosedEvent, SentEvent, CancelledEvent, BadMessageEvent, StopEvent,
                 LoadedEvent, BatchReadEvent, RowsWrittenEvent, EventsTakenEvent, MovedEvent, FanOutsMovedEvent,
                 NoticeEvent, TenantReadEvent, DropsRecordedEvent, ManualDueReadEvent, TimerEvent>;

// ---- Actions out

struct SendAction {
  v1::SyncResponse response;
};
struct ReadNextAction {};
// Read what the start is judged by.
struct LoadAction {
  StartTokens tokens;
  // The start is the carer's own doing (devices::SignsIn).
  bool signs_in = false;
};
// List the session among the live ones; of two of the device the one whose stream came earlier is ended.
struct EnterAction {};
// What a session may want to hear of. It asks before the read that finds nothing, so that nothing is missed.
enum class SessionTopic {
  kFeed,     // Answered by MovedEvents.
  kFanOuts,  // Answered by FanOutsMovedEvents.
};
struct SubscribeAction {
  SessionTopic topic;
};
// It wants to hear no more of it. What was told before may still come.
struct UnsubscribeAction {
  SessionTopic topic;
};
struct ReadBatchAction {
  feed::ReadFrom from;
  // As of DownloadWish.
  bool next_visits = false;
  std::string app_version;
};
// Read the tenant's preferences as they are now, and the device's branch, of which some of them are.
struct ReadTenantAction {};
// Read whether a visit of the carer has ended after `counts_from`: it asks for a manual sync. Answered before a
// WriteRowsAction that comes later.
struct ReadManualDueAction {
  absl::Time counts_from;
};
struct WriteRowsAction {
  storage::Commit commit;
  // By it the device may hold less of these carers than was known: before it, that much of theirs is waited for again
  // (mismatch/look_again.h). Where that fails, so does this.
  std::set<base::Uuid> less_of = {};
};
struct TakeEventsAction {
  v1::Upload upload;
};
// The device dropped these carers' copies, and its rows say so.
struct RecordDropsAction {
  std::vector<std::string> carers;
};
// What was written tells that the device holds something new of these carers, or nothing any more: mismatches may be
// over. Of the session's own carer the device has applied these changes of the rota.
struct LookAtMismatchesAction {
  std::set<std::string> carers;
  std::vector<mismatch::RotaChange> applied = {};
};
// What was written has marks of what the device holds: they are to be told (deliveries/mark_teller.h).
struct TellMarksAction {};
// nullopt: forget the timer. The end of the session forgets all.
struct SetTimerAction {
  SessionTimer timer;
  std::optional<absl::Duration> after;
};
struct EndAction {
  absl::Status status;
  // Do not wait for the message under way: the device does not read.
  bool abandon;
  // To be sent first.
  std::optional<v1::SyncResponse> last = std::nullopt;
};
using SessionAction =
    std::variant<SendAction, ReadNextAction, LoadAction, EnterAction, SubscribeAction, UnsubscribeAction,
                 ReadBatchAction, ReadTenantAction, ReadManualDueAction, WriteRowsAction, TakeEventsAction,
                 RecordDropsAction, LookAtMismatchesAction, TellMarksAction, SetTimerAction, EndAction>;

}  // namespace caresync::sync

#endif  // CARESYNC_SERVER_SYNC_SESSION_EVENTS_H_
