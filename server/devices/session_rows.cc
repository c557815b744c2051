#include "server/devices/session_rows.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/planted_bug.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/devices/device_in_use.h"
#include "server/devices/take_overs.h"

namespace caresync::devices {

namespace keys = base::keys;
namespace limits = base::limits;
using keys::DevicePart;
using storage::Space;

absl::StatusOr<StartRows> ReadStartRows(const storage::Reader& reader, const base::TenantId& tenant,
                                        const base::Uuid& device) {
  constexpr std::array kParts = {DevicePart::kDevice, DevicePart::kReport};
  std::vector<std::string> row_keys;
  row_keys.reserve(kParts.size());
  for (const DevicePart part : kParts) row_keys.push_back(keys::DeviceRow(tenant, device, part));
  ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> bytes, reader.MultiGet(Space::kDevices, row_keys));
  StartRows start;
  for (size_t i = 0; i < kParts.size(); ++i) {
    if (bytes[i].has_value()) RETURN_IF_ERROR(AddPart(static_cast<uint8_t>(kParts[i]), *bytes[i], start.rows));
  }
  start.device_bytes = std::move(bytes[0]);
  start.report_bytes = std::move(bytes[1]);
  if (!start.rows.report.has_value()) return start;
  const store::SyncSucceeded& succeeded = start.rows.report->last_succeeded();
  if (succeeded.number() == start.rows.report->syncs()) {
    start.last_began = succeeded.start_revision();
  } else {
    ASSIGN_OR_RETURN(start.last_sync,
                     base::GetStored<store::SyncRow>(reader, Space::kDevices,
                                                     keys::Sync(tenant, device, start.rows.report->syncs())));
    if (start.last_sync.has_value()) start.last_began = start.last_sync->start_revision();
  }
  const uint64_t next = start.rows.report->syncs() + 1;
  if (next <= limits::kSyncHistory) return start;
  ASSIGN_OR_RETURN(start.oldest_sync,
                   base::GetStored<store::SyncRow>(reader, Space::kDevices,
                                                   keys::Sync(tenant, device, next - limits::kSyncHistory)));
  return start;
}

SessionRows::SessionRows(SessionOwner owner, StartRows loaded, const v1::Start& start, absl::Time now, bool displaced,
                         std::string branch_id, size_t most_take_overs)
    : owner_(std::move(owner)),
      loaded_(std::move(loaded)),
      branch_id_(std::move(branch_id)),
      start_time_(now),
      data_level_(std::min(start.data_level(), limits::kDataLevel)),
      cloned_(IsCloned(loaded_.rows, displaced, now, most_take_overs)) {
  if (loaded_.rows.report.has_value()) report_ = *loaded_.rows.report;
  ForgetAnsweredResends();
  if (!start.device_name().empty()) report_.set_device_name(start.device_name());
  if (!start.app_version().empty()) report_.set_app_version(start.app_version());
  report_.set_syncs(report_.syncs() + 1);
  failures_before_ = report_.failures_in_a_row();
  if (displaced) {
    report_.set_take_overs(report_.take_overs() + 1);
    NoteTakeOver(report_, now, most_take_overs);
  }
  const std::optional<absl::Time> next = base::FromTimestamp(start.earliest_next_sync());
  const bool allowed = start.has_earliest_next_sync() && next.has_value();
  // A phone whose clock is years ahead must not look allowed to be silent until then.
  const absl::Time latest = now + limits::kNextSyncAhead;
  report_.set_earliest_next_sync_us(allowed ? base::ToStoredTime(std::min(*next, latest)) : 0);

  sync_.set_session_id(owner_.session_id);
  sync_.set_sync_type(start.sync_type());
  sync_.set_carer_id(owner_.carer.ToString());
  sync_.set_start_time_us(base::ToStoredTime(now));
  sync_.set_stage(v1::SYNC_STAGE_STARTED);
  sync_.set_outcome(v1::SYNC_OUTCOME_UNDER_WAY);
  sync_.set_app_version(start.app_version());
  sync_.set_opening(owner_.opening);
  EndLastSync(start, now, displaced);
}

