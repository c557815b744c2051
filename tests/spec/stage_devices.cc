#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/errors.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/spec/stage.h"

namespace caresync::spec {
namespace {

using absl::StrCat;

// The same for the same name in every run.
base::Uuid DeviceUuid(const std::string& name) {
  return base::Uuid::Derived(*base::Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), name);
}

absl::Status Same(const std::string& actual, const std::string& expected) {
  if (actual == expected) return absl::OkStatus();
  return absl::InternalError(StrCat("it is otherwise:\n    ", actual));
}

v1::UploadedEvent NoteEvent(uint64_t sequence, std::string event_id) {
  v1::UploadedEvent event;
  event.set_sequence(sequence);
  event.set_event_id(std::move(event_id));
  event.set_event("a note");
  return event;
}

}  // namespace

Stage::Actor& Stage::ActorOf(const std::string& name) {
  std::unique_ptr<Actor>& actor = actors_[name];
  if (actor == nullptr) {
    actor = std::make_unique<Actor>(DeviceUuid(name));
    names_[actor->device.uuid().ToString()] = name;
  }
  return *actor;
}

void Stage::OpenStream(const std::string& device, const std::string& carer) {
  Actor& actor = ActorOf(device);
  actor.carer = IdOf(v1::RECORD_KIND_CARER, carer);
  actor.to_apply.clear();
  actor.old_peer = std::move(actor.peer);
  actor.peer = std::make_unique<fakes::ScriptedPeer>(
      *server_, sync::SessionIdentity{tenant_, actor.device.uuid(), actor.carer, actor.credential_end});
}

void Stage::Say(const std::string& device, v1::SyncRequest request) { ActorOf(device).peer->Say(std::move(request)); }

// "none", "garbage", the name of a remembered token, or that with " cut short".
std::string Stage::TokenOf(const Actor& actor, const std::string& name) const {
  if (name == "none") return "";
  if (name == "garbage") return "this is no token at all, but has the length that one could have";
  if (absl::EndsWith(name, "-cut-short")) {
    const std::string token = TokenOf(actor, name.substr(0, name.find('-')));
    return token.substr(0, token.size() - 1);
  }
  return remembered_tokens_.at(name);
}

// ---- What devices do

absl::Status Stage::Open(const Words& words) {
  OpenStream(words[0], words[1]);
  return absl::OkStatus();
}

