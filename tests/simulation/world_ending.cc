// The end of a seed: no faults any more, everybody syncs, everything is compared with the naive model.
#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/records/record_key.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

constexpr size_t kAllRemovals = 10'000;

}  // namespace

void SimulatedWorld::Quieten() {
  std::unique_ptr<storage::MemoryStore> memory = server_->memory().Copy();
  const Truth truth = oracle_.truth();
  RetireServer();
  for (const auto& stream : streams_) stream->CloseAtDevice();
  Reap();
  oracle_.GoBackTo(truth);
  OpenServer(std::move(memory));
  for (auto& [of, source] : sources_) source.begins_stream = true;
  SettleSources();
  // Each device has its place in the time after the waiting.
  server_->executor().Advance(base::limits::kRebuildSpread);
}

void SimulatedWorld::MoveAll() {
  bool moved = true;
  while (moved && fault_.empty()) {
    server_->executor().RunAll();
    moved = false;
    for (const auto& stream : streams_) moved |= MoveOne(*stream, false);
  }
}

void SimulatedWorld::FollowAll() {
  std::vector<SimulatedStream*> followers;
  for (size_t i = 0; i < devices_.size(); ++i) {
    const std::vector<base::Uuid>& carers = devices_[i].carers;
    followers.push_back(&OpenStream(i, carers[Below(carers.size())], v1::SYNC_TYPE_STANDARD, true));
  }
  MoveAll();
  CheckFollowers(followers);
  for (int i = 0; i < 6 && fault_.empty(); ++i) {
    SendRota();
    RecordEvent();
    UploadWhileFollowing();
    if (i % 2 == 1) MakeFollowersMissRemovals();
    MoveAll();
    CheckFollowers(followers);
  }
  std::vector<uint64_t> recorded;
  for (const SimulatedStream* follower : followers) {
    recorded.push_back(devices_[follower->device()].app.of(follower->facts().identity.carer).syncs_recorded);
  }
  constexpr absl::Duration kStep = absl::Seconds(20);
  for (absl::Duration passed; passed <= base::limits::kAutoSyncIntervalDefault && fault_.empty(); passed += kStep) {
    server_->executor().Advance(kStep);
    MoveAll();
  }
  CheckFollowers(followers);
  for (size_t i = 0; i < followers.size() && fault_.empty(); ++i) {
    const base::Uuid carer = followers[i]->facts().identity.carer;
    if (devices_[i].app.of(carer).syncs_recorded == recorded[i]) Fail("a follower does not confirm once an interval");
  }
  for (SimulatedStream* follower : followers) follower->HalfClose();
  MoveAll();
  for (const SimulatedStream* follower : followers) {
    if (fault_.empty() && (!follower->done() || !follower->end()->ok()))
      Fail("a follower that leaves does not end well");
  }
  Reap();
}

// A round is under way to each while more changes, and what they removed is forgotten before it can be read.
void SimulatedWorld::MakeFollowersMissRemovals() {
  server_->executor().RunAll();
  for (int i = 0; i < 8; ++i) SendRota();
  server_->executor().RunAll();
  for (const base::TenantId& tenant : tenants_) {
    const State& head = oracle_.model(tenant).head();
    for (const auto& [carer, view] : head.views) {
      ForgetRemovals(tenant, records::CarerReceiver(*base::Uuid::Parse(carer)), feed::Position::EndOf(head.revision),
                     kAllRemovals);
    }
  }
}

void SimulatedWorld::CheckFollowers(const std::vector<SimulatedStream*>& followers) {
  for (const SimulatedStream* follower : followers) {
    if (!fault_.empty()) return;
    const std::string& carer = follower->facts().carer;
    Device& device = devices_[follower->device()];
    if (!follower->server_open()) return Fail(absl::StrCat("a follower is ended: ", follower->end()->ToString()));
    const View& view = oracle_.model(device.tenant).head().ViewOf(carer);
    if (device.app.of(*base::Uuid::Parse(carer)).in_use != view.records) {
      return Fail("a follower does not hold what its carer may see");
    }
  }
}

void SimulatedWorld::SyncAll(int round) {
  for (size_t i = 0; i < devices_.size(); ++i) {
    for (const base::Uuid& carer : devices_[i].carers) {
      if (fault_.empty()) SyncToTheEnd(i, carer, round == 3);
    }
  }
}

