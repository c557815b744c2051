#include "tests/cli/check_client/spoiled_device.h"

#include <algorithm>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/proto_time.h"
#include "server/base/random.h"
#include "server/base/uuid.h"
#include "tests/integration/call_errors.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

// A device whose store fails is no use to any test.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) ABSL_RAW_LOG(FATAL, "%s", std::string(result.status().message()).c_str());
  return *std::move(result);
}
void Must(const absl::Status& status) {
  if (!status.ok()) ABSL_RAW_LOG(FATAL, "%s", std::string(status.message()).c_str());
}

std::string NewId() {
  base::SystemRandom random;
  return base::Uuid::Random(random).ToString();
}

uint64_t Reversed(uint64_t value) {
  uint64_t reversed = 0;
  for (int i = 0; i < 8; ++i) reversed = reversed << 8 | ((value >> (8 * i)) & 0xff);
  return reversed;
}

void WriteAnew(v1::Upsert& upsert) {
  if (upsert.kind() != v1::RECORD_KIND_VISIT) return;
  v1::Visit visit;
  visit.ParseFromString(upsert.payload());
  upsert.set_payload(visit.SerializeAsString());
}

// What is left of a stream that was cut while nobody looked.
class DeadPeer final : public Peer {
 public:
  void Send(v1::SyncResponse) override {}
  void End(grpc::Status) override {}
};

void LeaveADeadStream(Inbox& inbox) {
  Arrival arrival;
  arrival.kind = Arrival::Kind::kOpened;
  arrival.peer = std::make_shared<DeadPeer>();
  arrival.authorization = "Bearer check";
  inbox.Push(arrival);
  arrival.kind = Arrival::Kind::kGone;
  inbox.Push(arrival);
}

}  // namespace

SpoiledDevice::SpoiledDevice(Fault fault, std::string address, Inbox& inbox)
    : fault_(fault), address_(std::move(address)), inbox_(inbox) {}

absl::Status SpoiledDevice::BeginScenario(const std::string& name, const std::string& device_uuid) {
  EndScenario();
  device_uuid_ = device_uuid;
  folder_ = std::make_unique<StateFolder>();
  store_.emplace(OpenStore(*folder_));
  last_token_.clear();
  streams_ = 0;
  made_.clear();
  unfinished_.clear();
  return absl::OkStatus();
}

absl::Status SpoiledDevice::Begin(const Step& step) {
  if (thread_.joinable()) thread_.join();
  cancelled_ = false;
  if (Has(Fault::kLeavesADeadStream) && step.kind == Step::Kind::kSync) LeaveADeadStream(inbox_);
  thread_ = std::thread([this, step] {
    if (step.kind == Step::Kind::kRecord) {
      Record(step);
    } else {
      Sync(step);
    }
    Arrival ended;
    ended.kind = Arrival::Kind::kStepEnded;
    inbox_.Push(std::move(ended));
  });
  return absl::OkStatus();
}

void SpoiledDevice::EndScenario() {
  Cancel();
  if (thread_.joinable()) thread_.join();
  store_.reset();
  folder_.reset();
}

