// Damaged rows: whatever bytes some rows of an agency hold, whatever is read of it is a value or a named error, and so
// is what is written on top of it.
//
// The input is a list of damages. Each begins with a byte: 0 and a row's number (two bytes) and a chunk, which is to be
// the row's value; 1 likewise, and the chunk is added to the value, so that of a stored message it sets fields; 2 and a
// byte for the space and two chunks, which are a new row's key behind the tenant and its value.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caresync/v1/tenants.pb.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/care_events/event_lists.h"
#include "server/care_events/resolving.h"
#include "server/deliveries/delivery_list.h"
#include "server/deliveries/delivery_stream.h"
#include "server/deliveries/explain_visit.h"
#include "server/deliveries/view_told.h"
#include "server/devices/device_registry.h"
#include "server/devices/export_csv.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/feed/feed_entry.h"
#include "server/mismatch/mismatch_list.h"
#include "server/mismatch/mismatch_watch.h"
#include "server/notifications/settings.h"
#include "server/outbox/outbox_list.h"
#include "server/records/next_visits.h"
#include "server/records/record_key.h"
#include "server/records/review.h"
#include "server/roster/care_event_stream.h"
#include "server/roster/carers.h"
#include "server/roster/take_message.h"
#include "server/roster/waiting_list.h"
#include "server/service_users/access_list.h"
#include "server/service_users/care_plans.h"
#include "server/sync/unrecorded_ends.h"
#include "server/tenants/tenants.h"
#include "storage/tuple.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/rota.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/small_agency.h"

