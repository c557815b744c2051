#include "tests/fakes/test_device.h"

#include <openssl/sha.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/proto_time.h"

namespace caresync::fakes {
namespace {

void AppendBigEndian(uint32_t number, std::string& bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
}

// Written from the contract's words, not with the server's own function, so that a mistake there shows.
uint64_t FingerprintOf(v1::RecordKind kind, const std::string& record_id, const std::string& payload) {
  std::string bytes;
  AppendBigEndian(static_cast<uint32_t>(kind), bytes);
  AppendBigEndian(static_cast<uint32_t>(record_id.size()), bytes);
  bytes += record_id;
  bytes += payload;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  uint64_t fingerprint = 0;
  for (int i = 0; i < 8; ++i) fingerprint = fingerprint << 8 | digest[i];
  return fingerprint;
}

// As `started` and `sync_recorded` say it.
template <typename Told>
void TakeManualDue(TestDevice::CarerData& data, const Told& told) {
  data.manual_sync_due_since.reset();
  if (!told.has_manual_sync_due_since_time()) return;
  data.manual_sync_due_since = base::FromTimestamp(told.manual_sync_due_since_time());
}

template <typename Events>
std::vector<v1::SyncRequest> InMessages(const Events& events, size_t most) {
  std::vector<v1::SyncRequest> uploads;
  for (const v1::UploadedEvent& event : events) {
    if (uploads.empty() || uploads.back().upload().events_size() >= static_cast<int>(most)) uploads.emplace_back();
    *uploads.back().mutable_upload()->add_events() = event;
  }
  return uploads;
}

}  // namespace

v1::CopySum SumOf(const HeldRecords& records) {
  v1::CopySum sum;
  sum.set_count(records.size());
  for (const auto& [name, payload] : records) sum.set_sum(sum.sum() + FingerprintOf(name.first, name.second, payload));
  return sum;
}

TestDevice::TestDevice(base::Uuid uuid, std::string name, std::string app_version)
    : uuid_(uuid), name_(std::move(name)), app_version_(std::move(app_version)) {}

void TestDevice::ReplaceApp(std::string app_version, uint32_t data_level) {
  app_version_ = std::move(app_version);
  data_level_ = data_level;
}

v1::UploadedEvent TestDevice::Record(const base::Uuid& carer, v1::CareEvent event, base::RandomSource& random) {
  if (event.carer_id().empty()) event.set_carer_id(carer.ToString());
  v1::UploadedEvent uploaded;
  uploaded.set_sequence(++last_sequence_);
  uploaded.set_event_id(base::Uuid::Random(random).ToString());
  uploaded.set_event(event.SerializeAsString());
  of(carer).unsent.push_back(uploaded);
  return uploaded;
}

v1::SyncRequest TestDevice::Start(const base::Uuid& carer, v1::SyncType type) {
  CarerData& data = of(carer);
  data.declared.clear();
  dropped_.clear();
  for (const v1::UploadedEvent& event : data.unsent) data.declared.insert(event.event_id());
  v1::SyncRequest request;
  v1::Start& start = *request.mutable_start();
  start.set_device_uuid(uuid_.ToString());
  start.set_device_name(name_);
  start.set_app_version(app_version_);
  start.set_data_level(data_level_);
  start.set_carer_id(carer.ToString());
  start.set_sync_type(type);
  const bool unfinished = data.making.has_value() && !data.making->token.empty();
  start.set_resume_token(unfinished ? data.making->token : data.token);
  start.set_unsent_events(static_cast<uint32_t>(data.unsent.size()));
  start.set_uploads_token(data.uploads_token);
  if (!unfinished && !data.token.empty()) *start.mutable_holds() = SumOf(data.in_use);
  return request;
}

std::vector<v1::SyncRequest> TestDevice::Uploads(const base::Uuid& carer, size_t most) {
  return InMessages(of(carer).unsent, most);
}

std::vector<v1::SyncRequest> TestDevice::Resend(const base::Uuid& carer, size_t most) {
  std::vector<v1::SyncRequest> uploads = InMessages(of(carer).answered, most);
  if (uploads.empty()) uploads.emplace_back();
  uploads.back().mutable_upload()->set_resend_complete(true);
  return uploads;
}

std::optional<v1::SyncRequest> TestDevice::Apply(const base::Uuid& carer, const v1::SyncResponse& response) {
  CarerData& data = of(carer);
  v1::SyncRequest request;
  if (response.has_started()) {
    TakePolicy(response.started().policy());
    TakeManualDue(data, response.started());
  }
  Drop(response.started().drop_now_carer_ids());
  if (response.has_upload_result()) ApplyResults(data, response.upload_result());
  if (response.has_rebuild()) data.making = {response.rebuild().rebuild_number(), {}, ""};
  if (response.has_changes()) {
    ApplyChanges(data, response.changes());
    request.mutable_ack()->set_resume_token(response.changes().resume_token());
  }
  if (response.has_caught_up()) {
    v1::Ack& ack = *request.mutable_ack();
    ack.set_resume_token(response.caught_up().resume_token());
    *ack.mutable_holds() = ApplyCaughtUp(data, response.caught_up());
  }
  if (response.has_sync_recorded()) {
    ++data.syncs_recorded;
    if (response.sync_recorded().has_next_auto_sync_time()) {
      next_auto_sync_ = base::FromTimestamp(response.sync_recorded().next_auto_sync_time());
    }
    TakeManualDue(data, response.sync_recorded());
    Expect(data.declared.empty(), "a sync was recorded before every declared event had its result");
  }
  Drop(response.notice().drop_now().carer_ids());
  if (response.notice().has_preferences()) TakePolicy(response.notice().preferences());
  if (request.has_ack()) Expect(!request.ack().resume_token().empty(), "a batch or caught_up has no token");
  for (const std::string& dropped : dropped_) request.mutable_ack()->add_dropped_carer_ids(dropped);
  if (!request.has_ack()) return std::nullopt;
  return request;
}

void TestDevice::TakePolicy(const v1::Policy& policy) {
  next_auto_sync_.reset();
  if (policy.has_next_auto_sync_time()) next_auto_sync_ = base::FromTimestamp(policy.next_auto_sync_time());
}

void TestDevice::Drop(const google::protobuf::RepeatedPtrField<std::string>& carers) {
  for (const std::string& carer : carers) {
    const std::optional<base::Uuid> id = base::Uuid::Parse(carer);
    if (!id.has_value()) return Expect(false, absl::StrCat("a copy of ", carer, " is to be dropped"));
    CarerData& data = of(*id);
    data.in_use.clear();
    data.token.clear();
    data.making.reset();
    dropped_.insert(carer);
  }
}

void TestDevice::ApplyResults(CarerData& data, const v1::UploadResult& result) {
  if (!result.uploads_token().empty()) data.uploads_token = result.uploads_token();
  for (const v1::EventResult& named : result.results()) {
    const auto event = std::find_if(data.unsent.begin(), data.unsent.end(),
                                    [&named](const auto& unsent) { return unsent.event_id() == named.event_id(); });
    const bool again = data.results.contains(named.event_id());
    Expect(event != data.unsent.end() || again,
           absl::StrCat("a result names an event that was not sent: ", named.event_id()));
    Expect(named.outcome() != v1::EVENT_OUTCOME_UNSPECIFIED, "a result has no outcome");
    if (event != data.unsent.end()) {
      const bool kept = std::any_of(data.answered.begin(), data.answered.end(), [&event](const auto& other) {
        return other.event_id() == event->event_id() && other.event() == event->event();
      });
      if (!kept) data.answered.push_back(*event);
      data.unsent.erase(event);
    }
    data.declared.erase(named.event_id());
    data.results[named.event_id()] = named;
  }
}

void TestDevice::ApplyChanges(CarerData& data, const v1::Changes& changes) {
  const bool made = changes.rebuild_number() != 0;
  if (made && (!data.making.has_value() || data.making->rebuild_number != changes.rebuild_number())) {
    return Expect(false, absl::StrCat("a batch is of copy ", changes.rebuild_number(), ", which is not being made"));
  }
  Expect(made || !data.making.has_value(), "a batch is of the copy in use while one is being made");
  const bool first = made && data.making->token.empty() && changes.removals_size() == 0;
  Expect(!changes.next_visits() || first, "next visits are not the first of a new copy");
  HeldRecords& records = made ? data.making->records : data.in_use;
  for (const v1::Upsert& upsert : changes.upserts()) records[{upsert.kind(), upsert.record_id()}] = upsert.payload();
  for (const v1::Removal& removal : changes.removals()) records.erase({removal.kind(), removal.record_id()});
  (made ? data.making->token : data.token) = changes.resume_token();
}

v1::CopySum TestDevice::ApplyCaughtUp(CarerData& data, const v1::CaughtUp& caught_up) {
  if (caught_up.rebuild_number() != 0) {
    const bool known = data.making.has_value() && data.making->rebuild_number == caught_up.rebuild_number();
    Expect(known, absl::StrCat("caught_up is of copy ", caught_up.rebuild_number(), ", which is not being made"));
    if (known) data.in_use = std::move(data.making->records);
    data.making.reset();
  }
  Expect(!data.making.has_value(), "caught_up is of the copy in use while one is being made");
  data.token = caught_up.resume_token();
  data.revision = caught_up.revision();
  const v1::CopySum holds = SumOf(data.in_use);
  data.matched = holds.count() == caught_up.holds().count() && holds.sum() == caught_up.holds().sum();
  return holds;
}

void TestDevice::Expect(bool holds, std::string fault) {
  if (!holds) faults_.push_back(std::move(fault));
}

}  // namespace caresync::fakes