store::DeviceCopy& SessionRows::copy() {
  if (dropped_copy_.has_value()) return *dropped_copy_;
  const std::string carer = owner_.carer.ToString();
  for (store::DeviceCopy& copy : *report_.mutable_copies()) {
    if (copy.carer_id() == carer) return copy;
  }
  store::DeviceCopy& copy = *report_.add_copies();
  copy.set_carer_id(carer);
  return copy;
}

// ---- Events to be sent again

store::Resend& SessionRows::ResendOf(const std::string& carer) {
  for (store::Resend& resend : *report_.mutable_resends()) {
    if (resend.carer_id() == carer) return resend;
  }
  store::Resend& resend = *report_.add_resends();
  resend.set_carer_id(carer);
  return resend;
}

void SessionRows::ForgetAnsweredResends() {
  auto& resends = *report_.mutable_resends();
  resends.erase(std::remove_if(resends.begin(), resends.end(),
                               [this](const store::Resend& resend) {
                                 return !resend.wanted() && resend.asked_opening() != owner_.opening;
                               }),
                resends.end());
}

void SessionRows::WantResend() {
  store::Resend& resend = ResendOf(owner_.carer.ToString());
  if (resend.asked_opening() == owner_.opening) return;
  resend.set_asked_opening(owner_.opening);
  resend.set_wanted(true);
}

void SessionRows::WantResendOfAll() {
  std::set<std::string> carers = {owner_.carer.ToString()};
  for (const store::DeviceCopy& copy : report_.copies()) carers.insert(copy.carer_id());
  if (loaded_.rows.device.has_value()) {
    carers.insert(loaded_.rows.device->carer_ids().begin(), loaded_.rows.device->carer_ids().end());
    for (const store::Device::Drop& drop : loaded_.rows.device->drops()) carers.insert(drop.carer_id());
  }
  for (const std::string& carer : carers) ResendOf(carer).set_wanted(true);
}

void SessionRows::ResendComplete() {
  if (resend_wanted()) ResendOf(owner_.carer.ToString()).set_wanted(false);
}

bool SessionRows::resend_wanted() const {
  const std::string carer = owner_.carer.ToString();
  return std::any_of(report_.resends().begin(), report_.resends().end(),
                     [&carer](const store::Resend& resend) { return resend.wanted() && resend.carer_id() == carer; });
}

void SessionRows::EndLastSync(const v1::Start& start, absl::Time now, bool displaced) {
  if (!loaded_.last_sync.has_value()) return;
  store::SyncRow last = *loaded_.last_sync;
  const bool under_way = last.outcome() == v1::SYNC_OUTCOME_UNDER_WAY;
  if (under_way) {
    report_.set_failures_in_a_row(++failures_before_);
    last.set_outcome(displaced ? v1::SYNC_OUTCOME_TAKEN_OVER : v1::SYNC_OUTCOME_INTERRUPTED);
    last.set_reason(base::Reason(displaced ? base::errors::SessionTakenOver() : base::errors::StreamCut()));
    last.set_end_time_us(base::ToStoredTime(now));
  }
  const bool cut = last.outcome() == v1::SYNC_OUTCOME_INTERRUPTED || last.outcome() == v1::SYNC_OUTCOME_TAKEN_OVER ||
                   last.outcome() == v1::SYNC_OUTCOME_LEFT_UNFINISHED;
  const bool told = cut && start.last_interruption() != v1::INTERRUPTION_CAUSE_UNSPECIFIED;
  if (told) last.set_interruption(start.last_interruption());
  if (under_way || told) ended_last_sync_ = std::move(last);
}

uint64_t SessionRows::TakeMarkNumber() {
  report_.set_marks(report_.marks() + 1);
  return report_.marks();
}

bool SessionRows::Holds(const std::string& carer_id) const {
  return std::any_of(report_.copies().begin(), report_.copies().end(), [&](const store::DeviceCopy& copy) {
    return copy.carer_id() == carer_id && (!copy.timeline().empty() || copy.not_known());
  });
}