namespace caresync::fuzz {
namespace {

namespace keys = base::keys;
using base::keys::DevicePart;
using storage::Space;

constexpr int kMostDamages = 16;

struct Row {
  Space space;
  std::string key;
};

base::RecordKey KeyOf(v1::RecordKind kind, const base::Uuid& id) { return records::KeyOf({kind, id}); }

void AddAllRows(const storage::Reader& reader, const std::string& tenant_prefix, std::vector<Row>& rows) {
  for (const Space space : {Space::kRecords, Space::kFeeds, Space::kDevices}) {
    const absl::Status read =
        reader.Scan(space, storage::PrefixRange(tenant_prefix), SIZE_MAX, [&](std::string_view key, std::string_view) {
          rows.push_back({space, std::string(key)});
          return true;
        });
    Require(read.ok(), "the agency cannot be read");
  }
}

std::string ReviewItemKey(const storage::Reader& reader, const SmallAgency& agency) {
  std::string found;
  const absl::Status read =
      reader.Scan(Space::kRecords, keys::AllReviewItems(agency.tenant), 1, [&](std::string_view key, std::string_view) {
        found = std::string(key);
        return false;
      });
  Require(read.ok() && !found.empty(), "the agency has no event for review");
  return found;
}

// Those that make_seeds.py knows by number, then all.
std::vector<Row> MakeRows() {
  const SmallAgency& agency = TheAgency();
  const base::TenantId& tenant = agency.tenant;
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = agency.memory->NewSnapshot();
  Require(snapshot.ok(), "the agency cannot be read");
  const base::RecordKey carer = KeyOf(v1::RECORD_KIND_CARER, agency.carer);
  const base::RecordKey user = KeyOf(v1::RECORD_KIND_SERVICE_USER, agency.service_user);
  const base::RecordKey visit = KeyOf(v1::RECORD_KIND_VISIT, agency.visit);
  const base::RecordKey group = KeyOf(v1::RECORD_KIND_EMPLOYEE_GROUP, agency.group);
  const base::RecordKey plan = KeyOf(v1::RECORD_KIND_CARE_PLAN, agency.care_plan);
  const base::RecordKey event = KeyOf(v1::RECORD_KIND_CARE_EVENT, *base::Uuid::Parse(agency.accepted_event_id));
  const base::ReceiverId feed = records::CarerReceiver(agency.carer);
  const auto device = [&](DevicePart part) { return keys::DeviceRow(tenant, agency.device.uuid(), part); };
  std::vector<Row> rows = {
      {Space::kRecords, keys::Tenant(tenant)},
      {Space::kRecords, keys::TenantHead(tenant)},
      {Space::kRecords, keys::WindowEdges(tenant)},
      {Space::kRecords, keys::RebuildRelease(tenant)},
      {Space::kRecords, keys::SourceStanding(tenant, kSource)},
      {Space::kRecords, keys::SourceState(tenant, kSource)},
      {Space::kRecords, keys::Record(tenant, carer)},
      {Space::kRecords, keys::Record(tenant, user)},
      {Space::kRecords, keys::Record(tenant, visit)},
      {Space::kRecords, keys::Record(tenant, group)},
      {Space::kRecords, keys::Record(tenant, plan)},
      {Space::kRecords, keys::Record(tenant, event)},
      {Space::kRecords, keys::Waiting(tenant, KeyOf(v1::RECORD_KIND_VISIT, agency.waiting))},
      {Space::kRecords, ReviewItemKey(**snapshot, agency)},
      {Space::kRecords, keys::EventIdentity(tenant, agency.accepted_event_id)},
      {Space::kRecords, keys::GroupOf(tenant, carer, group)},
      {Space::kRecords, keys::Task(tenant, 1, "damaged")},
      {Space::kFeeds, keys::FeedHead(tenant, feed)},
      {Space::kFeeds, keys::FeedPlace(tenant, feed, visit)},
      {Space::kDevices, device(DevicePart::kDevice)},
      {Space::kDevices, device(DevicePart::kSession)},
      {Space::kDevices, device(DevicePart::kCall)},
      {Space::kDevices, device(DevicePart::kReport)},
      {Space::kDevices, device(DevicePart::kEvents)},
      {Space::kDevices, keys::Sync(tenant, agency.device.uuid(), 2)},
      {Space::kRecords, keys::Mismatch(tenant, agency.carer, visit)},
      {Space::kRecords, keys::MismatchLooks(tenant)},
      {Space::kDevices, keys::DeviceInUse(tenant, agency.carer)},
  };
  AddAllRows(**snapshot, storage::TupleWriter().String(tenant.text()).Take(), rows);
  rows.push_back({Space::kRecords, keys::Outbox(tenant)});
  rows.push_back({Space::kRecords, keys::NotificationSettings(tenant, "")});
  rows.push_back({Space::kRecords, keys::Notifications(tenant)});
  rows.push_back({Space::kRecords, keys::ToldHour(tenant, "")});
  rows.push_back({Space::kRecords, keys::OverdueLook(tenant)});
  rows.push_back({Space::kDevices, keys::DeviceWake(tenant, agency.device.uuid())});
  return rows;
}

void Put(RunningAgency& running, const Row& row, std::string value) {
  const storage::CommitResult result =
      fakes::CommitAndWait(running.engine().store(), fakes::PutOf(row.space, row.key, value));
  Require(result.outcome == storage::CommitOutcome::kCommitted, "a damage cannot be done");
}

void Damage(Input& input, RunningAgency& running) {
  static const std::vector<Row> kRows = MakeRows();
  for (int i = 0; i < kMostDamages && !input.AtEnd(); ++i) {
    const int how = input.Byte() % 3;
    if (how == 2) {
      const Space space = static_cast<Space>(input.Byte() % storage::kSpaceCount);
      const std::string prefix = storage::TupleWriter().String(running.agency().tenant.text()).Take();
      const std::string key = prefix + input.Chunk();
      Put(running, {space, key}, input.Chunk());
      continue;
    }
    const Row& row = kRows[input.Short() % kRows.size()];
    std::string value =
        how == 0 ? std::string() : fakes::ValueOf(running.engine().memory(), row.space, row.key).value_or("");
    Put(running, row, value.append(input.Chunk()));
  }
}

// ---- What is read

template <typename T>
void Take(const absl::StatusOr<T>& value) {
  RequireNamed(value.status());
}

void ReadDevices(RunningAgency& running, const storage::Reader& reader) {
  const SmallAgency& agency = running.agency();
  const devices::AsOf as_of{.syncs = sync::SyncsOf(running.server().parts()), .now = running.engine().clock().Now()};
  v1::ListDevicesRequest list;
  for (const char* order : {"", "last_api_call_time", "last_successful_sync_time desc", "state"}) {
    list.set_order_by(order);
    Take(devices::ListDevices(reader, agency.tenant, list, as_of));
  }
  v1::GetDeviceRequest get;
  get.set_device_uuid(agency.device.uuid().ToString());
  Take(devices::GetDevice(reader, agency.tenant, get, as_of));
  v1::ListSyncsRequest of_device;
  of_device.set_device_uuid(agency.device.uuid().ToString());
  Take(devices::ListSyncs(reader, agency.tenant, of_device, as_of.syncs));
  v1::ListSyncsRequest of_carer;
  of_carer.set_carer_id(agency.carer.ToString());
  Take(devices::ListSyncs(reader, agency.tenant, of_carer, as_of.syncs));
  absl::StatusOr<devices::DeviceExport> file = devices::DeviceExport::Open(reader, agency.tenant, {}, as_of);
  RequireNamed(file.status());
  while (file.ok()) {
    const absl::StatusOr<std::string> piece = file->Next();
    RequireNamed(piece.status());
    if (!piece.ok() || piece->empty()) break;
  }
}

void ReadOffice(RunningAgency& running, const storage::Reader& reader) {
  const SmallAgency& agency = running.agency();
  Take(tenants::ListTenants(reader, {}));
  Take(roster::ListCarers(reader, agency.tenant, {}));
  Take(roster::ListWaiting(reader, agency.tenant, {}, running.engine().clock().Now()));
  v1::ListCareEventsRequest events;
  events.set_visit_id(agency.visit.ToString());
  Take(care_events::ListCareEvents(reader, agency.tenant, events));
  v1::ListEventsForReviewRequest reviews;
  reviews.set_with_resolved(true);
  Take(care_events::ListEventsForReview(reader, agency.tenant, reviews));
  const devices::AsOf as_of{.syncs = sync::SyncsOf(running.server().parts()), .now = running.engine().clock().Now()};
  v1::ListMismatchesRequest mismatches;
  for (const bool resolved : {false, true}) {
    mismatches.set_ended(resolved);
    Take(mismatch::ListMismatches(reader, agency.tenant, mismatches, as_of));
  }
  Take(mismatch::WatchMismatches(reader, agency.tenant, "", running.server().sealer(), as_of));
  v1::ExplainVisitRequest visit;
  visit.set_carer_id(agency.carer.ToString());
  visit.set_visit_id(agency.visit.ToString());
  Take(deliveries::ExplainVisit(reader, agency.tenant, visit, as_of));
  v1::ListDeliveriesRequest of_visit;
  of_visit.set_visit_id(agency.visit.ToString());
  v1::ListDeliveriesRequest of_device;
  of_device.set_device_uuid(agency.device.uuid().ToString());
  v1::ListDeliveriesRequest of_time;
  *of_time.mutable_committed_from_time() = base::ToTimestamp(as_of.now - absl::Hours(24));
  for (const v1::ListDeliveriesRequest& list : {of_visit, of_device, of_time}) {
    Take(deliveries::ListDeliveries(reader, agency.tenant, list, as_of));
  }
  v1::GetDeviceViewRequest view;
  view.set_device_uuid(agency.device.uuid().ToString());
  view.set_carer_id(agency.carer.ToString());
  Take(deliveries::TellDeviceView(reader, agency.tenant, view, as_of.now));
  Take(deliveries::ReadDeliveries(reader, agency.tenant, kSource, "", running.server().sealer()));
  v1::ListOutboxRequest outbox;
  for (const bool given_up : {false, true}) {
    outbox.set_given_up(given_up);
    Take(outbox::ListOutbox(reader, agency.tenant, outbox));
  }
  Take(notifications::ListSettings(reader, agency.tenant, {}));
  Take(notifications::SettingsFor(reader, agency.tenant, ""));
  v1::GetAccessRequest access;
  access.set_service_user_id(agency.service_user.ToString());
  Take(service_users::GetAccess(reader, agency.tenant, access));
  Take(roster::ReadCareEvents(reader, agency.tenant, kSource, "", running.server().sealer()));
  Take(records::NextVisits(reader, agency.tenant, agency.carer, feed::kFirstLevel, running.engine().clock().Now()));
}

// ---- What is written on top of it

void SendRota(RunningAgency& running) {
  v1::ApplyChangesRequest request;
  for (v1::RosterChange& change : std::vector<v1::RosterChange>{
           fakes::VisitChange("visit", "user", {"carer"}), fakes::GroupChange("group", {"colleague"}),
           fakes::ServiceUserChange("nobody yet", "branch"), fakes::CarerChange("carer")}) {
    change.set_source(kSource);
    *request.add_changes() = std::move(change);
  }
  request.set_resent(true);
  const std::string opening = running.engine().opening().timeline;
  running.Run([&](commit::Transaction& transaction) {
    return roster::TakeMessage(transaction, {kSource, opening}, true, request).status();
  });
}

void ChangeService(RunningAgency& running) {
  const SmallAgency& agency = running.agency();
  v1::SetAccessRequest access;
  access.mutable_access()->set_service_user_id(agency.service_user.ToString());
  access.mutable_access()->add_carer_ids(agency.carer.ToString());
  running.Run([&](commit::Transaction& transaction) { return service_users::SetAccess(transaction, access).status(); });
  v1::PutCarePlanRequest plan;
  plan.set_care_plan_id(agency.care_plan.ToString());
  plan.mutable_care_plan()->set_service_user_id(agency.service_user.ToString());
  plan.mutable_care_plan()->set_title("Meals");
  running.Run([&](commit::Transaction& transaction) { return service_users::PutCarePlan(transaction, plan).status(); });
  v1::DeleteCarePlanRequest gone;
  gone.set_care_plan_id(agency.care_plan.ToString());
  running.Run([&](commit::Transaction& transaction) { return service_users::DeleteCarePlan(transaction, gone); });
}

void ResolveEvents(RunningAgency& running) {
  const SmallAgency& agency = running.agency();
  std::vector<std::string> names;
  const absl::Status read = running.engine().Snapshot()->Scan(
      Space::kRecords, keys::AllReviewItems(agency.tenant), kMostDamages, [&](std::string_view key, std::string_view) {
        records::ReviewName name;
        if (keys::ParseReviewItem(key, &name.event_id, &name.digest)) names.push_back(records::TextOf(name));
        return true;
      });
  RequireNamed(read);
  for (const std::string& name : names) {
    v1::ResolveEventRequest request;
    request.set_review_id(name);
    request.mutable_apply_to_visit()->set_visit_id(agency.visit.ToString());
    running.Run([&](commit::Transaction& transaction) {
      return care_events::ResolveEvent(transaction, request, "office").status();
    });
  }
}

void ChangeTenant(RunningAgency& running) {
  const SmallAgency& agency = running.agency();
  v1::ReleaseRebuildsRequest release;
  release.set_tenant_id(agency.tenant.text());
  running.Run([&](commit::Transaction& transaction) {
    return tenants::ReleaseRebuilds(transaction, release, running.engine().opening()).status();
  });
  v1::UpdateTenantRequest update;
  update.set_tenant_id(agency.tenant.text());
  update.mutable_download_window()->set_seconds(24 * 3600);
  update.mutable_retention()->set_seconds(14 * 24 * 3600);
  running.Run([&](commit::Transaction& transaction) -> absl::Status {
    const absl::StatusOr<store::Tenant> tenant = tenants::UpdateTenant(transaction, update);
    if (tenant.ok()) tenants::ToProto(transaction.tenant(), *tenant);
    return tenant.status();
  });
}

void BlockDevice(RunningAgency& running) {
  devices::DeviceRegistry registry(running.engine().store(), running.engine().clock(), running.engine().executor());
  v1::UpdateDeviceRequest request;
  request.set_device_uuid(running.agency().device.uuid().ToString());
  request.set_set_blocked(true);
  request.set_blocked(true);
  std::optional<absl::Status> done;
  registry.Update(running.agency().tenant, request, [&done](absl::Status status) { done = std::move(status); });
  running.engine().executor().RunAll();
  Require(done.has_value(), "a device's update has no end");
  RequireNamed(*done);
}

void SyncDevice(RunningAgency& running, v1::SyncType type) {
  fakes::TestDevice device = running.agency().device;
  running.Sync(device, running.agency().carer, type).IgnoreError();
}

void Use(RunningAgency& running) {
  {
    const std::unique_ptr<storage::Snapshot> snapshot = running.engine().Snapshot();
    ReadDevices(running, *snapshot);
    ReadOffice(running, *snapshot);
  }
  SyncDevice(running, v1::SYNC_TYPE_STANDARD);
  running.engine().Advance(absl::Hours(1));
  SendRota(running);
  ChangeService(running);
  ResolveEvents(running);
  ChangeTenant(running);
  running.engine().Advance(absl::Hours(1));
  SyncDevice(running, v1::SYNC_TYPE_CLEAN);
  BlockDevice(running);
  SyncDevice(running, v1::SYNC_TYPE_STANDARD);
}

}  // namespace
}  // namespace caresync::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  caresync::fuzz::Input input(data, size);
  caresync::fuzz::RunningAgency running;
  caresync::fuzz::Damage(input, running);
  caresync::fuzz::Use(running);
  return 0;
}
