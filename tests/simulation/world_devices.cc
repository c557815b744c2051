// What the devices of the simulated world do, and what becomes of their streams.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/base/errors.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

// ---- What carers record

Name SimulatedWorld::ChooseParent(Device& device, const base::Uuid& carer) {
  // Much of what a carer records is of one visit.
  if (const auto last = device.recorded_on.find(carer); last != device.recorded_on.end() && OneIn(2)) {
    return last->second;
  }
  const State& head = oracle_.model(device.tenant).head();
  std::vector<Name> held;
  for (const auto& [name, payload] : device.app.of(carer).in_use) {
    if (name.first == v1::RECORD_KIND_VISIT || name.first == v1::RECORD_KIND_SERVICE_USER) held.push_back(name);
  }
  if (!held.empty() && !OneIn(6)) return held[Below(held.size())];
  std::vector<Name> any;
  for (const auto& [name, record] : head.records) {
    if (name.first == v1::RECORD_KIND_VISIT || name.first == v1::RECORD_KIND_SERVICE_USER) any.push_back(name);
  }
  if (!any.empty() && !OneIn(4)) return any[Below(any.size())];
  return {v1::RECORD_KIND_VISIT, base::Uuid::Random(ids_).ToString()};
}

v1::CareEvent SimulatedWorld::MakeEvent(Device& device, const base::Uuid& carer) {
  v1::CareEvent event;
  event.set_carer_id(carer.ToString());
  event.mutable_occurred_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
  const Name parent = ChooseParent(device, carer);
  device.recorded_on[carer] = parent;
  if (parent.first == v1::RECORD_KIND_VISIT) {
    event.set_visit_id(parent.second);
  } else {
    event.set_service_user_id(parent.second);
  }
  event.mutable_note()->set_text(std::string(1 + Below(150), 'n'));
  return event;
}

void SimulatedWorld::Declare(const base::TenantId& tenant, const base::Uuid& carer, const v1::UploadedEvent& event) {
  v1::CareEvent content;
  if (!content.ParseFromString(event.event())) Fail("the simulation made an event that cannot be read");
  const Name parent = content.visit_id().empty() ? Name(v1::RECORD_KIND_SERVICE_USER, content.service_user_id())
                                                 : Name(v1::RECORD_KIND_VISIT, content.visit_id());
  oracle_.AddEvent(tenant, {event.event_id(), event.event(), carer.ToString(), parent});
}

void SimulatedWorld::RecordEvent() {
  Device& device = devices_[Below(devices_.size())];
  const base::Uuid carer = ChooseCarer(device);
  // Kept aside: the sync that may be open has declared its number of events.
  const v1::UploadedEvent event = device.app.Record(carer, MakeEvent(device, carer), ids_);
  device.app.of(carer).unsent.pop_back();
  Declare(device.tenant, carer, event);
  device.offline[carer].push_back(event);
}

// An app that did not get the result, or is asked for what it keeps.
void SimulatedWorld::SendAgain() {
  Device& device = devices_[Below(devices_.size())];
  const base::Uuid carer = device.carers[Below(device.carers.size())];
  const std::vector<v1::UploadedEvent>& kept = device.kept[carer];
  if (kept.empty()) return;
  Count("event sent again");
  device.offline[carer].push_back(kept[Below(kept.size())]);
}

void SimulatedWorld::SendOtherBytes() {
  Device& device = devices_[Below(devices_.size())];
  const base::Uuid carer = device.carers[Below(device.carers.size())];
  const std::vector<v1::UploadedEvent>& kept = device.kept[carer];
  if (kept.empty()) return;
  Count("event with other bytes");
  v1::UploadedEvent event = kept[Below(kept.size())];
  v1::CareEvent content;
  content.ParseFromString(event.event());
  content.mutable_note()->set_text(absl::StrCat("other ", step_));
  event.set_event(content.SerializeAsString());
  Declare(device.tenant, carer, event);
  device.offline[carer].push_back(event);
}

// ---- Syncs

bool SimulatedWorld::HasOpenStream(size_t device) const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [device](const auto& stream) { return stream->device() == device && stream->device_open(); });
}

// Mostly one who may use the device.
base::Uuid SimulatedWorld::ChooseCarer(const Device& device) {
  const base::Uuid any = device.carers[Below(device.carers.size())];
  if (WhyRefused(device, any) != "CARER_NOT_A_USER" || OneIn(4)) return any;
  const auto user = std::find_if(device.carers.begin(), device.carers.end(),
                                 [&](const base::Uuid& carer) { return WhyRefused(device, carer).empty(); });
  return user == device.carers.end() ? any : *user;
}

