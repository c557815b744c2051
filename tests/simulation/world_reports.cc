// The user device relationship report, and the histories behind it, compared with the naive model.
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/simulation/simulated_world.h"

namespace caresync::simulation {
namespace {

constexpr int kAll = 1'000;

std::string Say(const v1::SyncSummary& sync) {
  return absl::StrCat(sync.session_id(), " ", v1::SyncOutcome_Name(sync.outcome()), " ", sync.reason());
}

bool IsSame(const v1::SyncSummary& expected, const v1::SyncSummary& shown) {
  return shown.session_id() == expected.session_id() && shown.carer_id() == expected.carer_id() &&
         shown.sync_type() == expected.sync_type() && shown.outcome() == expected.outcome() &&
         shown.reason() == expected.reason() &&
         shown.start_time().SerializeAsString() == expected.start_time().SerializeAsString();
}

}  // namespace

std::vector<base::Uuid> SimulatedWorld::UuidsOf(const base::TenantId& tenant) const {
  std::set<base::Uuid> uuids;
  for (const Device& device : devices_) {
    if (device.tenant == tenant) uuids.insert(device.app.uuid());
  }
  return {uuids.begin(), uuids.end()};
}

ReportMoment SimulatedWorld::MomentOfReport(const base::TenantId& tenant) {
  return {oracle_.model(tenant), oracle_.truth().permissions, clock_.Now(),
          [this](const std::string& session_id) { return SessionOf(session_id) != nullptr; }};
}

void SimulatedWorld::CompareReports() {
  // Nothing goes on meanwhile: what is compared is of one moment.
  server_->store().BeforeNextSnapshot(nullptr);
  const absl::StatusOr<std::unique_ptr<storage::Snapshot>> snapshot = server_->memory().NewSnapshot();
  if (!snapshot.ok()) return Fail("no snapshot");
  for (const base::TenantId& tenant : tenants_) {
    CompareReport(**snapshot, tenant);
    CompareHistories(**snapshot, tenant);
  }
}

void SimulatedWorld::CompareReport(const storage::Reader& reader, const base::TenantId& tenant) {
  const devices::AsOf as_of{.syncs = sync::SyncsOf(server_->parts()), .now = clock_.Now()};
  std::map<std::string, v1::Device> expected;
  for (const base::Uuid& uuid : UuidsOf(tenant)) {
    v1::GetDeviceRequest request;
    request.set_device_uuid(uuid.ToString());
    const absl::StatusOr<v1::Device> row = devices::GetDevice(reader, tenant, request, as_of);
    if (!oracle_.truth().permissions.IsKnown(tenant, uuid)) {
      if (base::Reason(row.status()) != "DEVICE_UNKNOWN") Fail("the report knows a device that never was there");
      continue;
    }
    if (!row.ok()) return Fail(absl::StrCat("a device is not in the report: ", row.status().ToString()));
    const v1::Device says = ExpectedRow(oracle_.truth().devices.at({tenant, uuid}), uuid, MomentOfReport(tenant));
    const std::string difference = DifferenceOf(says, *row);
    if (!difference.empty()) {
      Fail(absl::StrCat("the report of device ", uuid.ToString(), " is wrong: ", difference));
    }
    expected[uuid.ToString()] = *row;
    JudgeRow(tenant, *row);
  }
  // The list has the same rows; with a filter, those that it is for.
  for (const bool filtered : {false, true}) {
    v1::ListDevicesRequest request;
    request.set_page_size(kAll);
    if (filtered) request.set_state(static_cast<v1::DeviceState>(1 + step_ % v1::DeviceState_MAX));
    const absl::StatusOr<v1::ListDevicesResponse> list = devices::ListDevices(reader, tenant, request, as_of);
    if (!list.ok()) return Fail(absl::StrCat("the report cannot be listed: ", list.status().ToString()));
    std::set<std::string> listed;
    for (const v1::Device& row : list->devices()) {
      listed.insert(row.device_uuid());
      const auto one = expected.find(row.device_uuid());
      const bool same = one != expected.end() && one->second.SerializeAsString() == row.SerializeAsString();
      if (!same) Fail("a row of the list is not the device's");
    }
    for (const auto& [uuid, row] : expected) {
      if (listed.contains(uuid) != (!filtered || row.state() == request.state())) Fail("the list has other devices");
    }
  }
}

void SimulatedWorld::JudgeRow(const base::TenantId& tenant, const v1::Device& row) {
  Count(absl::StrCat("report: ", v1::DeviceState_Name(row.state())));
  for (const v1::DeviceUser& user : row.users()) {
    CountInterval(tenant, user);
    JudgeWords(tenant, user);
    if (!user.is_user() || user.state() != v1::DEVICE_STATE_CURRENT) continue;
    for (const Device& device : devices_) {
      const bool is_it = device.tenant == tenant && device.app.uuid().ToString() == row.device_uuid();
      if (is_it) JudgeCurrent(device, user.carer_id());
    }
  }
}

// Where it makes a difference that the tenant has another interval than by default.
void SimulatedWorld::CountInterval(const base::TenantId& tenant, const v1::DeviceUser& user) {
  const absl::Duration interval = HeadOf(tenant).auto_sync_interval;
  const std::optional<absl::Time> success = base::FromTimestamp(user.last_successful_sync_time());
  if (!user.has_last_successful_sync_time() || *success > clock_.Now()) return;
  constexpr absl::Duration kDefault = base::limits::kAutoSyncIntervalDefault;
  const bool by_default = clock_.Now() > *success + 2 * kDefault;
  const bool is_overdue = user.state() == v1::DEVICE_STATE_OVERDUE;
  if (is_overdue && !by_default) Count("report: overdue, sooner than by default");
  const bool is_longer = interval == absl::ZeroDuration() || interval > kDefault;
  const bool is_better = user.state() != v1::DEVICE_STATE_UNSPECIFIED && user.state() < v1::DEVICE_STATE_OVERDUE;
  if (is_better && by_default && is_longer) Count("report: not overdue, though it would be by default");
}

void SimulatedWorld::JudgeWords(const base::TenantId& tenant, const v1::DeviceUser& user) {
  const bool is_overdue = user.state() == v1::DEVICE_STATE_OVERDUE;
  if (!is_overdue && user.state() != v1::DEVICE_STATE_MANUAL_SYNC_DUE) return;
  // It names a time that nobody is told otherwise.
  if (!is_overdue && absl::StrContains(user.state_reason(), "clock was ahead")) return;
  const std::optional<absl::Time> time =
      base::FromTimestamp(is_overdue ? user.last_successful_sync_time() : user.manual_sync_due_since_time());
  absl::TimeZone zone;
  if (!time.has_value() || !absl::LoadTimeZone(HeadOf(tenant).time_zone, &zone)) return Fail("a time cannot be read");
  Count(zone.At(*time).is_dst ? "time told in summer time" : "time told in standard time");
  const std::string words = absl::FormatTime("%d %B %Y, %H:%M", *time, zone);
  if (!absl::StrContains(user.state_reason(), words)) {
    Fail(absl::StrCat("the report does not say ", words, ": ", user.state_reason()));
  }
}

// Whoever is shown as current holds all that the carer may see. What the server cannot know is left out: which of two
// phones it is, a copy that was spoiled since, a phone that was put back, and a copy that comes from a store that was.
void SimulatedWorld::JudgeCurrent(const Device& device, const std::string& carer_id) {
  const base::Uuid carer = *base::Uuid::Parse(carer_id);
  fakes::TestDevice app = device.app;
  const fakes::TestDevice::CarerData& data = app.of(carer);
  if (IsOfPair(device) || device.spoiled.contains(carer) || data.token.empty()) return;
  if (device.put_back.contains(carer)) return;
  const absl::StatusOr<sync::ResumeToken> token = sync::OpenToken(server_->sealer(), device.tenant, data.token);
  const NaiveModel& model = oracle_.model(device.tenant);
  if (!token.ok() || !model.IsKnown(token->cursor)) return;
  // Another app has a copy of other kinds, and its ack has not come.
  const NaiveDevice& known = oracle_.truth().devices.at({device.tenant, device.app.uuid()});
  if (known.copies.at(carer_id).level != token->data_level) return;
  // A large change has not come to the feed yet.
  if (model.head().unsettled.contains(carer_id)) return;
  Count("shown as current");
  if (data.in_use != model.head().ViewOf(carer_id).Through(token->data_level)) {
    Fail("a device is shown as current and does not hold what its carer may see");
  }
}

void SimulatedWorld::CompareHistories(const storage::Reader& reader, const base::TenantId& tenant) {
  const devices::SyncsUnderWay syncs = sync::SyncsOf(server_->parts());
  // By carer: what the histories of all devices have.
  std::map<std::string, std::set<std::string>> of_carers;
  for (const base::Uuid& uuid : UuidsOf(tenant)) {
    if (!oracle_.truth().permissions.IsKnown(tenant, uuid)) continue;
    v1::ListSyncsRequest request;
    request.set_device_uuid(uuid.ToString());
    request.set_page_size(kAll);
    const absl::StatusOr<v1::ListSyncsResponse> list = devices::ListSyncs(reader, tenant, request, syncs);
    if (!list.ok()) return Fail(absl::StrCat("a device's history cannot be listed: ", list.status().ToString()));
    const std::vector<v1::SyncSummary> expected =
        ExpectedSyncs(oracle_.truth().devices.at({tenant, uuid}), MomentOfReport(tenant));
    if (static_cast<size_t>(list->syncs_size()) != expected.size()) return Fail("a history has too few syncs, or many");
    for (int i = 0; i < list->syncs_size(); ++i) {
      const v1::SyncSummary& one = expected[static_cast<size_t>(i)];
      if (!IsSame(one, list->syncs(i))) {
        Fail(absl::StrCat("the history says ", Say(list->syncs(i)), " instead of ", Say(one)));
      }
      of_carers[one.carer_id()].insert(list->syncs(i).SerializeAsString());
    }
  }
  for (const auto& [carer, view] : oracle_.model(tenant).head().views) {
    // Before such a carer comes nobody can ask for one.
    if (!HeadOf(tenant).Knows(carer)) continue;
    v1::ListSyncsRequest request;
    request.set_carer_id(carer);
    request.set_page_size(kAll);
    const absl::StatusOr<v1::ListSyncsResponse> list = devices::ListSyncs(reader, tenant, request, syncs);
    if (!list.ok()) return Fail(absl::StrCat("a carer's history cannot be listed: ", list.status().ToString()));
    std::set<std::string> listed;
    for (const v1::SyncSummary& sync : list->syncs()) listed.insert(sync.SerializeAsString());
    const bool once = listed.size() == static_cast<size_t>(list->syncs_size());
    if (!once || listed != of_carers[carer]) Fail("a carer's history is not that of all its devices");
  }
}

// Where the server has nothing left to do, it has recorded what the devices that are connected have acknowledged.
void SimulatedWorld::CheckAcksTaken() {
  if (server_->store().held_back() > 0) return;
  for (const auto& stream : streams_) {
    const StreamFacts& facts = stream->facts();
    if (facts.displaced && stream->server_open()) Fail("a sync goes on though another one of the device took over");
    // A success that waits for events is recorded with them.
    if (!stream->server_open() || facts.acked.empty() || facts.confirmed) continue;
    const NaiveDevice& device = oracle_.truth().devices.at({facts.identity.tenant, facts.identity.device});
    if (device.syncs.empty() || device.syncs.back().session_id != facts.session_id) continue;
    const auto copy = device.copies.find(facts.carer);
    if (copy == device.copies.end() || facts.dropped.contains(facts.carer)) continue;
    if (copy->second.cursor != facts.acked.back().cursor || copy->second.position != facts.acked.back().position) {
      Fail("what a device has acknowledged is not recorded");
    }
    Count("acks recorded");
  }
}

void SimulatedWorld::CompareLastReports() {
  CompareReports();
  for (const base::TenantId& tenant : tenants_) {
    for (const base::Uuid& uuid : UuidsOf(tenant)) {
      const NaiveDevice& device = oracle_.truth().devices.at({tenant, uuid});
      const v1::Device row = ExpectedRow(device, uuid, MomentOfReport(tenant));
      if (row.last_api_call() != v1::CALL_STATE_SUCCEEDED) Fail("the last call does not end as a success");
      if (!row.has_last_successful_sync_time()) Fail("a device ends without a successful sync");
      for (const v1::SyncSummary& sync : ExpectedSyncs(device, MomentOfReport(tenant))) {
        if (sync.outcome() == v1::SYNC_OUTCOME_UNDER_WAY) Fail("a sync is under way for ever");
      }
    }
  }
}

}  // namespace caresync::simulation
