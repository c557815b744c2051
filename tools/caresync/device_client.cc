#include "tools/caresync/device_client.h"

#include <algorithm>
#include <utility>

#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

// Room for what wraps the events in a message.
constexpr size_t kUploadBytes = base::limits::kUploadBytes - size_t{16} * 1024;

void AppendUploads(const std::vector<v1::UploadedEvent>& events, std::vector<v1::SyncRequest>& requests) {
  v1::Upload* upload = nullptr;
  size_t bytes = 0;
  for (const v1::UploadedEvent& event : events) {
    const size_t size = event.ByteSizeLong();
    if (upload == nullptr || upload->events_size() == static_cast<int>(base::limits::kUploadEvents) ||
        bytes + size > kUploadBytes) {
      upload = requests.emplace_back().mutable_upload();
      bytes = 0;
    }
    *upload->add_events() = event;
    bytes += size;
  }
}

// As `started` and `sync_recorded` say it; nullopt: none is due.
template <typename Told>
std::optional<absl::Time> ManualDueIn(const Told& told) {
  if (!told.has_manual_sync_due_since_time()) return std::nullopt;
  return base::FromTimestamp(told.manual_sync_due_since_time());
}

}  // namespace

absl::StatusOr<v1::Start> DeviceClient::MakeStart(absl::Time now, size_t unsent_events) {
  v1::Start start;
  start.set_device_uuid(plan_.device_uuid);
  start.set_device_name(plan_.device_name);
  start.set_app_version(plan_.app_version);
  start.set_data_level(plan_.data_level);
  start.set_carer_id(plan_.carer_id);
  start.set_sync_type(plan_.type);
  start.set_follow(plan_.follow);
  start.set_unsent_events(static_cast<uint32_t>(unsent_events));
  ASSIGN_OR_RETURN(*start.mutable_uploads_token(), store_.UploadsToken(plan_.carer_id));
  *start.mutable_device_time() = base::ToTimestamp(now);
  ASSIGN_OR_RETURN(*start.mutable_open_visit_id(), store_.OpenVisit(plan_.carer_id));
  ASSIGN_OR_RETURN(const v1::InterruptionCause cause, store_.BeginSync());
  start.set_last_interruption(cause);

  ASSIGN_OR_RETURN(const std::optional<HeldCopy> unfinished, store_.BeingMade(plan_.carer_id));
  if (unfinished && !unfinished->token.empty()) {
    start.set_resume_token(unfinished->token);
    return start;
  }
  // An unfinished copy without a batch holds nothing that could be gone on with.
  RETURN_IF_ERROR(store_.DropUnfinished(plan_.carer_id));
  ASSIGN_OR_RETURN(const std::optional<HeldCopy> in_use, store_.InUse(plan_.carer_id));
  // Where the server refused its token, a new copy is to be made beside it.
  if (!in_use || in_use->token.empty()) return start;
  start.set_resume_token(in_use->token);
  ASSIGN_OR_RETURN(*start.mutable_holds(), store_.Holds(plan_.carer_id));
  return start;
}

absl::StatusOr<std::vector<v1::SyncRequest>> DeviceClient::Begin(absl::Time now) {
  RETURN_IF_ERROR(store_.ForgetOldEvents(now));
  ASSIGN_OR_RETURN(std::vector<v1::UploadedEvent> events, store_.UnsentEvents(plan_.carer_id));
  events.resize(std::min<size_t>(events.size(), base::limits::kUnsentEvents));
  std::vector<v1::SyncRequest> requests(1);
  ASSIGN_OR_RETURN(*requests.front().mutable_start(), MakeStart(now, events.size()));
  AppendUploads(events, requests);
  return requests;
}

absl::StatusOr<std::vector<v1::SyncRequest>> DeviceClient::Resend(const v1::SyncResponse& response) const {
  std::vector<v1::SyncRequest> requests;
  if (!response.started().resend_events()) return requests;
  ASSIGN_OR_RETURN(const std::vector<v1::UploadedEvent> events, store_.AnsweredEvents(plan_.carer_id));
  AppendUploads(events, requests);
  if (requests.empty()) requests.emplace_back();
  requests.back().mutable_upload()->set_resend_complete(true);
  return requests;
}

absl::Status DeviceClient::HandleStarted(const v1::Started& started) {
  RETURN_IF_ERROR(store_.Bind());
  RETURN_IF_ERROR(store_.InterruptionTold());
  RETURN_IF_ERROR(store_.SetManualSyncDueSince(plan_.carer_id, ManualDueIn(started)));
  RETURN_IF_ERROR(DropCopies(started.drop_now_carer_ids()));
  return store_.SetSetting("time_zone", started.policy().time_zone());
}

absl::Status DeviceClient::DropCopies(const google::protobuf::RepeatedPtrField<std::string>& carers) {
  for (const std::string& carer : carers) {
    RETURN_IF_ERROR(store_.DropCopies(carer));
    dropped_.push_back(carer);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<v1::SyncRequest>> DeviceClient::AckOf(const v1::SyncResponse& response) {
  v1::SyncRequest request;
  for (const std::string& carer : dropped_) request.mutable_ack()->add_dropped_carer_ids(carer);
  const bool dropped = !std::exchange(dropped_, {}).empty();
  // Recorded already: the server took `start` for the ack.
  if (response.has_sync_recorded() || (!response.has_caught_up() && !response.has_changes())) {
    return dropped ? std::optional(request) : std::nullopt;
  }
  if (response.has_caught_up()) {
    ASSIGN_OR_RETURN(const v1::CopySum holds, store_.Holds(plan_.carer_id));
    request.mutable_ack()->set_resume_token(response.caught_up().resume_token());
    *request.mutable_ack()->mutable_holds() = holds;
    return request;
  }
  request.mutable_ack()->set_resume_token(response.changes().resume_token());
  return request;
}

absl::StatusOr<std::optional<v1::SyncRequest>> DeviceClient::Handle(const v1::SyncResponse& response, absl::Time now) {
  const std::string& carer = plan_.carer_id;
  if (response.has_started()) RETURN_IF_ERROR(HandleStarted(response.started()));
  if (response.has_upload_result()) {
    // Before the results: killed in between, the device sends these events once more, and nothing is missed.
    const std::string& token = response.upload_result().uploads_token();
    if (!token.empty()) RETURN_IF_ERROR(store_.SetUploadsToken(plan_.carer_id, token));
    RETURN_IF_ERROR(store_.SetResults(response.upload_result(), now));
  }
  if (response.has_rebuild()) RETURN_IF_ERROR(store_.BeginCopy(carer, response.rebuild().rebuild_number()));
  if (response.has_changes()) RETURN_IF_ERROR(store_.Apply(carer, response.changes()));
  if (response.has_caught_up()) RETURN_IF_ERROR(store_.CaughtUp(carer, response.caught_up()));
  if (response.notice().has_drop_now()) RETURN_IF_ERROR(DropCopies(response.notice().drop_now().carer_ids()));
  ASSIGN_OR_RETURN(std::optional<v1::SyncRequest> ack, AckOf(response));
  if (response.has_sync_recorded()) {
    recorded_ = true;
    // Whatever comes after interrupts nothing: a follower may be killed between two rounds.
    RETURN_IF_ERROR(store_.EndSync(v1::INTERRUPTION_CAUSE_UNSPECIFIED));
    RETURN_IF_ERROR(store_.SetManualSyncDueSince(carer, ManualDueIn(response.sync_recorded())));
  }
  return ack;
}

}  // namespace caresync::cli
