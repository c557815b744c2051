// What is compared at the end of a seed: devices, groups, events and readers with the naive model.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {

void SimulatedWorld::CompareDevices() {
  for (Device& device : devices_) {
    for (const base::Uuid& carer : device.carers) {
      const State& head = oracle_.model(device.tenant).head();
      if (head.unsettled.contains(carer.ToString())) Fail("a fan-out does not come to its end");
      const fakes::TestDevice::CarerData& data = device.app.of(carer);
      const std::string refusal = WhyRefused(device, carer);
      // Two phones with one UUID are sent nothing; of their users' copies nothing is taken from them either.
      const bool is_user = oracle_.truth().permissions.IsUser(device.tenant, device.app.uuid(), carer.ToString());
      if (refusal == "DEVICE_CLONED" && is_user) continue;
      if (!refusal.empty()) {
        const bool holds_nothing = data.in_use.empty() && !data.making.has_value() && data.token.empty();
        if (!holds_nothing) Fail(absl::StrCat("a device keeps a copy of a carer who is refused: ", refusal));
        continue;
      }
      const View& view = head.ViewOf(carer.ToString());
      if (data.in_use != view.Through(std::min(device.app.data_level(), kHighestLevel))) {
        Fail("a device does not end with what its carer may see");
      }
    }
  }
}

void SimulatedWorld::CompareGroups() {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  for (const base::TenantId& tenant : tenants_) {
    std::set<std::pair<std::string, std::string>> expected;
    for (const auto& [name, record] : oracle_.model(tenant).head().records) {
      if (name.first != v1::RECORD_KIND_EMPLOYEE_GROUP || record->dissolved) continue;
      for (const std::string& carer : record->members) {
        expected.insert({KeyOf(name).bytes, KeyOf({v1::RECORD_KIND_CARER, carer}).bytes});
      }
      size_t waits = 0;
      const absl::Status scanned =
          (*snapshot)->Scan(storage::Space::kRecords, base::keys::GroupRecords(tenant, KeyOf(name), {}), SIZE_MAX,
                            [&waits](std::string_view, std::string_view row) {
                              if (!row.empty()) ++waits;
                              return true;
                            });
      if (!scanned.ok() || waits > 0) Fail("a group's grant is leaving for ever");
    }
    std::set<std::pair<std::string, std::string>> stored;
    for (const auto& [name, record] : oracle_.model(tenant).head().records) {
      if (name.first != v1::RECORD_KIND_EMPLOYEE_GROUP) continue;
      const absl::Status scanned =
          (*snapshot)->Scan(storage::Space::kRecords, base::keys::Members(tenant, KeyOf(name), {}), SIZE_MAX,
                            [&](std::string_view key, std::string_view row) {
                              base::RecordKey group;
                              base::RecordKey carer;
                              if (!base::keys::ParseMember(key, &group, &carer) || !row.empty())
                                Fail("a membership is leaving for ever");
                              stored.insert({group.bytes, carer.bytes});
                              return true;
                            });
      if (!scanned.ok()) Fail("a group's members cannot be read");
    }
    if (stored != expected) Fail("a group has other members than its source says");
    size_t scopes = 0;
    const absl::Status scanned = (*snapshot)->Scan(storage::Space::kRecords, base::keys::AllFanOutScopes(tenant),
                                                   SIZE_MAX, [&scopes](std::string_view, std::string_view) {
                                                     ++scopes;
                                                     return true;
                                                   });
    if (!scanned.ok() || scopes > 0) Fail("somebody waits for a fan-out for ever");
  }
}

// Every event that got a result is there once, be it discarded; nothing else is.
void SimulatedWorld::CompareEvents() {
  for (const Answered& answered : answered_) {
    const State& head = oracle_.model(answered.sender.tenant).head();
    const v1::UploadedEvent& event = answered.event;
    const bool settled = head.settled.contains({event.event_id(), event.event()});
    const bool kept = head.for_review.contains({event.event_id(), event.event()});
    if (settled == kept)
      Fail(absl::StrCat("event ", event.event_id(), settled ? " is there twice" : " is lost", " of device ",
                        answered.sender.device.ToString(), " and carer ", answered.sender.carer.ToString()));
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
    // The first of a carer's on a visit, and each on a service user, waits for a reason that still holds.
    for (const auto& [event, kept] : head.for_review) {
      const bool leads =
          kept.parent.first == v1::RECORD_KIND_SERVICE_USER || head.WaitingOf(kept.carer, kept.parent).front() == event;
      if (leads && !kept.reused && NaiveModel::MayRecord(head, kept.carer, kept.parent)) {
        Fail(absl::StrCat("event ", event.first, " waits for ever, though its carer may record it"));
      }
    }
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

}  // namespace caresync::simulation
