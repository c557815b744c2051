// What the server says that a device showed at a moment, compared with what the device held then (held_copies.h).
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "caresync/v1/deliveries.pb.h"
#include "server/deliveries/delivery_list.h"
#include "server/deliveries/device_view.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

// Between the last moment of which a copy tells and the mark behind it.
constexpr absl::Duration kStep = absl::Microseconds(1);
// A prime: the steps at which it is looked come to each of the few copies that are kept.
constexpr uint64_t kSpread = 97;
constexpr int kAll = 1'000;

bool IsAcknowledged(v1::DeliveryState state) {
  return state == v1::DELIVERY_STATE_APPLIED || state == v1::DELIVERY_STATE_SUPERSEDED;
}

}  // namespace

// What a device shows of a copy that it is making is no part of the one in use.
void SimulatedWorld::NoteApplied(SimulatedStream& stream, const v1::SyncResponse& response) {
  const bool of_copy_in_use =
      response.has_caught_up() || (response.has_changes() && response.changes().rebuild_number() == 0);
  if (!of_copy_in_use) return;
  Device& device = devices_[stream.device()];
  const base::Uuid& carer = stream.facts().identity.carer;
  const fakes::TestDevice::CarerData& data = device.app.of(carer);
  const absl::StatusOr<sync::ResumeToken> token = sync::OpenToken(server_->sealer(), device.tenant, data.token);
  if (!token.ok()) return;
  auto visits = std::make_shared<const HeldVisits>(VisitsOf(data.in_use));
  stream.facts().applied.push_back({*token, std::move(visits), device.spoiled.contains(carer)});
}

// Nothing of it is drawn: the schedule of a seed is the same wherever it is looked at.
void SimulatedWorld::CompareViews(bool all) {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  for (const auto& [of, held] : oracle_.truth().held) {
    const std::vector<KeptCopy>& kept = held.kept();
    for (size_t i = 0; i < kept.size(); ++i) {
      if (!all && i != step_ % kSpread % kept.size()) continue;
      CompareView(**snapshot, of, kept[i], kept[i].time);
      // By a clock that was set back, now lies before it.
      const absl::Time last = std::min(kept[i].until - kStep, clock_.Now());
      if (last > kept[i].time) CompareView(**snapshot, of, kept[i], last);
    }
  }
}

void SimulatedWorld::CompareView(const storage::Reader& reader, const Truth::Copy& of, const KeptCopy& kept,
                                 absl::Time time) {
  const auto& [tenant, device, carer] = of;
  const absl::StatusOr<deliveries::DeviceView> view =
      deliveries::ReadDeviceView(reader, tenant, device, *base::Uuid::Parse(carer), time);
  if (!view.ok()) return Fail(absl::StrCat("what a device showed cannot be read: ", view.status().ToString()));
  const ViewVerdict verdict = Judge(kept, *view);
  if (!verdict.fault.empty()) {
    Fail(absl::StrCat("what device ", device.ToString(), " showed of carer ", carer, " at ", absl::FormatTime(time),
                      " is wrong: ", verdict.fault));
  }
  Count("device view compared");
  if (view->known == deliveries::DeviceView::Known::kNotKnown) Count("device view that is not known");
  if (view->known == deliveries::DeviceView::Known::kNoCopy) Count("device view of no copy");
  if (view->known != deliveries::DeviceView::Known::kAll) return;
  if (kept.is_part) Count("device view of part of a delta compared");
  counts_["visit in a device view"] += verdict.visits;
  if (verdict.uncertain > 0) counts_["visit that is not certain in a device view"] += verdict.uncertain;
}

// Every device is caught up, and has said so: each shows now what it holds, and nothing of that is uncertain.
void SimulatedWorld::CompareLastViews() {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  for (Device& device : devices_) {
    for (const base::Uuid& carer : device.carers) {
      const absl::StatusOr<deliveries::DeviceView> view =
          deliveries::ReadDeviceView(**snapshot, device.tenant, device.app.uuid(), carer, clock_.Now());
      if (!view.ok()) return Fail(absl::StrCat("what a device shows cannot be read: ", view.status().ToString()));
      KeptCopy held{.time = clock_.Now()};
      held.visits = std::make_shared<const HeldVisits>(VisitsOf(device.app.of(carer).in_use));
      const ViewVerdict verdict = Judge(held, *view);
      if (!verdict.fault.empty()) Fail(absl::StrCat("what a device shows at the end is wrong: ", verdict.fault));
      if (verdict.uncertain > 0) Fail("what a device shows at the end is not certain");
    }
  }
}

// By then every device has acknowledged all that its carer's feed has shown. Of each change that is listed that is
// told; and a change that brought the visit as the device has it is listed.
void SimulatedWorld::CompareLastDeliveries() {
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  for (const Device& device : devices_) {
    for (const base::Uuid& carer : device.carers) CompareDeliveries(**snapshot, device, carer);
  }
}

void SimulatedWorld::CompareDeliveries(const storage::Reader& reader, const Device& device, const base::Uuid& carer) {
  v1::ListDeliveriesRequest request;
  request.set_device_uuid(device.app.uuid().ToString());
  request.set_carer_id(carer.ToString());
  request.set_page_size(kAll);
  const devices::AsOf as_of{.syncs = sync::SyncsOf(server_->parts()), .now = clock_.Now()};
  // Visit and revision.
  std::set<std::pair<std::string, base::Revision>> applied;
  do {
    const absl::StatusOr<v1::ListDeliveriesResponse> page =
        deliveries::ListDeliveries(reader, device.tenant, request, as_of);
    if (!page.ok()) return Fail(absl::StrCat("deliveries cannot be listed: ", page.status().ToString()));
    for (const v1::Delivery& delivery : page->deliveries()) {
      Count("delivery listed");
      const bool is_told = delivery.devices_size() == 1 && IsAcknowledged(delivery.devices(0).state());
      if (!is_told) return Fail("a change that a device has acknowledged is not listed as such");
      const bool is_applied = delivery.devices(0).state() == v1::DELIVERY_STATE_APPLIED;
      if (is_applied && delivery.has_visit()) applied.insert({delivery.visit_id(), delivery.revision()});
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  for (const auto& [name, item] : *HeadOf(device.tenant).feeds.at(carer.ToString())) {
    // What moved with time, or by a large change, has its place from another revision than its version.
    const bool by_change = name.first == v1::RECORD_KIND_VISIT && !item.removal && item.moved == item.version;
    if (by_change && !applied.contains({name.second, item.moved})) {
      Fail("a change that a device has acknowledged is not listed");
    }
  }
}

}  // namespace caresync::simulation