bool SimulatedWorld::IsOfPair(const Device& device) const {
  if (!cloned_.has_value()) return false;
  const Device& original = devices_[*cloned_];
  return device.tenant == original.tenant && device.app.uuid() == original.app.uuid();
}

size_t SimulatedWorld::ChooseCaller() {
  if (!cloned_.has_value() || OneIn(3)) return Below(devices_.size());
  return OneIn(2) ? *cloned_ : devices_.size() - 1;
}

void SimulatedWorld::Prepare(Device& device, const base::Uuid& carer) {
  fakes::TestDevice::CarerData& data = device.app.of(carer);
  // A copy of which nothing is durable is begun anew.
  if (data.making.has_value() && data.making->token.empty()) data.making.reset();
  if (std::exchange(device.send_kept_again, false)) {
    for (auto& [of, kept] : device.kept) {
      std::vector<v1::UploadedEvent>& offline = device.offline[of];
      offline.insert(offline.begin(), kept.begin(), kept.end());
    }
  }
  for (v1::UploadedEvent& event : device.offline[carer]) data.unsent.push_back(std::move(event));
  device.offline[carer].clear();
}

// The carer may be at a visit, or write in a form: only a clean sync must not begin then.
void SimulatedWorld::NoteWorkInProgress(v1::Start& start) {
  const bool is_clean = start.sync_type() == v1::SYNC_TYPE_CLEAN;
  if (OneIn(12)) {
    start.set_open_visit_id(base::Uuid::Random(ids_).ToString());
    if (is_clean) Count("clean sync while a visit is open");
  }
  if (OneIn(12)) {
    start.set_form_in_progress(true);
    if (is_clean) Count("clean sync while a form is filled in");
  }
}

absl::Time SimulatedWorld::AnyCredentialEnd() {
  static constexpr int kMinutes[] = {1, 4, 8, 20};
  if (!OneIn(2)) return absl::InfiniteFuture();
  // A credential says it in seconds.
  return absl::FromUnixSeconds(absl::ToUnixSeconds(clock_.Now())) + absl::Minutes(kMinutes[Below(std::size(kMinutes))]);
}

SimulatedStream& SimulatedWorld::OpenStream(size_t device_index, const base::Uuid& carer, v1::SyncType type,
                                            bool follow, absl::Time credential_end) {
  Device& device = devices_[device_index];
  Prepare(device, carer);
  v1::SyncRequest start = device.app.Start(carer, type);
  start.mutable_start()->set_follow(follow);
  if (follow) Count("sync that follows");
  NoteWorkInProgress(*start.mutable_start());
  // Some phones' systems say when they allow the next sync; of some the clock is wrong.
  if (step_ % 4 == 0) {
    const absl::Time allowed = clock_.Now() + absl::Hours(static_cast<int>(step_ % 300));
    start.mutable_start()->mutable_earliest_next_sync()->set_seconds(absl::ToUnixSeconds(allowed));
  }
  StreamFacts facts;
  facts.identity = {device.tenant, device.app.uuid(), carer, credential_end};
  facts.carer = carer.ToString();
  facts.arrival = ++arrivals_;
  facts.start = start.start();
  facts.level = std::min(start.start().data_level(), kHighestLevel);
  facts.held_at_start = device.app.of(carer).in_use;
  facts.spoiled_at_start = device.spoiled.contains(carer);
  facts.put_back = device.put_back.contains(carer);
  facts.of_pair = IsOfPair(device);
  facts.at_opening = NowMoment();
  if (!start.start().resume_token().empty()) {
    absl::StatusOr<sync::ResumeToken> token =
        sync::OpenToken(server_->sealer(), device.tenant, start.start().resume_token());
    if (!token.ok()) Fail("a device holds a token that is not valid");
    facts.start_token = *token;
    facts.rebuild_number = token->rebuild_number;
    facts.position = token->position;
    facts.rebuild_began = token->rebuild_began;
    if (token->rebuild_began.has_value()) Count("unfinished rebuild at start");
    if (token->rebuild_began.has_value() && token->position == feed::Position{}) Count("next visits alone at start");
  }
  streams_.push_back(std::make_unique<SimulatedStream>(
      std::move(facts), device_index,
      [this](StreamFacts& of, const v1::SyncResponse& response) { return OnSend(of, response); },
      [this](StreamFacts& of, const v1::SyncRequest& request) { OnTaken(of, request); }));
  SimulatedStream& stream = *streams_.back();
  stream.Open(server_->parts());
  stream.Say(std::move(start));
  for (v1::SyncRequest& upload : device.app.Uploads(carer, 1 + Below(3))) stream.Say(std::move(upload));
  return stream;
}