bool SessionRows::FallsBack() const {
  const std::optional<store::DeviceReport>& report = loaded_.rows.report;
  const store::DeviceCopy* const before = report.has_value() ? FindCopy(*report, owner_.carer) : nullptr;
  const store::DeviceCopy* const after = FindCopy(report_, owner_.carer);
  const bool is_known = after != nullptr && !after->timeline().empty();
  if (before == nullptr) return is_known;
  if (before->timeline().empty()) return false;
  return !is_known || PositionOf(*after) < PositionOf(*before);
}

absl::Time SessionRows::ManualSyncCountsFrom() {
  const std::optional<store::Device>& known = loaded_.rows.device;
  const int64_t enrolled_us = known.has_value() ? known->enrolled_time_us() : base::ToStoredTime(start_time_);
  return base::FromStoredTime(std::max(copy().last_manual_success_us(), enrolled_us));
}

void SessionRows::ForgetCopy(const std::string& carer_id) {
  if (carer_id == owner_.carer.ToString()) dropped_copy_.emplace();
  auto& copies = *report_.mutable_copies();
  copies.erase(std::remove_if(copies.begin(), copies.end(),
                              [&](const store::DeviceCopy& copy) { return copy.carer_id() == carer_id; }),
               copies.end());
}

void SessionRows::CountSuccess(absl::Time now) {
  // Days since 1970-01-01, UTC.
  const int32_t today = static_cast<int32_t>(absl::ToUnixSeconds(now) / absl::ToInt64Seconds(absl::Hours(24)));
  auto& days = *report_.mutable_days();
  auto day = std::find_if(days.begin(), days.end(), [today](const store::DayCount& d) { return d.day() >= today; });
  if (day == days.end() || day->day() != today) {
    const auto at = day - days.begin();
    days.Add()->set_day(today);
    day = days.begin() + at;
    std::rotate(day, days.end() - 1, days.end());
  }
  day->set_successes(day->successes() + 1);
  if (sync_.sync_type() == v1::SYNC_TYPE_CLEAN && !succeeded_) day->set_clean_successes(day->clean_successes() + 1);
  if (static_cast<size_t>(days.size()) <= limits::kCountedDays) return;
  // They go by their number: a clock that is wrong for a minute must not take the whole month away. The one furthest
  // from today goes, and so first those that such a clock counted.
  if (today - days.begin()->day() >= days.rbegin()->day() - today) {
    days.DeleteSubrange(0, 1);
  } else {
    days.RemoveLast();
  }
}

void SessionRows::MarkSuccess(absl::Time now) {
  const int64_t time = base::ToStoredTime(now);
  CountSuccess(now);
  succeeded_ = true;
  failures_before_ = 0;
  report_.set_failures_in_a_row(0);
  copy().set_last_success_us(time);
  copy().set_diverged(false);
  copy().set_data_level(data_level_);
  if (sync_.sync_type() != v1::SYNC_TYPE_AUTO) copy().set_last_manual_success_us(base::ToStoredTime(start_time_));
  report_.set_last_success_us(time);
  sync_.set_stage(v1::SYNC_STAGE_RECORDED);
  MarkEnd(v1::SYNC_OUTCOME_SUCCEEDED, "", now);
}

void SessionRows::MarkEnd(v1::SyncOutcome outcome, std::string_view reason, absl::Time now) {
  if (outcome != v1::SYNC_OUTCOME_SUCCEEDED) report_.set_failures_in_a_row(failures_before_ + 1);
  sync_.set_outcome(outcome);
  sync_.set_reason(std::string(reason));
  sync_.set_end_time_us(base::ToStoredTime(now));
}

