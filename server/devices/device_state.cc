#include "server/devices/device_state.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/app_version.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/devices/call_advice.h"
#include "server/tenants/tenants.h"

namespace caresync::devices {
namespace {

using absl::StrCat;

constexpr char kAskToSync[] = "Ask the carer to open the app, on the internet and ideally on Wi-Fi, and to sync.";

struct View {
  const DeviceRows& rows;
  const store::DeviceCopy* copy;
  const CopyFacts& facts;
  const store::Tenant& tenant;
  absl::Time now;
};

std::string TimeText(int64_t time_us, const store::Tenant& tenant) {
  absl::TimeZone zone = absl::UTCTimeZone();
  absl::LoadTimeZone(tenant.time_zone(), &zone);
  return absl::FormatTime("%d %B %Y, %H:%M", base::FromStoredTime(time_us), zone);
}

std::string AppVersion(const DeviceRows& rows) {
  return rows.report.has_value() ? rows.report->app_version() : std::string();
}

// How far ahead of now a time may lie that was written before: clocks that are put right by a little, and no more.
constexpr absl::Duration kClockSlack = absl::Hours(1);

// Whether the server's clock was ahead when the time was written.
bool IsMisdated(int64_t time_us, const View& view) { return base::FromStoredTime(time_us) > view.now + kClockSlack; }

// What the phone's system allowed: what lies further ahead than it may was bounded by a clock that was ahead.
absl::Time AllowedNextSync(const View& view) {
  const absl::Time allowed = base::FromStoredTime(view.rows.report->earliest_next_sync_us());
  return allowed > view.now + base::limits::kNextSyncAhead ? absl::InfinitePast() : allowed;
}

// ---- From worst to best; nullopt: it does not stand so

std::optional<Standing> Blocked(const View& view) {
  if (view.rows.device->blocked()) {
    return Standing{v1::DEVICE_STATE_BLOCKED,
                    "The office blocked it: it is told to drop its data, and gets nothing. Unblock it when it "
                    "is in the right hands again."};
  }
  if (!view.rows.device->cloned()) return std::nullopt;
  return Standing{
      v1::DEVICE_STATE_BLOCKED,
      "Two phones seem to use its UUID, so neither gets anything. Install the app anew on one of them, then "
      "clear the mark."};
}

std::optional<Standing> Left(const View& view) {
  if (!view.facts.left) return std::nullopt;
  return Standing{v1::DEVICE_STATE_NO_USER,
                  "The carer has left, as the rostering system says. Give the device its next user."};
}

std::optional<Standing> TooOld(const View& view) {
  const std::string& least = view.tenant.least_app_version();
  // A device that never called has not said what its app is.
  if (!view.rows.report.has_value() || !base::IsOlderApp(AppVersion(view.rows), least)) return std::nullopt;
  const std::string version = AppVersion(view.rows).empty() ? "of no known version" : AppVersion(view.rows);
  return Standing{v1::DEVICE_STATE_TOO_OLD, StrCat("Its app is ", version, ", and ", least,
                                                   " is the least: it uploads, but gets nothing. Ask the carer to "
                                                   "update the app.")};
}

std::string FailureText(const DeviceRows& rows) {
  if (!rows.call.has_value() || rows.call->reason().empty()) return "";
  return StrCat(" (", rows.call->reason(), ")");
}

bool LastCallFailed(const DeviceRows& rows) {
  return rows.call.has_value() && rows.call->state() == v1::CALL_STATE_FAILED;
}

// What to do about calls that fail. Of one that is under way nobody knows yet why those before it failed.
std::string WhatHelps(const DeviceRows& rows) {
  const std::string reason = LastCallFailed(rows) ? rows.call->reason() : "";
  return AdviceText(RemedyOf(reason), "the carer", "the device");
}

bool HasSynced(const View& view) { return view.copy != nullptr && view.copy->last_success_us() != 0; }

std::optional<Standing> NeverSynced(const View& view) {
  if (HasSynced(view)) return std::nullopt;
  if (LastCallFailed(view.rows)) {
    return Standing{v1::DEVICE_STATE_NEVER_SYNCED,
                    StrCat("This carer never completed a sync on it, and the last call failed", FailureText(view.rows),
                           ". ", WhatHelps(view.rows))};
  }
  return Standing{v1::DEVICE_STATE_NEVER_SYNCED, StrCat("This carer never completed a sync on it. ", kAskToSync)};
}

std::optional<Standing> Diverged(const View& view) {
  if (view.copy == nullptr || !view.copy->diverged()) return std::nullopt;
  return Standing{v1::DEVICE_STATE_DIVERGED,
                  "Its data is not what it should be; the next sync makes a new copy of it. Ask the carer to sync."};
}

std::optional<Standing> Failing(const View& view) {
  const uint32_t failures = view.rows.report.has_value() ? view.rows.report->failures_in_a_row() : 0;
  if (failures == 0 && !LastCallFailed(view.rows)) return std::nullopt;
  const std::string calls = failures > 1 ? StrCat("The last ", failures, " calls failed") : "The last call failed";
  return Standing{v1::DEVICE_STATE_FAILING,
                  StrCat(calls, LastCallFailed(view.rows) ? FailureText(view.rows) : "", ". ", WhatHelps(view.rows))};
}

std::optional<Standing> Overdue(const View& view) {
  const absl::Duration interval = tenants::AutoSyncInterval(view.tenant, view.rows.device->branch_id());
  if (interval <= absl::ZeroDuration() || !HasSynced(view)) return std::nullopt;
  if (IsMisdated(view.copy->last_success_us(), view)) {
    return Standing{v1::DEVICE_STATE_OVERDUE, StrCat("It last synced when the server's clock was ahead (",
                                                     TimeText(view.copy->last_success_us(), view.tenant),
                                                     "), so nobody knows how long ago. ", kAskToSync)};
  }
  const absl::Time due = base::FromStoredTime(view.copy->last_success_us()) + 2 * interval;
  if (view.now <= std::max(due, AllowedNextSync(view))) return std::nullopt;
  return Standing{v1::DEVICE_STATE_OVERDUE,
                  StrCat("It last synced on ", TimeText(view.copy->last_success_us(), view.tenant),
                         ", and should every ", absl::FormatDuration(interval), ". ", kAskToSync)};
}

std::optional<Standing> ManualSyncDue(const View& view) {
  if (view.copy != nullptr && IsMisdated(view.copy->last_manual_success_us(), view)) {
    return Standing{v1::DEVICE_STATE_MANUAL_SYNC_DUE,
                    StrCat("The carer last started a sync when the server's clock was ahead (",
                           TimeText(view.copy->last_manual_success_us(), view.tenant),
                           "), so nobody knows whether a visit ended since. Ask the carer to sync.")};
  }
  if (!view.facts.manual_due_since.has_value()) return std::nullopt;
  return Standing{v1::DEVICE_STATE_MANUAL_SYNC_DUE,
                  StrCat("A visit ended on ", TimeText(base::ToStoredTime(*view.facts.manual_due_since), view.tenant),
                         ", and the carer has not started a sync since. Ask the carer to sync.")};
}

std::optional<Standing> Behind(const View& view) {
  const uint64_t count = view.facts.behind_by;
  if (count == 0) return std::nullopt;
  const std::string changes = count == 1                             ? "1 change waits"
                              : count < base::limits::kBehindCounted ? StrCat(count, " changes wait")
                                                                     : StrCat(count, " or more changes wait");
  return Standing{v1::DEVICE_STATE_BEHIND, StrCat(changes, " for it; its next sync brings them.")};
}

const store::DeviceCopy* CopyOf(const DeviceRows& rows, const base::Uuid& carer) {
  return rows.report.has_value() ? FindCopy(*rows.report, carer) : nullptr;
}

uint64_t DaysSince1970(absl::Time now) {
  return static_cast<uint64_t>(absl::ToUnixSeconds(now) / absl::ToInt64Seconds(absl::Hours(24)));
}

template <typename Count>
uint64_t SumOfDays(const store::DeviceReport& report, absl::Time now, int64_t days, Count count) {
  const int64_t today = static_cast<int64_t>(DaysSince1970(now));
  uint64_t sum = 0;
  for (const store::DayCount& day : report.days()) {
    if (day.day() > today - days && day.day() <= today) sum += count(day);
  }
  return sum;
}

}  // namespace

Standing StandingOfUser(const DeviceRows& rows, const base::Uuid& carer, const CopyFacts& facts,
                        const store::Tenant& tenant, absl::Time now) {
  const View view{rows, CopyOf(rows, carer), facts, tenant, now};
  for (const auto check : {Blocked, Left, TooOld, NeverSynced, Diverged, Failing, Overdue, ManualSyncDue, Behind}) {
    if (std::optional<Standing> standing = check(view); standing.has_value()) return *std::move(standing);
  }
  return {v1::DEVICE_STATE_CURRENT, "It holds all that the carer may see."};
}

bool IsOverdue(const DeviceRows& rows, const base::Uuid& carer, const store::Tenant& tenant, absl::Time now) {
  const CopyFacts none;
  return Overdue({rows, CopyOf(rows, carer), none, tenant, now}).has_value();
}

Standing StandingOfDevice(const DeviceRows& rows, const std::vector<UserStanding>& users) {
  const CopyFacts none;
  const store::Tenant tenant;
  if (const auto blocked = Blocked({rows, nullptr, none, tenant, absl::InfinitePast()}); blocked.has_value()) {
    return *blocked;
  }
  const UserStanding* worst = nullptr;
  for (const UserStanding& user : users) {
    // Who left is no user; the others say how the device stands.
    if (user.left) continue;
    if (worst == nullptr || user.standing.state > worst->standing.state) worst = &user;
  }
  if (worst == nullptr && !users.empty()) return users.front().standing;
  if (worst == nullptr) return {v1::DEVICE_STATE_NO_USER, "Nobody is set as its user. Give it a user."};
  Standing standing = worst->standing;
  if (users.size() > 1 && standing.state != v1::DEVICE_STATE_CURRENT && !worst->carer_name.empty()) {
    standing.reason = StrCat(worst->carer_name, ": ", standing.reason);
  }
  return standing;
}

std::string StateText(v1::DeviceState state) {
  std::string text = v1::DeviceState_Name(state);
  text = text.substr(std::string_view("DEVICE_STATE_").size());
  return absl::StrReplaceAll(absl::AsciiStrToLower(text), {{"_", " "}});
}

uint64_t SuccessfulSyncs7Days(const store::DeviceReport& report, absl::Time now) {
  return SumOfDays(report, now, 7, [](const store::DayCount& day) { return day.successes(); });
}

uint64_t CleanSyncs30Days(const store::DeviceReport& report, absl::Time now) {
  return SumOfDays(report, now, static_cast<int64_t>(base::limits::kCountedDays),
                   [](const store::DayCount& day) { return day.clean_successes(); });
}

}  // namespace caresync::devices