void SimulatedWorld::StartSync() {
  const size_t index = ChooseCaller();
  Device& device = devices_[index];
  if (IsOff(device)) return;
  if (std::exchange(device.off_until, std::nullopt).has_value()) Count("phone back after hours");
  const base::Uuid carer = ChooseCarer(device);
  if (HasOpenStream(index)) {
    if (!OneIn(6)) return;
    Count("second stream");
    for (const auto& stream : streams_) {
      if (stream->device() != index || !stream->device_open()) continue;
      stream->CloseAtDevice();
      CutAtRandom(*stream);
    }
  }
  if (OneIn(12)) ReplaceApp(device);
  const size_t roll = Below(8);
  v1::SyncType type = roll < 3 ? v1::SYNC_TYPE_STANDARD : roll < 6 ? v1::SYNC_TYPE_AUTO : v1::SYNC_TYPE_CLEAN;
  const bool unsent = HasUnsent(device, carer);
  if (type == v1::SYNC_TYPE_CLEAN && unsent && !OneIn(4)) type = v1::SYNC_TYPE_STANDARD;
  Count(absl::StrCat("sync ", v1::SyncType_Name(type)));
  const bool follow = OneIn(3);
  SimulatedStream& stream = OpenStream(index, carer, type, follow, AnyCredentialEnd());
  if (unsent && OneIn(6)) SayUploadAgain(stream, device.app.Uploads(carer, 1 + Below(3)));
}

// An app that is not sure whether it said one; behind all that it has declared.
void SimulatedWorld::SayUploadAgain(SimulatedStream& stream, std::vector<v1::SyncRequest> uploads) {
  Count("upload said twice");
  stream.Say(std::move(uploads[Below(uploads.size())]));
}

bool SimulatedWorld::HasUnsent(Device& device, const base::Uuid& carer) {
  return !device.offline[carer].empty() || !device.app.of(carer).unsent.empty();
}

void SimulatedWorld::UploadWhileFollowing() {
  if (streams_.empty()) return;
  SimulatedStream& stream = *streams_[Below(streams_.size())];
  if (!stream.device_open() || stream.half_closed() || !stream.facts().start.follow()) return;
  Device& device = devices_[stream.device()];
  const base::Uuid carer = stream.facts().identity.carer;
  v1::SyncRequest request;
  for (v1::UploadedEvent& event : std::exchange(device.offline[carer], {})) {
    std::deque<v1::UploadedEvent>& unsent = device.app.of(carer).unsent;
    const bool under_way = std::any_of(unsent.begin(), unsent.end(), [&event](const v1::UploadedEvent& other) {
      return other.event_id() == event.event_id();
    });
    // One that is sent again waits for its first answer.
    if (under_way) {
      device.offline[carer].push_back(std::move(event));
      continue;
    }
    *request.mutable_upload()->add_events() = event;
    unsent.push_back(std::move(event));
  }
  if (!request.has_upload()) return;
  Count("upload while following");
  stream.Say(request);
  if (OneIn(6)) SayUploadAgain(stream, std::vector<v1::SyncRequest>(1, request));
}

void SimulatedWorld::MoveStream() {
  if (streams_.empty()) return;
  const size_t first = Below(streams_.size());
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (MoveOne(*streams_[(first + i) % streams_.size()], true)) break;
  }
  Reap();
}

bool SimulatedWorld::MoveOne(SimulatedStream& stream, bool faults) {
  std::vector<int> possible;
  if (stream.CanFlush()) possible.push_back(0);
  if (stream.CanFinishWrite()) possible.push_back(1);
  if (stream.CanReachServer()) possible.push_back(2);
  if (stream.CanReachDevice()) possible.push_back(3);
  if (stream.CanEndAtDevice()) possible.push_back(4);
  // A server may not hear of a cut for long.
  if (stream.CanTellServer() && (!faults || OneIn(4))) possible.push_back(5);
  if (possible.empty()) return false;
  switch (possible[Below(possible.size())]) {
    case 0:
      stream.Flush();
      break;
    case 1:
      stream.FinishWrite(OneIn(2));
      break;
    case 2:
      stream.ReachServer();
      break;
    case 3:
      ReceiveAtDevice(stream, faults);
      break;
    case 4:
      stream.CloseAtDevice();
      break;
    default:
      stream.TellServer();
  }
  return true;
}

