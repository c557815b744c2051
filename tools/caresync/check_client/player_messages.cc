// What the server says in a scenario.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/proto_time.h"
#include "server/base/random.h"
#include "tools/caresync/check_client/player.h"

namespace caresync::cli::check {
namespace {

// A field that no message of the contract has.
constexpr int kUnknownField = 900;
// Not to be kept as text: they end a C string, and are no UTF-8.
constexpr char kTokenPrefix[] = "\xff\xc3\x28\x00";
constexpr size_t kTokenBytes = 48;
constexpr uint32_t kCarePlanLevel = 2;
constexpr absl::Duration kInterval = absl::Minutes(30);

}  // namespace

const std::string& Player::NewToken(const std::string& name) {
  base::SystemRandom random;
  const std::string token = std::string(kTokenPrefix, sizeof(kTokenPrefix) - 1) + random.Bytes(kTokenBytes);
  token_carers_[token] = stream_->carer_id();
  stream_->Issue(token);
  return tokens_[name] = token;
}

void Player::DropCopies(const std::vector<std::string>& carers) {
  for (const std::string& carer : carers) CopiesOf(records_.IdOf(carer)).Drop();
}

void Player::Put(const StartedItem& item, v1::SyncResponse& response) {
  v1::Started& started = *response.mutable_started();
  started.set_session_id(base::Uuid::Derived(*base::Uuid::Parse(device_uuid_), line_->text).ToString());
  const absl::Time now = absl::Now();
  *started.mutable_server_time() = base::ToTimestamp(now);
  started.mutable_policy()->mutable_auto_sync_interval()->set_seconds(absl::ToInt64Seconds(kInterval));
  *started.mutable_policy()->mutable_next_auto_sync_time() = base::ToTimestamp(now + kInterval);
  started.mutable_policy()->set_time_zone("Europe/London");
  started.set_estimated_records(3);
  started.set_estimated_bytes(300);
  started.set_waiting(item.waiting);
  started.set_resend_events(item.resend_events);
  for (const std::string& carer : item.drop) started.add_drop_now_carer_ids(records_.IdOf(carer));
  DropCopies(item.drop);
  stream_->Tell(started);
}

void Player::AnswerUpload(const ResultsItem& item, v1::SyncResponse& response) {
  const std::optional<v1::Upload> upload = stream_->NextUpload();
  if (!upload) return;
  v1::UploadResult& results = *response.mutable_upload_result();
  for (const v1::UploadedEvent& event : upload->events()) {
    ResultsItem::Result said;
    // Its result was lost.
    if (ledger_.WasAnswered(event.event_id())) said.outcome = v1::EVENT_OUTCOME_KNOWN;
    if (const auto found = item.of.find(ledger_.NameOf(event.event_id())); found != item.of.end()) said = found->second;
    v1::EventResult& result = *results.add_results();
    result.set_event_id(event.event_id());
    result.set_outcome(said.outcome);
    result.set_review_reason(said.reason);
    stream_->Answer(event.event_id());
  }
}

void Player::Put(const ResultsItem& item, v1::SyncResponse& response) {
  // One message for each upload; the last of them may hold more.
  while (!item.first_upload && stream_->uploads_waiting() > 1) {
    v1::SyncResponse own = std::exchange(response, v1::SyncResponse());
    AnswerUpload(item, own);
    stream_->peer().Send(std::move(own));
  }
  AnswerUpload(item, response);
}

void Player::Put(const RebuildItem& item, v1::SyncResponse& response) {
  response.mutable_rebuild()->set_reason(item.reason);
  response.mutable_rebuild()->set_rebuild_number(++rebuilds_);
  CopiesOf(stream_->carer_id()).Begin(rebuilds_);
}

RecordName Player::NameOf(const std::string& record) const {
  if (record[0] != 'e') return records_.NameOf(record);
  const v1::UploadedEvent* event = ledger_.Find(record);
  return {v1::RECORD_KIND_CARE_EVENT, event == nullptr ? "" : event->event_id()};
}

bool Player::IsKept(const std::string& record) const { return record[0] != 'a' || stage_.level >= kCarePlanLevel; }

v1::Upsert Player::UpsertOf(const RecordRef& record) const {
  const RecordName name = NameOf(record.name);
  v1::Upsert upsert;
  upsert.set_kind(name.first);
  upsert.set_record_id(name.second);
  upsert.set_revision(revision_);
  if (const v1::UploadedEvent* event = ledger_.Find(record.name)) {
    upsert.set_payload(event->event());
  } else {
    upsert.set_payload(records_.PayloadOf(record.name, record.version, stream_->carer_id()));
  }
  return upsert;
}

void Player::Put(const ChangesItem& item, v1::SyncResponse& response) {
  ++revision_;
  Copies& copies = CopiesOf(stream_->carer_id());
  v1::Changes& changes = *response.mutable_changes();
  for (const RecordRef& record : item.upserts) {
    if (IsKept(record.name)) *changes.add_upserts() = UpsertOf(record);
  }
  for (const std::string& record : item.removals) {
    if (!IsKept(record)) continue;
    const RecordName name = NameOf(record);
    v1::Removal& removal = *changes.add_removals();
    removal.set_kind(name.first);
    removal.set_record_id(name.second);
  }
  changes.set_resume_token(NewToken(item.token));
  changes.set_rebuild_number(copies.Number());
  changes.set_records_total(static_cast<uint64_t>(changes.upserts_size()) +
                            static_cast<uint64_t>(changes.removals_size()));
  if (!item.next_visits) changes.set_records_done(changes.records_total());
  changes.set_next_visits(item.next_visits);
  copies.Apply(changes);
}

void Player::Put(const CaughtUpItem& item, v1::SyncResponse& response) {
  Copies& copies = CopiesOf(stream_->carer_id());
  v1::CaughtUp& caught_up = *response.mutable_caught_up();
  caught_up.set_revision(++revision_);
  caught_up.set_resume_token(NewToken(item.token));
  caught_up.set_rebuild_number(copies.Number());
  copies.CaughtUp(caught_up);
  *caught_up.mutable_holds() = SumOf(copies.now().in_use.value_or(HeldRecords()));
  caught_up_tokens_.insert(caught_up.resume_token());
}

void Player::Put(const SyncRecordedItem&, v1::SyncResponse& response) {
  *response.mutable_sync_recorded()->mutable_recorded_time() = base::ToTimestamp(absl::Now());
  stream_->Record();
}

void Player::Put(const NoticeItem& item, v1::SyncResponse& response) {
  v1::Notice& notice = *response.mutable_notice();
  notice = item.notice;
  for (const std::string& carer : item.drop) notice.mutable_drop_now()->add_carer_ids(records_.IdOf(carer));
  DropCopies(item.drop);
  if (notice.has_going_away()) {
    reconnect_after_ = absl::Seconds(notice.going_away().reconnect_after().seconds());
    not_before_ = absl::Now() + *reconnect_after_;
  }
}

void Player::Put(const UnknownItem&, v1::SyncResponse& response) {
  response.GetReflection()->MutableUnknownFields(&response)->AddLengthDelimited(kUnknownField, "of a later server");
}

}  // namespace caresync::cli::check