absl::Status Stage::Start(const Words& words) {
  OpenStream(words[0], words[1]);
  Actor& actor = ActorOf(words[0]);
  v1::SyncType type{};
  int number = 0;
  if (absl::SimpleAtoi(words[2], &number)) {
    type = static_cast<v1::SyncType>(number);
  } else if (!v1::SyncType_Parse(StrCat("SYNC_TYPE_", words[2]), &type)) {
    return absl::InvalidArgumentError(StrCat("no sync type: ", words[2]));
  }
  v1::SyncRequest request = actor.device.Start(actor.carer, type);
  if (absl::Status status = SetOptions(words[3], actor, *request.mutable_start()); !status.ok()) return status;
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::SetOptions(const std::string& options, Actor& actor, v1::Start& start) {
  if (options.empty()) return absl::OkStatus();
  for (absl::string_view option : absl::StrSplit(options, ", ")) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(option, absl::MaxSplits(' ', 1));
    if (absl::Status status = SetOption(pair.first, pair.second, actor, start); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Stage::SetOption(const std::string& key, const std::string& value, Actor& actor, v1::Start& start) {
  if (key == "token") {
    start.set_resume_token(TokenOf(actor, value));
  } else if (key == "uploads") {
    start.set_uploads_token(value == "garbage" ? value : "");
  } else if (key == "level") {
    start.set_data_level(static_cast<uint32_t>(std::stoul(value)));
  } else if (key == "unsent") {
    start.set_unsent_events(static_cast<uint32_t>(std::stoul(value)));
  } else if (key == "visit") {
    start.set_open_visit_id(IdOf(v1::RECORD_KIND_VISIT, value).ToString());
  } else if (key == "form") {
    start.set_form_in_progress(true);
  } else if (key == "follow") {
    start.set_follow(true);
  } else if (key == "device") {
    start.set_device_uuid(value == "nonsense" ? value : DeviceUuid(value).ToString());
  } else if (key == "carer") {
    start.set_carer_id(value == "nonsense" ? value : IdOf(v1::RECORD_KIND_CARER, value).ToString());
  } else if (key == "holds") {
    if (value == "nothing") start.clear_holds();
    if (value == "otherwise") start.mutable_holds()->set_sum(start.holds().sum() + 1);
  } else if (key == "name") {
    start.set_device_name(std::string(std::stoul(value), 'n'));
  } else if (key == "app") {
    start.set_app_version(std::string(std::stoul(value), '1'));
  } else if (key == "interruption") {
    v1::InterruptionCause cause{};
    if (!v1::InterruptionCause_Parse(StrCat("INTERRUPTION_CAUSE_", value), &cause)) cause = v1::InterruptionCause(99);
    start.set_last_interruption(cause);
  } else {
    return absl::InvalidArgumentError(StrCat("no option: ", key));
  }
  return absl::OkStatus();
}

absl::Status Stage::StartAsSecond(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  Say(words[0], actor.device.Start(actor.carer, v1::SYNC_TYPE_STANDARD));
  return absl::OkStatus();
}

absl::Status Stage::Acks(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  std::optional<v1::SyncRequest> last;
  while (!actor.to_apply.empty()) {
    std::optional<v1::SyncRequest> ack = actor.device.Apply(actor.carer, actor.to_apply.front());
    if (ack.has_value()) last = std::move(ack);
    actor.to_apply.pop_front();
  }
  if (!last.has_value()) return absl::FailedPreconditionError("there is nothing to ack");
  Say(words[0], *std::move(last));
  return absl::OkStatus();
}

absl::Status Stage::Applies(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  if (actor.to_apply.empty()) return absl::FailedPreconditionError("there is nothing to apply");
  for (; !actor.to_apply.empty(); actor.to_apply.pop_front()) actor.device.Apply(actor.carer, actor.to_apply.front());
  return absl::OkStatus();
}

absl::Status Stage::AcksToken(const Words& words) {
  v1::SyncRequest request;
  request.mutable_ack()->set_resume_token(TokenOf(ActorOf(words[0]), words[1]));
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::AcksWrongly(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  if (actor.to_apply.empty()) return absl::FailedPreconditionError("there is nothing to ack");
  std::optional<v1::SyncRequest> ack;
  for (; !actor.to_apply.empty(); actor.to_apply.pop_front()) {
    ack = actor.device.Apply(actor.carer, actor.to_apply.front());
  }
  if (!ack.has_value() || !ack->ack().has_holds()) return absl::FailedPreconditionError("the last was no caught_up");
  v1::CopySum& holds = *ack->mutable_ack()->mutable_holds();
  if (words[1] == "a wrong sum") holds.set_sum(holds.sum() + 1);
  if (words[1] == "a wrong count") holds.set_count(holds.count() + 1);
  if (words[1] == "no count and sum") ack->mutable_ack()->clear_holds();
  Say(words[0], *std::move(ack));
  return absl::OkStatus();
}

absl::Status Stage::SaysNothing(const Words& words) {
  Say(words[0], {});
  return absl::OkStatus();
}

absl::Status Stage::Records(const Words& words) {
  v1::CareEvent event;
  event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(engine_->clock().Now()));
  if (words[2].empty()) event.mutable_note()->set_text(words[3]);
  if (!words[2].empty()) event.mutable_visit_started();
  const bool visit = words[4].front() == 'v';
  const std::string parent = IdOf(visit ? v1::RECORD_KIND_VISIT : v1::RECORD_KIND_SERVICE_USER, words[4]).ToString();
  if (visit) event.set_visit_id(parent);
  if (!visit) event.set_service_user_id(parent);
  if (!words[5].empty()) event.set_carer_id(IdOf(v1::RECORD_KIND_CARER, words[5]).ToString());
  const v1::UploadedEvent uploaded =
      ActorOf(words[0]).device.Record(IdOf(v1::RECORD_KIND_CARER, words[1]), std::move(event), engine_->random());
  names_[uploaded.event_id()] = words[3];
  events_[words[3]] = uploaded;
  return absl::OkStatus();
}

// "changes": other bytes under the same ID; "keeps": the device has it unsent again; "loses": it is gone.
absl::Status Stage::Changes(const Words& words) {
  std::deque<v1::UploadedEvent>& unsent = ActorOf(words[0]).device.of(IdOf(v1::RECORD_KIND_CARER, words[1])).unsent;
  v1::UploadedEvent& event = events_.at(words[3]);
  std::erase_if(unsent, [&event](const auto& other) { return other.event_id() == event.event_id(); });
  if (words[2] == "loses") return absl::OkStatus();
  if (words[2] == "changes") {
    v1::CareEvent content;
    if (!content.ParseFromString(event.event())) return absl::InternalError("the event cannot be read");
    content.mutable_note()->set_text(content.note().text() + ", corrected");
    event.set_event(content.SerializeAsString());
  }
  unsent.push_back(event);
  return absl::OkStatus();
}

absl::Status Stage::Uploads(const Words& words) {
  v1::SyncRequest request;
  for (absl::string_view name : absl::StrSplit(words[1], ' ', absl::SkipEmpty())) {
    *request.mutable_upload()->add_events() = events_.at(std::string(name));
  }
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::UploadsMany(const Words& words) {
  v1::SyncRequest request;
  request.mutable_upload();
  const uint64_t count = std::stoul(words[1]);
  for (uint64_t i = 1; i <= count; ++i) {
    *request.mutable_upload()->add_events() = NoteEvent(i, base::Uuid::Random(engine_->random()).ToString());
  }
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::UploadsWithIdOf(const Words& words) {
  v1::SyncRequest request;
  const std::string event_id(std::stoul(words[1]), 'x');
  names_[event_id] = StrCat("x*", words[1]);
  Actor& actor = ActorOf(words[0]);
  *request.mutable_upload()->add_events() = actor.device.of(actor.carer).unsent.emplace_back(NoteEvent(1, event_id));
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::UploadsOfBytes(const Words& words) {
  v1::SyncRequest request;
  v1::UploadedEvent& event = *request.mutable_upload()->add_events();
  event = NoteEvent(1, "large");
  names_["large"] = "large";
  // The text's own length takes as many bytes before and after.
  const size_t bytes = std::stoul(words[1]);
  event.mutable_event()->append(bytes / 2, 'n');
  event.mutable_event()->append(bytes - request.upload().ByteSizeLong(), 'n');
  if (request.upload().ByteSizeLong() != bytes) return absl::InvalidArgumentError("no upload has this size");
  Actor& actor = ActorOf(words[0]);
  actor.device.of(actor.carer).unsent.push_back(event);
  Say(words[0], std::move(request));
  return absl::OkStatus();
}

absl::Status Stage::Reads(const Words& words) {
  std::optional<size_t>& reads = ActorOf(words[0]).reads;
  reads = words[1].empty() ? std::nullopt : std::optional<size_t>(std::stoul(words[1]));
  return absl::OkStatus();
}

absl::Status Stage::LosesRecord(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  const size_t lost = std::erase_if(actor.device.of(actor.carer).in_use,
                                    [&](const auto& record) { return names_[record.first.second] == words[1]; });
  return lost == 1 ? absl::OkStatus() : absl::FailedPreconditionError("it does not hold it");
}

absl::Status Stage::RemembersToken(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  const fakes::TestDevice::CarerData& data = actor.device.of(actor.carer);
  remembered_tokens_[words[1]] = data.making.has_value() ? data.making->token : data.token;
  return absl::OkStatus();
}

absl::Status Stage::IsCut(const Words& words) {
  ActorOf(words[0]).peer->Cut();
  return absl::OkStatus();
}

absl::Status Stage::HalfCloses(const Words& words) {
  ActorOf(words[0]).peer->HalfClose();
  return absl::OkStatus();
}

// ---- What is expected

absl::Status Stage::Gets(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  std::optional<v1::SyncResponse> response = actor.peer->Take();
  if (!response.has_value()) {
    if (words[1] == "nothing") return absl::OkStatus();
    return absl::InternalError(StrCat("it gets nothing; its stream ", actor.peer->end().has_value()
                                                                          ? "ended: " + Render(*actor.peer->end())
                                                                          : "is open"));
  }
  if (absl::Status status = Same(Render(*response, names_), words[2]); !status.ok()) return status;
  actor.to_apply.push_back(*std::move(response));
  return absl::OkStatus();
}

absl::Status Stage::Ends(const Words& words) {
  const fakes::ScriptedPeer& peer = *ActorOf(words[0]).peer;
  if (!peer.end().has_value()) return absl::InternalError("its stream is open");
  if (!words[2].empty() && !peer.abandoned()) return absl::InternalError("it is waited for");
  if (!words[3].empty()) {
    const std::optional<absl::Duration> after = base::RetryDelay(*peer.end());
    if (absl::Status status = Same(after.has_value() ? absl::FormatDuration(*after) : "never", words[3]);
        !status.ok()) {
      return status;
    }
  }
  return Same(Render(*peer.end()), words[1]);
}

absl::Status Stage::OldStreamEnds(const Words& words) {
  const std::unique_ptr<fakes::ScriptedPeer>& peer = ActorOf(words[0]).old_peer;
  if (peer == nullptr || !peer->end().has_value()) return absl::InternalError("it has no old stream that has ended");
  return Same(Render(*peer->end()), words[1]);
}

absl::Status Stage::IsOpen(const Words& words) {
  const fakes::ScriptedPeer& peer = *ActorOf(words[0]).peer;
  return peer.end().has_value() ? absl::InternalError(StrCat("it ended: ", Render(*peer.end()))) : absl::OkStatus();
}

absl::Status Stage::Holds(const Words& words) {
  return Same(Render(ActorOf(words[0]).device.of(IdOf(v1::RECORD_KIND_CARER, words[1])).in_use, names_), words[2]);
}

absl::Status Stage::Makes(const Words& words) {
  const auto& making = ActorOf(words[0]).device.of(IdOf(v1::RECORD_KIND_CARER, words[1])).making;
  return Same(making.has_value() ? Render(making->records, names_) : "no copy", words[2]);
}

absl::Status Stage::Keeps(const Words& words) {
  std::vector<std::string> unsent;
  for (const auto& event : ActorOf(words[0]).device.of(IdOf(v1::RECORD_KIND_CARER, words[1])).unsent) {
    unsent.push_back(names_[event.event_id()]);
  }
  return Same(unsent.empty() ? "nothing" : absl::StrJoin(unsent, " "), words[2]);
}

absl::Status Stage::ShowsManualDue(const Words& words) {
  const fakes::TestDevice::CarerData& data = ActorOf(words[0]).device.of(IdOf(v1::RECORD_KIND_CARER, words[1]));
  return Same(TimeText(data.manual_sync_due_since), words[2]);
}

absl::Status Stage::SyncsNext(const Words& words) {
  return Same(TimeText(ActorOf(words[0]).device.next_auto_sync()), words[1]);
}

absl::Status Stage::History(const Words& words) {
  v1::ListSyncsRequest request;
  request.set_device_uuid(ActorOf(words[0]).device.uuid().ToString());
  const absl::StatusOr<v1::ListSyncsResponse> syncs =
      devices::ListSyncs(*engine_->Snapshot(), tenant_, request, sync::SyncsOf(server_->parts()));
  if (!syncs.ok()) return words[2] == "nothing" ? absl::OkStatus() : syncs.status();
  const int place = words[1].empty() ? 0 : std::stoi(words[1]);
  if (place >= syncs->syncs_size()) return Same("nothing", words[2]);
  return HasFacts(Facts(syncs->syncs(place), names_), words[2]);
}

absl::Status Stage::Report(const Words& words) {
  v1::GetDeviceRequest request;
  request.set_device_uuid(ActorOf(words[0]).device.uuid().ToString());
  const absl::StatusOr<v1::Device> device =
      devices::GetDevice(*engine_->Snapshot(), tenant_, request,
                         {.syncs = sync::SyncsOf(server_->parts()), .now = engine_->clock().Now()});
  if (!device.ok()) return Same(Render(device.status()), words[1]);
  return HasFacts(Facts(*device, names_), words[1]);
}

}  // namespace caresync::spec