void SpoiledDevice::Cancel() {
  cancelled_ = true;
  storage::MutexLock lock(mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void SpoiledDevice::Record(const Step& step) {
  for (size_t i = 0; i < step.events; ++i) {
    v1::CareEvent event;
    event.set_carer_id(step.carer_id);
    event.set_visit_id(step.visit_id);
    if (!Has(Fault::kLeavesOutTheTime)) *event.mutable_occurred_time() = base::ToTimestamp(absl::Now());
    event.mutable_note()->set_text(absl::StrCat("note ", i));
    const std::string id = Has(Fault::kMakesIdsThatAreNoUuids) ? absl::StrCat("note ", NewId()) : NewId();
    Must(store_->AddEvent(step.carer_id, id, event.SerializeAsString()));
  }
}

void SpoiledDevice::Sync(const Step& step) {
  if (Has(Fault::kRefusesCleanSyncs) && step.type == v1::SYNC_TYPE_CLEAN) return;
  const grpc::Status status = RunStream(step);
  const std::string reason = ErrorReason(errors::FromCall(status, address_));
  const bool goes_away = reason == "SHUTTING_DOWN";
  if (goes_away && Has(Fault::kReconnectsByRetryInfo))
    absl::SleepFor(integration::RetryDelayOf(status).value_or(absl::ZeroDuration()));
  const bool again = goes_away && (Has(Fault::kReconnectsAtOnce) || Has(Fault::kReconnectsByRetryInfo));
  if (again || (reason == "SESSION_TAKEN_OVER" && Has(Fault::kStartsAgainWhenTakenOver))) RunStream(step);
}

void SpoiledDevice::RunAnotherStream() {
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer check");
  const auto stub = v1::DeviceSyncService::NewStub(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
  stub->Sync(&context)->Finish();
}

grpc::Status SpoiledDevice::RunStream(const Step& step) {
  ++streams_;
  not_applied_.reset();
  held_results_.reset();
  recorded_ = false;
  DeviceClient client(*store_, {device_uuid_, "Pixel 6", "1.0", step.carer_id, step.type, step.follow, step.level});
  std::vector<v1::SyncRequest> requests = SpoilBeginning(step, Must(client.Begin(absl::Now())));
  const auto context = std::make_shared<grpc::ClientContext>();
  if (!Has(Fault::kNoCredential)) context->AddMetadata("authorization", "Bearer check");
  {
    storage::MutexLock lock(mutex_);
    context_ = context;
  }
  if (cancelled_) context->TryCancel();
  const auto stub = v1::DeviceSyncService::NewStub(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
  const std::unique_ptr<Stream> stream = stub->Sync(context.get());
  std::vector<v1::SyncRequest> held_back;
  if (Has(Fault::kWaitsForStarted) || Has(Fault::kSendsAgainFirst)) {
    held_back.assign(requests.begin() + 1, requests.end());
    requests.resize(1);
  }
  for (const v1::SyncRequest& request : requests) stream->Write(request);
  if (Has(Fault::kLeavesEarly)) stream->WritesDone();
  ForgetSent(requests);
  Converse(step, *stream, client, std::move(held_back));
  const grpc::Status status = stream->Finish();
  {
    storage::MutexLock lock(mutex_);
    context_ = nullptr;
  }
  AfterTheEnd(step, status);
  return status;
}

void SpoiledDevice::Converse(const Step& step, Stream& stream, DeviceClient& client,
                             std::vector<v1::SyncRequest> held_back) {
  v1::SyncResponse response;
  while (stream.Read(&response)) {
    if (Has(Fault::kOpensASecondStream) && response.has_started()) RunAnotherStream();
    recorded_ |= response.has_sync_recorded();
    std::vector<v1::SyncRequest> requests = std::exchange(held_back, {});
    const std::vector<v1::SyncRequest> answer = Answer(step, client, response);
    requests.insert(Has(Fault::kSendsAgainFirst) ? requests.begin() : requests.end(), answer.begin(), answer.end());
    if (Has(Fault::kLeavesEarly)) continue;
    for (const v1::SyncRequest& request : requests) stream.Write(request);
    const bool enough = response.has_sync_recorded() && Has(Fault::kLeavesAfterTheFirstRound);
    if (client.done() || enough) stream.WritesDone();
  }
}

std::vector<v1::SyncRequest> SpoiledDevice::Answer(const Step& step, DeviceClient& client, v1::SyncResponse& response) {
  SpoilResponse(step, response);
  if (Has(Fault::kAcksBeforeItIsDurable)) {
    if (not_applied_) Must(client.Handle(*std::exchange(not_applied_, std::nullopt), absl::Now()));
    if (response.has_changes() && !response.has_caught_up()) {
      not_applied_ = response;
      std::vector<v1::SyncRequest> ack(1);
      ack.front().mutable_ack()->set_resume_token(response.changes().resume_token());
      return ack;
    }
  }
  std::optional<v1::SyncRequest> ack = Must(client.Handle(response, absl::Now()));
  std::vector<v1::SyncRequest> requests;
  if (!Has(Fault::kNeverSendsAgain)) requests = Must(client.Resend(response));
  for (v1::SyncRequest& request : requests) SpoilUpload(*request.mutable_upload());
  if (ack && SpoilAck(step, *ack->mutable_ack())) requests.push_back(*ack);
  for (const std::string& carer : std::exchange(not_dropped_, {})) {
    requests.emplace_back().mutable_ack()->add_dropped_carer_ids(carer);
  }
  return requests;
}

void SpoiledDevice::AfterTheEnd(const Step& step, const grpc::Status& status) {
  if (status.ok() && held_results_) Must(store_->SetResults(*held_results_, absl::Now()));
  const std::string reason = ErrorReason(errors::FromCall(status, address_));
  const bool refused = absl::StartsWith(reason, "TOKEN_");
  if (refused && !Has(Fault::kKeepsARefusedToken)) Must(store_->ForgetTokens(step.carer_id));
  const bool dropped = !status.ok() && !refused && reason != "SERVER_UNREACHABLE";
  if (dropped && Has(Fault::kDropsItsCopyWhenRefused)) Must(store_->DropCopies(step.carer_id));
}

// ---- Faults

std::vector<v1::SyncRequest> SpoiledDevice::SpoilBeginning(const Step& step, std::vector<v1::SyncRequest> requests) {
  SpoilStart(step, *requests.front().mutable_start());
  for (size_t i = 1; i < requests.size(); ++i) SpoilUpload(*requests[i].mutable_upload());
  if (Has(Fault::kUploadsBackwards)) std::reverse(requests.begin() + 1, requests.end());
  if (Has(Fault::kUploadsTooMuch)) {
    for (size_t i = 2; i < requests.size(); ++i) requests[1].mutable_upload()->MergeFrom(requests[i].upload());
    requests.resize(std::min<size_t>(requests.size(), 2));
  }
  if (Has(Fault::kHidesUnsentEvents) && step.type == v1::SYNC_TYPE_CLEAN) requests.resize(1);
  if (Has(Fault::kSendsAnUploadFirst)) requests.insert(requests.begin(), 1, v1::SyncRequest())->mutable_upload();
  return requests;
}

void SpoiledDevice::SpoilStart(const Step& step, v1::Start& start) {
  if (Has(Fault::kNamesAnotherType)) start.set_sync_type(v1::SYNC_TYPE_STANDARD);
  if (Has(Fault::kForgetsItsToken)) start.clear_resume_token();
  if (Has(Fault::kKeepsTokensAsText)) start.set_resume_token(start.resume_token().c_str());
  if (Has(Fault::kSaysALevelItDoesNotKeep)) start.set_data_level(2);
  if (Has(Fault::kIgnoresTheUnfinishedCopy)) {
    const auto in_use = Must(store_->InUse(step.carer_id));
    start.set_resume_token(in_use ? in_use->token : "");
  }
  if (Has(Fault::kInventsAToken) && start.resume_token().empty()) start.set_resume_token("none");
  if (Has(Fault::kAddsOneToItsSumInStart) && start.has_holds()) start.mutable_holds()->set_sum(start.holds().sum() + 1);
  if (Has(Fault::kDeclaresNoEvents)) start.set_unsent_events(0);
  if (Has(Fault::kSharesTokens) && start.resume_token().empty()) start.set_resume_token(last_token_);
  if (Has(Fault::kHidesUnsentEvents) && step.type == v1::SYNC_TYPE_CLEAN) start.set_unsent_events(0);
}

void SpoiledDevice::SpoilUpload(v1::Upload& upload) {
  for (v1::UploadedEvent& event : *upload.mutable_events()) {
    if (Has(Fault::kCountsFromZero)) event.set_sequence(event.sequence() - 1);
    if (Has(Fault::kMakesNewEventIds)) event.set_event_id(NewId());
    if (!Has(Fault::kWritesEventsAnew)) continue;
    v1::CareEvent content;
    content.ParseFromString(event.event());
    content.mutable_occurred_time()->set_nanos(streams_);
    event.set_event(content.SerializeAsString());
  }
  if (Has(Fault::kUploadsBackwards)) {
    std::reverse(upload.mutable_events()->begin(), upload.mutable_events()->end());
  }
}

bool SpoiledDevice::SpoilAck(const Step& step, v1::Ack& ack) {
  if (Has(Fault::kNeverAcksBatches) && !ack.has_holds()) return false;
  if (Has(Fault::kAcksEveryTenthBatch) && !ack.has_holds() && ++batches_ % 10 != 0) return false;
  if (Has(Fault::kAcksOneRound) && recorded_) return false;
  if (Has(Fault::kNamesDropsInItsNextAck)) {
    dropped_.insert(dropped_.end(), ack.dropped_carer_ids().begin(), ack.dropped_carer_ids().end());
    ack.clear_dropped_carer_ids();
    if (ack.resume_token().empty()) return false;
    for (const std::string& carer : std::exchange(dropped_, {})) ack.add_dropped_carer_ids(carer);
  }
  if (Has(Fault::kCountsNextVisitsTwice) && ack.has_holds()) {
    ack.mutable_holds()->set_count(ack.holds().count() + next_visits_.count());
    ack.mutable_holds()->set_sum(ack.holds().sum() + next_visits_.sum());
  }
  if (Has(Fault::kAcksWhatNeverCame) && !ack.has_holds()) ack.set_resume_token("t");
  if (Has(Fault::kLeavesOutItsSum)) ack.clear_holds();
  if (Has(Fault::kAddsOneToItsSum)) ack.mutable_holds()->set_sum(ack.holds().sum() + 1);
  if (Has(Fault::kSumsLittleEndian)) {
    uint64_t sum = 0;
    for (const HeldRecord& record : Must(store_->Records(step.carer_id))) {
      sum += Reversed(Fingerprint(record.kind, record.id, record.payload));
    }
    ack.mutable_holds()->set_sum(sum);
  }
  return true;
}

void SpoiledDevice::SpoilChanges(const Step& step, v1::Changes& changes) {
  auto& upserts = *changes.mutable_upserts();
  const std::vector<HeldRecord> held = Must(store_->Records(step.carer_id));
  if (Has(Fault::kIgnoresRemovals)) changes.clear_removals();
  if (Has(Fault::kWritesPayloadsAnew)) std::for_each(upserts.begin(), upserts.end(), WriteAnew);
  if (Has(Fault::kKeepsWhatItHadOfARecord) && changes.rebuild_number() == 0) {
    const auto known = [&](const v1::Upsert& upsert) {
      return std::any_of(held.begin(), held.end(), [&](const HeldRecord& record) {
        return record.kind == upsert.kind() && record.id == upsert.record_id();
      });
    };
    upserts.erase(std::remove_if(upserts.begin(), upserts.end(), known), upserts.end());
  }
  if (!Has(Fault::kMixesOldAndNew)) return;
  for (const HeldRecord& record : held) {
    v1::Upsert& upsert = *changes.add_upserts();
    upsert.set_kind(record.kind);
    upsert.set_record_id(record.id);
    upsert.set_payload(record.payload);
  }
}

// What one fault of the store would do: it ends the stream.
void SpoiledDevice::FallOver(const Step& step, const v1::SyncResponse& response) {
  const auto& changes = response.changes();
  if (Has(Fault::kFallsOverUnknownFields) && !response.GetReflection()->GetUnknownFields(response).empty()) Cancel();
  if (Has(Fault::kKeepsNoCarePlans)) {
    const bool plans = std::any_of(changes.upserts().begin(), changes.upserts().end(),
                                   [](const v1::Upsert& upsert) { return upsert.kind() == v1::RECORD_KIND_CARE_PLAN; });
    if (plans) Cancel();
  }
  if (!Has(Fault::kFallsOverRemovals)) return;
  const std::vector<HeldRecord> held = Must(store_->Records(step.carer_id));
  for (const v1::Removal& removal : changes.removals()) {
    const bool is_held = std::any_of(held.begin(), held.end(), [&](const HeldRecord& record) {
      return record.kind == removal.kind() && record.id == removal.record_id();
    });
    if (!is_held) Cancel();
  }
}

void SpoiledDevice::HoldResults(v1::SyncResponse& response) {
  if (held_results_) Must(store_->SetResults(*std::exchange(held_results_, std::nullopt), absl::Now()));
  if (!response.has_upload_result() || response.has_changes() || response.has_caught_up()) return;
  held_results_ = response.upload_result();
  response.clear_upload_result();
}

void SpoiledDevice::SpoilDrops(v1::SyncResponse& response) {
  std::vector<std::string> carers(response.started().drop_now_carer_ids().begin(),
                                  response.started().drop_now_carer_ids().end());
  if (Has(Fault::kDropsEventsWithTheCopy)) {
    for (const std::string& carer : carers) ForgetEvents(Must(store_->UnsentEvents(carer)));
  }
  if (Has(Fault::kSaysItDroppedAndDidNot)) not_dropped_ = std::move(carers);
  if (Has(Fault::kIgnoresDrops) || Has(Fault::kSaysItDroppedAndDidNot)) {
    if (response.has_started()) response.mutable_started()->clear_drop_now_carer_ids();
    if (response.notice().has_drop_now()) response.clear_notice();
  }
}

void SpoiledDevice::SpoilRebuild(v1::SyncResponse& response) {
  if (response.has_rebuild()) unfinished_ = std::exchange(made_, {});
  if (response.changes().rebuild_number() != 0) {
    auto& upserts = *response.mutable_changes()->mutable_upserts();
    for (const v1::Upsert& old : std::exchange(unfinished_, {})) {
      const bool comes = std::any_of(upserts.begin(), upserts.end(),
                                     [&](const v1::Upsert& upsert) { return upsert.record_id() == old.record_id(); });
      if (!comes) *upserts.Add() = old;
    }
    made_.insert(made_.end(), upserts.begin(), upserts.end());
  }
  if (response.has_caught_up()) made_.clear();
}

void SpoiledDevice::SpoilResponse(const Step& step, v1::SyncResponse& response) {
  FallOver(step, response);
  SpoilDrops(response);
  if (Has(Fault::kLosesTheLastResults)) HoldResults(response);
  if (Has(Fault::kHandlesOneFieldOfAMessage) && response.has_changes()) response.clear_caught_up();
  if (Has(Fault::kGoesOnWithTheUnfinishedCopy)) SpoilRebuild(response);
  for (const v1::Upsert& upsert : response.changes().upserts()) {
    if (!response.changes().next_visits()) break;
    next_visits_.set_count(next_visits_.count() + 1);
    next_visits_.set_sum(next_visits_.sum() + Fingerprint(upsert.kind(), upsert.record_id(), upsert.payload()));
  }
  if (response.has_changes()) {
    SpoilChanges(step, *response.mutable_changes());
    last_token_ = response.changes().resume_token();
  }
  if (response.has_rebuild() && Has(Fault::kDropsTheOldCopyFirst)) Must(store_->DropCopies(step.carer_id));
  if (Has(Fault::kIgnoresTheTokenOfNothingNew) && response.has_started() && response.has_caught_up() &&
      !response.has_changes()) {
    response.mutable_caught_up()->set_resume_token(Must(store_->InUse(step.carer_id))->token);
  }
  if (Has(Fault::kKeepsAnsweredEvents)) response.clear_upload_result();
}

void SpoiledDevice::ForgetSent(const std::vector<v1::SyncRequest>& requests) {
  if (!Has(Fault::kDropsEventsWhenSent)) return;
  for (const v1::SyncRequest& request : requests) {
    ForgetEvents({request.upload().events().begin(), request.upload().events().end()});
  }
}

void SpoiledDevice::ForgetEvents(const std::vector<v1::UploadedEvent>& events) {
  v1::UploadResult results;
  for (const v1::UploadedEvent& event : events) {
    v1::EventResult& result = *results.add_results();
    result.set_event_id(event.event_id());
    result.set_outcome(v1::EVENT_OUTCOME_ACCEPTED);
  }
  Must(store_->SetResults(results, absl::Now()));
}

}  // namespace caresync::cli::check