void SimulatedWorld::ReceiveAtDevice(SimulatedStream& stream, bool faults) {
  Device& device = devices_[stream.device()];
  const base::Uuid carer = stream.facts().identity.carer;
  const Delivery delivery = stream.TakeAtDevice();
  if (faults && OneIn(40)) {
    Count("killed before it was durable");
    stream.CloseAtDevice();
    return CutAtRandom(stream);
  }
  const v1::SyncResponse& response = delivery.response;
  if (response.has_upload_result()) TakeResults(device, carer, response.upload_result(), delivery.answered);
  if (response.started().waiting()) Count("told to wait");
  if (response.started().drop_now_carer_ids_size() > 0) Count("copies to drop at a start");
  if (response.notice().drop_now().carer_ids_size() > 0) Count("copies to drop while connected");
  if (response.started().resend_events()) {
    Count("asked for events again");
    for (v1::SyncRequest& upload : device.app.Resend(carer, 1 + Below(3))) stream.Say(std::move(upload));
  }
  const fakes::HeldRecords before = device.app.of(carer).in_use;
  std::optional<v1::SyncRequest> ack = device.app.Apply(carer, response);
  const fakes::HeldRecords& held = device.app.of(carer).in_use;
  for (const std::string& fault : device.app.faults()) Fail(fault);
  JudgeCaughtUp(device, stream.facts(), delivery);
  NoteApplied(stream, response);
  const bool of_new_copy = response.has_changes() && response.changes().rebuild_number() != 0;
  if (of_new_copy && !response.has_caught_up() && held != before) Fail("a rebuild touches the copy in use");
  if (faults && OneIn(40)) {
    Count("killed before its ack");
    stream.CloseAtDevice();
    return CutAtRandom(stream);
  }
  if (response.has_sync_recorded()) return OnRecordedAtDevice(stream, std::move(ack), faults);
  if (!ack.has_value()) return;
  if (faults && !response.has_caught_up() && OneIn(5)) return Count("ack left out");
  SayAck(stream, *std::move(ack), faults);
}

// Now and then an app says one again that it has said: the last one, or an earlier one, which is lower.
void SimulatedWorld::SayAck(SimulatedStream& stream, v1::SyncRequest ack, bool faults) {
  std::vector<v1::SyncRequest>& said = stream.acks_said();
  stream.Say(ack);
  said.push_back(std::move(ack));
  if (!faults || !OneIn(4)) return;
  const size_t again = OneIn(2) ? said.size() - 1 : Below(said.size());
  stream.Say(said[again]);
  const std::string what = again + 1 == said.size() ? "ack said again" : "lower ack said";
  Count(what);
  if (stream.facts().recorded) Count(absl::StrCat(what, " by a follower"));
}

void SimulatedWorld::JudgeCaughtUp(Device& device, const StreamFacts& facts, const Delivery& delivery) {
  const base::Uuid& carer = facts.identity.carer;
  if (device.app.of(carer).token.empty()) device.spoiled.erase(carer);
  if (delivery.expected == nullptr) return;
  const bool right = device.app.of(carer).in_use == delivery.expected->Through(facts.level);
  const bool made_anew = delivery.response.caught_up().rebuild_number() != 0;
  if (!right && (made_anew || !device.spoiled.contains(carer))) {
    Fail("a device is caught up and does not hold what its carer may see");
  }
  if (right) device.put_back.erase(carer);
  if (right && device.spoiled.erase(carer) > 0) Count(made_anew ? "spoiled copy made anew" : "spoiled copy put right");
}

void SimulatedWorld::OnRecordedAtDevice(SimulatedStream& stream, std::optional<v1::SyncRequest> ack, bool faults) {
  Count("sync recorded");
  if (stream.half_closed()) return;
  if (!stream.facts().start.follow()) return stream.HalfClose();
  if (faults && OneIn(8)) {
    Count("follower left");
    return stream.HalfClose();
  }
  // The start was the ack; a second one does no harm.
  if (ack.has_value() && OneIn(2)) SayAck(stream, *std::move(ack), faults);
}

void SimulatedWorld::TakeResults(Device& device, const base::Uuid& carer, const v1::UploadResult& result,
                                 const v1::Upload& upload) {
  std::deque<v1::UploadedEvent> unsent = device.app.of(carer).unsent;
  for (int i = 0; i < std::min(result.results_size(), upload.events_size()); ++i) {
    const v1::EventResult& named = result.results(i);
    // Other bytes under its ID may wait as well, which the server has not got yet.
    const auto event = std::find_if(unsent.begin(), unsent.end(), [&sent = upload.events(i)](const auto& one) {
      return one.event_id() == sent.event_id() && one.event() == sent.event();
    });
    if (event == unsent.end()) continue;
    Count(absl::StrCat("event ", v1::EventOutcome_Name(named.outcome())));
    if (named.outcome() == v1::EVENT_OUTCOME_FOR_REVIEW) Count(v1::ReviewReason_Name(named.review_reason()));
    device.kept[carer].push_back(*event);
    answered_.push_back({{device.tenant, device.app.uuid(), carer}, *event});
    unsent.erase(event);
  }
}

}  // namespace caresync::simulation
