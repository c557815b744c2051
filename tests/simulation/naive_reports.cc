#include "tests/simulation/naive_reports.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/limits.h"

namespace caresync::simulation {
namespace {

constexpr int64_t kDays = 30;
constexpr int64_t kSecondsOfDay = 24 * 3600;
constexpr char kCut[] = "STREAM_CUT";
// A success further ahead of now than this was written by a clock that has been set back since.
constexpr absl::Duration kClockSlack = absl::Hours(1);

int64_t DayOf(absl::Time time) { return absl::ToUnixSeconds(time) / kSecondsOfDay; }

std::vector<int> NumbersOf(const std::string& version) {
  std::vector<int> numbers = {0};
  for (const char c : version) {
    if (c == '.') {
      numbers.push_back(0);
    } else {
      numbers.back() = numbers.back() * 10 + (c - '0');
    }
  }
  numbers.resize(3);
  return numbers;
}

void SetTime(const std::optional<absl::Time>& time, google::protobuf::Timestamp& stamp) {
  const int64_t us = absl::ToUnixMicros(*time);
  stamp.set_seconds(us / 1'000'000);
  stamp.set_nanos(static_cast<int32_t>(us % 1'000'000) * 1'000);
}

absl::Time TimeOf(const google::protobuf::Timestamp& stamp) {
  return absl::FromUnixSeconds(stamp.seconds()) + absl::Nanoseconds(stamp.nanos());
}

// The sync as it is to be shown: one whose session has gone without a word is over.
NaiveSync Shown(const NaiveSync& sync, const ReportMoment& moment) {
  NaiveSync shown = sync;
  if (sync.outcome == v1::SYNC_OUTCOME_UNDER_WAY && !moment.is_open(sync.session_id)) {
    shown.outcome = v1::SYNC_OUTCOME_INTERRUPTED;
    shown.reason = kCut;
  }
  return shown;
}

std::optional<NaiveDevice::Call> LastCall(const NaiveDevice& device, const ReportMoment& moment) {
  if (device.refused.has_value()) return device.refused;
  if (device.syncs.empty()) return std::nullopt;
  const NaiveSync last = Shown(device.syncs.back(), moment);
  switch (last.outcome) {
    case v1::SYNC_OUTCOME_UNDER_WAY:
      return NaiveDevice::Call{last.start, v1::CALL_STATE_UNDER_WAY, ""};
    case v1::SYNC_OUTCOME_SUCCEEDED:
      return NaiveDevice::Call{last.start, v1::CALL_STATE_SUCCEEDED, ""};
    default:
      return NaiveDevice::Call{last.start, v1::CALL_STATE_FAILED, last.reason};
  }
}

// When the first part of the carer's in a visit that takes place ended since the last sync that the carer started.
std::optional<absl::Time> ManualSyncDueSince(const NaiveDevice& device, const std::string& carer, const NaiveCopy& copy,
                                             const ReportMoment& moment) {
  std::optional<absl::Time> first;
  absl::Time since = *device.enrolled;
  if (copy.last_manual.has_value()) since = std::max(since, *copy.last_manual);
  for (const auto& [name, record] : moment.model.head().records) {
    if (name.first != v1::RECORD_KIND_VISIT || !record->published || record->cancelled) continue;
    v1::Visit visit;
    visit.ParseFromString(record->payload);
    for (const v1::Assignment& part : visit.assignments()) {
      const absl::Time end = absl::FromUnixSeconds(part.end_time().seconds());
      if (part.carer_id() == carer && end > since && end <= moment.now) first = std::min(end, first.value_or(end));
    }
  }
  return first;
}

bool IsManualSyncDue(const NaiveDevice& device, const std::string& carer, const NaiveCopy& copy,
                     const ReportMoment& moment) {
  // Nobody knows how long ago it was.
  if (copy.last_manual.has_value() && *copy.last_manual > moment.now + kClockSlack) return true;
  return ManualSyncDueSince(device, carer, copy, moment).has_value();
}

bool IsOverdue(const NaiveDevice& device, const NaiveCopy& copy, const ReportMoment& moment) {
  const absl::Duration interval = moment.model.head().auto_sync_interval;
  if (interval == absl::ZeroDuration()) return false;
  // Nobody knows how long ago it was.
  if (*copy.last_success > moment.now + kClockSlack) return true;
  if (moment.now <= *copy.last_success + 2 * interval) return false;
  // What lies further ahead than a phone may say was bounded by a clock that was ahead.
  return !device.next_allowed.has_value() || moment.now > *device.next_allowed ||
         *device.next_allowed > moment.now + base::limits::kNextSyncAhead;
}

v1::DeviceState StateOfUser(const NaiveDevice& device, const std::string& carer, const ReportMoment& moment) {
  const State& head = moment.model.head();
  const auto found = device.copies.find(carer);
  if (head.HasLeft(carer)) return v1::DEVICE_STATE_NO_USER;
  if (!device.syncs.empty() && IsOlderApp(device.app_version, head.least_app_version)) return v1::DEVICE_STATE_TOO_OLD;
  if (found == device.copies.end() || !found->second.last_success.has_value()) return v1::DEVICE_STATE_NEVER_SYNCED;
  const NaiveCopy& copy = found->second;
  if (copy.diverged) return v1::DEVICE_STATE_DIVERGED;
  const std::optional<NaiveDevice::Call> call = LastCall(device, moment);
  if (device.failures > 0 || call->state == v1::CALL_STATE_FAILED) return v1::DEVICE_STATE_FAILING;
  if (IsOverdue(device, copy, moment)) return v1::DEVICE_STATE_OVERDUE;
  if (IsManualSyncDue(device, carer, copy, moment)) return v1::DEVICE_STATE_MANUAL_SYNC_DUE;
  if (ChangesBehind(moment.model, carer, &copy) > 0) return v1::DEVICE_STATE_BEHIND;
  return v1::DEVICE_STATE_CURRENT;
}

void AddUsers(const NaiveDevice& device, const std::set<std::string>& users, const ReportMoment& moment,
              v1::Device& row) {
  for (const std::string& carer : users) {
    v1::DeviceUser& user = *row.add_users();
    user.set_carer_id(carer);
    user.set_is_user(true);
    const auto copy = device.copies.find(carer);
    const bool holds = copy != device.copies.end();
    user.set_behind_by(ChangesBehind(moment.model, carer, holds ? &copy->second : nullptr));
    const bool blocked = row.blocked() || row.cloned();
    user.set_state(blocked ? v1::DEVICE_STATE_BLOCKED : StateOfUser(device, carer, moment));
    if (!holds) continue;
    user.set_acknowledged_revision(copy->second.cursor.revision);
    if (copy->second.last_success.has_value()) {
      SetTime(copy->second.last_success, *user.mutable_last_successful_sync_time());
    }
    if (moment.model.head().HasLeft(carer)) continue;
    const std::optional<absl::Time> due_since = ManualSyncDueSince(device, carer, copy->second, moment);
    if (!due_since.has_value()) continue;
    SetTime(due_since, *user.mutable_manual_sync_due_since_time());
    if (!row.has_manual_sync_due_since_time() || *due_since < TimeOf(row.manual_sync_due_since_time())) {
      *row.mutable_manual_sync_due_since_time() = user.manual_sync_due_since_time();
    }
  }
}

// Carers who left are no users any more: the others say how the device stands.
v1::DeviceState WorstOf(const v1::Device& row, const State& head) {
  if (row.blocked() || row.cloned()) return v1::DEVICE_STATE_BLOCKED;
  v1::DeviceState worst = v1::DEVICE_STATE_UNSPECIFIED;
  for (const v1::DeviceUser& user : row.users()) {
    if (!head.HasLeft(user.carer_id())) worst = std::max(worst, user.state());
  }
  return worst == v1::DEVICE_STATE_UNSPECIFIED ? v1::DEVICE_STATE_NO_USER : worst;
}

std::string Say(const v1::DeviceUser& user) { return absl::StrCat("[", user.ShortDebugString(), "]"); }

}  // namespace

bool IsOlderApp(const std::string& app, const std::string& least) { return NumbersOf(app) < NumbersOf(least); }

void NaiveDevice::Begin(NaiveSync sync) {
  refused.reset();
  failures_before = failures;
  syncs.push_back(std::move(sync));
}

void NaiveDevice::Succeed(absl::Time now, uint32_t level, uint64_t confirmations) {
  NaiveSync& sync = syncs.back();
  const bool first = sync.confirmations == 0 && sync.outcome != v1::SYNC_OUTCOME_SUCCEEDED;
  const int64_t today = DayOf(now);
  // A sync is one clean sync, however often it is confirmed.
  successes.push_back({today, sync.type == v1::SYNC_TYPE_CLEAN && first});
  std::set<int64_t> days;
  for (const Success& one : successes) days.insert(one.day);
  // Of more days than that, those are kept that are nearest: those ahead were counted by a clock that was wrong.
  if (days.size() > kDays) {
    const int64_t earliest = *days.begin();
    const int64_t latest = *days.rbegin();
    const int64_t furthest = today - earliest >= latest - today ? earliest : latest;
    std::erase_if(successes, [furthest](const Success& one) { return one.day == furthest; });
  }
  failures = 0;
  failures_before = 0;
  last_success = now;
  // Absent where the device has dropped it since it confirmed it.
  if (const auto copy = copies.find(sync.carer); copy != copies.end()) {
    copy->second.last_success = now;
    copy->second.level = level;
    copy->second.diverged = false;
    if (sync.type != v1::SYNC_TYPE_AUTO) copy->second.last_manual = sync.start;
  }
  sync.outcome = v1::SYNC_OUTCOME_SUCCEEDED;
  sync.reason = "";
  sync.confirmations = confirmations;
}

void NaiveDevice::FailLast(v1::SyncOutcome outcome, const std::string& reason) {
  failures = failures_before + 1;
  syncs.back().outcome = outcome;
  syncs.back().reason = reason;
}

std::vector<v1::SyncSummary> ExpectedSyncs(const NaiveDevice& device, const ReportMoment& moment) {
  std::vector<v1::SyncSummary> expected;
  for (auto sync = device.syncs.rbegin(); sync != device.syncs.rend(); ++sync) {
    const NaiveSync shown = Shown(*sync, moment);
    v1::SyncSummary& summary = expected.emplace_back();
    summary.set_session_id(shown.session_id);
    summary.set_carer_id(shown.carer);
    summary.set_sync_type(shown.type);
    SetTime(shown.start, *summary.mutable_start_time());
    summary.set_outcome(shown.outcome);
    summary.set_reason(shown.reason);
  }
  return expected;
}

uint64_t ChangesBehind(const NaiveModel& model, const std::string& carer, const NaiveCopy* copy) {
  const State& head = model.head();
  feed::Position after;
  if (copy != nullptr && model.IsKnown(copy->cursor)) after = copy->position;
  // Removals that it needs are forgotten: a new copy is to be made.
  if (head.horizons.at(carer) > after) after = {};
  const bool anew = after == feed::Position{};
  uint64_t behind = 0;
  for (const auto& [name, item] : *head.feeds.at(carer)) {
    const bool cannot_keep = copy != nullptr && copy->level != 0 && LeastLevel(name.first) > copy->level;
    const bool waits = feed::Position{item.moved, KeyOf(name)} > after && !(anew && item.removal);
    if (waits && !cannot_keep) ++behind;
  }
  return behind;
}

v1::Device ExpectedRow(const NaiveDevice& device, const base::Uuid& uuid, const ReportMoment& moment) {
  const base::TenantId& tenant = moment.model.tenant();
  v1::Device row;
  row.set_device_uuid(uuid.ToString());
  row.set_blocked(moment.permissions.IsBlocked(tenant, uuid));
  row.set_cloned(moment.permissions.IsCloned(tenant, uuid));
  SetTime(device.enrolled, *row.mutable_enrolled_time());
  AddUsers(device, moment.permissions.UsersOf(tenant, uuid), moment, row);
  row.set_state(WorstOf(row, moment.model.head()));
  if (const std::optional<NaiveDevice::Call> call = LastCall(device, moment); call.has_value()) {
    SetTime(call->time, *row.mutable_last_api_call_time());
    row.set_last_api_call(call->state);
    row.set_last_api_call_reason(call->reason);
  }
  row.set_device_name(device.name);
  row.set_app_version(device.app_version);
  if (device.last_success.has_value()) SetTime(device.last_success, *row.mutable_last_successful_sync_time());
  const int64_t today = DayOf(moment.now);
  for (const NaiveDevice::Success& one : device.successes) {
    if (one.day > today) continue;
    if (one.day > today - 7) row.set_successful_syncs_7_days(row.successful_syncs_7_days() + 1);
    if (one.day > today - kDays && one.clean) row.set_clean_syncs_30_days(row.clean_syncs_30_days() + 1);
  }
  return row;
}

namespace {

std::string UsersDiffer(const v1::Device& expected, const v1::Device& row) {
  std::map<std::string, const v1::DeviceUser*> users;
  for (const v1::DeviceUser& user : row.users()) {
    if (user.is_user()) users[user.carer_id()] = &user;
  }
  if (users.size() != static_cast<size_t>(expected.users_size())) return "users";
  for (const v1::DeviceUser& user : expected.users()) {
    const auto found = users.find(user.carer_id());
    if (found == users.end()) return "users";
    const v1::DeviceUser& shown = *found->second;
    const bool same =
        user.state() == shown.state() && user.behind_by() == shown.behind_by() &&
        user.acknowledged_revision() == shown.acknowledged_revision() &&
        user.manual_sync_due_since_time().SerializeAsString() ==
            shown.manual_sync_due_since_time().SerializeAsString() &&
        user.last_successful_sync_time().SerializeAsString() == shown.last_successful_sync_time().SerializeAsString();
    if (!same) return absl::StrCat("a user: ", Say(shown), " instead of ", Say(user));
  }
  return "";
}

}  // namespace

std::string DifferenceOf(const v1::Device& expected, const v1::Device& row) {
  const auto same = [](const auto& one, const auto& other) {
    return one.SerializeAsString() == other.SerializeAsString();
  };
  if (std::string users = UsersDiffer(expected, row); !users.empty()) return users;
  if (row.blocked() != expected.blocked() || row.cloned() != expected.cloned()) return "blocked or cloned";
  if (!same(row.enrolled_time(), expected.enrolled_time())) return "enrolled time";
  if (!same(row.last_api_call_time(), expected.last_api_call_time())) return "last API call time";
  if (row.last_api_call() != expected.last_api_call() ||
      row.last_api_call_reason() != expected.last_api_call_reason()) {
    return absl::StrCat("last API call ", row.last_api_call(), " ", row.last_api_call_reason(), " instead of ",
                        expected.last_api_call(), " ", expected.last_api_call_reason());
  }
  if (!same(row.last_successful_sync_time(), expected.last_successful_sync_time())) return "last successful sync";
  if (!same(row.manual_sync_due_since_time(), expected.manual_sync_due_since_time())) return "manual sync due since";
  if (row.successful_syncs_7_days() != expected.successful_syncs_7_days()) return "successful syncs in 7 days";
  if (row.clean_syncs_30_days() != expected.clean_syncs_30_days()) return "clean syncs in 30 days";
  if (row.device_name() != expected.device_name() || row.app_version() != expected.app_version()) {
    return "name or app version";
  }
  if (row.state() != expected.state()) {
    return absl::StrCat("state ", v1::DeviceState_Name(row.state()), " instead of ",
                        v1::DeviceState_Name(expected.state()));
  }
  return "";
}

}  // namespace caresync::simulation
