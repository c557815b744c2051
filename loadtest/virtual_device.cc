#include "loadtest/virtual_device.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/uuid.h"

namespace caresync::loadtest {
namespace {

// As the protocol bounds an upload.
constexpr int kUploadEvents = 100;
// Every kind but care plans.
constexpr uint32_t kDataLevel = 1;
constexpr char kAppVersion[] = "fleetload";

base::Uuid ParsedUuid(const std::string& text) { return base::Uuid::Parse(text).value_or(base::Uuid()); }

}  // namespace

VirtualDevice::VirtualDevice(std::string uuid, std::string name, std::string carer_id)
    : uuid_(std::move(uuid)), name_(std::move(name)), carer_id_(std::move(carer_id)) {}

void VirtualDevice::Record(const RecordName& parent, v1::CareEvent event) {
  event.set_carer_id(carer_id_);
  if (parent.kind == v1::RECORD_KIND_VISIT) {
    event.set_visit_id(parent.id);
  } else {
    event.set_service_user_id(parent.id);
  }
  OwnEvent own{uuid_, {}, parent, std::nullopt};
  own.upload.set_sequence(++last_sequence_);
  own.upload.set_event_id(base::Uuid::Derived(ParsedUuid(uuid_), absl::StrCat("event ", last_sequence_)).ToString());
  own.upload.set_event(event.SerializeAsString());
  unsent_.push_back(std::move(own));
}

std::vector<v1::SyncRequest> VirtualDevice::Begin(v1::SyncType type, bool follow) {
  std::vector<v1::SyncRequest> requests;
  requests.push_back(MakeStart(type, follow));
  following_ = follow;
  recorded_ = false;
  refused_ = false;
  AppendUploads(requests);
  return requests;
}

v1::SyncRequest VirtualDevice::MakeStart(v1::SyncType type, bool follow) {
  // An unfinished copy without a batch holds nothing that could be gone on with.
  if (making_.has_value() && making_->token.empty()) making_.reset();
  v1::SyncRequest request;
  v1::Start& start = *request.mutable_start();
  start.set_device_uuid(uuid_);
  start.set_device_name(name_);
  start.set_app_version(kAppVersion);
  start.set_data_level(kDataLevel);
  start.set_carer_id(carer_id_);
  start.set_sync_type(type);
  start.set_follow(follow);
  start.set_unsent_events(static_cast<uint32_t>(unsent_.size()));
  start.set_uploads_token(uploads_token_);
  if (!recorded_ && !refused_) start.set_last_interruption(v1::INTERRUPTION_CAUSE_UNKNOWN);
  start.set_resume_token(making_.has_value() ? making_->token : in_use_.token);
  if (!making_.has_value() && !in_use_.token.empty()) *start.mutable_holds() = in_use_.records.Sum();
  return request;
}

void VirtualDevice::AppendUploads(std::vector<v1::SyncRequest>& requests) const {
  v1::Upload* upload = nullptr;
  for (const OwnEvent& event : unsent_) {
    if (upload == nullptr || upload->events_size() == kUploadEvents) upload = requests.emplace_back().mutable_upload();
    *upload->add_events() = event.upload;
  }
}

std::optional<v1::SyncRequest> VirtualDevice::Handle(const v1::SyncResponse& response) {
  const bool ended = recorded_ && !following_;
  Expect(!ended || !(response.has_changes() || response.has_caught_up() || response.has_sync_recorded()),
         "a message came after the sync was recorded");
  if (response.has_upload_result()) OnResults(response.upload_result());
  if (response.has_rebuild()) making_ = Copy{response.rebuild().rebuild_number(), "", {}};
  if (response.has_changes()) OnChanges(response.changes());
  if (response.has_caught_up()) OnCaughtUp(response.caught_up());
  if (response.has_sync_recorded()) {
    Expect(unsent_.empty(), "a sync was recorded before every event had its result");
    recorded_ = true;
  }
  return AckOf(response);
}

void VirtualDevice::OnResults(const v1::UploadResult& result) {
  if (!result.uploads_token().empty()) uploads_token_ = result.uploads_token();
  for (const v1::EventResult& named : result.results()) {
    if (unsent_.empty() || unsent_.front().upload.event_id() != named.event_id()) {
      Expect(false, absl::StrCat("a result names ", named.event_id(), ", which is not the next event that has none"));
      continue;
    }
    Expect(named.outcome() != v1::EVENT_OUTCOME_UNSPECIFIED, "a result has no outcome");
    OwnEvent event = std::move(unsent_.front());
    unsent_.pop_front();
    event.result = named;
    settled_.emplace(named.event_id(), std::move(event));
  }
}

void VirtualDevice::OnChanges(const v1::Changes& changes) {
  const bool of_new_copy = changes.rebuild_number() != 0;
  if (of_new_copy && (!making_.has_value() || making_->number != changes.rebuild_number())) {
    return Expect(false, absl::StrCat("a batch is of copy ", changes.rebuild_number(), ", which is not being made"));
  }
  if (!of_new_copy && making_.has_value()) {
    return Expect(false, absl::StrCat("a batch is of the copy in use while copy ", making_->number, " is being made"));
  }
  Expect(!changes.resume_token().empty(), "a batch has no token");
  Copy& copy = of_new_copy ? *making_ : in_use_;
  const bool is_first = of_new_copy && copy.token.empty() && changes.removals_size() == 0;
  Expect(!changes.next_visits() || (is_first && in_use_.token.empty()),
         "next visits came to a device that holds a copy, or not as the first of a new one");
  for (const v1::Upsert& upsert : changes.upserts()) {
    copy.records.Put({upsert.kind(), upsert.record_id()}, upsert.payload());
  }
  for (const v1::Removal& removal : changes.removals()) copy.records.Remove({removal.kind(), removal.record_id()});
  copy.token = changes.resume_token();
}

void VirtualDevice::OnCaughtUp(const v1::CaughtUp& caught_up) {
  Expect(!caught_up.resume_token().empty(), "caught_up has no token");
  if (caught_up.rebuild_number() != 0) {
    if (!making_.has_value() || making_->number != caught_up.rebuild_number()) {
      return Expect(false,
                    absl::StrCat("caught_up is of copy ", caught_up.rebuild_number(), ", which is not being made"));
    }
    in_use_ = std::move(*making_);
    making_.reset();
  }
  if (making_.has_value()) {
    return Expect(false,
                  absl::StrCat("caught_up is of the copy in use while copy ", making_->number, " is being made"));
  }
  in_use_.token = caught_up.resume_token();
  const v1::CopySum held = in_use_.records.Sum();
  Expect(held.count() == caught_up.holds().count() && held.sum() == caught_up.holds().sum(),
         absl::StrCat("holds ", held.count(), " records with the sum ", held.sum(), " where the server says ",
                      caught_up.holds().count(), " and ", caught_up.holds().sum()));
}

std::optional<v1::SyncRequest> VirtualDevice::AckOf(const v1::SyncResponse& response) const {
  // Recorded with the first message: the server took `start` for the ack.
  if (response.has_started() && response.has_sync_recorded()) return std::nullopt;
  v1::SyncRequest request;
  if (response.has_caught_up()) {
    request.mutable_ack()->set_resume_token(response.caught_up().resume_token());
    *request.mutable_ack()->mutable_holds() = in_use_.records.Sum();
    return request;
  }
  if (!response.has_changes()) return std::nullopt;
  request.mutable_ack()->set_resume_token(response.changes().resume_token());
  return request;
}

std::vector<std::string> VirtualDevice::TakeFaults() { return std::exchange(faults_, {}); }

void VirtualDevice::Expect(bool holds, const std::string& fault) {
  if (!holds) faults_.push_back(fault);
}

}  // namespace caresync::loadtest
