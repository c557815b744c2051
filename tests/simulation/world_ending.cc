// The end of a seed: no faults any more, everybody syncs, everything is compared with the naive model.
#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/keys.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

void SimulatedWorld::Quieten() {
  std::unique_ptr<storage::MemoryStore> memory = server_->memory().Copy();
  const Truth truth = oracle_.truth();
  RetireServer();
  for (const auto& stream : streams_) stream->CloseAtDevice();
  Reap();
  oracle_.GoBackTo(truth);
  OpenServer(std::move(memory));
  server_->executor().RunAll();
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
  SimulatedStream& stream = OpenStream(device, carer, v1::SYNC_TYPE_STANDARD);
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
                                                   SIZE_MAX, [&items](std::string_view, std::string_view) {
                                                     ++items;
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
    const absl::StatusOr<v1::Device> row = devices::GetDevice(**snapshot, device.tenant, request, server_->opening());
    if (!row.ok()) return Fail(absl::StrCat("a device is not in the report: ", row.status().ToString()));
    if (row->last_api_call() != v1::CALL_STATE_SUCCEEDED) Fail("the report does not show the last call's success");
    if (!row->has_last_successful_sync_time()) Fail("the report does not show the last successful sync");
    v1::ListSyncsRequest list;
    list.set_device_uuid(request.device_uuid());
    list.set_page_size(1'000);
    const absl::StatusOr<v1::ListSyncsResponse> syncs =
        devices::ListSyncs(**snapshot, device.tenant, list, server_->opening());
    if (!syncs.ok()) return Fail("a device's history cannot be listed");
    for (const v1::SyncSummary& sync : syncs->syncs()) {
      if (sync.outcome() == v1::SYNC_OUTCOME_UNDER_WAY) Fail("a sync is under way for ever");
    }
  }
}

}  // namespace caresync::simulation