void SimulatedWorld::SyncToTheEnd(size_t device, const base::Uuid& carer, bool nothing_new) {
  const uint64_t recorded_before = devices_[device].app.of(carer).syncs_recorded;
  const uint64_t single_before = counts_["one message each way"];
  SimulatedStream& stream = OpenStream(device, carer, v1::SYNC_TYPE_STANDARD, false);
  do {
    server_->executor().RunAll();
  } while (fault_.empty() && MoveOne(stream, false));
  if (!fault_.empty()) return;
  if (!stream.done()) return Fail("a sync with nothing in its way does not end");
  if (!stream.end()->ok())
    return Fail(absl::StrCat("a sync with nothing in its way fails: ", stream.end()->ToString()));
  Reap();
  fakes::TestDevice::CarerData& data = devices_[device].app.of(carer);
  if (data.syncs_recorded != recorded_before + 1) Fail("a sync with nothing in its way is not recorded");
  if (!data.unsent.empty()) Fail("a sync leaves events without a result");
  if (nothing_new && counts_["one message each way"] != single_before + 1) {
    Fail("a sync with nothing new takes more than one message each way");
  }
}

void SimulatedWorld::CompareDevices() {
  for (Device& device : devices_) {
    for (const base::Uuid& carer : device.carers) {
      const View& view = oracle_.model(device.tenant).head().ViewOf(carer.ToString());
      if (device.app.of(carer).in_use != view.records) Fail("a device does not end with what its carer may see");
    }
  }
}

// Every event that got a result is there once; nothing else is.
void SimulatedWorld::CompareEvents() {
  for (const Answered& answered : answered_) {
    const State& head = oracle_.model(answered.tenant).head();
    const v1::UploadedEvent& event = answered.event;
    const auto record = head.records.find({v1::RECORD_KIND_CARE_EVENT, event.event_id()});
    const bool effective = record != head.records.end() && record->second->payload == event.event();
    const bool kept = head.for_review.contains({event.event_id(), event.event()});
    if (effective == kept) Fail(absl::StrCat("event ", event.event_id(), effective ? " is there twice" : " is lost"));
  }
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  for (const base::TenantId& tenant : tenants_) {
    const State& head = oracle_.model(tenant).head();
    for (const auto& [name, record] : head.records) {
      store::Record stored;
      const auto row = (*snapshot)->Get(storage::Space::kRecords, base::keys::Record(tenant, KeyOf(name)));
      const bool same =
          row.ok() && row->has_value() && stored.ParseFromString(**row) && stored.payload() == record->payload;
      if (!same) Fail("the store does not hold a record that it took");
    }
    size_t items = 0;
    const absl::Status scanned = (*snapshot)->Scan(storage::Space::kRecords, base::keys::AllReviewItems(tenant),
                                                   SIZE_MAX, [&items](std::string_view, std::string_view row) {
                                                     store::ReviewItem item;
                                                     const bool waits = item.ParseFromString(std::string(row)) &&
                                                                        item.resolution() == v1::RESOLUTION_UNSPECIFIED;
                                                     if (waits) ++items;
                                                     return true;
                                                   });
    if (!scanned.ok() || items != head.for_review.size()) Fail("the store holds other items for review than it took");
  }
}

void SimulatedWorld::CompareReaders() {
  for (auto& [of, reader] : readers_) {
    const auto& [tenant, source] = of;
    std::map<std::string, std::string> expected;
    const State& head = oracle_.model(tenant).head();
    for (const auto& [name, record] : head.records) {
      if (name.first != v1::RECORD_KIND_CARE_EVENT || record->source != source) continue;
      expected[name.second] = record->payload;
    }
    Reader anew;
    for (Reader* one : {&reader, &anew}) {
      for (int i = 0; i < 20 && fault_.empty(); ++i) ReadOne(tenant, source, *one);
    }
    if (anew.events != expected) Fail("a source does not get the events on its records, each once");
    for (const auto& [id, bytes] : expected) {
      if (reader.events[id] != bytes) Fail("a source that resumes misses an event");
    }
  }
}

void SimulatedWorld::CompareReports() {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  for (const Device& device : devices_) {
    v1::GetDeviceRequest request;
    request.set_device_uuid(device.app.uuid().ToString());
    const absl::StatusOr<v1::Device> row = devices::GetDevice(
        **snapshot, device.tenant, request, {.syncs = sync::SyncsOf(server_->parts()), .now = clock_.Now()});
    if (!row.ok()) return Fail(absl::StrCat("a device is not in the report: ", row.status().ToString()));
    if (row->last_api_call() != v1::CALL_STATE_SUCCEEDED) Fail("the report does not show the last call's success");
    if (!row->has_last_successful_sync_time()) Fail("the report does not show the last successful sync");
    v1::ListSyncsRequest list;
    list.set_device_uuid(request.device_uuid());
    list.set_page_size(1'000);
    const absl::StatusOr<v1::ListSyncsResponse> syncs =
        devices::ListSyncs(**snapshot, device.tenant, list, sync::SyncsOf(server_->parts()));
    if (!syncs.ok()) return Fail("a device's history cannot be listed");
    for (const v1::SyncSummary& sync : syncs->syncs()) {
      if (sync.outcome() == v1::SYNC_OUTCOME_UNDER_WAY) Fail("a sync is under way for ever");
    }
  }
}

}  // namespace caresync::simulation