storage::Commit SessionRows::Begin(storage::Durability durability) {
  storage::Commit commit;
  commit.durability = durability;
  commit.preconditions.push_back(
      {Space::kDevices, keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kReport), loaded_.report_bytes});
  const std::string device_key = keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kDevice);
  commit.preconditions.push_back({Space::kDevices, device_key, loaded_.device_bytes});
  if (const std::optional<store::Device> device = DeviceAfter(); device.has_value()) {
    commit.writes.push_back({Space::kDevices, device_key, device->SerializeAsString()});
    if (device->cloned()) commit.durability = storage::Durability::kDurable;
  }
  store::DeviceSession session;
  session.set_session_id(owner_.session_id);
  commit.writes.push_back({Space::kDevices, keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kSession),
                           session.SerializeAsString()});
  commit.writes.push_back(
      {Space::kDevices, keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kRefusedCall), std::nullopt});
  if (ended_last_sync_.has_value()) {
    commit.writes.push_back({Space::kDevices, keys::Sync(owner_.tenant, owner_.device, report_.syncs() - 1),
                             ended_last_sync_->SerializeAsString()});
  }
  if (signs_in_) commit.writes.push_back(DeviceInUseRow(owner_.tenant, owner_.carer, owner_.device, start_time_));
  AddHistory(commit);
  AddRows(commit);
  return commit;
}

std::optional<store::Device> SessionRows::DeviceAfter() const {
  if (!loaded_.rows.device.has_value()) {
    store::Device device;
    device.set_branch_id(branch_id_);
    device.add_carer_ids(owner_.carer.ToString());
    device.set_enrolled_time_us(base::ToStoredTime(start_time_));
    return device;
  }
  if (!cloned_ || loaded_.rows.device->cloned()) return std::nullopt;
  store::Device device = *loaded_.rows.device;
  device.set_cloned(true);
  return device;
}

void SessionRows::AddHistory(storage::Commit& commit) const {
  commit.writes.push_back(
      {Space::kDevices,
       keys::SyncOfCarer(owner_.tenant, owner_.carer, sync_.start_time_us(), owner_.device, report_.syncs()),
       std::string()});
  if (report_.syncs() <= limits::kSyncHistory) return;
  const uint64_t oldest = report_.syncs() - limits::kSyncHistory;
  commit.writes.push_back({Space::kDevices, keys::Sync(owner_.tenant, owner_.device, oldest), std::nullopt});
  if (!loaded_.oldest_sync.has_value()) return;
  const std::optional<base::Uuid> carer = base::Uuid::Parse(loaded_.oldest_sync->carer_id());
  if (!carer.has_value()) return;
  commit.writes.push_back(
      {Space::kDevices,
       keys::SyncOfCarer(owner_.tenant, *carer, loaded_.oldest_sync->start_time_us(), owner_.device, oldest),
       std::nullopt});
}

storage::Commit SessionRows::Update(storage::Durability durability) {
  storage::Commit commit;
  commit.durability = durability;
  store::DeviceSession session;
  session.set_session_id(owner_.session_id);
  if (!base::HasPlantedBug(base::PlantedBug::kNoSessionCheck)) {
    commit.preconditions.push_back({Space::kDevices,
                                    keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kSession),
                                    session.SerializeAsString()});
  }
  AddRows(commit);
  return commit;
}

void SessionRows::AddRows(storage::Commit& commit) {
  // As the two rows say it together: a follower that goes on after a success is under way again.
  report_.clear_last_succeeded();
  if (sync_.outcome() == v1::SYNC_OUTCOME_SUCCEEDED) {
    report_.mutable_last_succeeded()->set_number(report_.syncs());
    report_.mutable_last_succeeded()->set_start_revision(sync_.start_revision());
  }
  commit.writes.push_back({Space::kDevices, keys::DeviceRow(owner_.tenant, owner_.device, DevicePart::kReport),
                           report_.SerializeAsString()});
  commit.writes.push_back(
      {Space::kDevices, keys::Sync(owner_.tenant, owner_.device, report_.syncs()), sync_.SerializeAsString()});
  const v1::CallState call = sync_.outcome() == v1::SYNC_OUTCOME_UNDER_WAY   ? v1::CALL_STATE_UNDER_WAY
                             : sync_.outcome() == v1::SYNC_OUTCOME_SUCCEEDED ? v1::CALL_STATE_SUCCEEDED
                                                                             : v1::CALL_STATE_FAILED;
  commit.writes.push_back(CallRow(owner_.tenant, owner_.device, start_time_, call, sync_.reason(), owner_.opening));
}

}  // namespace caresync::devices
